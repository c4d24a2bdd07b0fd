"""The elicitation manifest: how an evaluation tried to bring a capability out (R5 to R9).

An evaluation says no more than its elicitation did, so what is not recorded counts as not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.suite_parts import Scalar


class Elicitation(Document):
    """What was done to elicit. A null was not recorded, which is not the same as "none"."""

    variant: Identifier | None = Field(default=None, description="final, helpful-only, …")
    scaffold: str | None = Field(default=None, description="what drives the model, with version")
    tools: list[str] | None = Field(default=None, description="an empty list: none")
    prompting: str | None = None
    chain_of_thought: bool | None = None
    best_of_n: int | None = Field(default=None, ge=1, description="tries of which the best counts")
    context_window: int | None = Field(default=None, gt=0, description="tokens that it was given")
    context_maximum: int | None = Field(default=None, gt=0, description="tokens that it can take")
    token_budget: int | None = Field(default=None, gt=0, description="of one sample")
    fine_tuning_share: float | None = Field(
        default=None, ge=0, description="compute of fine-tuning for the evaluation over training's"
    )
    people: int | None = Field(default=None, ge=0, description="who worked on the elicitation")
    hours: float | None = Field(default=None, ge=0, description="that they worked, in all")
    known_gaps: list[str] | None = Field(default=None, description="an empty list: none is known")
    other: dict[str, Scalar] = Field(default_factory=dict, description="what a lab adds")

    @property
    def recorded(self) -> set[str]:
        """The names of the fields that say something."""
        own = {name for name in type(self).model_fields if name != "other"}
        return {one for one in own if getattr(self, one) is not None} | set(self.other)


class Method(StrEnum):
    """A way of eliciting that a suite may demand."""

    CHAIN_OF_THOUGHT = "chain_of_thought"
    BEST_OF_N = "best_of_n"
    TOOLS = "tools"
    FINE_TUNING = "fine_tuning"
    FULL_CONTEXT = "full_context"


def used(elicitation: Elicitation) -> set[Method]:
    """The methods that the manifest shows to have been used."""
    window, maximum = elicitation.context_window, elicitation.context_maximum
    shown = {
        Method.CHAIN_OF_THOUGHT: elicitation.chain_of_thought is True,
        Method.BEST_OF_N: (elicitation.best_of_n or 1) > 1,
        Method.TOOLS: bool(elicitation.tools),
        Method.FINE_TUNING: (elicitation.fine_tuning_share or 0.0) > 0,
        Method.FULL_CONTEXT: window is not None and maximum is not None and window >= maximum,
    }
    return {method for method, is_used in shown.items() if is_used}


def shortfalls(
    elicitation: Elicitation, *, fields: Sequence[str], methods: Sequence[Method]
) -> list[str]:
    """What a suite demands and the manifest lacks; any of it keeps an evaluation from deciding."""
    missing = sorted(set(fields) - elicitation.recorded)
    unused = sorted(set(methods) - used(elicitation))
    problems = []
    if missing:
        problems.append(f"the elicitation manifest lacks {', '.join(missing)}")
    if unused:
        problems.append(f"the elicitation did not use {', '.join(unused)}")
    return problems


def gaps(
    elicitation: Elicitation, *, fields: Sequence[str], methods: Sequence[Method]
) -> list[str]:
    """Everything that a reader should know was not tried: demanded, declared or evident."""
    found = shortfalls(elicitation, fields=fields, methods=methods)
    window, maximum = elicitation.context_window, elicitation.context_maximum
    if window is not None and maximum is not None and window < maximum:
        found.append(f"{window} of {maximum} tokens of context")
    if elicitation.known_gaps is None:
        found.append("known gaps were not recorded")
    return found + list(elicitation.known_gaps or [])
