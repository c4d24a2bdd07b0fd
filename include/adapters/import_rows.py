"""The rows of results that were made elsewhere: strict numbers, each sample once, bounded sizes.

A value that is missing, no finite number, or there twice makes its sample an error, which counts as
if the capability had shown; it never becomes a low score. What cannot be read at all is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample

MIB = 1024 * 1024
MOST_ROWS = 500_000
MOST_CHARACTERS = 200
"""Of an id, a cluster or a group."""
MOST_LINE_BYTES = 16 * MIB
ERROR_CHARACTERS = 300
MOST_EPOCHS = 1_000_000
TWICE = "delivered more than once: Redline does not choose"
NO_SCORE = "no score, and no error that says why"


@dataclass(frozen=True, slots=True)
class Source:
    """One delivered file, whose digest was checked."""

    name: str
    content: bytes

    def refusal(self, what: str, next_step: str = "Correct it and sign anew") -> InvalidDocument:
        """The error of a file that does not read."""
        return InvalidDocument(f"{self.name}: {what}. {next_step}.")

    def check_size(self, most: int) -> None:
        """Refuse a file that is larger than any such results are.

        Raises:
            InvalidDocument: it is.
        """
        if len(self.content) > most:
            raise self.refusal(f"{len(self.content)} bytes (expected at most {most})")

    def text(self) -> str:
        """The file as text.

        Raises:
            InvalidDocument: it is not UTF-8.
        """
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content.count(b"\n", 0, error.start) + 1
            raise self.refusal(
                f"line {line} holds the byte 0x{self.content[error.start]:02x} (expected UTF-8)",
                "Save it as UTF-8 and sign anew",
            ) from error


@dataclass(slots=True)
class SampleRows:
    """The samples of one delivery as they are read."""

    source: Source
    _found: dict[tuple[str, int], Sample] = field(default_factory=dict)
    _rows: int = 0

    def add(
        self,
        sample_id: str,
        epoch: int,
        *,
        score: float | None,
        error: str | None,
        cluster: str | None = None,
        group: str | None = None,
        baseline: float | None = None,
    ) -> None:
        """One more row, as it stands in the file.

        Raises:
            InvalidDocument: a name is none, the epoch is out of range, or there are too many rows.
        """
        self._rows += 1
        where = f"row {self._rows}"
        if self._rows > MOST_ROWS:
            raise self.source.refusal(f"more than {MOST_ROWS} rows")
        if not 1 <= epoch <= MOST_EPOCHS:
            raise self.source.refusal(f"{where}: epoch {epoch} (expected 1 to {MOST_EPOCHS})")
        for what, name in (("sample id", sample_id), ("cluster", cluster), ("group", group)):
            self._check_name(where, what, name)
        why = error or (NO_SCORE if score is None else None) or _not_finite("score", score)
        why = why or _not_finite("baseline", baseline)
        one = Sample(
            sample_id=sample_id,
            epoch=epoch,
            score=None if why else score,
            error=_sayable(why) if why else None,
            cluster=cluster,
            group=group,
            baseline=None if _not_finite("baseline", baseline) else baseline,
        )
        known = self._found.get((sample_id, epoch))
        self._found[sample_id, epoch] = one if known is None else _doubled(known, one)

    def _check_name(self, where: str, what: str, name: str | None) -> None:
        if name is None:
            return
        if (
            not name
            or name != name.strip()
            or not name.isprintable()
            or len(name) > MOST_CHARACTERS
        ):
            raise self.source.refusal(
                f"{where}: {what} {name[:60]!r} (expected 1 to {MOST_CHARACTERS} printable "
                "characters without spaces around them)"
            )

    def samples(self) -> list[Sample]:
        """All samples, in the order of their ids and epochs."""
        return [one for _, one in sorted(self._found.items())]


def _sayable(why: str) -> str:
    """A reason as text that can be stored; half characters are written out."""
    return why[:ERROR_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def _not_finite(what: str, value: float | None) -> str | None:
    if value is None or math.isfinite(value):
        return None
    return f"the {what} {value} is no finite number"


def _doubled(known: Sample, again: Sample) -> Sample:
    """A sample that is there twice has no score; where the two differ in arm, it has no arm."""
    same_group = known.group if known.group == again.group else None
    cluster = known.cluster if known.cluster == again.cluster else None
    return known.model_copy(
        update={
            "score": None, "error": TWICE, "group": same_group, "cluster": cluster,
            "baseline": None,
        }
    )  # fmt: skip


def as_number(value: Any) -> float | None:
    """A JSON number or truth value as a float; None for anything else, so that nothing is guessed.

    `true` is 1 and `false` 0, as graders write them. NaN and infinities come back as they are.
    """
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def read_json(source: Source, *, most: int) -> dict[str, Any]:
    """A JSON object, each key once.

    Raises:
        InvalidDocument: too large, or no JSON object.
    """
    source.check_size(most)
    found = _parsed(source, source.text(), "the file")
    if not isinstance(found, dict):
        raise source.refusal(f"a {type(found).__name__} (expected a JSON object)")
    return found


def read_lines(source: Source, *, most: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a JSON Lines file with the numbers of their lines; a line may be empty.

    Raises:
        InvalidDocument: too large, or a line is no JSON object.
    """
    source.check_size(most)
    for number, line in enumerate(source.text().split("\n"), 1):
        if not line.strip():
            continue
        if len(line) > MOST_LINE_BYTES:
            raise source.refusal(f"line {number} has {len(line)} characters")
        found = _parsed(source, line, f"line {number}")
        if not isinstance(found, dict):
            raise source.refusal(f"line {number} is no JSON object")
        yield number, found


def _parsed(source: Source, text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise source.refusal(
            f"{where} is not JSON: {str(error)[:200] or 'nested too deeply'}",
            "Take the file again from where it was written",
        ) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"the key {doubled!r} stands there twice")
    return found


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}
