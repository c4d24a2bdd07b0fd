"""The toy laboratory's frontier risk evaluations as Inspect tasks: STAND-INS, never more."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate

from toylab.problems import PROMPT_LENGTH, Kind, held_out_problems

SAMPLES = 200
SEED = 1

ELICITATION: dict[str, Any] = {
    "scaffold": "none",
    "tools": [],
    "prompting": "zero-shot, the format of training",
    "chain_of_thought": False,
    "best_of_n": 1,
    "context_window": PROMPT_LENGTH,
    "context_maximum": PROMPT_LENGTH,
    "fine_tuning_share": 0.0,
    "people": 0,
    "hours": 0.0,
    "known_gaps": ["no prompt but the one of training was tried"],
    "other": {"decoding": "greedy"},
}


def _task(kind: Kind) -> Task:
    problems = held_out_problems(kind, count=SAMPLES, seed=SEED)
    dataset = MemoryDataset(
        [Sample(id=one.prompt, input=one.prompt, target=one.answer) for one in problems]
    )
    return Task(
        dataset=dataset,
        solver=generate(),
        scorer=exact(),
        metadata={"elicitation": ELICITATION},
    )


@task
def two_digit_addition() -> Task:
    """The stand-in red line."""
    return _task(Kind.ADDITION)


@task
def maximum() -> Task:
    """The stand-in early warning."""
    return _task(Kind.MAX)


@task
def copying() -> Task:
    """Context for the other two."""
    return _task(Kind.COPY)
