"""OSCAL results say of every requirement on every surface what the judgement says, and no more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from include.rsp.canonical import iso
from include.rsp.errors import InvalidDocument
from include.rsp.interim import INTERIM
from include.rsp.judged_safeguards import Judged
from include.rsp.oscal_catalogue import catalog
from include.rsp.oscal_parts import control_id, statement_id, written
from include.rsp.oscal_results import assessment_results, plan_of_action
from include.rsp.policy_catalogue import policy_catalogue
from include.rsp.vocabulary import CriterionOutcome, SurfaceKind
from tests.support.factories import START
from tests.support.judged import (
    DEPLOYMENT,
    FILE,
    NEXT,
    PAPER,
    PLAN,
    POLICY,
    SECURITY,
    SUITE,
    Lab,
    interim_lab,
    measures,
    rules,
    troubled,
    whole,
)
from tests.support.oscal_structure import nodes, problems_of

EVERY = (DEPLOYMENT, SECURITY, NEXT)


def judged() -> Judged:
    """One row of each outcome, and a standard that is not defined."""
    return troubled().judged(*EVERY, days=8, papers=True)


def prop(node: dict[str, Any], name: str) -> str | None:
    return next((one["value"] for one in node.get("props", []) if one["name"] == name), None)


def result(document: dict[str, Any]) -> dict[str, Any]:
    (one,) = document["assessment-results"]["results"]
    return dict(one)


def about(items: list[dict[str, Any]], standard: str, requirement: str | None, surface: str) -> Any:
    (found,) = [
        one
        for one in items
        if (prop(one, "standard"), prop(one, "requirement"), prop(one, "surface"))
        == (standard, requirement, surface)
    ]
    return found


def at(moment: datetime) -> str:
    return iso(moment)


def test_results_and_plans_have_the_structure_that_oscal_asks_for() -> None:
    for one in (judged(), whole().judged(), whole().judged(NEXT), whole().judged(papers=True)):
        assert problems_of(assessment_results(one)) == []
        plan = plan_of_action(one)
        assert plan is None or problems_of(plan) == []


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ((DEPLOYMENT, "answers-monitored", "app"), ("met", "satisfied", "pass")),
        ((DEPLOYMENT, "answers-monitored", "public-api"), ("stale", "not-satisfied", "other")),
        ((DEPLOYMENT, "drill-held", "organisation"), ("not_applicable", "satisfied", "other")),
        ((SECURITY, "weights-listed", "vault"), ("not_met", "not-satisfied", "fail")),
        ((PAPER, "argument", "organisation"), ("missing", "not-satisfied", "other")),
        ((NEXT, None, "organisation"), ("missing", "not-satisfied", "other")),
    ],
)
def test_a_finding_has_the_status_of_its_row(
    row: tuple[str, str | None, str], status: tuple[str, str, str]
) -> None:
    one = about(result(assessment_results(judged()))["findings"], *row)
    said = one["target"]["status"]
    assert (prop(one, "outcome"), said["state"], said["reason"]) == status
    assert one["target"]["target-id"] == statement_id(row[0], row[1])
    assert one["description"] in said["remarks"]
    assert ("implementation-status" in one["target"]) is (status[0] == "not_applicable")


def test_there_is_one_finding_for_each_row_and_one_risk_and_item_for_each_that_is_open() -> None:
    one = judged()
    document, plan = result(assessment_results(one)), plan_of_action(one)
    assert plan is not None
    items = plan["plan-of-action-and-milestones"]["poam-items"]
    assert len(document["findings"]) == len(one.rows) == 6
    keys = {row.key for row in one.open}
    assert len(keys) == 4
    for found in (document["risks"], items):
        named = [
            (prop(x, "standard"), prop(x, "requirement") or "", prop(x, "surface")) for x in found
        ]
        assert len(named) == 4
        assert set(named) == keys


def test_each_target_is_a_part_of_the_policys_catalog() -> None:
    asked = catalog(policy_catalogue(rules()), digest=POLICY, modified=START)
    parts = {one["id"] for name, one in nodes(asked) if name == "parts"}
    controls = {one["id"] for name, one in nodes(asked) if name == "controls"}
    found = result(assessment_results(judged()))
    targets = {one["target"]["target-id"] for one in found["findings"]}
    (selection,) = found["reviewed-controls"]["control-selections"]
    assert targets <= parts
    named = [one["control-id"] for one in selection["include-controls"]]
    assert set(named) <= controls
    assert len(named) == len(set(named)) == 5


def test_an_observation_is_the_evidence_with_its_times_and_who_stands_behind_it() -> None:
    one = judged()
    found = result(assessment_results(one))["observations"]
    assert [prop(each, "record") for each in found] == [
        row.evidence for row in one.rows if row.evidence
    ]
    stale, probed, against = found
    assert (stale["collected"], stale["expires"]) == (at(START), at(START + timedelta(days=7)))
    assert (stale["methods"], prop(stale, "stands-behind-it")) == (["EXAMINE"], "auditor")
    assert probed["expires"] == at(START + timedelta(days=14))
    assert (probed["methods"], prop(probed, "stands-behind-it")) == (
        ["TEST"],
        "probe heartbeat-app",
    )
    assert probed["origins"][0]["actors"][0]["type"] == "tool"
    assert (prop(against, "shows"), prop(against, "stands-behind-it")) == ("false", "nobody signed")
    assert "expires" not in against
    record, attached = stale["relevant-evidence"]
    assert record["href"] == f"urn:redline:record:{prop(stale, 'record')}"
    assert (attached["href"], prop(attached, "bytes")) == (f"urn:redline:blob:{FILE}", "3")


def test_an_item_says_who_has_to_do_what() -> None:
    plan = plan_of_action(judged())
    assert plan is not None
    document = plan["plan-of-action-and-milestones"]
    item = about(document["poam-items"], DEPLOYMENT, "answers-monitored", "public-api")
    assert prop(item, "owner") == "api-team"
    assert (
        "Collect anew evidence of the type monitoring-drill or heartbeat on public-api"
        in (item["description"])
    )
    assert "The probe monitoring-heartbeat can collect it" in item["description"]
    (named,) = item["related-risks"]
    (risk,) = [one for one in document["risks"] if one["uuid"] == named["risk-uuid"]]
    assert risk["deadline"] == at(START + timedelta(days=7))
    (task,) = risk["remediations"][0]["tasks"]
    (role,) = task["responsible-roles"]
    parties = {one["uuid"]: one["name"] for one in document["metadata"]["parties"]}
    assert [parties[one] for one in role["party-uuids"]] == ["api-team"]


def test_what_nobody_owns_says_so_and_what_is_not_defined_cannot_be_collected() -> None:
    plan = plan_of_action(judged())
    assert plan is not None
    document = plan["plan-of-action-and-milestones"]
    nobody = about(document["poam-items"], PAPER, "argument", "organisation")
    assert prop(nobody, "owner") == "nobody is named"
    assert "Name an owner under `safeguards.owners`" in nobody["description"]
    risk = about(document["risks"], PAPER, "argument", "organisation")
    assert "responsible-roles" not in risk["remediations"][0]["tasks"][0]
    assert "deadline" not in risk
    unwritten = about(document["poam-items"], NEXT, None, "organisation")
    assert "it is not defined" in unwritten["description"]
    assert "Define what toy-asl-4 demands" in unwritten["description"]


def test_a_standard_of_which_all_is_only_exempt_is_open() -> None:
    lab = Lab()
    lab.exempt(SECURITY, "weights-listed", "vault")
    one = lab.judged(SECURITY)
    assert [row.requirement for row in one.open] == [None]
    found = result(assessment_results(one))
    assert "only accepted as not applicable" in found["risks"][0]["description"]
    assert plan_of_action(one) is not None


def test_a_surface_that_the_suite_does_not_list_is_a_subject_of_its_own() -> None:
    plan = {**PLAN, "surfaces": PLAN["surfaces"][1:]}
    lab = Lab(rules=rules(plan))
    lab.add()
    found = result(assessment_results(lab.judged(DEPLOYMENT)))
    (api,) = [one for one in found["local-definitions"]["components"] if one["title"] == "api"]
    assert api["status"] == {"state": "other"}
    row = about(found["findings"], DEPLOYMENT, "answers-monitored", "api")
    assert row["target"]["status"]["state"] == "not-satisfied"


def test_two_rows_of_the_same_names_have_uuids_of_their_own() -> None:
    surfaces = [{**PLAN["surfaces"][1], "id": SurfaceKind.API.value}, PLAN["surfaces"][2]]  # type: ignore[dict-item,index]
    one = Lab(rules=rules({**PLAN, "surfaces": surfaces})).judged(DEPLOYMENT)
    assert [row.surface for row in one.rows].count("api") == 2
    assert problems_of(assessment_results(one)) == []


def test_the_plan_is_honestly_none_and_named_by_the_digests_of_policy_suite_and_catalogue() -> None:
    document = assessment_results(judged())["assessment-results"]
    (plan,) = [
        one
        for one in document["back-matter"]["resources"]
        if f"#{one['uuid']}" == document["import-ap"]["href"]
    ]
    assert plan["description"].startswith("No OSCAL assessment plan exists")
    hashes = {one["hashes"][0]["value"] for one in plan["rlinks"]}
    assert hashes == {one.removeprefix("sha256:") for one in (POLICY, SUITE, FILE)}


def test_nothing_open_leaves_no_plan_of_action() -> None:
    one = whole().judged()
    assert plan_of_action(one) is None
    found = result(assessment_results(one))
    assert "risks" not in found
    assert prop(found, "holds") == "true"
    assert prop(found, "good-until") == at(START + timedelta(days=7))


def test_results_of_one_standard_speak_of_no_other() -> None:
    one = judged().only(SECURITY)
    found = result(assessment_results(one))
    assert {prop(each, "standard") for each in found["findings"]} == {SECURITY}
    assert len(found["observations"]) == 1
    assert (
        assessment_results(one)["assessment-results"]["uuid"]
        != (assessment_results(judged())["assessment-results"]["uuid"])
    )
    with pytest.raises(InvalidDocument, match=r"is not about the standard 'asl-9'.*toy-asl-3"):
        judged().only("asl-9")


def test_a_measure_that_stands_in_mitigates_a_risk_that_stays_open_until_it_ends() -> None:
    one = interim_lab().judged(interim=measures())
    assert one.record.holds
    document = assessment_results(one)
    assert problems_of(document) == []
    risk = about(result(document)["risks"], SECURITY, "weights-listed", "vault")
    assert risk["status"] == "open"
    assert prop(risk, "interim-measure") == "isolate"
    assert risk["deadline"] == at(START + timedelta(days=20))
    (factor,) = risk["mitigating-factors"]
    assert "network of their own" in factor["description"]
    row = about(result(document)["findings"], SECURITY, "weights-listed", "vault")
    assert row["target"]["status"]["state"] == "not-satisfied"
    assert plan_of_action(one) is not None
    (objective,) = document["assessment-results"]["local-definitions"]["objectives-and-methods"]
    assert objective["control-id"] == control_id(INTERIM, "isolate")


def test_a_measure_that_is_not_shown_mitigates_nothing() -> None:
    one = interim_lab(shown=False).judged(interim=measures())
    assert not one.record.holds
    risk = about(result(assessment_results(one))["risks"], SECURITY, "weights-listed", "vault")
    assert "mitigating-factors" not in risk
    assert "Nothing stands in for it" in risk["statement"]


def test_the_longest_time_of_the_policy_ends_measures_before_their_own() -> None:
    assert interim_lab().judged(interim=measures(days=300)).interim_ends == (
        START + timedelta(days=30)
    )


def test_the_same_records_give_the_same_bytes() -> None:
    assert written(assessment_results(judged())) == written(assessment_results(judged()))
    assert judged().digest == judged().digest


@pytest.mark.parametrize("outcome", list(CriterionOutcome))
def test_the_lab_that_is_troubled_has_every_outcome(outcome: CriterionOutcome) -> None:
    assert outcome in {row.outcome for row in judged().rows}


def test_text_of_people_breaks_no_document() -> None:
    lab = Lab()
    lab.add(lambda plain: plain | {"statement": " \n# <b>x</b>\u2028\x00", "collector": "\t"})
    assert problems_of(assessment_results(lab.judged())) == []
