"""Every requirement of the demo's standard and of ASL-3, in every way in which it can fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from include.adapters.catalogue_files import beside, catalogues_of
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.canonical import digest_of
from include.rsp.catalogue import CatalogueStandard
from include.rsp.policy_parts import Standard
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import Exemption, SafeguardEvidence, Shown
from include.rsp.safeguard_plan import ORGANISATION, SafeguardPlan
from include.rsp.safeguards import (
    CriterionJudgement,
    StandardJudgement,
    judge_standard,
    surfaces_of,
    unmet,
)
from include.rsp.suite import Suite
from include.rsp.vocabulary import CriterionOutcome
from tests.support.factories import START, small_suite, toy_policy, with_every_surface
from tests.support.safeguards import judge_plain, whole_evidence

MET, NOT_MET = CriterionOutcome.MET, CriterionOutcome.NOT_MET
STALE, MISSING = CriterionOutcome.STALE, CriterionOutcome.MISSING
OWNER = "its-owner"
OUTSIDER = "outsider"
SECOND = timedelta(seconds=1)
OTHER = "sha256:" + "a" * 64


@cache
def rules_of(name: str) -> Rules:
    """A policy with a suite that has one surface of each kind, all with owners."""
    policy = read_policy(named_file(POLICIES, name).read_bytes(), where=name)
    suite = small_suite(policy.id, [one.id for one in policy.red_lines], ceilings={"default": 6})
    plan = suite.safeguards.model_dump(mode="json")
    plan["owners"] = {one.id: OWNER for one in policy.standards}
    suite = suite.model_copy(update={"safeguards": SafeguardPlan.model_validate(plan)})
    return Rules(policy, suite, catalogues_of(policy, beside()))


CASES = [
    ("toylab", "toy-asl-3"),
    ("anthropic-rsp-2.2", "asl-3-deployment"),
    ("anthropic-rsp-2.2", "asl-3-security"),
    ("anthropic-rsp-1.0", "asl-3-deployment"),
    ("anthropic-rsp-3.4", "asl-3-security"),
]
ROWS = [
    (name, standard, requirement.id, surface)
    for name, standard in CASES
    for requirement in (rules_of(name).requirements_of(standard) or CatalogueStandard).requirements
    for surface, _ in surfaces_of(requirement, rules_of(name).suite.safeguards)
]


def shown(rules: Rules, standard: str) -> dict[str, Shown]:
    """Everything that the standard asks for, collected at START by somebody from outside."""
    pieces = whole_evidence(rules, at=START, standards={standard}, collector=OUTSIDER)
    return {digest_of(one): Shown(one, OUTSIDER) for one in pieces}


def judged(rules: Rules, standard: str, known: dict[str, Shown], **more: Any) -> StandardJudgement:
    basis = Basis(plan=rules.suite.safeguards, evidence=known, at=more.pop("at", START), **more)
    return judge_standard(rules.policy.standard(standard), rules.requirements_of(standard), basis)


def row_of(found: StandardJudgement, requirement: str, surface: str) -> CriterionJudgement:
    (row,) = [
        one for one in found.criteria if (one.requirement, one.surface) == (requirement, surface)
    ]
    return row


def is_about(one: Shown, requirement: str, surface: str) -> bool:
    on = one.piece.surfaces or [ORGANISATION]
    return one.piece.criterion == requirement and surface in on


@pytest.mark.parametrize(("name", "standard"), CASES)
def test_a_standard_holds_when_everything_is_met_on_every_surface(name: str, standard: str) -> None:
    rules = rules_of(name)
    found = judged(rules, standard, shown(rules, standard))
    assert found.holds
    assert {row.outcome for row in found.criteria} == {MET}
    assert len(found.criteria) == sum(1 for row in ROWS if row[:2] == (name, standard))


WAYS: dict[str, tuple[dict[str, Any] | None, CriterionOutcome, str]] = {
    "gone": (None, MISSING, "no evidence"),
    "refuted": ({"shows": False}, NOT_MET, "shown in a test"),
    "another type": ({"type": "hearsay"}, MISSING, "evidence of the type hearsay"),
    "another standard": ({"standard": "other"}, MISSING, "no evidence"),
    "another surface": ({"surfaces": ["elsewhere"]}, MISSING, "elsewhere"),
    "another checkpoint": ({"checkpoint": "sha256:" + "1" * 64}, MISSING, "no evidence"),
    "from the future": ({"collected_at": START + timedelta(days=1)}, MISSING, "after now"),
    "expired": (
        {"collected_at": START - timedelta(hours=2), "expires_at": START - SECOND},
        STALE,
        "expired",
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "standard", "requirement", "surface"), ROWS)
def test_each_requirement_alone_fails_the_standard(
    name: str, standard: str, requirement: str, surface: str, way: str
) -> None:
    changes, outcome, said = WAYS[way]
    rules = rules_of(name)
    known = {}
    for digest, one in shown(rules, standard).items():
        if not is_about(one, requirement, surface):
            known[digest] = one
        elif changes is not None:
            piece = SafeguardEvidence.model_validate(one.piece.model_dump() | changes)
            known[digest_of(piece)] = replace(one, piece=piece)
    found = judged(rules, standard, known)
    row = row_of(found, requirement, surface)
    assert not found.holds
    assert row.outcome is outcome
    assert said in row.because
    assert [(one.requirement, one.surface) for _, one in unmet([found])] == [(requirement, surface)]


@pytest.mark.parametrize(("name", "standard", "requirement", "surface"), ROWS)
def test_each_requirement_is_met_to_the_second_of_its_age(
    name: str, standard: str, requirement: str, surface: str
) -> None:
    rules = rules_of(name)
    known = shown(rules, standard)
    until = row_of(judged(rules, standard, known), requirement, surface).good_until
    assert until is not None
    assert row_of(judged(rules, standard, known, at=until), requirement, surface).outcome is MET
    late = row_of(judged(rules, standard, known, at=until + SECOND), requirement, surface)
    assert late.outcome is STALE
    assert "allowed age" in late.because


@pytest.mark.parametrize(("name", "standard", "requirement", "surface"), ROWS)
def test_its_owner_verifies_only_what_needs_nobody_else(
    name: str, standard: str, requirement: str, surface: str
) -> None:
    rules = rules_of(name)
    said = rules.requirements_of(standard)
    assert said is not None
    (asked,) = [one for one in said.requirements if one.id == requirement]
    for by, because in ((OWNER, "self-verified"), (None, "no signature shows that")):
        known = {
            digest: replace(one, by=by) if is_about(one, requirement, surface) else one
            for digest, one in shown(rules, standard).items()
        }
        row = row_of(judged(rules, standard, known), requirement, surface)
        assert (row.outcome is MET) is (asked.verifier == "self")
        assert asked.verifier == "self" or because in row.because


@pytest.mark.parametrize(("name", "standard", "requirement", "surface"), ROWS)
def test_what_does_not_have_its_digest_or_came_after_the_signatures_does_not_count(
    name: str, standard: str, requirement: str, surface: str
) -> None:
    rules = rules_of(name)
    known = shown(rules, standard)
    broken = {
        digest: replace(one, broken="the attachment x is gone")
        if is_about(one, requirement, surface)
        else one
        for digest, one in known.items()
    }
    row = row_of(judged(rules, standard, broken), requirement, surface)
    assert (row.outcome, row.because) == (MISSING, "the attachment x is gone")
    late = judged(rules, standard, known, closed_at=START - SECOND)
    row = row_of(late, requirement, surface)
    assert row.outcome is MISSING
    assert "after what people signed" in row.because
    assert judged(rules, standard, known, closed_at=START).holds


def test_what_speaks_against_it_counts_whoever_says_it_and_whenever() -> None:
    rules = rules_of("toylab")
    known = shown(rules, "toy-asl-3")
    for by in (None, OWNER, OUTSIDER):
        for digest, one in known.items():
            later = {"shows": False, "collected_at": START + SECOND}
            against = SafeguardEvidence.model_validate(one.piece.model_dump() | later)
            found = judged(
                rules, "toy-asl-3", known | {OTHER: Shown(against, by)},
                at=START + SECOND, closed_at=START,
            )  # fmt: skip
            assert not found.holds, digest


def test_the_newest_evidence_decides_and_a_tie_goes_against_it() -> None:
    rules = rules_of("toylab")
    known = shown(rules, "toy-asl-3")
    first = next(iter(known.values()))
    no = SafeguardEvidence.model_validate(first.piece.model_dump() | {"shows": False})
    assert not judged(rules, "toy-asl-3", known | {OTHER: Shown(no, None)}).holds
    within = no.model_copy(update={"collected_at": START - 10 * SECOND})  # as clocks may differ
    assert not judged(rules, "toy-asl-3", known | {OTHER: Shown(within, None)}).holds
    older = no.model_copy(update={"collected_at": START - 11 * SECOND})
    assert judged(rules, "toy-asl-3", known | {OTHER: Shown(older, None)}).holds
    disqualified = first.piece.model_copy(update={"collected_at": START + SECOND, "type": "other"})
    assert judged(
        rules, "toy-asl-3", known | {OTHER: Shown(disqualified, None)}, at=START + SECOND
    ).holds


def test_superseded_evidence_does_not_count_even_where_it_is_newer() -> None:
    rules = rules_of("toylab")
    known = shown(rules, "toy-asl-3")
    digest, first = next(iter(known.items()))
    changes = {"shows": False, "supersedes": digest, "collected_at": START - SECOND}
    corrected = SafeguardEvidence.model_validate(first.piece.model_dump() | changes)
    found = judged(rules, "toy-asl-3", known | {OTHER: Shown(corrected, None)})
    assert {row.outcome for _, row in unmet([found])} == {NOT_MET}


def exemption(requirement: str, surface: str, **changes: Any) -> Exemption:
    plain = {
        "standard": "toy-asl-3", "criterion": requirement, "surface": surface,
        "because": "there is none", "claimed_at": START, "until": START + timedelta(days=1),
    } | changes  # fmt: skip
    return Exemption.model_validate(plain)


def test_an_accepted_exemption_stands_in_until_it_ends_and_for_nothing_else() -> None:
    rules = rules_of("toylab")
    known = {
        digest: one
        for digest, one in shown(rules, "toy-asl-3").items()
        if one.piece.criterion != "monitor-alive" or one.piece.surfaces != ["on-api"]
    }
    assert not judged(rules, "toy-asl-3", known).holds
    exempt = exemption("monitor-alive", "on-api")
    found = judged(rules, "toy-asl-3", known, exemptions=[exempt])
    assert found.holds
    assert row_of(found, "monitor-alive", "on-api").outcome is CriterionOutcome.NOT_APPLICABLE
    assert row_of(found, "monitor-alive", "on-api").good_until == exempt.until
    for other in (
        exemption("monitor-alive", "on-first-party-app"),
        exemption("answers-monitored", "on-api"),
        exemption("monitor-alive", "on-api", standard="asl-3-security"),
        exemption("monitor-alive", "on-api", claimed_at=START + timedelta(hours=1)),
    ):
        assert not judged(rules, "toy-asl-3", known, exemptions=[other]).holds
    late = exempt.until + SECOND
    assert not judged(rules, "toy-asl-3", known, exemptions=[exempt], at=late).holds


def test_a_standard_of_which_nothing_is_met_does_not_hold_though_all_is_exempt() -> None:
    rules = rules_of("toylab")
    every = [exemption(req, surface) for name, _, req, surface in ROWS if name == "toylab"]
    found = judged(rules, "toy-asl-3", {}, exemptions=every)
    ((_, row),) = unmet([found])
    assert "only accepted as not applicable" in row.because
    assert not found.holds


def without_kind(suite: Suite, kind: str, **more: Any) -> SafeguardPlan:
    plain = suite.safeguards.model_dump(mode="json")
    plain["surfaces"] = [one for one in plain["surfaces"] if one["kind"] != kind]
    return SafeguardPlan.model_validate(plain | more)


def test_a_kind_of_surface_is_listed_or_said_not_to_exist() -> None:
    rules = rules_of("toylab")
    known = shown(rules, "toy-asl-3")
    standard, said = rules.policy.standard("toy-asl-3"), rules.requirements_of("toy-asl-3")
    forgotten = Basis(plan=without_kind(rules.suite, "api"), evidence=known, at=START)
    rows = unmet([judge_standard(standard, said, forgotten)])
    assert {(row.requirement, row.surface) for _, row in rows} == {
        ("answers-monitored", "api"),
        ("monitor-alive", "api"),
    }
    assert "lists no surface of the kind 'api'" in rows[0][1].because
    absent = [{"kind": "api", "because": "there is only the app"}]
    stated = replace(forgotten, plan=without_kind(rules.suite, "api", absent=absent))
    assert judge_standard(standard, said, stated).holds
    none = [{"kind": "weight_storage", "because": "no weights are kept"}]
    gone = replace(forgotten, plan=without_kind(rules.suite, "weight_storage", absent=none))
    (row,) = [row for _, row in unmet([judge_standard(standard, said, gone)])
              if row.requirement == "weights-access-two-person"]  # fmt: skip
    assert "have it accepted as not applicable" in row.because


@pytest.mark.parametrize("standard", ["asl-4-deployment", "asl-4-security"])
def test_a_standard_that_is_not_written_never_holds(standard: str) -> None:
    rules = rules_of("anthropic-rsp-2.2")
    everything = {
        digest_of(piece): Shown(piece, OUTSIDER)
        for piece in whole_evidence(rules, at=START, collector=OUTSIDER)
    }
    assert not judged(rules, standard, everything).holds


def test_a_policy_without_a_catalogue_is_judged_by_its_own_criteria() -> None:
    unwritten = Standard(id="asl-4", clause="1", level="4", text="not written", criteria=[])
    assert not judge_plain(unwritten, {}, at=START).holds
    standard = toy_policy(lambda plain: plain["standards"][0].update(catalogue=None)).standards[0]
    pieces = {
        digest_of({"of": one.id}): SafeguardEvidence(
            standard=standard.id, criterion=one.id, type=one.evidence, shows=True,
            statement="seen", collected_at=START, collector="anybody", simulated=True,
        )
        for one in standard.criteria
    }  # fmt: skip
    assert judge_plain(standard, pieces, at=START).holds
    for name in pieces:
        fewer = {one: piece for one, piece in pieces.items() if one != name}
        assert not judge_plain(standard, fewer, at=START).holds
    ageless = standard.criteria[0].model_copy(update={"max_age_days": None})
    without_age = standard.model_copy(update={"criteria": [ageless]})
    assert judge_plain(without_age, pieces, at=START).criteria[0].outcome is STALE


def test_a_surface_has_one_name_and_is_not_both_there_and_absent() -> None:
    plain: dict[str, Any] = {}
    with_every_surface(plain)
    both = plain["safeguards"] | {"absent": [{"kind": "api", "because": "none"}]}
    with pytest.raises(ValueError, match="both there and absent"):
        SafeguardPlan.model_validate(both)
    doubled = plain["safeguards"]["surfaces"] * 2
    with pytest.raises(ValueError, match="more than once"):
        SafeguardPlan.model_validate({"surfaces": doubled})
