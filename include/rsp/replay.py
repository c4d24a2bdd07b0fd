"""Published point estimates held against a policy's red lines (DESIGN §7, the stated point rule).

A published number has no samples behind it that anybody could count, so no interval protects the
decision: only the buffer does. Nothing here knows a model by name; what was published as the
conclusion is compared with afterwards and never read by the rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.rsp.policy import Policy
from include.rsp.policy_parts import RedLine
from include.rsp.published import (
    HeldRules,
    LineStatus,
    ModelReplay,
    PublishedEvaluation,
    PublishedFinding,
    PublishedResult,
    PublishedRules,
    Reading,
)
from include.rsp.units import is_unfit, scale_of
from include.rsp.vocabulary import EvaluationRole, Finding, RedLineStatus

NO_BUFFER = 0.0
"""The bare limit: for asking on which side of it a value stands."""


def find_published(
    rules: HeldRules, result: PublishedResult, *, buffer: float
) -> list[PublishedFinding]:
    """The point rule: `crossed` from rule_in on, `below` while clear of rule_out by the buffer.

    An evaluation that no rule names takes the limit that its row prints; it bears no load, so it
    can rule a line in and never out. So does a row of another domain than its rule's, beside what
    the rule makes of it. A score that is missing is inconclusive, and so is one that cannot be
    held to its rule's limit, unless it crosses.
    """
    rule = rules.rule_for(result.evaluation)
    if rule is None:
        return [_by_print(rules, result, buffer)]
    found = [_by_rule(rules, rule, result, buffer)]
    own_line = rules.line_for(result.domain)
    if own_line and result.threshold is not None and not rules.is_of_domain(rule, result.domain):
        found.append(_by_print(rules, result, buffer))
    return found


def _by_rule(
    rules: HeldRules, rule: PublishedEvaluation, result: PublishedResult, buffer: float
) -> PublishedFinding:
    value = None if result.score is None else result.score / scale_of(result.unit)
    low = rule.capability == "low"
    finding = place(value, rule.rule_out, rule.rule_in, low=low, buffer=buffer)
    doubt = _doubt(rules, rule, result)
    if doubt and finding not in (Finding.CROSSED, None):
        finding = Finding.INCONCLUSIVE
    return PublishedFinding(
        row=result.row,
        evaluation=result.evaluation,
        red_line=rule.red_line,
        role=EvaluationRole(rule.role),
        load_bearing=rule.load_bearing,
        saturated=rule.saturated,
        value=value,
        rule_out=rule.rule_out,
        rule_in=rule.rule_in,
        finding=finding,
        lower_is_capable=low,
        doubt=doubt,
    )


def _by_print(rules: HeldRules, result: PublishedResult, buffer: float) -> PublishedFinding:
    scale = scale_of(result.unit)
    value = None if result.score is None else result.score / scale
    printed = None if result.threshold is None else result.threshold / scale
    is_in = result.threshold_kind == "rule_in"
    role = "rule_in" if is_in else "evidence" if printed is None else "rule_out"
    rule_out, rule_in = (None, printed) if is_in else (printed, None)
    low = result.lower_is_capable
    return PublishedFinding(
        row=result.row,
        evaluation=result.evaluation,
        red_line=rules.line_for(result.domain),
        role=EvaluationRole(role),
        load_bearing=False,
        saturated=False,
        value=value,
        rule_out=rule_out,
        rule_in=rule_in,
        finding=place(value, rule_out, rule_in, low=low, buffer=buffer),
        lower_is_capable=low,
    )


def _doubt(rules: HeldRules, rule: PublishedEvaluation, result: PublishedResult) -> str:
    """Why a row cannot be held to the limits of the rule that its name matches; else empty."""
    if result.score is None:
        return "no score"
    if is_unfit(result.unit, result.score, rule.limits):
        held = " and ".join(f"{one:g}" for one in rule.limits)
        return f"{result.score:g} in {result.unit} cannot be held to the limit {held}"
    if not rules.is_of_domain(rule, result.domain):
        return f"its domain {result.domain or '(none)'} is not that of {rule.red_line}"
    return ""


def place(
    value: float | None, rule_out: float | None, rule_in: float | None, *, low: bool, buffer: float
) -> Finding | None:
    """Where a value stands to its limits; `buffer` is a share of the rule-out limit."""
    if value is None:
        return Finding.INCONCLUSIVE
    sign = -1 if low else 1
    if rule_in is not None and sign * value >= sign * rule_in:
        return Finding.CROSSED
    if rule_out is not None and sign * value + buffer * abs(rule_out) < sign * rule_out:
        return Finding.BELOW
    return None if rule_out is None and rule_in is None else Finding.NEAR


def replay_model(
    policy: Policy,
    rules: PublishedRules,
    results: Sequence[PublishedResult],
    *,
    buffer: float | None = None,
    reading: Reading = Reading.LOAD_BEARING,
) -> ModelReplay:
    """All red lines of one model from its published rows (in any order)."""
    share = rules.buffer if buffer is None else buffer
    held = rules.under(policy)
    findings = [
        found
        for one in sorted(results, key=lambda one: (one.evaluation, one.row))
        for found in find_published(held, one, buffer=share)
    ]
    statuses: dict[str, LineStatus] = {}
    for line in policy.red_lines:
        own = [one for one in findings if one.red_line == line.id]
        found = _status(line, own, statuses, reading, _unreported(rules, line, results))
        statuses[line.id] = found.model_copy(update={"entry": policy.is_entry(line)})
    entries = [line for line in policy.red_lines if statuses[line.id].entry]
    shown = [
        policy.level_of(line)
        for line in entries
        if statuses[line.id].decided and statuses[line.id].status is not RedLineStatus.RULED_OUT
    ]
    decided = max(shown, default=0)
    open_ones = [
        line
        for line in entries
        if not statuses[line.id].decided and policy.level_of(line) > decided
    ]
    level = max([decided, *(policy.level_of(line) for line in open_ones)])
    deciding = open_ones or [line for line in entries if statuses[line.id].decided]
    return ModelReplay(
        model=results[0].model if results else "",
        lines=list(statuses.values()),
        findings=findings,
        level=policy.levels[level],
        decided=not open_ones,
        because="; ".join(f"{line.id}: {statuses[line.id].because}" for line in deciding),
    )


def _status(
    line: RedLine,
    own: Sequence[PublishedFinding],
    before: dict[str, LineStatus],
    reading: Reading,
    unreported: list[str],
) -> LineStatus:
    status, decided, because = _READINGS[reading](own)
    if status is RedLineStatus.RULED_OUT and unreported and reading is Reading.LOAD_BEARING:
        status, decided = RedLineStatus.NOT_RULED_OUT, False
        because = f"judgement: load-bearing evaluations were not published: {unreported}"
    if status is RedLineStatus.NOT_RULED_OUT and not any(map(_is_in_doubt, own)):
        implied = [
            one for one in line.ruled_out_by if before[one].status is RedLineStatus.RULED_OUT
        ]
        if implied:
            status, decided, because = (
                RedLineStatus.RULED_OUT, True, f"{implied[0]} is ruled out, which suffices"
            )  # fmt: skip
    return LineStatus(
        red_line=line.id, status=status, decided=decided, entry=False, because=because
    )


def _unreported(
    rules: PublishedRules, line: RedLine, results: Sequence[PublishedResult]
) -> list[str]:
    """The load-bearing evaluations of a line of which nothing was published."""
    named = {rule.id for one in results if (rule := rules.rule_for(one.evaluation))}
    return [
        one.id
        for one in rules.evaluations
        if one.red_line == line.id and one.load_bearing and one.id not in named
    ]


Combined = tuple[RedLineStatus, bool, str]


def _is_in_doubt(one: PublishedFinding) -> bool:
    """Whether a row cannot be held to its limits as it is printed: it might hide a crossing."""
    return bool(one.doubt) and one.finding is Finding.INCONCLUSIVE


def _by_load_bearing(own: Sequence[PublishedFinding]) -> Combined:
    crossed = [one for one in own if one.finding is Finding.CROSSED and not one.saturated]
    if crossed:
        return RedLineStatus.CROSSED, True, _say(crossed)
    bearing = [one for one in own if one.load_bearing]
    if not bearing:
        return RedLineStatus.NOT_RULED_OUT, False, "judgement: no load-bearing result was published"
    open_ones = [
        one
        for one in own
        if _is_in_doubt(one) or (one.load_bearing and one.finding is not Finding.BELOW)
    ]
    if any(one.finding is not Finding.INCONCLUSIVE for one in open_ones):
        return RedLineStatus.NOT_RULED_OUT, True, _say(open_ones)
    if open_ones:
        return RedLineStatus.NOT_RULED_OUT, False, f"judgement: {_say(open_ones)}"
    return RedLineStatus.RULED_OUT, True, _say(bearing)


def _literally(own: Sequence[PublishedFinding]) -> Combined:
    limited = [one for one in own if one.rule_out is not None or one.rule_in is not None]
    if not limited:
        return RedLineStatus.NOT_RULED_OUT, False, "judgement: no result with a limit"
    open_ones = [one for one in limited if one.finding is not Finding.BELOW]
    if open_ones:
        return RedLineStatus.NOT_RULED_OUT, True, _say(open_ones)
    return RedLineStatus.RULED_OUT, True, _say(limited)


def _if_any_crossed(own: Sequence[PublishedFinding]) -> Combined:
    limited = [one for one in own if one.rule_out is not None or one.rule_in is not None]
    if not limited:
        return RedLineStatus.NOT_RULED_OUT, False, "judgement: no result with a limit"
    over = [
        one
        for one in limited
        if one.finding is not Finding.BELOW
        and not (one.finding is Finding.NEAR and one.role is EvaluationRole.RULE_IN)
    ]
    if over:
        return RedLineStatus.CROSSED, True, _say(over)
    return RedLineStatus.RULED_OUT, True, _say(limited)


_READINGS = {
    Reading.LOAD_BEARING: _by_load_bearing,
    Reading.LITERAL: _literally,
    Reading.ANY_CROSSED: _if_any_crossed,
}


def _say(found: Sequence[PublishedFinding]) -> str:
    return "; ".join(_say_one(one) for one in found)


def _say_one(one: PublishedFinding) -> str:
    where = f"row {one.row} {one.evaluation}"
    if one.value is None:
        return f"no score for {where}"
    if one.finding is Finding.INCONCLUSIVE:
        return f"{where}: {one.doubt}"
    limits = [
        f"{name} {limit:g}"
        for name, limit in (("rule-out", one.rule_out), ("rule-in", one.rule_in))
        if limit is not None
    ]
    return f"{where}: {one.value:g} {_stands(one)} ({', '.join(limits)})"


def _stands(one: PublishedFinding) -> str:
    """Where a value stands; `near` is said only of one that is not at its only limit."""
    if one.finding is not Finding.NEAR or one.rule_out is None or one.rule_in is not None:
        return str(one.finding)
    at = place(
        one.value, one.rule_out, None, low=one.lower_is_capable, buffer=NO_BUFFER
    ) is not Finding.BELOW  # fmt: skip
    side = "under" if one.lower_is_capable else "over"
    return f"at or {side} its rule-out limit" if at else str(one.finding)
