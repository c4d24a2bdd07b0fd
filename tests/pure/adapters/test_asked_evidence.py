"""A suite whose probes could show nothing is refused before it is adopted."""

from __future__ import annotations

from typing import Any

import pytest

from include.adapters.asked_evidence import check_probes
from include.adapters.catalogue_files import beside, catalogues_of
from include.rsp.errors import InvalidDocument
from include.rsp.rules import Rules
from include.rsp.safeguard_plan import MOST_GROUPS, SafeguardPlan
from tests.support.factories import toy_policy, toy_suite

PROBE: dict[str, Any] = {
    "id": "canary", "probe": "http.canary", "standard": "toy-asl-3",
    "requirement": "answers-monitored", "type": "canary-probe", "surfaces": ["toy-api"],
    "timeout_seconds": 5,
}  # fmt: skip


def rules_with(**changes: Any) -> Rules:
    policy = toy_policy()
    suite = toy_suite(lambda plain: plain["safeguards"].update(probes=[PROBE | changes]))
    return Rules(policy, suite, catalogues_of(policy, beside()))


def test_a_probe_for_what_is_asked_is_planned() -> None:
    check_probes(rules_with())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"probe": "http.canaries"}, "is a 'http.canaries' (expected one of"),
        ({"standard": "toy-asl-9"}, "asks for no evidence"),
        ({"requirement": "answers"}, "asks for no evidence"),
        ({"type": "hearsay"}, "accepts no evidence 'hearsay'"),
        ({"surfaces": ["toy-weights"]}, "not on ['toy-weights']"),
        ({"surfaces": []}, "not on ['organisation']"),
    ],
)
def test_one_that_could_show_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        check_probes(rules_with(**changes))
    assert "Probe 'canary' of the suite" in str(caught.value)
    assert said in str(caught.value)


def test_no_more_groups_of_probes_than_tasks() -> None:
    surface = {"id": "toy-api", "kind": "api", "owner": "api-team", "text": "made up"}
    many = [PROBE | {"id": f"p{n}", "group": f"g{n}"} for n in range(MOST_GROUPS + 1)]
    SafeguardPlan.model_validate({"surfaces": [surface], "probes": many[:-1]})
    with pytest.raises(ValueError, match=r"51 groups \(expected at most 50"):
        SafeguardPlan.model_validate({"surfaces": [surface], "probes": many})
