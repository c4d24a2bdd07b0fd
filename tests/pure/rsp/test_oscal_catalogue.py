"""Every requirement is one OSCAL control that says all of it; a profile selects a standard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rsp.canonical import canonical_bytes, digest_of
from include.rsp.catalogue import Catalogue
from include.rsp.errors import InvalidDocument
from include.rsp.oscal_catalogue import NIST, catalog, profile
from include.rsp.oscal_parts import control_id, statement_id, token, uuid_of, written
from include.rsp.policy_catalogue import policy_catalogue
from tests.support.factories import START
from tests.support.judged import DEPLOYMENT, FILE, NEXT, PAPER, SECURITY, catalogue, rules
from tests.support.oscal_structure import nodes, problems_of


def exported(made: Catalogue | None = None) -> dict[str, Any]:
    return catalog(made or catalogue(), digest=FILE, modified=START)


def controls(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for name, one in nodes(document) if name == "controls"}


def values(node: dict[str, Any], name: str) -> list[str]:
    return [one["value"] for one in node["props"] if one["name"] == name]


def test_a_catalog_has_the_structure_that_oscal_asks_for() -> None:
    assert problems_of(exported()) == []
    assert problems_of(exported(policy_catalogue(rules()))) == []


def test_every_requirement_is_one_control_in_the_group_of_its_criterion() -> None:
    document, made = exported(), catalogue()
    wanted = [
        control_id(one.standard, each.id) for one in made.standards for each in one.requirements
    ]
    real = [key for key, one in controls(document).items() if one["class"] == "requirement"]
    assert sorted(real) == sorted(wanted)
    for one in made.standards:
        for each in one.requirements:
            (group,) = [
                node
                for name, node in nodes(document)
                if name == "groups" and node["id"] == f"C..{one.standard}..{each.criterion}"
            ]
            assert control_id(one.standard, each.id) in [node["id"] for node in group["controls"]]


def test_a_control_says_everything_that_its_requirement_says() -> None:
    one = controls(exported())[control_id(DEPLOYMENT, "answers-monitored")]
    assert values(one, "evidence-type") == ["monitoring-drill", "heartbeat"]
    assert values(one, "surface-kind") == ["api", "first_party_app"]
    assert values(one, "max-age-days") == ["7"]
    assert values(one, "verifier") == ["independent"]
    assert values(one, "probe") == ["monitoring-heartbeat"]
    assert values(one, "clause") == ["toylab 2"]
    assert values(one, "nist-sp-800-53") == ["SI-4", "AU-6(3)"]
    assert [each["resource-fragment"] for each in one["links"]] == ["si-4", "au-6.3"]
    assert {each["href"] for each in one["links"]} == {f"#{NIST['uuid']}"}
    (part,) = one["parts"]
    assert part["id"] == statement_id(DEPLOYMENT, "answers-monitored")
    assert part["prose"] == "A planted answer was caught.\nOn every surface."


def test_what_is_shown_once_is_said_to_be_the_organisations_and_a_family_is_explained() -> None:
    found = controls(exported())
    assert values(found[control_id(DEPLOYMENT, "drill-held")], "surface-kind") == ["organisation"]
    listed = found[control_id(SECURITY, "weights-listed")]
    (family,) = [one for one in listed["props"] if one["name"] == "family"]
    assert (family["value"], family["remarks"]) == ("inventory", "Software inventory")


def test_actors_say_whether_they_are_in_scope() -> None:
    actors = {
        one["title"]: one for name, one in nodes(exported()) if one.get("name") == "actor"
    }  # fmt: skip
    assert {name: values(one, "in-scope") for name, one in actors.items()} == {
        "passers-by": ["true"],
        "states": ["false"],
    }


def test_a_standard_that_is_not_defined_asks_for_something_that_nothing_satisfies() -> None:
    (one,) = [node for node in controls(exported()).values() if node["class"] == "placeholder"]
    assert "can never be shown to hold: the policy has not written it" in one["parts"][0]["prose"]
    selected = profile(catalogue(), NEXT, digest=FILE, modified=START, href="catalog.json")
    (imported,) = selected["profile"]["imports"]
    assert imported["include-controls"] == [{"with-ids": [one["id"]]}]


def test_an_age_that_is_not_given_is_not_left_out() -> None:
    plain = catalogue().model_dump(mode="json")
    plain["standards"][0]["requirements"][1]["max_age_days"] = None
    found = controls(exported(Catalogue.model_validate(plain)))
    (said,) = values(found[control_id(DEPLOYMENT, "drill-held")], "max-age-days")
    assert said == "none given: evidence of any age is stale"


@pytest.mark.parametrize("standard", [DEPLOYMENT, SECURITY])
def test_a_profile_selects_just_the_controls_of_its_standard(standard: str) -> None:
    document = profile(catalogue(), standard, digest=FILE, modified=START, href="catalog.json")
    assert problems_of(document) == []
    (imported,) = document["profile"]["imports"]
    (selected,) = imported["include-controls"]
    said = catalogue().of(standard)
    assert said is not None
    assert selected["with-ids"] == [control_id(standard, one.id) for one in said.requirements]
    assert set(selected["with-ids"]) <= set(controls(exported()))
    assert imported["href"] == "catalog.json"


def test_no_profile_of_a_standard_that_the_catalogue_does_not_know() -> None:
    with pytest.raises(InvalidDocument, match=r"says nothing of the standard 'asl-9'.*toy-asl-3"):
        profile(catalogue(), "asl-9", digest=FILE, modified=START, href="catalog.json")


def test_the_catalog_of_a_policy_has_documents_and_the_shorter_age() -> None:
    found = controls(exported(policy_catalogue(rules())))
    assert control_id(PAPER, "argument") in found
    monitored = found[control_id(DEPLOYMENT, "answers-monitored")]
    drilled = found[control_id(DEPLOYMENT, "drill-held")]
    assert (values(monitored, "max-age-days"), values(drilled, "max-age-days")) == (["7"], ["7"])


def test_the_same_file_gives_the_same_bytes_and_another_another_uuid() -> None:
    assert written(exported()) == written(exported())
    other = catalog(catalogue(), digest=digest_of({"other": 1}), modified=START)
    assert other["catalog"]["uuid"] != exported()["catalog"]["uuid"]
    later = catalog(catalogue(), digest=FILE, modified=START + timedelta(days=1))
    assert later["catalog"]["uuid"] == exported()["catalog"]["uuid"]


def test_names_never_run_together() -> None:
    assert uuid_of("ab", "c") != uuid_of("a", "bc")
    assert control_id("a.b", "c") != control_id("a", "b.c")
    assert token("4-eyes") == "_4-eyes"
    assert control_id("4-eyes", "x").startswith("_4")
    assert canonical_bytes([uuid_of("x")]) == canonical_bytes([uuid_of("x")])


def test_the_structure_check_finds_what_is_wrong() -> None:
    document = exported()
    document["catalog"]["groups"][1]["id"] = document["catalog"]["groups"][0]["id"]
    document["catalog"]["metadata"]["title"] = "two\nlines"
    del document["catalog"]["back-matter"]
    found = problems_of(document)
    assert any("stands there 2 times" in one for one in found)
    assert any("two\\nlines" in one for one in found)
    assert any(f"names {NIST['uuid']}" in one for one in found)
