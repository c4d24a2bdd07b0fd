"""The tables of the Capability Report: findings, forecasts, safeguards."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.finding import EvaluationFinding
from include.rsp.forecast import Forecast
from include.rsp.harmless import in_line
from include.rsp.state import LedgerState


def red_lines_table(verdict: r.Verdict) -> str:
    """One row per red line: its status, why, and the rule."""
    rows = ["| red line | status | because | rule |", "|---|---|---|---|"]
    rows += [
        f"| {line.red_line} | **{line.status}** | {in_line(line.because)} | "
        f"{in_line(line.clause)} |"
        for line in verdict.decision.red_lines
    ]
    return "\n".join(rows)


def safeguards_section(judgement: r.SafeguardsJudgement | None) -> str:
    """Every criterion of the required standards, with the evidence that decided it."""
    if judgement is None:
        return "## Safeguards\n\nSafeguards were not judged: no red line demands any."
    if not judgement.standards:
        return "## Safeguards\n\nNone are required."
    said = "do NOT hold" if judgement.interim or not judgement.holds else "hold"
    lines = [f"## Safeguards {said}"]
    for standard in judgement.standards:
        lines += [
            "",
            f"| {standard.standard} | surface | outcome | because | evidence |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {in_line(row.requirement)} ({in_line(row.clause)}) | {in_line(row.surface)} | "
            f"**{row.outcome}** | "
            f"{in_line(row.because)} | {short(row.evidence) if row.evidence else '-'} |"
            for row in standard.criteria
        ]
    return "\n".join(lines)


def interim_section(state: LedgerState, judged: r.SafeguardsJudgement | None) -> str:
    """The measures that stand in for what does not hold, and why they assure as much."""
    if judged is None or judged.interim is None:
        return ""
    plan = state.expect(judged.interim.record, r.InterimPlan).plan
    lines = [
        "## Interim measures stand in",
        "",
        f"Until {plan.until:%Y-%m-%d %H:%M}. Why they assure as much: {in_line(plan.because)}",
        "",
        "| measure | kind | stands in for |",
        "|---|---|---|",
    ]
    lines += [
        f"| {in_line(one.text)} | {one.kind} | "
        + in_line(", ".join(f"{each.requirement} on {each.surface}" for each in one.replaces))
        + " |"
        for one in plan.measures
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def finding_row(one: EvaluationFinding) -> str:
    """One row of the findings table."""
    limit = "-" if one.rule_out is None else f"{one.rule_out} - {one.buffer}"
    problems = in_line("; ".join(one.problems)) or "-"
    if one.invalidated:
        problems += f"; left out by a reviewer: {in_line('; '.join(one.invalidated))}"
    if one.not_run:
        problems = f"not run: {', '.join(one.not_run)} is below"
    return (
        f"| {one.name} ({one.role}) | {one.finding or 'reported'} | {_number(one.value)} | "
        f"{_number(one.lower)} to {_number(one.upper)} | {limit} | {one.n} | "
        f"{one.method}, {one.confidence:.0%} one-sided | {problems} |"
    )


def findings_section(verdict: r.Verdict) -> str:
    """Every evaluation with its bounds and what keeps it from counting."""
    rows = [
        "## Evaluations",
        "",
        "| evaluation | finding | score | bounds | limit - buffer | n | method | problems |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(rows + [finding_row(one) for one in verdict.decision.findings])


def forecast_section(verdict: r.Verdict) -> str:
    """How much headroom is expected, and where nothing can be said."""
    if not verdict.forecasts:
        return "## Forecast\n\nNone was made, for no red line. That is no headroom."
    rows = [
        "## Forecast",
        "",
        "Headroom is the limit less the buffer, less the predicted score. A rule-out needs more: "
        "the score's upper bound has to fit as well. A forecast decides nothing.",
        "",
        "| red line | where | predicted | headroom | note |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(rows + [forecast_row(one) for one in verdict.forecasts])


def forecast_row(one: Forecast) -> str:
    """One row of the forecast table."""
    line = f"{one.red_line}: {one.evaluation}" if one.evaluation else one.red_line
    where = predicted = headroom = "-"
    if one.where and one.at_compute is not None:
        where = f"{one.where.replace('_', ' ')}, {one.at_compute:.3g} FLOP"
    if one.value is not None:
        predicted = (
            f"{one.value:.3f} ({_number(one.lower)} to {_number(one.upper)}; "
            f"{one.confidence:.0%}, {one.points} points)"
        )
    if one.headroom is not None:
        headroom = (
            f"**{one.headroom:.3f}** ({_number(one.headroom_lower)} to "
            f"{_number(one.headroom_upper)}) under {_number(one.limit)}"
        )
    meets = [
        f"{name} at the limit from {at:.3g} FLOP"
        for name, at in (("predicted", one.reached_at), ("upper bound", one.upper_reached_at))
        if at is not None
    ]
    note = "; ".join([in_line(one.note), *meets] if one.note else meets) or "-"
    return f"| {line} | {where} | {predicted} | {headroom} | {note} |"
