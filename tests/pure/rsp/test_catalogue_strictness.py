"""Each way in which safeguards are asked for less is named: in a catalogue, and in a suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.adapters.catalogue_files import CATALOGUES, beside, catalogues_of, read_catalogue
from include.adapters.policy_files import POLICIES, read_policy
from include.rsp.canonical import digest_of
from include.rsp.catalogue import Actor, Catalogue, CatalogueStandard, Requirement
from include.rsp.catalogue_strictness import catalogue_loosenings, shown_loosenings
from include.rsp.errors import UnknownReference
from include.rsp.policy_parts import CatalogueRef
from include.rsp.rules import Rules
from include.rsp.safeguard_plan import (
    AbsentSurface,
    PlannedDrill,
    PlannedProbe,
    SafeguardPlan,
    Surface,
)
from include.rsp.safeguard_plan_strictness import plan_loosenings
from include.rsp.suite_strictness import suite_loosenings
from tests.support.factories import small_suite, toy_suite

Change = Callable[[dict[str, Any]], Any]
BASE = read_catalogue((CATALOGUES / "asl-3.yaml").read_bytes(), where="asl-3")
UNDEFINED = read_catalogue((CATALOGUES / "asl-4.yaml").read_bytes(), where="asl-4")
DEPLOYMENT, SECURITY = 0, 1
COMPARE = "people must compare"


def in_standard(index: int, **values: Any) -> Change:
    return lambda plain: plain["standards"][index].update(values)


def in_row(name: str, **values: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        rows = [one for standard in plain["standards"] for one in standard["requirements"]]
        next(one for one in rows if one["id"] == name).update(values)

    return change


def without_row(index: int, name: str) -> Change:
    def change(plain: dict[str, Any]) -> None:
        rows = plain["standards"][index]["requirements"]
        rows.remove(next(one for one in rows if one["id"] == name))

    return change


def in_actor(name: str, **values: Any) -> Change:
    def change(plain: dict[str, Any]) -> None:
        actors = plain["standards"][SECURITY]["actors"]
        next(one for one in actors if one["id"] == name).update(values)

    return change


def without_actor(name: str) -> Change:
    def change(plain: dict[str, Any]) -> None:
        security = plain["standards"][SECURITY]
        security["actors"] = [one for one in security["actors"] if one["id"] != name]

    return change


def without_family(name: str) -> Change:
    def change(plain: dict[str, Any]) -> None:
        security = plain["standards"][SECURITY]
        del security["families"][name]
        for row in security["requirements"]:
            if row["family"] == name:
                row["family"] = None

    return change


def changed(change: Change, base: Catalogue = BASE) -> Catalogue:
    plain = base.model_dump()
    change(plain)
    return Catalogue.model_validate(plain)


LOOSER: dict[str, tuple[Change, str]] = {
    "a requirement is gone": (
        without_row(DEPLOYMENT, "asynchronous-monitors"),
        "catalogue of asl-3-deployment, asynchronous-monitors is gone",
    ),
    "a kind of surface is gone": (
        in_row("realtime-classifiers", surfaces=["first_party_app", "api", "cloud_partner",
                                                 "internal_use", "fine_tuning"]),
        "catalogue of asl-3-deployment, realtime-classifiers is no longer shown on human_feedback",
    ),
    "evidence may be older": (
        in_row("realtime-classifiers", max_age_days=30),
        "catalogue of asl-3-deployment, realtime-classifiers: evidence may be 7.0 → 30.0 days old",
    ),
    "its owner may verify it": (
        in_row("deployment-red-team", verifier="self"),
        "catalogue of asl-3-deployment, deployment-red-team: whoever owns it may now verify it",
    ),
    "one more type of evidence": (
        in_row("deployment-red-team", evidence=["misuse-red-team", "a-letter"]),
        "catalogue of asl-3-deployment, deployment-red-team is now also shown by a-letter",
    ),
    "approved more rarely": (
        in_standard(DEPLOYMENT, reapproval_days=500),
        "catalogue of asl-3-deployment: reapproval_days 365 → 500",
    ),
    "warned of later": (
        in_standard(DEPLOYMENT, warn_days=1), "catalogue of asl-3-deployment: warn_days 3 → 1",
    ),
    "somebody to withstand is gone": (
        without_actor("basic-insiders"),
        "catalogue of asl-3-security: basic-insiders is no longer named as somebody to withstand",
    ),
    "somebody to withstand is out of scope": (
        in_actor("basic-insiders", in_scope=False),
        "catalogue of asl-3-security: basic-insiders is now out of scope",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOSER)
def test_a_looser_catalogue_is_named_and_the_way_back_is_not(name: str) -> None:
    change, says = LOOSER[name]
    looser = changed(change)
    assert catalogue_loosenings(BASE, looser) == [says]
    assert catalogue_loosenings(looser, BASE) == []


COMPARED: dict[str, tuple[Change, str]] = {
    "worded anew": (
        in_row("lifecycle", shown="it is fine"),
        "catalogue of asl-3-security, lifecycle is worded anew",
    ),
    "another probe": (
        in_row("realtime-classifiers", probe="http.monitor"),
        "realtime-classifiers: probe http.canary → http.monitor",
    ),
    "no probe": (
        in_row("realtime-classifiers", probe=None),
        "realtime-classifiers: probe http.canary → None",
    ),
    "another criterion": (
        in_row("weights-locked", criterion="perimeters-and-access"),
        "weights-locked: criterion lifecycle → perimeters-and-access",
    ),
    "another family": (
        in_row("weights-locked", family="artifact-provenance"),
        "weights-locked: family None → artifact-provenance",
    ),
    "the organisation in place of surfaces": (
        in_row("remediation-logs", surfaces=[]),
        "evaluation_traffic → the organisation",
    ),
    "surfaces in place of the organisation": (
        in_row("physical-security", surfaces=["weight_storage"]),
        "physical-security: shown for the organisation → weight_storage",
    ),
    "an actor is worded anew": (
        in_actor("basic-insiders", text="some employees"),
        "catalogue of asl-3-security: actor basic-insiders is worded anew",
    ),
    "a family is worded anew": (
        lambda plain: plain["standards"][SECURITY]["families"].update(deception="toys"),
        "catalogue of asl-3-security: control family deception is worded anew",
    ),
}


@pytest.mark.parametrize("name", COMPARED)
def test_what_only_people_can_compare_is_listed_both_ways(name: str) -> None:
    change, says = COMPARED[name]
    other = changed(change)
    (told,) = catalogue_loosenings(BASE, other)
    assert says in told
    assert COMPARE in told
    (back,) = catalogue_loosenings(other, BASE)
    assert COMPARE in back


STRICTER: dict[str, Change] = {
    "one more kind of surface": in_row(
        "realtime-classifiers", surfaces=[*(one.value for one in BASE.standards[0].requirements[3]
                                            .surfaces), "evaluation_traffic"],
    ),
    "fresher": in_row("lifecycle", max_age_days=30),
    "of no age at all, so that nothing counts": in_row("lifecycle", max_age_days=None),
    "somebody else verifies": in_row("security-resourcing", verifier="independent"),
    "fewer types of evidence": in_row("egress-limited", evidence=["configuration-probe"]),
    "approved sooner": in_standard(SECURITY, reapproval_days=90),
    "warned of sooner": in_standard(SECURITY, warn_days=6),
    "withstands more": in_actor("sophisticated-insiders", in_scope=True),
    "not defined any more": in_standard(
        SECURITY, defined=False, because="x", requirements=[], families={}, actors=[]
    ),
    "other references": in_row("lifecycle", nist=["SA-15"], clause="elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRICTER)
def test_what_asks_for_more_is_not_named(name: str) -> None:
    assert catalogue_loosenings(BASE, changed(STRICTER[name])) == []


def test_a_control_family_that_goes_is_named() -> None:
    found = catalogue_loosenings(BASE, changed(without_family("deception")))
    assert "catalogue of asl-3-security: control family deception is gone" in found


def test_a_standard_that_could_never_be_shown_and_now_can_is_named() -> None:
    written = UNDEFINED.model_copy(
        update={
            "standards": [
                BASE.standards[0].model_copy(update={"standard": "asl-4-deployment"}),
                UNDEFINED.standards[1],
            ]
        }
    )
    assert catalogue_loosenings(UNDEFINED, written) == [
        "catalogue of asl-4-deployment, which could never be shown, is now defined"
    ]
    assert catalogue_loosenings(written, UNDEFINED) == []


def test_a_standard_that_a_catalogue_no_longer_speaks_of_is_named() -> None:
    less = BASE.model_copy(update={"standards": BASE.standards[:1]})
    assert catalogue_loosenings(BASE, less) == [
        "catalogue of asl-3-security is gone: people must compare"
    ]


def test_nothing_is_looser_than_itself() -> None:
    for one in (BASE, UNDEFINED):
        assert catalogue_loosenings(one, one) == []


def test_every_field_of_a_catalogue_is_compared_or_only_informs() -> None:
    """A new field has to be put into one of these, and into a row above if it is compared."""
    compared = {
        "id", "criterion", "shown", "evidence", "surfaces", "max_age_days", "verifier", "probe",
        "family",
    }  # fmt: skip
    assert set(Requirement.model_fields) == compared | {"nist", "clause"}
    compared = {"standard", "defined", "reapproval_days", "warn_days", "requirements", "families",
                "actors"}  # fmt: skip
    assert set(CatalogueStandard.model_fields) == compared | {"because"}
    assert set(Actor.model_fields) == {"id", "text", "in_scope"}


# The catalogues of two policies


def rules(catalogue: Catalogue | None, *, read: bool = True) -> Rules:
    """RSP 2.2, whose ASL-3 standards are shown by this catalogue; None: by their own criteria."""
    base = read_policy((POLICIES / "anthropic-rsp-2.2.yaml").read_bytes(), where="2.2")
    known = dict(catalogues_of(base, beside()))
    ref = None
    if catalogue is not None:
        ref = CatalogueRef(name="asl-3", sha256=digest_of(catalogue))
        if read:
            known[ref.sha256] = catalogue
    standards = [
        one.model_copy(update={"catalogue": ref}) if one.id.startswith("asl-3") else one
        for one in base.standards
    ]
    policy = base.model_copy(update={"standards": standards})
    return Rules(policy, small_suite(base.id, ["cbrn-3"]), known)


def test_two_policies_are_compared_through_the_catalogues_that_they_name() -> None:
    change, says = LOOSER["a kind of surface is gone"]
    assert shown_loosenings(rules(BASE), rules(changed(change))) == [says]
    assert shown_loosenings(rules(changed(change)), rules(BASE)) == []
    assert shown_loosenings(rules(BASE), rules(BASE)) == []


def test_without_a_catalogue_each_control_family_is_seen_to_go() -> None:
    found = shown_loosenings(rules(BASE), rules(None))
    assert "catalogue of asl-3-security, weight-access-two-party is gone" in found
    assert "catalogue of asl-3-security: control family deception is gone" in found
    assert (
        "catalogue of asl-3-deployment, deployment-red-team: whoever owns it may now verify it"
        in found
    )
    back = shown_loosenings(rules(None), rules(BASE))
    assert all(COMPARE in one or one.endswith("is now out of scope") for one in back)


def test_a_catalogue_that_nobody_read_is_never_taken_for_a_stricter_one() -> None:
    with pytest.raises(UnknownReference, match="was not read"):
        shown_loosenings(rules(BASE), rules(changed(LOOSER["warned of later"][0]), read=False))


# The plan of a suite

PROBE: dict[str, Any] = {
    "id": "canary-app", "probe": "http.canary", "standard": "asl-3-deployment",
    "requirement": "realtime-classifiers", "type": "canary-probe", "surfaces": ["app"],
    "timeout_seconds": 30, "settings": {"url": "http://127.0.0.1:1"},
}  # fmt: skip
DRILL: dict[str, Any] = {
    "scenario": "jailbreak", "run": "toylab.drills:jailbreak", "timeout_seconds": 60,
    "settings": {"rounds": 1},
}  # fmt: skip
PLAN = SafeguardPlan.model_validate(
    {
        "surfaces": [
            {"id": "app", "kind": "first_party_app", "owner": "product", "text": "the app"},
            {"id": "store", "kind": "weight_storage", "owner": "platform", "text": "the store"},
        ],
        "absent": [{"kind": "cloud_partner", "because": "nobody else serves it"}],
        "owners": {"asl-3-security": "ciso"},
        "probes": [PROBE],
        "drills": [DRILL],
    }
)


def replanned(change: Change) -> SafeguardPlan:
    plain = PLAN.model_dump(mode="json")
    change(plain)
    return SafeguardPlan.model_validate(plain)


def put(part: str, index: int, **values: Any) -> Change:
    return lambda plain: plain[part][index].update(values)


PLANS: dict[str, tuple[Change, str]] = {
    "a surface is gone": (
        lambda plain: plain["surfaces"].pop(1), "surface store (weight_storage) is gone",
    ),
    "a surface is of another kind": (
        put("surfaces", 0, kind="api"), "surface app is first_party_app → api: nothing is shown",
    ),
    "a surface has another owner": (
        put("surfaces", 0, owner="sales"), "surface app: owner product → sales: people must",
    ),
    "a surface is worded anew": (
        put("surfaces", 0, text="part of the app"), "surface app is worded anew: people must",
    ),
    "a kind of surface is absent": (
        lambda plain: plain["absent"].append({"kind": "fine_tuning", "because": "not offered"}),
        "the lab now says that it has no fine_tuning: not offered",
    ),
    "absent for another reason": (
        put("absent", 0, because="it is a secret"), "why there is no cloud_partner is worded anew",
    ),
    "nobody owns it": (
        lambda plain: plain["owners"].clear(), "nobody owns asl-3-security any more (it was ciso)",
    ),
    "somebody else owns it": (
        lambda plain: plain["owners"].update({"asl-3-security": "sales"}),
        "owner of asl-3-security ciso → sales: people must compare",
    ),
    "a probe is gone": (
        lambda plain: plain["probes"].clear(),
        "probe canary-app of asl-3-deployment, realtime-classifiers is gone",
    ),
    "a new probe may show something": (
        lambda plain: plain["probes"].append(PROBE | {"id": "always-yes"}),
        "probe always-yes may now show asl-3-deployment, realtime-classifiers: people must compare",
    ),
    "a drill is gone": (lambda plain: plain["drills"].clear(), "drill jailbreak is gone"),
} | {
    f"probe: {field}": (put("probes", 0, **{field: value}), f"probe canary-app: {field} ")
    for field, value in {
        "probe": "http.monitor", "standard": "other", "requirement": "other", "type": "other",
        "surfaces": ["store"], "timeout_seconds": 60, "settings": {"url": "http://127.0.0.1:2"},
    }.items()
} | {
    f"drill: {field}": (put("drills", 0, **{field: value}), f"drill jailbreak: {field} ")
    for field, value in {
        "run": "toylab.drills:nothing", "timeout_seconds": 5, "settings": {"rounds": 0},
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_looks_after_less_is_named(name: str) -> None:
    change, says = PLANS[name]
    (told,) = plan_loosenings(PLAN, replanned(change))
    assert told.startswith("safeguards: ")
    assert says in told


@pytest.mark.parametrize(
    "name", ["a surface is gone", "a kind of surface is absent", "nobody owns it",
             "a drill is gone"],
)  # fmt: skip
def test_a_plan_that_looks_after_more_is_not_named(name: str) -> None:
    assert list(plan_loosenings(replanned(PLANS[name][0]), PLAN)) == []


def test_in_which_task_a_probe_runs_loosens_nothing() -> None:
    assert list(plan_loosenings(PLAN, replanned(put("probes", 0, group="others")))) == []
    assert list(plan_loosenings(PLAN, PLAN)) == []


def test_every_field_of_a_plan_is_compared() -> None:
    compared = {"surfaces", "absent", "owners", "members", "probes", "drills"}
    assert set(SafeguardPlan.model_fields) == compared
    team = SafeguardPlan(members={"team": ["somebody", "another"]})
    fewer = SafeguardPlan(members={"team": ["another"], "new": ["anybody"]})
    (said,) = plan_loosenings(team, fewer)
    assert "somebody no longer belong to team" in said
    assert list(plan_loosenings(fewer, fewer)) == []
    assert set(Surface.model_fields) == {"id", "kind", "owner", "text"}
    assert set(AbsentSurface.model_fields) == {"kind", "because"}
    rows = {name.partition(": ")[2] for name in PLANS if name.startswith("probe: ")}
    assert set(PlannedProbe.model_fields) == rows | {"id", "group"}
    rows = {name.partition(": ")[2] for name in PLANS if name.startswith("drill: ")}
    assert set(PlannedDrill.model_fields) == rows | {"scenario"}


def test_the_plan_is_a_part_of_what_a_suite_is_compared_by() -> None:
    before = toy_suite().model_copy(update={"safeguards": PLAN})
    after = toy_suite().model_copy(update={"safeguards": SafeguardPlan()})
    found = suite_loosenings(before, after)
    assert "safeguards: surface app (first_party_app) is gone" in found
    assert "safeguards: probe canary-app of asl-3-deployment, realtime-classifiers is gone" in found
