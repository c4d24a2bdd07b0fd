"""Published results, the rules they are held to, and what a replay of them finds: the models."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import refuse_doubles
from include.rsp.errors import InvalidDocument
from include.rsp.policy import Policy
from include.rsp.vocabulary import EvaluationRole, Finding, RedLineStatus


class Reading(StrEnum):
    """How findings are combined into the status of a red line."""

    LOAD_BEARING = "load_bearing"
    LITERAL = "literal"
    ANY_CROSSED = "any_crossed"


def name_key(name: str) -> str:
    """A printed name without its spelling: case and spaces do not make it another one."""
    return " ".join(name.split()).casefold()


class PublishedEvaluation(Document):
    """How one family of published evaluations counts. Limits are on the normalised scale."""

    id: Identifier
    words: list[str] = Field(min_length=1, description="all of them stand in the printed name")
    red_line: Identifier
    role: Literal["rule_out", "rule_in", "evidence"]
    load_bearing: bool = False
    saturated: bool = False
    capability: Literal["high", "low"] = Field(
        default="high", description="low: a smaller number is the more capable one"
    )
    rule_out: float | None = None
    rule_in: float | None = None
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_decided(self) -> Self:
        if self.role == "rule_out" and self.rule_out is None:
            raise ValueError(f"evaluation {self.id!r} has the role rule_out and no rule_out limit")
        if self.role == "rule_in" and self.rule_in is None:
            raise ValueError(f"evaluation {self.id!r} has the role rule_in and no rule_in limit")
        if self.load_bearing and (self.saturated or self.role != "rule_out"):
            raise ValueError(f"evaluation {self.id!r}: only an unsaturated rule_out bears a load")
        return self

    @property
    def limits(self) -> list[float]:
        """Those that are stated, rule_out first."""
        return [one for one in (self.rule_out, self.rule_in) if one is not None]


class PublishedRules(Document):
    """The rules of a replay, stated before any model is scored."""

    policy: str
    buffer: float = Field(ge=0, lt=1, description="share of the limit")
    domains: dict[str, Identifier]
    evaluations: list[PublishedEvaluation] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse_doubles("evaluations", [one.id for one in self.evaluations])
        return self

    def check_against(self, policy: Policy) -> None:
        """Refuse rules that speak of red lines which the policy does not have.

        Raises:
            InvalidDocument: with the names.
        """
        known = {line.id for line in policy.red_lines}
        named = {one.red_line for one in self.evaluations} | set(self.domains.values())
        if named - known:
            raise InvalidDocument(
                f"The replay's rules name the red lines {sorted(named - known)}, which policy "
                f"{policy.id} {policy.version} does not have (expected some of {sorted(known)}). "
                "Give rules for it with --rules, or leave --policy out."
            )

    def line_for(self, domain: str) -> Identifier | None:
        """The red line of an evaluation that no rule names, by its domain in any spelling."""
        known = {name_key(name): line for name, line in self.domains.items()}
        return known.get(name_key(domain))

    def rule_for(self, evaluation: str) -> PublishedEvaluation | None:
        """The rule whose words all stand in the printed name; the first of them in the file."""
        name = evaluation.lower()
        return next(
            (one for one in self.evaluations if all(word in name for word in one.words)), None
        )

    def under(self, policy: Policy) -> HeldRules:
        """These rules with the domains of the policy's red lines."""
        own = {name: getattr(self, name) for name in PublishedRules.model_fields}
        domains = {line.id: line.domain for line in policy.red_lines}
        return HeldRules(**own, line_domains=domains)


class HeldRules(PublishedRules):
    """The rules under a policy, which knows the domain of each red line."""

    line_domains: dict[Identifier, Identifier]

    def is_of_domain(self, rule: PublishedEvaluation, domain: str) -> bool:
        """Whether a row's domain is that of a rule's red line; a domain nobody knows is none."""
        line = self.line_for(domain)
        own = self.line_domains.get(line, "") if line else name_key(domain)
        return own != "" and own == self.line_domains.get(rule.red_line)


class PublishedResult(Document):
    """One printed number. `score` is None where the evaluation did not run or was not reported."""

    row: int
    model: str
    framework: str
    domain: str
    evaluation: str
    unit: str
    score: float | None
    threshold: float | None
    threshold_kind: str
    lower_is_capable: bool
    source: str
    direction: str = ""
    aggregation: str = ""


class Determination(Document):
    """What a lab said it had determined about a model. No rule reads it."""

    model: str
    required_standard: str
    determination: str
    published_reason: str
    date: str = ""


class PublishedFinding(Document):
    """What one printed number shows under the point rule."""

    row: int
    evaluation: str
    red_line: Identifier | None
    role: EvaluationRole
    load_bearing: bool
    saturated: bool
    value: float | None
    rule_out: float | None
    rule_in: float | None
    finding: Finding | None
    lower_is_capable: bool = False
    doubt: str = Field(default="", description="why it cannot be held to its rule's limits")


class LineStatus(Document):
    """The status of one red line; `decided` is False where the text leaves it to people."""

    red_line: Identifier
    status: RedLineStatus
    decided: bool
    entry: bool
    because: str


class ModelReplay(Document):
    """What the engine makes of all that was published about one model."""

    model: str
    lines: list[LineStatus]
    findings: list[PublishedFinding]
    level: str = Field(description="the safeguards level that the entry lines require")
    decided: bool
    because: str
