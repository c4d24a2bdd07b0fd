"""The Capability Report on its evidence: elicitation, gaps, what is unknown, what to read.

R5 to R9 of the published record: an evaluation says no more than its elicitation did.
"""

from __future__ import annotations

import hashlib

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.harmless import in_line
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
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
        found = there.get(evaluation.id)
        if found is None:
            lines.append(f"| {evaluation.id} | no result | everything |")
            continue
        done = found.run.elicitation
        gaps = [one for one in evaluation.elicitation_required if one not in done]
        said = "; ".join(f"{key}: {value}" for key, value in sorted(done.items()))
        lines.append(
            f"| {evaluation.id} | {in_line(said) or '-'}; variant {found.run.variant}, "
            f"{found.run.attempts} attempts of the run | {', '.join(gaps) or 'none asked for'} |"
        )
    return "\n".join(lines)


def unknown_section(state: LedgerState, rules: Rules, digest: Digest) -> str:
    """What nobody knows, so that its absence is not read as good news."""
    verdict = state.expect(digest, r.Verdict)
    there = result_sets_of(state, verdict)
    lines = [
        f"- {one.evaluation}: {in_line('; '.join(one.problems)) or 'inconclusive'}"
        for one in verdict.decision.findings
        if one.finding is Finding.INCONCLUSIVE or one.evaluation not in there
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
    return next((one.n for one in verdict.decision.findings if one.evaluation == name), 0)


def _drawn(seed: str, count: int) -> list[int]:
    """Distinct sample numbers from 1 to count, the same for the same seed."""
    order = sorted(
        range(1, count + 1), key=lambda one: hashlib.sha256(f"{seed}/{one}".encode()).digest()
    )
    return sorted(order[:READ_AT_LEAST])
