"""The catalogues of this repository: whole, in step with their policies, and never too generous."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from include.adapters.catalogue_digests import with_digests
from include.adapters.catalogue_files import (
    CATALOGUES,
    beside,
    catalogues_of,
    named_by,
    read_catalogue,
)
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.adapters.probing import kinds
from include.rsp.canonical import digest_bytes, digest_of
from include.rsp.catalogue import Catalogue, CatalogueStandard, Requirement, problems_with
from include.rsp.errors import InvalidDocument
from include.rsp.policy import Policy
from include.rsp.policy_parts import CatalogueRef, Criterion, Standard
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import SafeguardEvidence, Shown
from include.rsp.safeguard_plan import SafeguardPlan, Surface
from include.rsp.safeguards import StandardJudgement, judge_standard
from include.rsp.vocabulary import CriterionOutcome, SurfaceKind
from tests.support.factories import START, small_suite
from tests.support.safeguards import shown, whole_evidence

DOCS = Path(__file__).resolve().parents[3] / "docs" / "safeguards-catalogues.md"
SECOND = timedelta(seconds=1)
FILES = sorted(path.stem for path in CATALOGUES.glob("*.yaml"))
READ = {
    name: read_catalogue((CATALOGUES / f"{name}.yaml").read_bytes(), where=name) for name in FILES
}
POLICY = {
    name: read_policy((POLICIES / f"{name}.yaml").read_bytes(), where=name)
    for name in ("anthropic-rsp-1.0", "anthropic-rsp-2.2", "anthropic-rsp-3.4", "toylab-1.0")
}
OWN = {
    ("asl-3", "anthropic-rsp-2.2"): {"asl-3-deployment", "asl-3-security"},
    ("asl-3", "anthropic-rsp-3.4"): {"asl-3-deployment", "asl-3-security"},
    ("asl-3-v1", "anthropic-rsp-1.0"): {"asl-3-deployment", "asl-3-security"},
    ("asl-4", "anthropic-rsp-2.2"): {"asl-4-deployment", "asl-4-security"},
    ("toy-asl-3", "toylab-1.0"): {"toy-asl-3"},
}
"""Which standards of which policy a catalogue is written for."""
STANDARDS = ("asl-3-deployment", "asl-3-security", "toy-asl-3")
PLAN = SafeguardPlan(
    surfaces=[
        Surface(id=kind.value, kind=kind, owner="somebody-else", text="a place")
        for kind in SurfaceKind
    ],
    owners={one: "safeguards-team" for one in STANDARDS},
)
EIGHTEEN = {
    "access-management", "researcher-tooling", "software-inventory", "supply-chain",
    "artifact-provenance", "binary-authorisation", "endpoint-patching", "hardware-procurement",
    "executive-risk-council", "weight-access", "infrastructure-as-code", "cloud-posture",
    "red-team", "central-logging", "access-monitoring", "deception", "physical-security",
    "insider-programme",
}  # fmt: skip
NIST_FAMILIES = {
    "AC": 25, "AT": 6, "AU": 16, "CA": 9, "CM": 14, "CP": 13, "IA": 12, "IR": 9, "MA": 7, "MP": 8,
    "PE": 23, "PL": 11, "PM": 32, "PS": 9, "PT": 8, "RA": 10, "SA": 23, "SC": 51, "SI": 23,
    "SR": 12,
}  # fmt: skip
"""Families of SP 800-53 Rev. 5, with the number of their last control."""
every_requirement = pytest.mark.parametrize(
    ("standard", "requirement"),
    [
        pytest.param(standard, one, id=f"{name}-{standard.standard}-{one.id}")
        for name, catalogue in READ.items()
        for standard in catalogue.standards
        for one in standard.requirements
    ],
)
each_pair = pytest.mark.parametrize(
    ("name", "policy", "standard"),
    [
        pytest.param(name, POLICY[policy], standard, id=f"{name}, {policy}, {standard}")
        for (name, policy), standards in OWN.items()
        for standard in sorted(standards)
    ],
)


def said(name: str, standard: str) -> CatalogueStandard:
    found = READ[name].of(standard)
    assert found is not None
    return found


def judged(
    policy: Policy, standard: Standard, of: CatalogueStandard, *, after: timedelta
) -> StandardJudgement:
    """So long after everything was shown on every kind of surface by somebody else."""
    suite = small_suite(policy.id, [line.id for line in policy.red_lines])
    whole = policy.model_copy(
        update={"standards": [standard.model_copy(update={"catalogue": REFERENCE})]}
    )
    rules = Rules(
        whole,
        suite.model_copy(update={"safeguards": PLAN}),
        {REFERENCE.sha256: Catalogue(
            id="one", version="1", title="x", source="x", standards=[of])},
    )  # fmt: skip
    pieces = whole_evidence(rules, at=START, standards={standard.id})
    return judge_standard(standard, of, Basis(plan=PLAN, evidence=shown(pieces), at=START + after))


REFERENCE = CatalogueRef(name="one", sha256=digest_of({"catalogue": "one"}))


def test_there_are_just_these_and_each_is_called_as_its_file() -> None:
    assert FILES == ["asl-2", "asl-3", "asl-3-v1", "asl-4", "toy-asl-3"]
    assert [one.id for one in READ.values()] == FILES


@each_pair
def test_a_catalogue_covers_each_criterion_of_its_policy_and_no_other(
    name: str, policy: Policy, standard: str
) -> None:
    assert problems_with(READ[name], [policy.standard(standard)]) == []


@each_pair
def test_what_the_policy_asks_for_is_asked_under_its_own_name_and_by_its_own_evidence(
    name: str, policy: Policy, standard: str
) -> None:
    asked = {one.id: one for one in said(name, standard).requirements}
    for criterion in policy.standard(standard).criteria:
        assert asked[criterion.id].criterion == criterion.id
        assert criterion.evidence in asked[criterion.id].evidence


@pytest.mark.parametrize("policy", POLICY.values(), ids=POLICY)
def test_a_policy_names_the_catalogues_by_the_digest_of_their_bytes(policy: Policy) -> None:
    """The toy policy is left to the demo's own story; it may name one or none yet."""
    found = catalogues_of(policy, beside())  # raises where one is another file, or does not fit
    for digest, ref in named_by(policy).items():
        assert digest == digest_bytes((CATALOGUES / f"{ref.name}.yaml").read_bytes())
        assert found[digest] == READ[ref.name]
    if policy.id == "anthropic-rsp":
        named = {
            (one.catalogue.name, one.id) for one in policy.standards if one.catalogue is not None
        }
        here = f"anthropic-rsp-{policy.version}"
        assert named == {
            (name, standard) for (name, of), all_ in OWN.items() if of == here for standard in all_
        }


@every_requirement
def test_every_probe_that_is_named_exists(
    standard: CatalogueStandard, requirement: Requirement
) -> None:
    assert requirement.probe is None or requirement.probe in kinds()
    # what a probe sees is somebody else's word, so it can be asked for
    assert requirement.probe is None or requirement.verifier == "independent"
    if requirement.probe in ("http.canary", "http.monitor", "sandbox.egress"):
        assert requirement.surfaces, "a probe of a surface says nothing of the organisation"


@every_requirement
def test_what_a_probe_writes_is_accepted_and_documented(
    standard: CatalogueStandard, requirement: Requirement
) -> None:
    written = [one for one in requirement.evidence if one.endswith("-probe")]
    assert len(written) == (requirement.probe is not None)
    for one in written:
        kind = (requirement.probe or "").partition(".")[0]
        (row,) = (line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{one}` |"))
        assert f"`{requirement.probe}`" in row or f"`{kind}.*`" in row


def test_every_probe_of_ours_is_asked_for_by_asl_3() -> None:
    ours = {name for name, where in kinds().items() if where.startswith("include.")}
    rows = [one for standard in READ["asl-3"].standards for one in standard.requirements]
    assert {one.probe for one in rows if one.probe} == ours


@every_requirement
def test_a_nist_control_is_one_of_rev_5(
    standard: CatalogueStandard, requirement: Requirement
) -> None:
    for control in requirement.nist:
        family, number = re.match(r"([A-Z]{2})-(\d+)", control).groups()  # type: ignore[union-attr]
        assert 1 <= int(number) <= NIST_FAMILIES[family]


@pytest.mark.parametrize("control", ["AC-0", "ac-3", "AC-3()", "AC-3(02)", "AC3", "AC-3(2)(a)"])
def test_a_malformed_nist_control_is_refused(control: str) -> None:
    plain = said("toy-asl-3", "toy-asl-3").requirements[0].model_dump()
    with pytest.raises(ValidationError, match="nist"):
        Requirement.model_validate(plain | {"nist": [control]})


def test_asl_3_security_has_the_eighteen_families_and_requires_something_of_each() -> None:
    security = said("asl-3", "asl-3-security")
    assert len(EIGHTEEN) == 18
    assert set(security.families) == EIGHTEEN
    assert {one.family for one in security.requirements if one.family} == EIGHTEEN


def test_whom_asl_3_security_withstands_and_whom_it_does_not() -> None:
    actors = said("asl-3", "asl-3-security").actors
    assert {one.id for one in actors if one.in_scope} == {
        "hacktivists", "criminals", "terrorists", "corporate-espionage", "basic-insiders",
        "broad-state-campaigns",
    }  # fmt: skip
    assert {one.id for one in actors if not one.in_scope} == {
        "targeting-states", "state-resourced-groups", "sophisticated-insiders",
        "state-compromised-insiders",
    }  # fmt: skip


@pytest.mark.parametrize("requirement", ["realtime-classifiers", "asynchronous-monitors",
                                         "remediation-logs", "defence-in-depth"])  # fmt: skip
def test_human_feedback_is_looked_at_by_itself(requirement: str) -> None:
    """Facts R17: the classifiers were off there for a year, and one flag had killed the logs."""
    rows = {one.id: one for one in said("asl-3", "asl-3-deployment").requirements}
    assert SurfaceKind.HUMAN_FEEDBACK in rows[requirement].surfaces


def test_every_kind_of_surface_is_asked_about() -> None:
    rows = [one for standard in READ["asl-3"].standards for one in standard.requirements]
    assert {kind for one in rows for kind in one.surfaces} == set(SurfaceKind)


@pytest.mark.parametrize("name", ["asl-2", "asl-4"])
def test_what_is_not_defined_says_why(name: str) -> None:
    for standard in READ[name].standards:
        assert not standard.defined
        assert standard.because


@pytest.mark.parametrize("standard", ["asl-4-deployment", "asl-4-security"])
def test_asl_4_never_holds_whatever_is_shown(standard: str) -> None:
    policy = POLICY["anthropic-rsp-2.2"]
    pieces = {
        digest_of({"of": one.id}): Shown(
            SafeguardEvidence(
                standard=standard, criterion=one.id, type=one.evidence, shows=True,
                statement="seen", collected_at=START, collector="x", simulated=True,
            ),
            "outsider",
        )
        for other in policy.standards for one in other.criteria
    }  # fmt: skip
    basis = Basis(plan=PLAN, evidence=pieces, at=START)
    found = judge_standard(policy.standard(standard), said("asl-4", standard), basis)
    assert not found.holds
    assert found.criteria == []
    written = policy.standard(standard).model_copy(
        update={"criteria": policy.standard("asl-3-security").criteria}
    )  # criteria alone, with a catalogue that does not define how they are shown
    assert problems_with(READ["asl-4"], [written])
    assert not judge_standard(written, said("asl-4", standard), basis).holds


@each_pair
def test_a_defined_standard_holds_when_all_is_shown_and_nothing_outlives_the_policys_age(
    name: str, policy: Policy, standard: str
) -> None:
    law, of = policy.standard(standard), said(name, standard)
    if not of.defined:
        return
    at_once = judged(policy, law, of, after=timedelta(0))
    assert at_once.holds
    longest = {one.id: timedelta(days=one.max_age_days or 0) for one in law.criteria}
    asked = {one.id: one for one in of.requirements}
    for row in at_once.criteria:
        assert row.good_until is not None
        assert row.good_until <= START + longest[row.criterion]
        assert row.good_until <= START + timedelta(days=asked[row.requirement].max_age_days or 0)
    first = min(row.good_until for row in at_once.criteria if row.good_until) - START
    assert judged(policy, law, of, after=first).holds
    late = judged(policy, law, of, after=first + SECOND)
    assert not late.holds
    assert {row.outcome for row in late.criteria} >= {CriterionOutcome.STALE}
    assert all(
        row.outcome is CriterionOutcome.STALE
        for row in judged(policy, law, of, after=max(longest.values()) + SECOND).criteria
    )


@pytest.mark.parametrize(
    ("name", "policy"), [("asl-3", "anthropic-rsp-2.2"), ("asl-3-v1", "anthropic-rsp-1.0"),
                         ("toy-asl-3", "toylab-1.0")],
)  # fmt: skip
def test_no_age_is_above_that_of_the_policy_it_is_written_for(name: str, policy: str) -> None:
    for standard in OWN[name, policy]:
        limit = {one.id: one.max_age_days for one in POLICY[policy].standard(standard).criteria}
        for one in said(name, standard).requirements:
            assert (one.max_age_days or 0) <= (limit[one.criterion] or 0)


@pytest.mark.parametrize(
    "standard",
    [pytest.param(one, id=f"{name}, {one.standard}") for name, catalogue in READ.items()
     for one in catalogue.standards if one.defined],
)  # fmt: skip
def test_it_is_approved_again_within_a_year_and_not_warned_of_from_the_first_day(
    standard: CatalogueStandard,
) -> None:
    """RSP 2.2 §4.3; a warning period longer than an age would warn all the time."""
    assert standard.reapproval_days <= 365
    shortest = min(one.max_age_days or 0 for one in standard.requirements)
    assert 0 < standard.warn_days < shortest


@pytest.mark.parametrize("part", ["threat-model", "red-team", "access", "audit"])
def test_threat_models_are_their_owners_and_reviews_are_somebody_elses(part: str) -> None:
    rows = [
        one for standard in READ["asl-3"].standards for one in standard.requirements
        if part in one.id
    ]  # fmt: skip
    assert rows
    verifiers = {one.verifier for one in rows}
    assert verifiers == ({"self"} if part == "threat-model" else {"independent"})


@every_requirement
def test_what_is_about_weights_in_a_place_is_shown_where_they_lie(
    standard: CatalogueStandard, requirement: Requirement
) -> None:
    if requirement.probe and requirement.probe.startswith(("aws.", "config.", "artifact.")):
        assert requirement.surfaces == [SurfaceKind.WEIGHT_STORAGE]


@pytest.mark.parametrize("name", FILES)
def test_every_catalogue_and_family_is_documented(name: str) -> None:
    text = DOCS.read_text()
    assert f"`{name}`" in text
    for standard in READ[name].standards:
        assert f"`{standard.standard}`" in text
        for family in standard.families:
            assert f"`{family}`" in text
        if standard.defined:
            count = len(standard.requirements)
            assert f"| `{name}` | `{standard.standard}` | {count} for " in text


@pytest.mark.parametrize("field", [*Requirement.model_fields, *CatalogueStandard.model_fields])
def test_every_field_of_a_catalogue_is_documented(field: str) -> None:
    assert f"`{field}`" in DOCS.read_text()


# Catalogues that are refused

REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "defined without a requirement": (
        lambda one: one.update(requirements=[], families={}), "there are 0 requirements"),
    "not defined, with requirements": (
        lambda one: one.update(defined=False, because="x"), "defined is False and there are"),
    "not defined, and no reason": (
        lambda one: one.update(defined=False, requirements=[], families={}), "does not say why"),
    "a family of which nothing is required": (
        lambda one: one["families"].update(unused="x"), "nothing is required of the families"),
    "a family that is not listed": (
        lambda one: one["requirements"][0].update(family="unheard-of"), "unheard-of"),
    "a requirement that stands there twice": (
        lambda one: one["requirements"].append(one["requirements"][0]), "more than once"),
    "no evidence is accepted": (
        lambda one: one["requirements"][0].update(evidence=[]), "at least 1"),
    "no age is said": (lambda one: one["requirements"][0].pop("max_age_days"), "max_age_days"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_catalogue_that_could_show_nothing_is_refused(name: str) -> None:
    change, says = REFUSED[name]
    plain = said("asl-3", "asl-3-security").model_dump()
    change(plain)
    with pytest.raises(ValidationError, match=says):
        CatalogueStandard.model_validate(plain)


def a_policy(ref: CatalogueRef, criteria: list[Criterion]) -> Policy:
    base = POLICY["toylab-1.0"]
    standard = base.standards[0].model_copy(update={"catalogue": ref, "criteria": criteria})
    return base.model_copy(update={"standards": [standard]})


TOY = (CATALOGUES / "toy-asl-3.yaml").read_bytes()
TOY_REF = CatalogueRef(name="toy-asl-3", sha256=digest_bytes(TOY))
CRITERIA = POLICY["toylab-1.0"].standards[0].criteria


def test_the_toy_catalogue_can_be_named_by_its_policy() -> None:
    assert catalogues_of(a_policy(TOY_REF, CRITERIA), beside()) == {
        TOY_REF.sha256: READ["toy-asl-3"]
    }


@pytest.mark.parametrize(
    ("ref", "criteria", "says"),
    [
        (TOY_REF, CRITERIA[:1], "expected just"),
        (TOY_REF, [*CRITERIA, CRITERIA[0].model_copy(update={"id": "more"})], "expected just"),
        (TOY_REF.model_copy(update={"name": "asl-4"}), CRITERIA, "has the digest"),
        (TOY_REF.model_copy(update={"name": "unheard-of"}), CRITERIA, "No catalogue 'unheard-of'"),
    ],
    ids=["a criterion too few", "one too many", "another file", "no file"],
)
def test_a_policy_whose_catalogue_does_not_fit_is_refused(
    ref: CatalogueRef, criteria: list[Criterion], says: str
) -> None:
    with pytest.raises(InvalidDocument, match=says):
        catalogues_of(a_policy(ref, criteria), beside())


# `make generate` writes digests


def policy_file(folder: Path, change: Callable[[str], str]) -> Path:
    path = folder / "policy.yaml"
    path.write_text(change(named_file(POLICIES, "anthropic-rsp-1.0").read_text()))
    return path


def test_a_changed_catalogue_changes_the_policies_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "asl-3-v1.yaml").write_text("# another file\n")
    path = policy_file(tmp_path, lambda text: text)
    assert with_digests(path) == path.read_text()  # of this repository: nothing to write
    text = with_digests(path, tmp_path)
    plain = yaml.safe_load(text)
    named = [one["catalogue"] for one in plain["standards"]]
    assert named == [{"name": "asl-3-v1", "sha256": digest_bytes(b"# another file\n")}] * 2
    lines = zip(text.splitlines(), path.read_text().splitlines(), strict=True)
    assert len([1 for new, old in lines if new != old]) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda text: re.sub(r'catalogue:\n +name: (.*)\n +sha256: (".*")',
                            r"catalogue: {name: \1, sha256: \2}", text, count=1),
        lambda text: re.sub(r'name: (asl-3-v1)\n +(sha256: ".*")', r"\2\n      name: \1", text,
                            count=1),
    ],
    ids=["on one line", "the other way round"],
)  # fmt: skip
def test_a_reference_whose_digest_would_stay_old_is_refused(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    (tmp_path / "asl-3-v1.yaml").write_text("# another file\n")
    path = policy_file(tmp_path, change)
    with pytest.raises(InvalidDocument, match="in another form"):
        with_digests(path, tmp_path)
