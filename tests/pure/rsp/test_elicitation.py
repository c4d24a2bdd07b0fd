"""What was not recorded counts as not done."""

from __future__ import annotations

from typing import Any

import pytest

from include.rsp.elicitation import Elicitation, Method, gaps, shortfalls, used

WHOLE: dict[str, Any] = {
    "variant": "helpful-only",
    "scaffold": "agent 2",
    "tools": ["shell"],
    "chain_of_thought": True,
    "best_of_n": 8,
    "context_window": 100_000,
    "context_maximum": 100_000,
    "fine_tuning_share": 0.01,
    "people": 3,
    "hours": 120.0,
    "known_gaps": [],
}
FIELDS = [*WHOLE, "decoding"]


def test_a_whole_manifest_has_no_gaps_and_shows_every_method() -> None:
    manifest = Elicitation(**WHOLE, other={"decoding": "greedy"})
    assert used(manifest) == set(Method)
    assert shortfalls(manifest, fields=FIELDS, methods=list(Method)) == []
    assert gaps(manifest, fields=FIELDS, methods=list(Method)) == []


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_every_field_that_is_asked_for_and_missing_is_named(field: str) -> None:
    manifest = Elicitation(**{**WHOLE, field: None}, other={"decoding": "greedy"})
    (said,) = shortfalls(manifest, fields=FIELDS, methods=[])
    assert said == f"the elicitation manifest lacks {field}"


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        (Method.CHAIN_OF_THOUGHT, {"chain_of_thought": False}),
        (Method.CHAIN_OF_THOUGHT, {"chain_of_thought": None}),
        (Method.BEST_OF_N, {"best_of_n": 1}),
        (Method.TOOLS, {"tools": []}),
        (Method.FINE_TUNING, {"fine_tuning_share": 0.0}),
        (Method.FULL_CONTEXT, {"context_window": 50_000}),
        (Method.FULL_CONTEXT, {"context_maximum": None}),
    ],
)
def test_a_method_that_is_not_shown_was_not_used(method: Method, changes: dict[str, Any]) -> None:
    manifest = Elicitation(**WHOLE | changes)
    assert used(manifest) == set(Method) - {method}
    assert shortfalls(manifest, fields=[], methods=[method]) == [
        f"the elicitation did not use {method}"
    ]


def test_gaps_are_what_is_missing_declared_or_evident() -> None:
    manifest = Elicitation(context_window=10, context_maximum=20, known_gaps=["no jailbreaks"])
    assert gaps(manifest, fields=["hours"], methods=[Method.TOOLS]) == [
        "the elicitation manifest lacks hours",
        "the elicitation did not use tools",
        "10 of 20 tokens of context",
        "no jailbreaks",
    ]
    assert "known gaps were not recorded" in gaps(Elicitation(), fields=[], methods=[])
