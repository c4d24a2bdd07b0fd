"""The packet: everything that a signer is shown, as Markdown, generated only from records."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.finding import EvaluationFinding
from include.rsp.forecast import Forecast
from include.rsp.harmless import in_line
from include.rsp.policy import Policy
from include.rsp.state import LedgerState


def packet_markdown(
    state: LedgerState,
    policy: Policy,
    *,
    verdict_digest: str,
    judgement_digest: str | None,
    hold_digest: str | None,
) -> str:
    """The packet's text. The first screen says what is asked and what decided it."""
    verdict = state.expect(verdict_digest, r.Verdict)
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
    parts = [
        f"# Checkpoint {checkpoint.manifest.run_id}/{checkpoint.manifest.checkpoint_id}",
        _question(policy, verdict, hold_digest),
        _red_lines(verdict),
        _holds(state, checkpoint.manifest.run_id),
        _safeguards(state, judgement_digest),
        _findings(verdict),
        _forecast(verdict),
        _deviations(state, checkpoint.manifest.run_id),
        _provenance(checkpoint, verdict_digest, judgement_digest, hold_digest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _question(policy: Policy, verdict: r.Verdict, hold: str | None) -> str:
    asked = "release the hold and let training go on" if hold else "let training go on"
    return (
        f"**Asked of you:** {asked}, or hold. Nothing is approved by silence.\n\n"
        f"**Recommendation of policy {policy.id} {policy.version}:** "
        f"`{verdict.decision.recommendation}`"
    )


def _holds(state: LedgerState, run_id: str) -> str:
    in_force = state.runs[run_id].holds_in_force
    if not in_force:
        return ""
    lines = [f"- {short(digest)}: {in_line(one.reason)}" for digest, one in in_force.items()]
    return "## Holds in force; the permit would end all of them\n\n" + "\n".join(lines)


def _red_lines(verdict: r.Verdict) -> str:
    rows = ["| red line | status | because | rule |", "|---|---|---|---|"]
    rows += [
        f"| {line.red_line} | **{line.status}** | {in_line(line.because)} | {line.clause} |"
        for line in verdict.decision.red_lines
    ]
    return "\n".join(rows)


def _safeguards(state: LedgerState, judgement_digest: str | None) -> str:
    if judgement_digest is None:
        return "Safeguards were not judged."
    judgement = state.expect(judgement_digest, r.SafeguardsJudgement)
    lines = [f"## Safeguards {'hold' if judgement.holds else 'do NOT hold'}"]
    for standard in judgement.standards:
        lines += [
            "",
            f"| {standard.standard} | outcome | because | evidence |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {row.criterion} ({row.clause}) | **{row.outcome}** | {in_line(row.because)} | "
            f"{short(row.evidence) if row.evidence else '-'} |"
            for row in standard.criteria
        ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def finding_row(one: EvaluationFinding) -> str:
    """One row of the findings table."""
    limit = "-" if one.rule_out is None else f"{one.rule_out} - {one.buffer}"
    problems = in_line("; ".join(one.problems)) or "-"
    return (
        f"| {one.evaluation} ({one.role}) | {one.finding or 'reported'} | {_number(one.value)} | "
        f"{_number(one.lower)} to {_number(one.upper)} | {limit} | {one.n} | "
        f"{one.method}, {one.confidence:.0%} one-sided | {problems} |"
    )


def _findings(verdict: r.Verdict) -> str:
    rows = [
        "## Evaluations",
        "",
        "| evaluation | finding | score | bounds | limit - buffer | n | method | problems |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(rows + [finding_row(one) for one in verdict.decision.findings])


def _forecast(verdict: r.Verdict) -> str:
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


def _deviations(state: LedgerState, run_id: str) -> str:
    found = [
        one
        for one in state.records.values()
        if isinstance(one, r.Deviation) and one.run_id == run_id
    ]
    if not found:
        return "## Deviations\n\nNone recorded for this run."
    return "## Deviations\n\n" + "\n".join(f"- {one.finding}: {one.message}" for one in found)


def _provenance(
    checkpoint: r.Checkpoint, verdict: str, judgement: str | None, hold: str | None
) -> str:
    rows = {
        "checkpoint": checkpoint.digest,
        "effective compute": f"{checkpoint.manifest.effective_compute:.4g} FLOP",
        "verdict": verdict,
        "safeguards judgement": judgement or "none",
        "hold": hold or "none",
    }
    return "## Records\n\n" + "\n".join(f"- {name}: `{value}`" for name, value in rows.items())
