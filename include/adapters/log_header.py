"""What a log says of itself, and whether it holds the samples that it promises."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from include.adapters import log_decode
from include.adapters.log_archive import Archive, Member
from include.adapters.log_decode import decoded
from include.adapters.log_schema import FINISHED, STATUSES, Header, WholeLog
from include.adapters.log_source import Limits, Source
from include.rsp.errors import InvalidDocument

HEADER, START = "header.json", "_journal/start.json"
SHOWN = 20
_SAMPLE = re.compile(r"samples/.*_epoch_[0-9]+\.json", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log says of itself, and what is in it. Samples are counted once per epoch.

    Attributes:
        promised: null if the log does not say how many samples it should hold.
        missing_samples: the members of the first few that are missing.
        rewritten: members that a later run of the same sample replaced.
    """

    status: str
    model: str
    task: str
    task_version: str
    eval_id: str
    error: str | None
    invalidated: bool
    scorers: tuple[str, ...]
    epochs: int
    promised: int | None
    present: int
    missing: int
    missing_samples: tuple[str, ...]
    rewritten: int

    @property
    def finished(self) -> bool:
        """Inspect ended the evaluation itself, without an error of the whole."""
        return self.status == FINISHED

    def plain(self) -> dict[str, str | int | bool | None]:
        """What a stored table says of the log that it comes from."""
        return {
            "status": self.status, "model": self.model, "task": self.task,
            "task_version": self.task_version, "eval_id": self.eval_id,
            "invalidated": self.invalidated, "promised": self.promised, "present": self.present,
            "missing": self.missing, "rewritten": self.rewritten,
        }  # fmt: skip


def is_whole(source: Source) -> bool:
    """Whether it is of the `.json` format: one document, no archive."""
    return bytes(source.read(0, 64)).lstrip()[:1] == b"{"


def sample_name(identity: int | str, epoch: int) -> str:
    """The member under which Inspect writes a sample."""
    return f"samples/{identity}_epoch_{epoch}.json"


def refusal(source: Source, what: str) -> InvalidDocument:
    """The error of a log that is not what it should be."""
    return InvalidDocument(f"{source.where}: {what}. Quarantine it, and run the evaluation again.")


def sample_members(archive: Archive) -> Iterator[Member]:
    """The members that hold samples, also those that were written anew later.

    Raises:
        InvalidDocument: samples are stored in pieces, which is not read here.
    """
    for one in archive.members:
        if not one.name.startswith("samples/"):
            continue
        if _SAMPLE.fullmatch(one.name) is None:
            raise InvalidDocument(
                f"{archive.source.where}: {one.name!r} is a piece of a sample (expected each "
                "whole, in one member). Write the log anew without pieces (`inspect log convert`)."
            )
        yield one


def read_header(archive: Archive) -> Header:
    """The header; of a log that was not finished, its start record."""
    member = archive.last.get(HEADER) or archive.last.get(START)
    if member is None:
        raise refusal(archive.source, f"neither {HEADER} nor {START} (expected one of them)")
    where = f"{archive.source.where}, {member.name}"
    content = archive.read(member, most=archive.limits.header_bytes)
    log_decode.check_version(content, where=where)
    return decoded(log_decode.HEADER.decode, content, where=where)


def whole_log(source: Source, limits: Limits) -> WholeLog:
    """A `.json` log, which cannot be read in parts, hence the smaller limit."""
    if source.size > limits.json_bytes:
        raise InvalidDocument(
            f"{source.where} has {source.size} bytes (expected at most {limits.json_bytes} in the "
            ".json format). Write it as .eval (`inspect log convert --to eval`)."
        )
    content = bytes(source.read(0, source.size))
    log_decode.check_version(content, where=source.where)
    found = decoded(log_decode.WHOLE.decode, content, where=source.where)
    log_decode.check_number(len(found.samples or []), where=source.where, limits=limits)
    return found


def check_header(header: Header, model: str | None, *, where: str) -> None:
    """The status is one that Inspect writes, and the model is the expected one."""
    if header.status not in STATUSES:
        raise InvalidDocument(
            f"{where} has the status {header.status!r} (expected one of "
            f"{', '.join(STATUSES)}). {log_decode.UNREADABLE_VERSION}"
        )
    if model is not None and header.eval.model != model:
        raise InvalidDocument(
            f"{where} is of the model {header.eval.model!r} (expected {model!r}). Collect the log "
            "of this checkpoint's own evaluation."
        )


def report_of(header: Header, names: Counter[str], *, where: str) -> LogReport:
    """Compare what the header promises with the samples that are there.

    Raises:
        InvalidDocument: a sample is there that was not promised, one is promised twice, or a log
            that ended with success lacks one.
    """
    present, spec = set(names), header.eval
    epochs = spec.config.epochs or 1
    promised, missing = _promised(header, present, epochs, where)
    if header.status == FINISHED and (missing or promised != len(present)):
        raise InvalidDocument(
            f"{where} ended with success and holds {len(present)} samples (expected {promised}; "
            f"missing: {', '.join(missing[:5]) or 'not said'}). Run the evaluation again."
        )
    return LogReport(
        status=header.status,
        model=spec.model,
        task=spec.task,
        task_version=str(spec.task_version),
        eval_id=spec.eval_id,
        error=None if header.error is None else header.error.message[:300],
        invalidated=header.invalidated,
        scorers=tuple(one.name for one in spec.scorers or ()),
        epochs=epochs,
        promised=promised,
        present=len(present),
        missing=len(missing),
        missing_samples=tuple(missing[:SHOWN]),
        rewritten=names.total() - len(names),
    )


def _promised(
    header: Header, present: set[str], epochs: int, where: str
) -> tuple[int | None, list[str]]:
    """How many samples were promised, and the members of those that are not there."""
    identities = header.eval.dataset.sample_ids
    total = header.results.total_samples if header.results is not None else None
    if not identities:
        return total, []
    names = [sample_name(one, epoch) for epoch in range(1, epochs + 1) for one in identities]
    if len(set(names)) < len(names):
        raise InvalidDocument(f"{where} promises a sample twice (expected every id once).")
    if header.status == FINISHED and total != len(names):
        raise InvalidDocument(
            f"{where} counted {total} samples in all (expected {len(names)} by its list of ids)."
        )
    strange = sorted(present.difference(names))
    if strange:
        raise InvalidDocument(
            f"{where} holds {len(strange)} samples that its header does not list, as "
            f"{strange[0]!r} (expected none). Quarantine it, and run the evaluation again."
        )
    return len(names), [name for name in names if name not in present]
