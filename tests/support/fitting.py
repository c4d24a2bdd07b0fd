"""Runs whose instrument is fit and whose elicitation is complete, whatever the suite asks."""

from __future__ import annotations

from typing import Any

from include.rsp.elicitation import Elicitation
from include.rsp.results import Conditions, ControlResult, LeakCheck
from include.rsp.suite import Evaluation

DONE: dict[str, Any] = {
    "variant": "final",
    "scaffold": "agent 1.0",
    "tools": ["shell"],
    "prompting": "as planned",
    "chain_of_thought": True,
    "best_of_n": 4,
    "context_window": 1000,
    "context_maximum": 1000,
    "token_budget": 1000,
    "fine_tuning_share": 0.01,
    "people": 2,
    "hours": 3.0,
    "known_gaps": [],
}


def elicited(evaluation: Evaluation) -> Elicitation:
    """A manifest that lacks nothing."""
    added = set(evaluation.elicitation_required) - DONE.keys()
    return Elicitation(**DONE, other=dict.fromkeys(sorted(added), "as planned"))


def fit(evaluation: Evaluation) -> Conditions:
    """An instrument that is as the suite wants it."""
    plus, null = evaluation.positive_control, evaluation.null_control
    return Conditions(
        environment={"python": "3.11", **evaluation.environment},
        dataset=evaluation.dataset,
        leaks=LeakCheck(checked=0, leaked=[]),
        positive_control=plus
        and ControlResult(model=plus.model, samples=plus.samples, score=plus.at_least or 1.0),
        null_control=null and ControlResult(model=null.model, samples=null.samples, score=0.0),
    )
