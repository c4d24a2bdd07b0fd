"""The parts of a policy that speak of people: who determines, who is asked first, what holds ask.

RSP 2.2 §3.3, §4.3, §6.2, §7; RSP 1.0, response protocol. Redline's own rules (a second line before
every signature, no default that approves) cite "Redline" in their clause where the text is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import CENTURY_DAYS, CENTURY_SECONDS, Clause, NamedClause
from include.rsp.vocabulary import RedLineStatus, ResponseKind, Resume, Scope

Hours = Field(gt=0, le=24 * CENTURY_DAYS)
Action = Literal[
    "pause", "verify_safeguards", "interim_measures", "update_evaluations", "update_policy",
    "cap_training", "restrict_deployment", "halt_new_customers", "de_deploy", "lock_weights",
    "consider_deletion", "post_mortem", "response_plan", "conservative_bound", "safety_case",
    "halt_development", "convene",
]  # fmt: skip
SCOPE_OF_ACTION: dict[str, Scope] = {
    "restrict_deployment": Scope.DEPLOYMENT,
    "halt_new_customers": Scope.DEPLOYMENT,
    "de_deploy": Scope.DEPLOYMENT,
    "lock_weights": Scope.WEIGHTS,
}
"""The actions that are orders of their own: each belongs to a hold of that scope."""


class Response(NamedClause):
    """What people do after an outcome (or after another response that did not suffice)."""

    kind: ResponseKind
    after: Identifier = Field(description="an outcome, or the id of another response")
    condition: str | None = Field(description="null: always")
    actions: list[Action] = Field(min_length=1)
    people: list[Identifier] = Field(default_factory=list, description="who decides on it")
    resume: list[Resume] = Field(
        default_factory=list,
        description="all of these before a hold is released once this was chosen",
    )
    resume_when: str | None = Field(description="the same in the publisher's sense, for people")

    def orders(self, scope: Scope) -> list[str]:
        """The measures of a hold of that scope; empty when it orders none."""
        return [one for one in self.actions if SCOPE_OF_ACTION.get(one) is scope]


class SecondLine(Clause):
    """Who gives an opinion before the first signature. Never an author of what is judged."""

    office: Identifier
    answer_within_hours: float = Hours


class BelowRecommendation(Clause):
    """When officers may determine less than the recommendation."""

    statuses: list[RedLineStatus] = Field(
        min_length=1, description="of the red lines that they may overrule"
    )

    @model_validator(mode="after")
    def _never_over_a_crossing(self) -> Self:
        if RedLineStatus.CROSSED in self.statuses:
            raise ValueError(
                "below_recommendation: a red line that is 'crossed' may not be overruled (expected "
                "'not_ruled_out')"
            )
        return self


class SignOff(Clause):
    """Who determines. The roles sign in this order, each another person."""

    roles: list[Identifier] = Field(min_length=1)
    quorum: int | None = Field(
        default=None, ge=1, description="how many of the roles have to sign; null: all"
    )
    answer_within_hours: float = Hours
    second_line: SecondLine
    accepts: list[Literal["signature", "airflow"]] = Field(
        default=["signature"],
        min_length=1,
        description="airflow: where a person gives no own signature, Airflow's word is enough",
    )
    below_recommendation: BelowRecommendation | None = Field(
        default=None, description="null: never below the recommendation"
    )
    remind_after_hours: float | None = Field(default=None, gt=0, le=24 * CENTURY_DAYS)
    escalate_to: list[Identifier] = Field(
        default_factory=list, description="who is told when the time is half over"
    )

    @model_validator(mode="after")
    def _quorum_can_be_met(self) -> Self:
        if self.quorum is not None and self.quorum > len(self.roles):
            raise ValueError(
                f"sign_off.quorum {self.quorum} exceeds the {len(self.roles)} roles: nothing could "
                "ever be signed"
            )
        if self.second_line.office in self.roles:
            raise ValueError(
                f"sign_off.second_line: {self.second_line.office!r} also signs (expected another "
                "office: the second line is nobody who determines)"
            )
        return self

    @property
    def needed(self) -> int:
        """How many of the roles have to sign."""
        return self.quorum or len(self.roles)

    def may_overrule(self, demanding: Sequence[RedLineStatus]) -> bool:
        """Whether officers may go below, with these statuses of the lines that demand something."""
        rule = self.below_recommendation
        return rule is not None and bool(demanding) and set(demanding) <= set(rule.statuses)


class Rung(Document):
    """One step of the escalation ladder."""

    after_seconds: float = Field(gt=0, le=CENTURY_SECONDS, description="since the hold was ordered")
    to: list[Identifier] = Field(min_length=1)


class HoldRule(Clause):
    """What a hold asks of whom it stops. It ends by a permit that the officers signed for."""

    acknowledge_within_seconds: float = Field(gt=0, le=CENTURY_SECONDS)
    verify_after_seconds: float = Field(
        gt=0, le=CENTURY_SECONDS, description="the grace after which nothing may move any more"
    )
    scopes: list[Scope] = Field(
        default=[Scope.TRAINING], min_length=1, description="what a verdict stops"
    )
    escalation: list[Rung] = Field(min_length=1)
    resume_when: list[Resume] = Field(min_length=1, description="any one of these")

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        steps = [one.after_seconds for one in self.escalation]
        if steps != sorted(set(steps)):
            raise ValueError(
                f"hold.escalation: {steps} seconds (expected each later than the one before)"
            )
        if Scope.TRAINING not in self.scopes:
            raise ValueError(
                "hold.scopes: a verdict that does not continue stops training at least"
            )
        return self
