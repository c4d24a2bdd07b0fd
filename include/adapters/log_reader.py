"""Reads an Inspect log (`.eval` or `.json`) into the table of its samples, one sample at a time.

Inspect itself is not imported: the notary and `rsp verify` read logs too. What a log must be for
its rows to be given out:

1. its schema version is known, and its model is the expected one;
2. if it ended with `success`, it holds exactly the samples that its header promises; a log that did
   not end so may hold fewer, and says how many are missing;
3. every sample is under its own name, once; where Inspect ran one again and wrote it anew, the last
   run counts, and only if no earlier one had a score.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

from include.adapters import log_decode
from include.adapters.log_archive import Archive, Member
from include.adapters.log_decode import Json, decoded
from include.adapters.log_header import (
    LogReport,
    check_header,
    is_whole,
    read_header,
    refusal,
    report_of,
    sample_members,
    sample_name,
    whole_log,
)
from include.adapters.log_rows import Context, rows
from include.adapters.log_schema import Header, LoggedSample
from include.adapters.log_source import LIMITS, Content, Limits, Source
from include.adapters.sample_table import Row, as_table, batches, parquet_writer

TWICE = "logged more than once, and an earlier run has a score: Redline does not choose"


class EvaluationLog:
    """An open log. `report` is known at once (1, 2); `rows` reads the samples (3).

    `variant` goes into every row; `model` is the one expected (null: any); `cluster` the key in a
    sample's metadata that names its family (null: each problem is its own).

    Raises, at once or while reading:
        InvalidDocument: the log is damaged, unknown, too large, or not the one expected.
    """

    def __init__(
        self,
        content: Content,
        *,
        variant: str,
        model: str | None = None,
        cluster: str | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._limits, self._decode = limits, log_decode.sample_decoder(cluster).decode
        self._source = Source(content)
        self._archive: Archive | None = None
        self._whole: list[msgspec.Raw] = []
        try:
            header, names = self._opened()
            check_header(header, model, where=self._source.where)
            self._times = Counter(names)
            self.report: LogReport = report_of(header, self._times, where=self._source.where)
        except BaseException:
            self._source.close()
            raise
        self._context = Context(self._source.where, self.report.model, variant, cluster)

    def _opened(self) -> tuple[Header, list[str]]:
        """The header, and the name of every sample that is there, as often as it is there."""
        if is_whole(self._source):
            whole = whole_log(self._source, self._limits)
            self._whole = whole.samples or []
            keys = [decoded(log_decode.KEY.decode, one, where=self._source.where)
                    for one in self._whole]  # fmt: skip
            names = [sample_name(one.id, one.epoch) for one in keys]
            if len(set(names)) < len(names):
                (doubled, _), *_ = Counter(names).most_common(1)
                raise refusal(self._source, f"{doubled} is listed twice (expected once)")
            return whole, names
        self._archive = Archive(self._source, self._limits)
        return read_header(self._archive), [one.name for one in sample_members(self._archive)]

    def rows(self) -> Iterator[Row]:
        """All rows, in the order in which the samples were written."""
        for sample, earlier, scored in self._samples():
            found = rows(sample, self._context, earlier=earlier)
            yield from [one._replace(score=None, error=TWICE) for one in found] if scored else found

    def _samples(self) -> Iterator[tuple[LoggedSample, int, bool]]:
        """Each sample, how many earlier runs there are, and whether one of them has a score."""
        if self._archive is None:
            yield from ((self._sample(one, self._source.where), 0, False) for one in self._whole)
            return
        before: dict[str, bool] = {}
        for member in sample_members(self._archive):
            sample = self._read(self._archive, member)
            if self._archive.last[member.name] is member:
                yield sample, self._times[member.name] - 1, before.pop(member.name, False)
            else:
                scored = bool(sample.scores) and sample.error is None
                before[member.name] = before.get(member.name, False) or scored

    def _read(self, archive: Archive, member: Member) -> LoggedSample:
        sample = self._sample(archive.read(member), f"{self._source.where}, {member.name}")
        if sample_name(sample.id, sample.epoch) != member.name:
            what = f"{member.name!r} holds sample {sample.id!r}, epoch {sample.epoch}"
            raise refusal(self._source, f"{what} (expected the one that it is named after)")
        return sample

    def _sample(self, content: Json, where: str) -> LoggedSample:
        log_decode.check_fields(content, where=where, limits=self._limits)
        sample: LoggedSample = decoded(self._decode, content, where=where)
        return sample

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()


def read_log(
    content: Content,
    *,
    variant: str,
    model: str | None = None,
    cluster: str | None = None,
    limits: Limits = LIMITS,
) -> pa.Table:
    """A log's table, in memory; `sample_table.log_of` gives what the log said of itself.

    Raises:
        InvalidDocument: see `EvaluationLog`, which says what the arguments mean.
    """
    opened = EvaluationLog(content, variant=variant, model=model, cluster=cluster, limits=limits)
    with opened as log:
        return as_table(log.rows(), log=log.report.plain())


def extract(
    content: Content,
    target: Path,
    *,
    variant: str,
    model: str | None = None,
    cluster: str | None = None,
    limits: Limits = LIMITS,
) -> LogReport:
    """Write a log's table as Parquet to `target`, in bounded memory; all of it or nothing.

    Raises:
        InvalidDocument: see `EvaluationLog`, which says what the arguments mean.
    """
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    opened = EvaluationLog(content, variant=variant, model=model, cluster=cluster, limits=limits)
    try:
        with opened as log:
            with contextlib.closing(parquet_writer(beside, log=log.report.plain())) as writer:
                for batch in batches(log.rows()):
                    writer.write_batch(batch)
            beside.replace(target)
            return log.report
    finally:
        beside.unlink(missing_ok=True)


def read_report(
    content: Content, *, model: str | None = None, limits: Limits = LIMITS
) -> LogReport:
    """What a log says of itself, without reading its samples.

    Raises:
        InvalidDocument: see `EvaluationLog`.
    """
    with EvaluationLog(content, variant="", model=model, limits=limits) as log:
        return log.report
