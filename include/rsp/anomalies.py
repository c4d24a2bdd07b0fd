"""Which results a person has to see before they count (lifecycle step 11).

None of these shows that anything is wrong, and each of them has been how a wrong result looked: a
model that did nothing, one that held back, a log that was copied. They are told, not judged; who
looks, and what follows, is the human review's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from include.rsp.canonical import Digest, Document
from include.rsp.results import Sample
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import AnomalyKind

ENOUGH_FOR_A_MEAN = 20
"""Scored samples from which on an equal mean of two models is worth a look."""
KNOWN_FLAGS = {"cheat": AnomalyKind.CHEATING, "sandbag": AnomalyKind.SANDBAGGING}
"""What a flag's name begins with; any other flag is shown to a person as well."""


class Anomaly(Document):
    """One thing that a person has to look at; without a sample it is about the whole result."""

    kind: AnomalyKind
    sample_id: str | None = Field(default=None, description="null: the evaluation as a whole")
    epoch: int | None = None
    because: str


@dataclass(frozen=True, slots=True)
class Scored:
    """The counted rows of one result set as columns, one entry for each sample and epoch.

    Attributes:
        sample_ids: n ids.
        epochs: n numbers from 1 on.
        scores: n numbers; NaN where a sample ended in an error.
        refused: n times whether the model refused.
        format_failure: n times whether the scorer could not read the answer.
        flags: n lists of names; of cheating, sandbagging or what else an auditor flags.
    """

    sample_ids: Sequence[str]
    epochs: Sequence[int]
    scores: NDArray[np.float64]
    refused: NDArray[np.bool_]
    format_failure: NDArray[np.bool_]
    flags: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        lengths = {
            len(self.sample_ids), len(self.epochs), len(self.scores), len(self.refused),
            len(self.format_failure), len(self.flags),
        }  # fmt: skip
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths: {sorted(lengths)} (expected one)")

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """The columns of stored samples."""
        return cls(
            sample_ids=[one.sample_id for one in samples],
            epochs=[one.epoch for one in samples],
            scores=np.array(
                [math.nan if one.score is None else one.score for one in samples], dtype=np.float64
            ),
            refused=np.array([one.refused for one in samples], dtype=np.bool_),
            format_failure=np.array([one.format_failure for one in samples], dtype=np.bool_),
            flags=[one.flags for one in samples],
        )

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Sample and epoch of each row."""
        return list(zip(self.sample_ids, self.epochs, strict=True))

    @property
    def known(self) -> NDArray[np.float64]:
        """The scores that are there."""
        return self.scores[~np.isnan(self.scores)]


@dataclass(frozen=True, slots=True)
class Compared:
    """The result set of the same evaluation, version and variant for another checkpoint."""

    checkpoint: Digest
    name: str
    scored: Scored


def anomalies(
    evaluation: Evaluation,
    own: Scored,
    *,
    checkpoint: Digest,
    earlier: Compared | None = None,
    others: Sequence[Compared] = (),
) -> list[Anomaly]:
    """Everything about one result set that a person has to see, the whole first.

    Args:
        own: the rows that count.
        checkpoint: whose results they are; results of itself are never compared with.
        earlier: the newest result set of an earlier checkpoint of the same run; None: it has none.
        others: result sets of other checkpoints, of this run or of others.
    """
    others = [one for one in others if one.checkpoint != checkpoint]
    found = [*_on_the_whole(evaluation, own), *_copies(evaluation, own, others)]
    if earlier is not None and earlier.checkpoint != checkpoint:
        found += _regressions(evaluation, own, earlier)
    return found + list(_of_samples(own))


def _on_the_whole(evaluation: Evaluation, own: Scored) -> Iterator[Anomaly]:
    if own.known.size and bool(np.all(own.known == evaluation.score_min)):
        yield Anomaly(
            kind=AnomalyKind.ALL_LOWEST,
            because=f"all {own.known.size} scores are {evaluation.score_min:g}, the lowest: a "
            "model that was never asked, or never tried, looks the same",
        )


def _copies(evaluation: Evaluation, own: Scored, others: Sequence[Compared]) -> Iterator[Anomaly]:
    if own.known.size == 0 or _says_nothing_of_copies(evaluation, own.known):
        return
    mine, mean = _by_key(own), _mean(own.known)
    for other in others:
        theirs = other.scored
        if mine == _by_key(theirs):
            because = f"the scores of all {len(mine)} samples are those of {other.name}"
        elif (
            min(own.known.size, theirs.known.size) >= ENOUGH_FOR_A_MEAN
            and _mean(theirs.known) == mean
        ):
            because = f"the mean score {mean!r} is that of {other.name}, to the last digit"
        else:
            continue
        yield Anomaly(kind=AnomalyKind.COPY, because=because)


def _says_nothing_of_copies(evaluation: Evaluation, known: NDArray[np.float64]) -> bool:
    """All scores the lowest is an anomaly of its own; all the highest hides no capability."""
    return bool(np.all(known == known[0])) and known[0] in (
        evaluation.score_min,
        evaluation.score_max,
    )


def _by_key(scored: Scored) -> dict[tuple[str, int], float | None]:
    scores = [None if math.isnan(one) else one for one in scored.scores.tolist()]
    return dict(zip(scored.keys, scores, strict=True))


def _mean(known: NDArray[np.float64]) -> float:
    """Summed exactly, so that the order of the rows changes no digit."""
    return math.fsum(known.tolist()) / known.size


def _regressions(evaluation: Evaluation, own: Scored, earlier: Compared) -> Iterator[Anomaly]:
    """A model that goes on learning and gets worse may be holding back."""
    tolerance = evaluation.quality.regression_tolerance
    if own.known.size and earlier.scored.known.size:
        was, now = _mean(earlier.scored.known), _mean(own.known)
        if now < was - tolerance:
            yield Anomaly(
                kind=AnomalyKind.REGRESSED,
                because=f"the mean score fell from {was:g} ({earlier.name}) to {now:g} (by more "
                f"than {tolerance:g})",
            )
    before = _by_key(earlier.scored)
    for key, score in _by_key(own).items():
        was_one = before.get(key)
        if score is not None and was_one is not None and score < was_one - tolerance:
            yield Anomaly(
                kind=AnomalyKind.REGRESSED,
                sample_id=key[0],
                epoch=key[1],
                because=f"its score fell from {was_one:g} ({earlier.name}) to {score:g}",
            )


def _of_samples(own: Scored) -> Iterator[Anomaly]:
    for index, (sample_id, epoch) in enumerate(own.keys):
        for kind, because in _of_one(own, index):
            yield Anomaly(kind=kind, sample_id=sample_id, epoch=epoch, because=because)


def _of_one(own: Scored, index: int) -> Iterator[tuple[AnomalyKind, str]]:
    if own.refused[index]:
        yield AnomalyKind.REFUSED, "the model refused"
    if own.format_failure[index]:
        yield AnomalyKind.FORMAT_FAILURE, "the scorer could not read the answer"
    for flag in own.flags[index]:
        yield _kind_of(flag), f"flagged as {flag!r}"


def _kind_of(flag: str) -> AnomalyKind:
    plain = flag.strip().lower()
    return next(
        (kind for start, kind in KNOWN_FLAGS.items() if plain.startswith(start)),
        AnomalyKind.FLAGGED,
    )
