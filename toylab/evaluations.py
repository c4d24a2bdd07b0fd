"""The toy laboratory's frontier risk evaluations as Inspect tasks: STAND-INS, never more."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate

from toylab.problems import PROMPT_LENGTH, Kind, held_out_problems

SAMPLES = 200
SEED = 1

ELICITATION: dict[str, str | int] = {
    "variant": "final",
    "prompting": "zero-shot, the format of training",
    "decoding": "greedy",
    "best_of_n": 1,
    "context_characters": PROMPT_LENGTH,
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
