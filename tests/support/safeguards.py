"""Evidence that shows everything which some rules ask for, and who stands behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from include.adapters.asked_evidence import asked_of
from include.rsp.canonical import digest_of
from include.rsp.policy_parts import Standard
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import SafeguardEvidence, Shown
from include.rsp.safeguard_plan import ORGANISATION, SafeguardPlan
from include.rsp.safeguards import StandardJudgement, judge_standard, surfaces_of


def whole_evidence(
    rules: Rules, *, at: datetime, standards: set[str] | None = None, **changes: Any
) -> Iterator[SafeguardEvidence]:
    """One piece for each requirement on each of its surfaces, collected by an outsider."""
    documents = {one.id for one in rules.policy.documents}
    for (standard, requirement), asked in asked_of(rules).items():
        if standard in documents or (standards is not None and standard not in standards):
            continue
        for surface, problem in surfaces_of(asked, rules.suite.safeguards):
            if problem:
                continue
            plain = {
                "standard": standard,
                "criterion": requirement,
                "type": asked.evidence[0],
                "shows": True,
                "statement": "shown in a test",
                "collected_at": at,
                "collector": "test",
                "surfaces": [] if surface == ORGANISATION else [surface],
                "simulated": True,
            } | changes
            yield SafeguardEvidence.model_validate(plain)


def judge_plain(
    standard: Standard, pieces: Mapping[str, SafeguardEvidence], *, at: datetime
) -> StandardJudgement:
    """A standard by its policy's own criteria, in a lab without surfaces."""
    evidence = {digest: Shown(piece) for digest, piece in pieces.items()}
    return judge_standard(standard, None, Basis(plan=SafeguardPlan(), evidence=evidence, at=at))


def shown(pieces: Iterator[SafeguardEvidence], by: str | None = "outsider") -> dict[str, Shown]:
    """As the ledger would know them, by a digest."""
    return {digest_of(one): Shown(one, by) for one in pieces}
