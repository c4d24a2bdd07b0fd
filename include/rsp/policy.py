"""A policy: what its publisher wrote, as data. Every rule cites the clause it encodes.

Only fields that something reads; unknown fields are refused. The bytes of the file are what
people sign, so the digest of a policy is the digest of its file.
"""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Identifier
from include.rsp.clause import Clause, Version, refuse_cycles, refuse_doubles, refuse_unknown
from include.rsp.duties import Duties
from include.rsp.people_parts import HoldRule, Response, SignOff
from include.rsp.policy_parts import (
    Authority,
    ComputeTrigger,
    Criterion,
    Governance,
    InterimRule,
    MachineDetermination,
    OutcomeRule,
    Preliminary,
    PretrainingMonitor,
    RedLine,
    Standard,
)
from include.rsp.vocabulary import OccasionKind, RedLineStatus


class Policy(Duties):
    """One version of one publisher's policy."""

    id: Identifier
    version: Version
    effective: date
    publisher: str
    source: str
    levels: list[str] = Field(min_length=1, description="of safeguards, the lowest first")
    red_lines: list[RedLine] = Field(min_length=1)
    standards: list[Standard]
    compute_trigger: ComputeTrigger
    occasions: dict[OccasionKind, Clause] = Field(
        default_factory=dict, description="the clause behind the other reasons for an assessment"
    )
    preliminary: Preliminary | None = None
    pretraining_monitor: PretrainingMonitor | None = None
    lineage_floor: Clause | None = Field(
        default=None, description="a derived model has at least its parent's standard"
    )
    outcomes: list[OutcomeRule]
    responses: list[Response] = Field(default_factory=list)
    interim_measures: InterimRule | None = Field(
        default=None, description="what may stand in for a standard for a time; null: nothing"
    )
    machine_determination: MachineDetermination
    sign_off: SignOff
    hold: HoldRule
    authority: Authority
    governance: Governance

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse_doubles("levels", self.levels)
        refuse_doubles("red_lines", [line.id for line in self.red_lines])
        refuse_doubles("standards", [standard.id for standard in self.standards])
        refuse_doubles("responses", [response.id for response in self.responses])
        refuse_doubles("sign_off.roles", self.sign_off.roles)
        self.check(set(self.governance.roles))
        self._check_references()
        self._check_lines_in_order()
        self._check_outcomes()
        return self

    def _check_references(self) -> None:
        standards = {standard.id for standard in self.standards}
        documents = {one.id for one in self.documents if one.required == "red_line"}
        for standard in self.standards:
            refuse_unknown(f"standard {standard.id!r}: level", [standard.level], set(self.levels))
        for line in self.red_lines:
            where = f"red line {line.id!r}"
            refuse_unknown(f"{where}: required_standards", line.required_standards, standards)
            refuse_unknown(f"{where}: required_documents", line.required_documents, documents)
        if self.pretraining_monitor:
            refuse_unknown("pretraining_monitor", [self.pretraining_monitor.standard], standards)
        roles, named = set(self.governance.roles), self.governance
        signing = self.sign_off
        refuse_unknown("sign_off.roles", signing.roles, roles)
        refuse_unknown("sign_off.escalate_to", signing.escalate_to, roles)
        refuse_unknown("sign_off.second_line", [signing.second_line.office], roles)
        for rung in self.hold.escalation:
            refuse_unknown("hold.escalation", rung.to, roles)
        refuse_unknown("governance", [*named.propose, *named.approve, *named.consult], roles)
        if self.interim_measures:
            people = [*self.interim_measures.approvers, *self.interim_measures.notify]
            refuse_unknown("interim_measures", people, roles)
            told = {to for one in self.notices if one.before_permit for to in one.to}
            refuse_unknown("interim_measures.notify", list(self.interim_measures.notify), told)
        for response in self.responses:
            refuse_unknown(f"response {response.id!r}: people", response.people, roles)
        judged = [one.id for one in self.red_lines if one.decides and one.combine == "judgement"]
        if judged and "continue" in self.machine_determination.outcomes:
            raise ValueError(
                f"machine_determination: 'continue' is not a machine's to say while {judged} are "
                "left to people's judgement"
            )

    def _check_lines_in_order(self) -> None:
        lines = {line.id: line for line in self.red_lines}
        refuse_cycles("next", {line.id: line.next for line in self.red_lines})
        before: set[str] = set()
        for line in self.red_lines:
            if line.next is not None:
                refuse_unknown(f"red line {line.id!r}: next", [line.next], set(lines))
            late = sorted(set(line.ruled_out_by) - before)
            if late:
                raise ValueError(
                    f"red line {line.id!r}: ruled_out_by names {late}, which must be listed before "
                    "it (so that no line can rule itself out)"
                )
            before.add(line.id)

    def _check_outcomes(self) -> None:
        deciding = [line.id for line in self.red_lines if line.decides]
        reached = set()
        for status in RedLineStatus:
            for line in deciding:
                rules = [index for index, one in enumerate(self.outcomes) if one.fits(status, line)]
                if not rules:
                    raise ValueError(f"outcomes: no rule for {line!r} when it is {status.value!r}")
                reached.add(rules[0])
        for index, rule in enumerate(self.outcomes):
            refuse_unknown(f"outcomes.{index}", rule.lines or [], set(deciding))
            if index not in reached:
                raise ValueError(
                    f"outcomes.{index} ({rule.status.value} -> {rule.then.value}) can never be "
                    "reached: rules before it fit first"
                )
        ways = {self.outcomes[index].then.value for index in reached}
        follows = {one.id: one.after for one in self.responses}
        for response in self.responses:
            refuse_unknown(
                f"response {response.id!r}: after (an outcome that some rule leads to, or another "
                "response)",
                [response.after],
                ways | follows.keys(),
            )
        refuse_cycles("responses", follows)

    def red_line(self, red_line_id: str) -> RedLine:
        """The red line of that id; KeyError when the policy has none."""
        return {line.id: line for line in self.red_lines}[red_line_id]

    def standard(self, standard_id: str) -> Standard:
        """The standard of that id. One that another policy asked for and this one does not know
        has no criteria here, so it can never hold.
        """
        unknown = Standard(
            id=standard_id, clause="none", level=self.levels[-1], text="not known here", criteria=[]
        )
        return {standard.id: standard for standard in self.standards}.get(standard_id, unknown)

    def document(self, document_id: str) -> Standard:
        """A required document as a standard: each of its sections is a criterion to be filed."""
        rule = {one.id: one for one in self.documents}.get(document_id)
        if rule is None:  # another policy asked for it: nothing here could show it
            return self.standard(document_id)
        return Standard(
            id=rule.id,
            clause=rule.clause,
            level=self.levels[0],
            text=rule.text,
            criteria=[
                Criterion(
                    id=section.id,
                    clause=rule.clause,
                    part="document",
                    text=section.text,
                    evidence=rule.id,
                    max_age_days=rule.max_age_days,
                )
                for section in rule.sections
            ],
        )

    def rule_for(self, status: RedLineStatus, red_line: str) -> OutcomeRule:
        """The outcome rule for a status of a line (the schema checks that there is one)."""
        return next(rule for rule in self.outcomes if rule.fits(status, red_line))

    def is_entry(self, line: RedLine) -> bool:
        """Whether a line is the first of its ladder: not the `next` of another one."""
        return line.decides and all(one.next != line.id for one in self.red_lines)

    def level_of(self, line: RedLine) -> int:
        """Index in `levels` of the highest level that a line requires; 0 when it names none."""
        return max(
            (self.levels.index(self.standard(one).level) for one in line.required_standards),
            default=0,
        )
