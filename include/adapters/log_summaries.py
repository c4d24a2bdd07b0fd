"""A log's summaries: how far an evaluation is, without reading its transcripts.

For progress and display. A decision never rests on them: they are what the writer said of a sample,
and the sample itself is in the same log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from include.adapters import log_decode
from include.adapters.log_archive import Archive
from include.adapters.log_decode import decoded
from include.adapters.log_header import check_header, is_whole, read_header, refusal, whole_log
from include.adapters.log_rows import number
from include.adapters.log_schema import Header, LoggedSample, Summary
from include.adapters.log_source import LIMITS, Content, Limits, Source

SUMMARIES, JOURNAL = "summaries.json", "_journal/summaries/"
_ALL, _ONE = log_decode.SUMMARIES.decode, log_decode.SUMMARY.decode


class SampleSummary(NamedTuple):
    """One sample and epoch; a score that is no finite number is null. Tokens of all models."""

    sample_id: str
    epoch: int
    scores: dict[str, float | None]
    error: str | None
    limit: str | None
    completed: bool
    attempts: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Summaries:
    """Of a whole log. `promised` counts samples times epochs; null: not said."""

    status: str
    model: str
    promised: int | None
    samples: list[SampleSummary] = field(default_factory=list)


def read_summaries(content: Content, *, limits: Limits = LIMITS) -> Summaries:
    """The newest summary of each sample and epoch; of an unfinished log, from its journal.

    Raises:
        InvalidDocument: the log is damaged, too large, or of an unknown version.
    """
    with Source(content) as source:
        header: Header
        if is_whole(source):
            header = whole = whole_log(source, limits)
            found = [_of_json(one, source.where, limits) for one in whole.samples or []]
        else:
            archive = Archive(source, limits)
            header = read_header(archive)
            found = [one for name in _members(archive) for one in _read(archive, name)]
        check_header(header, None, where=source.where)
    identities, epochs = header.eval.dataset.sample_ids, header.eval.config.epochs or 1
    newest = {(one.sample_id, one.epoch): one for one in found}
    return Summaries(
        status=header.status,
        model=header.eval.model,
        promised=len(identities) * epochs if identities else None,
        samples=list(newest.values()),
    )


def _members(archive: Archive) -> list[str]:
    """The list of all; if there is none, or it is too large to be read at once, the journal."""
    whole = archive.last.get(SUMMARIES)
    journal = [name for name in archive.last if name.startswith(JOURNAL)]
    if whole is not None and (whole.size <= archive.limits.summaries_bytes or not journal):
        return [SUMMARIES]
    return sorted(journal, key=lambda name: _place(archive, name))


def _place(archive: Archive, name: str) -> int:
    stem = name.removeprefix(JOURNAL).removesuffix(".json")
    if not (stem.isascii() and stem.isdigit() and len(stem) < 10):
        raise refusal(archive.source, f"the journal has a member {name!r} (expected numbers)")
    return int(stem)


def _read(archive: Archive, name: str) -> list[SampleSummary]:
    """All at once, or, if they are many, one by one: as objects they take several times as much."""
    content = archive.read(archive.last[name], most=archive.limits.summaries_bytes)
    where = f"{archive.source.where}, {name}"
    if len(content) <= archive.limits.field_bytes:
        return [_of_summary(one) for one in decoded(_ALL, content, where=where)]
    pieces = decoded(log_decode.PIECES.decode, content, where=where)
    log_decode.check_number(len(pieces), where=where, limits=archive.limits)
    return [_of_summary(decoded(_ONE, piece, where=where)) for piece in pieces]


def _of_summary(one: Summary) -> SampleSummary:
    return SampleSummary(
        sample_id=str(one.id),
        epoch=one.epoch,
        scores=_scores(one),
        error=one.error,
        limit=one.limit,
        completed=one.completed,
        attempts=1 + (one.retries or 0),
        tokens=sum([usage.total_tokens for usage in one.model_usage.values()]),
    )


def _of_json(content: msgspec.Raw, where: str, limits: Limits) -> SampleSummary:
    log_decode.check_fields(content, where=where, limits=limits)
    one: LoggedSample = decoded(log_decode.sample_decoder(None).decode, content, where=where)
    return SampleSummary(
        sample_id=str(one.id),
        epoch=one.epoch,
        scores=_scores(one),
        error=None if one.error is None else one.error.message,
        limit=None if one.limit is None else one.limit.type,
        completed=True,
        attempts=1 + len(one.error_retries or []),
        tokens=sum([usage.total_tokens for usage in one.model_usage.values()]),
    )


def _scores(one: Summary | LoggedSample) -> dict[str, float | None]:
    """By scorer, or by `scorer.key` where the score is a mapping."""
    found: dict[str, float | None] = {}
    for name, score in (one.scores or {}).items():
        if isinstance(score.value, dict) and score.value:
            for key, value in score.value.items():
                found[f"{name}.{key}"] = number(value)
        else:
            found[name] = number(score.value)
    return found
