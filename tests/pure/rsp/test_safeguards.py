from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rsp.canonical import digest_of
from include.rsp.policy_parts import Standard
from include.rsp.safeguard_evidence import SafeguardEvidence
from include.rsp.vocabulary import CriterionOutcome
from tests.support.factories import START, toy_policy
from tests.support.safeguards import judge_plain

STANDARD = toy_policy().standard("toy-asl-3")


def piece(criterion: str, **changes: Any) -> SafeguardEvidence:
    kind = next(one.evidence for one in STANDARD.criteria if one.id == criterion)
    plain = {
        "standard": STANDARD.id,
        "criterion": criterion,
        "type": kind,
        "shows": True,
        "statement": "seen",
        "collected_at": START,
        "collector": "somebody",
        "simulated": True,
    }
    return SafeguardEvidence.model_validate(plain | changes)


def all_met() -> dict[str, SafeguardEvidence]:
    return {name_of(one.id): piece(one.id) for one in STANDARD.criteria}


def name_of(text: str) -> str:
    return digest_of({"evidence": text})


def test_a_standard_holds_when_every_criterion_is_met() -> None:
    assert judge_plain(STANDARD, all_met(), at=START).holds


@pytest.mark.parametrize("criterion", [one.id for one in STANDARD.criteria])
@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        (None, CriterionOutcome.MISSING),
        ({"shows": False}, CriterionOutcome.NOT_MET),
        ({"type": "other"}, CriterionOutcome.MISSING),
        ({"standard": "other"}, CriterionOutcome.MISSING),
        ({"collected_at": START - timedelta(days=31)}, CriterionOutcome.STALE),
        ({"collected_at": START + timedelta(days=1)}, CriterionOutcome.MISSING),
    ],
)
def test_each_criterion_alone_can_fail_the_standard(
    criterion: str, changes: dict[str, Any] | None, outcome: CriterionOutcome
) -> None:
    evidence = all_met()
    del evidence[name_of(criterion)]
    if changes is not None:
        evidence[name_of("changed")] = piece(criterion, **changes)
    judged = judge_plain(STANDARD, evidence, at=START)
    assert not judged.holds
    row = next(one for one in judged.criteria if one.criterion == criterion)
    assert row.outcome is outcome


def test_evidence_is_stale_one_second_after_its_age() -> None:
    limit = timedelta(days=7)
    assert judge_plain(STANDARD, all_met(), at=START + limit).holds
    assert not judge_plain(STANDARD, all_met(), at=START + limit + timedelta(seconds=1)).holds


def test_the_newest_evidence_decides_and_a_tie_goes_against_the_criterion() -> None:
    evidence = all_met()
    name = STANDARD.criteria[0].id
    evidence[name_of("worse")] = piece(name, shows=False)
    assert not judge_plain(STANDARD, evidence, at=START).holds
    evidence[name_of("better")] = piece(name, collected_at=START + timedelta(seconds=2))
    assert judge_plain(STANDARD, evidence, at=START + timedelta(seconds=2)).holds


def test_a_standard_without_criteria_never_holds() -> None:
    unwritten = Standard(id="asl-4", clause="1", level="4", text="not written", criteria=[])
    assert not judge_plain(unwritten, {}, at=START).holds


def test_a_criterion_without_an_age_cannot_be_met() -> None:
    ageless = STANDARD.criteria[0].model_copy(update={"max_age_days": None})
    standard = STANDARD.model_copy(update={"criteria": [ageless]})
    judged = judge_plain(standard, all_met(), at=START)
    assert judged.criteria[0].outcome is CriterionOutcome.STALE
