"""What is wanted of those who deliver results, and whether a delivery is that.

It names no limit: who makes a score should not know on which side of a line it would fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.delivered import DeliveredResults
from include.rsp.elicitation import Method
from include.rsp.errors import Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.study import HumanStudy
from include.rsp.suite import Evaluation
from include.rsp.suite_parts import Control, Scalar

WANTED = "wanted.json"
"""In the inbox of a job: what is waited for there."""


class WantedResults(Document):
    """The planned run that a delivery has to answer, and all that its producer has to know."""

    format: Literal["redline/wanted-results@1"] = "redline/wanted-results@1"
    job: Identifier
    run: Identifier = Field(description="name of the planned run")
    evaluation: Identifier
    evaluation_version: str
    title: str
    metric: str
    unit: str
    score_min: float
    score_max: float
    dataset_samples: int
    checkpoint: Digest
    checkpoint_at: Moment
    variant: Identifier
    due: Moment
    study: HumanStudy
    elicitation_required: list[Identifier]
    elicitation_methods: list[Method]
    environment: dict[str, Scalar]
    dataset: Digest | None
    positive_control: Control | None
    null_control: Control | None


TAKEN_OVER = (
    "title", "metric", "unit", "score_min", "score_max", "dataset_samples", "elicitation_required",
    "elicitation_methods", "environment", "dataset", "positive_control", "null_control",
)  # fmt: skip


def wanted_results(
    evaluation: Evaluation,
    *,
    job: str,
    run: str,
    checkpoint: Digest,
    checkpoint_at: datetime,
    variant: str,
    planned_at: datetime,
) -> WantedResults:
    """What is wanted for a planned run of a study.

    Raises:
        Refused: the evaluation is run by Redline itself (`no_study`).
    """
    if evaluation.study is None:
        raise Refused(
            "no_study",
            f"{evaluation.id} is run by Redline itself: results of it are not taken from others. "
            "Make it a study in the suite.",
        )
    return WantedResults(
        **{name: getattr(evaluation, name) for name in TAKEN_OVER},
        job=job,
        run=run,
        evaluation=evaluation.id,
        evaluation_version=evaluation.version,
        checkpoint=checkpoint,
        checkpoint_at=checkpoint_at,
        variant=variant,
        due=evaluation.study.due(planned_at),
        study=evaluation.study,
    )


def mismatches(
    stated: DeliveredResults,
    wanted: WantedResults,
    *,
    holder: str,
    signed_at: datetime,
    at: datetime,
) -> list[str]:
    """What keeps a delivery from answering a planned run; empty when nothing does.

    Args:
        holder: whose key signed it.

    It answers only if (1) the results are of the evaluation, in this version; (2) they are of this
    checkpoint and (3) of this variant, from which they were elicited; (4) the study takes this
    engine; (5) the holder of the key is the producer that it names, and may deliver; (6) it began
    after the checkpoint was there, ended after it began, was signed after it ended, and not in the
    future.
    """
    problems = []
    got = f"{stated.evaluation}@{stated.evaluation_version}"
    expected = f"{wanted.evaluation}@{wanted.evaluation_version}"
    if got != expected:  # (1)
        problems.append(f"results of {got} (expected {expected})")
    if stated.checkpoint != wanted.checkpoint:  # (2)
        problems.append(f"results of checkpoint {stated.checkpoint} (expected {wanted.checkpoint})")
    elicited = stated.elicitation.variant
    if stated.variant != wanted.variant:  # (3)
        problems.append(f"results of the variant {stated.variant!r} (expected {wanted.variant!r})")
    elif elicited not in (None, wanted.variant):
        problems.append(f"elicited from the variant {elicited!r} (expected {wanted.variant!r})")
    if stated.engine not in wanted.study.formats:  # (4)
        problems.append(f"results by {stated.engine} (expected one of {wanted.study.formats})")
    problems += _problems_with_producer(stated, wanted.study.producers, holder)  # (5)
    return problems + _problems_with_times(stated, wanted.checkpoint_at, signed_at, at)  # (6)


def _problems_with_producer(
    stated: DeliveredResults, allowed: Sequence[str], holder: str
) -> list[str]:
    problems = []
    if stated.producer.holder != holder:
        problems.append(f"signed by {holder} (expected {stated.producer.holder}, as it says)")
    if allowed and holder not in allowed:
        problems.append(f"signed by {holder} (expected one of {sorted(allowed)}, by the suite)")
    return problems


def _problems_with_times(
    stated: DeliveredResults, checkpoint_at: datetime, signed_at: datetime, at: datetime
) -> list[str]:
    begun, ended = stated.started_at, stated.finished_at
    if begun < checkpoint_at - CLOCK_TOLERANCE:
        return [f"begun at {begun:%Y-%m-%d %H:%M:%S}, before the checkpoint was there"]
    if ended < begun:
        return [f"ended at {ended:%Y-%m-%d %H:%M:%S}, before it began"]
    if signed_at < ended - CLOCK_TOLERANCE:
        return [f"signed at {signed_at:%Y-%m-%d %H:%M:%S}, before it ended"]
    if signed_at > at + CLOCK_TOLERANCE:
        return [f"signed at {signed_at:%Y-%m-%d %H:%M:%S}, in the future"]
    return []
