"""The Capability Report on its evidence: elicitation, gaps, what is unknown, what to read.

R5 to R9 of the published record: an evaluation says no more than its elicitation did.
"""

from __future__ import annotations

import hashlib

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.elicitation import gaps
from include.rsp.harmless import in_line
from include.rsp.results import EvaluationRun
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import Finding, RedLineStatus

READ_AT_LEAST = 5
"""Transcripts of each evaluation that the second line is asked to read."""


def result_sets_of(state: LedgerState, verdict: r.Verdict) -> dict[str, r.ResultSet]:
    """By evaluation, the counted result set."""
    counted = state.assessments[verdict.assessment_id].result_sets
    return {name: state.expect(one, r.ResultSet) for name, one in counted.items()}


def elicitation_section(state: LedgerState, rules: Rules, verdict: r.Verdict) -> str:
    """How each evaluation tried to bring the capability out, and what it left out."""
    lines = [
        "## Elicitation as recorded",
        "",
        "| evaluation | what was done | gaps |",
        "|---|---|---|",
    ]
    there = result_sets_of(state, verdict)
    for evaluation in rules.suite.evaluations:
        own = [one for one in there.values() if one.run.evaluation == evaluation.id]
        if not own:
            lines.append(f"| {evaluation.id} | no result | everything |")
        lines += [_row(evaluation, one.run) for one in own]
    return "\n".join([*lines, *_scaffolds(rules, verdict)])


def _row(evaluation: Evaluation, run: EvaluationRun) -> str:
    lacking = gaps(
        run.elicitation,
        fields=evaluation.elicitation_required,
        methods=evaluation.elicitation_methods,
    )
    return (
        f"| {run.key} | {in_line(_done(run))}; variant {run.variant}, {run.attempts} attempts of "
        f"the run | {in_line('; '.join(lacking)) or 'none known'} |"
    )


def _done(run: EvaluationRun) -> str:
    fields = run.elicitation.model_dump(exclude_none=True)
    fields |= fields.pop("other")
    fields.pop("known_gaps", None)
    return "; ".join(f"{key}: {value}" for key, value in sorted(fields.items())) or "-"


def _scaffolds(rules: Rules, verdict: r.Verdict) -> list[str]:
    """The best scaffold beside the standard one, where the suite has both."""
    values = {one.name: one.value for one in verdict.decision.findings}
    lines = []
    for evaluation in rules.suite.evaluations:
        if evaluation.standard_scaffold is None:
            continue
        for one in verdict.decision.findings:
            if one.evaluation != evaluation.id:
                continue
            name = one.name.replace(evaluation.id, evaluation.standard_scaffold, 1)
            plain = values.get(name)
            ratio = f"{one.value / plain:.2f}" if one.value is not None and plain else "unknown"
            lines.append(
                f"- scaffold: {one.name} {_value(one.value)} against {_value(plain)} with the "
                f"standard one ({name}); ratio {ratio}"
            )
    return ["", *lines] if lines else []


def _value(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def unknown_section(state: LedgerState, rules: Rules, digest: Digest) -> str:
    """What nobody knows, so that its absence is not read as good news."""
    verdict = state.expect(digest, r.Verdict)
    there = result_sets_of(state, verdict)
    lines = [
        f"- {one.name}: {in_line('; '.join(one.problems)) or 'inconclusive'}"
        for one in verdict.decision.findings
        if one.finding is Finding.INCONCLUSIVE or (one.name not in there and not one.not_run)
    ]
    lines += [
        f"- {one.name} was not run, because {', '.join(one.not_run)} is below"
        for one in verdict.decision.findings
        if one.not_run
    ]
    lines += [
        f"- red line {one.red_line} is not shown to be far away: {in_line(one.because)}"
        for one in verdict.decision.red_lines
        if one.status is RedLineStatus.NOT_RULED_OUT
    ]
    lines += [
        f"- no forecast for {one.red_line}: {in_line(one.note)}"
        for one in verdict.forecasts
        if one.value is None and one.note
    ]
    lines += [
        f"- evidence {in_line(one.criterion)} of {one.standard} is SIMULATED"
        for one in state.evidence.values()
        if one.simulated
    ]
    lines.append("- whether the compute is what the trainer declares; other variants of the model")
    if not rules.suite.authors:
        lines.append("- who wrote the evaluation set")
    return "\n".join(["## What is unknown", "", *lines])


def transcripts_section(state: LedgerState, verdict: r.Verdict) -> str:
    """Which transcripts to read: drawn by the plan, not by whoever writes the report."""
    lines = ["## Transcripts to sample", ""]
    for name, found in sorted(result_sets_of(state, verdict).items()):
        log, count = found.run.log, _samples(verdict, name)
        if log is None or not count:
            lines.append(f"- {name}: no log to read")
            continue
        picked = ", ".join(map(str, _drawn(f"{verdict.plan.record}/{name}", count)))
        lines.append(f"- {name}: samples number {picked} of {count} in `{log.blob}`")
    return "\n".join(lines) if len(lines) > 2 else "\n".join([*lines, "There are none."])


def _samples(verdict: r.Verdict, name: str) -> int:
    return next((one.n for one in verdict.decision.findings if one.name == name), 0)


def _drawn(seed: str, count: int) -> list[int]:
    """Distinct sample numbers from 1 to count, the same for the same seed."""
    order = sorted(
        range(1, count + 1), key=lambda one: hashlib.sha256(f"{seed}/{one}".encode()).digest()
    )
    return sorted(order[:READ_AT_LEAST])
