"""Whether a safeguards standard is shown to hold (lifecycle steps 20 and 23)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.policy_parts import Criterion, Standard
from include.rsp.results import BlobRef
from include.rsp.vocabulary import CriterionOutcome


class SafeguardEvidence(Document):
    """One dated piece of evidence for one criterion."""

    standard: Identifier
    criterion: Identifier
    type: Identifier
    shows: bool = Field(description="False: it shows that the criterion is not met")
    statement: str = Field(min_length=1)
    collected_at: Moment
    collector: str = Field(min_length=1)
    checkpoint: Digest | None = Field(
        default=None, description="the checkpoint it is about; null: the standard in general"
    )
    attachment: BlobRef | None
    simulated: bool


class CriterionJudgement(Document):
    """What is known of one criterion, and the record that decided it."""

    criterion: Identifier
    part: str
    outcome: CriterionOutcome
    clause: str
    evidence: Digest | None
    because: str
    good_until: Moment | None


class StandardJudgement(Document):
    """What is known of one standard. It holds only if it has criteria and all are met."""

    standard: Identifier
    holds: bool
    criteria: list[CriterionJudgement]


def judge_standard(
    standard: Standard, evidence: Mapping[str, SafeguardEvidence], *, at: datetime
) -> StandardJudgement:
    """Judge every criterion against the evidence (by record digest) as of a time.

    A standard without criteria never holds: nothing has been written that could be shown.
    """
    rows = [_judge(standard.id, criterion, evidence, at) for criterion in standard.criteria]
    holds = bool(rows) and all(row.outcome is CriterionOutcome.MET for row in rows)
    return StandardJudgement(standard=standard.id, holds=holds, criteria=rows)


def _judge(
    standard_id: str, criterion: Criterion, evidence: Mapping[str, SafeguardEvidence], at: datetime
) -> CriterionJudgement:
    """The newest evidence of the right type decides; a tie is decided against the criterion."""
    candidates = [
        (piece.collected_at, not piece.shows, digest)
        for digest, piece in evidence.items()
        if (piece.standard, piece.criterion, piece.type)
        == (standard_id, criterion.id, criterion.evidence)
        and piece.collected_at <= at + CLOCK_TOLERANCE
    ]
    if not candidates:
        return _row(
            criterion,
            CriterionOutcome.MISSING,
            None,
            None,
            f"no evidence of the type {criterion.evidence!r}; "
            f"add it with `rsp evidence add --criterion {criterion.id}`",
        )
    digest = max(candidates)[2]
    newest = evidence[digest]
    until = None
    if criterion.max_age_days is not None:
        until = newest.collected_at + timedelta(days=criterion.max_age_days)
    if not newest.shows:
        return _row(criterion, CriterionOutcome.NOT_MET, digest, None, newest.statement)
    if until is None or at > until:
        limit = "the policy gives no age" if until is None else f"{criterion.max_age_days:g} days"
        because = f"collected {newest.collected_at:%Y-%m-%d %H:%M} (allowed age: {limit})"
        return _row(criterion, CriterionOutcome.STALE, digest, until, because)
    return _row(criterion, CriterionOutcome.MET, digest, until, newest.statement)


def _row(
    criterion: Criterion,
    outcome: CriterionOutcome,
    digest: str | None,
    until: datetime | None,
    because: str,
) -> CriterionJudgement:
    return CriterionJudgement(
        criterion=criterion.id,
        part=criterion.part,
        outcome=outcome,
        clause=criterion.clause,
        evidence=digest,
        because=because,
        good_until=until,
    )
