"""The Safeguards Report: what holds, what does not, what expires next, and who owns it.

Lifecycle step 22 (RSP 2.2 §4.3). Generated only from records, so that the notary writes the same
text again. What a tired person needs stands before the first rule; the whole comes after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.canonical import Digest, short
from include.rsp.capability_report import FOLD
from include.rsp.harmless import in_line
from include.rsp.judgement import good_until, verified_by
from include.rsp.report_tables import interim_section
from include.rsp.rules import Rules
from include.rsp.safeguards import SATISFIED, CriterionJudgement, StandardJudgement, unmet
from include.rsp.state import LedgerState
from include.rsp.vocabulary import CriterionOutcome

FORMAT = "safeguards-report@1"
FIRST_ROWS = 12
"""So many rows of what is not met stand on the first screen; the rest is counted and follows."""
NEXT_ROWS = 5


def report_markdown(state: LedgerState, rules: Rules, judgement: Digest) -> str:
    """The text of the report on a judgement."""
    judged = state.expect(judgement, r.SafeguardsJudgement)
    verdict = state.expect(judged.verdict.record, r.Verdict)
    made = state.expect(verdict.checkpoint.record, r.Checkpoint)
    first = [
        f"# Safeguards Report: checkpoint {made.location}",
        _answer(rules, judged),
        _standards(judged.standards),
        _not_met(judged.standards),
        _expires(rules, judged),
    ]
    rest = [
        *(_every_row(one) for one in judged.standards),
        interim_section(state, judged),
        _evidence(state, judged),
        _exemptions(state, judged),
        _drills(state),
        _records(made, judged, judgement),
    ]
    parts = ["\n\n".join(part for part in parts if part) for parts in (first, rest)]
    return FOLD.join(parts) + "\n"


def _answer(rules: Rules, judged: r.SafeguardsJudgement) -> str:
    law = f"{rules.policy.id} {rules.policy.version}"
    missing = len(unmet(judged.standards))
    if not judged.standards:
        said = "**Nothing is required**, so there is nothing to hold"
    elif judged.holds and judged.interim:
        said = "**Interim measures stand in** for what does not hold; they end by themselves"
    elif judged.holds:
        said = "**The required safeguards hold**, on every surface"
    else:
        things = "1 thing is" if missing == 1 else f"{missing} things are"
        said = f"**The required safeguards do NOT hold**: {things} not shown"
    return f"{said} ({law}, as of {judged.at:%Y-%m-%d %H:%M} UTC)."


def _standards(standards: Sequence[StandardJudgement]) -> str:
    if not standards:
        return ""
    lines = ["| standard | holds | met | not met | stale | missing | not applicable |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for one in standards:
        n = Counter(row.outcome for row in one.criteria)
        holds = "**yes**" if one.holds else "**NO**"
        if not one.criteria:
            holds = "**NO: not written**"
        counts = " | ".join(str(n[outcome]) for outcome in _COLUMNS)
        lines.append(f"| {in_line(one.standard)} ({in_line(one.level)}) | {holds} | {counts} |")
    return "\n".join(lines)


_COLUMNS = (
    CriterionOutcome.MET,
    CriterionOutcome.NOT_MET,
    CriterionOutcome.STALE,
    CriterionOutcome.MISSING,
    CriterionOutcome.NOT_APPLICABLE,
)


def _not_met(standards: Sequence[StandardJudgement]) -> str:
    rows = unmet(standards)
    if not rows:
        return "## What does not hold\n\nNothing."
    shown = rows[:FIRST_ROWS]
    lines = ["## What does not hold", "", "| what | surface | outcome | why | owner |",
             "|---|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {_what(row)} | {in_line(row.surface)} | **{row.outcome}** | {_brief(row.because)} | "
        f"{in_line(row.owner or 'nobody is named')} |"
        for _, row in shown
    ]
    if len(rows) > len(shown):
        owners = Counter(row.owner or "nobody is named" for _, row in rows[FIRST_ROWS:])
        listed = ", ".join(f"{name}: {n}" for name, n in sorted(owners.items()))
        lines += ["", f"And {len(rows) - len(shown)} more, below ({listed})."]
    return "\n".join(lines)


def _what(row: CriterionJudgement) -> str:
    same = row.requirement == row.criterion
    name = row.requirement if same else f"{row.requirement} ({row.criterion})"
    return in_line(name)


def _brief(text: str, most: int = 160) -> str:
    """One line; the whole is in the record that is named beside it."""
    return in_line(text if len(text) <= most else f"{text[: most - 3]}...")


def _expires(rules: Rules, judged: r.SafeguardsJudgement) -> str:
    rows = _lasting(judged)
    if not rows:
        return "## What expires next\n\nNothing that holds expires."
    lines = ["## What expires next", "", "| what | surface | until | left | owner |",
             "|---|---|---|---|---|"]  # fmt: skip
    for until, standard, row in rows[:NEXT_ROWS]:
        left = until - judged.at
        warn = timedelta(days=warn_days(rules, standard))
        soon = "**" if left <= warn else ""
        lines.append(
            f"| {_what(row)} | {in_line(row.surface)} | {until:%Y-%m-%d %H:%M} | "
            f"{soon}{left.total_seconds() / 86400:.1f} days{soon} | "
            f"{in_line(row.owner or 'nobody is named')} |"
        )
    return "\n".join(lines)


def warn_days(rules: Rules, standard: str) -> float:
    """How long before its evidence lapses a standard is looked at again."""
    known = any(one.id == standard for one in rules.policy.standards)
    said = rules.requirements_of(standard) if known else None
    return said.warn_days if said else 0.0


def expiring(
    rules: Rules, judged: r.SafeguardsJudgement, *, at: datetime
) -> list[tuple[str, CriterionJudgement]]:
    """(standard, row) of what lapses within the warning period from now, the first first."""
    return [
        (standard, row)
        for until, standard, row in _lasting(judged)
        if until - at <= timedelta(days=warn_days(rules, standard))
    ]


def _lasting(judged: r.SafeguardsJudgement) -> list[tuple[datetime, str, CriterionJudgement]]:
    """(until, standard, row) of what holds for a time, the first to lapse first."""
    found = [
        (row.good_until, one.standard, row)
        for one in judged.standards
        for row in one.criteria
        if row.good_until is not None and row.outcome in SATISFIED
    ]
    return sorted(found, key=lambda one: (one[0], one[1], one[2].requirement, one[2].surface))


def _every_row(standard: StandardJudgement) -> str:
    head = f"## {in_line(standard.standard)}: {'holds' if standard.holds else 'does NOT hold'}"
    if not standard.criteria:
        return f"{head}\n\nIts criteria are not written; nothing could show that it holds."
    lines = [head, "", "| what | surface | outcome | because | until | evidence | owner |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| {_what(row)} ({in_line(row.clause)}) | {in_line(row.surface)} | **{row.outcome}** | "
        f"{_brief(row.because, 400)} | {_until(row)} | "
        f"{short(row.evidence) if row.evidence else '-'} | {in_line(row.owner or '-')} |"
        for row in standard.criteria
    ]
    return "\n".join(lines)


def _until(row: CriterionJudgement) -> str:
    return f"{row.good_until:%Y-%m-%d %H:%M}" if row.good_until else "-"


def _evidence(state: LedgerState, judged: r.SafeguardsJudgement) -> str:
    used = {row.evidence: None for one in judged.standards for row in one.criteria if row.evidence}
    if not used:
        return "## Evidence\n\nNone counted."
    lines = ["## Evidence", "",
             "| record | type | shows it | collected | by | who stands behind it | files |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for digest in used:
        piece = state.evidence[digest]
        behind = verified_by(state, digest) or "nobody signed"
        mark = ", SIMULATED" if piece.simulated else ""
        lines.append(
            f"| {short(digest)} | {in_line(piece.type)} | {'yes' if piece.shows else 'NO'} | "
            f"{piece.collected_at:%Y-%m-%d %H:%M:%S} | {in_line(piece.collector)}{mark} | "
            f"{in_line(behind)} | {len(piece.attachments)} |"
        )
    return "\n".join(lines)


def _exemptions(state: LedgerState, judged: r.SafeguardsJudgement) -> str:
    rows = [
        (one.standard, row)
        for one in judged.standards
        for row in one.criteria
        if row.outcome is CriterionOutcome.NOT_APPLICABLE
    ]
    if not rows:
        return ""
    return "## Not applicable, as two people signed\n\n" + "\n".join(
        f"- {in_line(standard)}: {_what(row)} on {row.surface}: {_brief(row.because, 400)}"
        for standard, row in rows
    )


def _drills(state: LedgerState) -> str:
    held = sorted(state.drills.values(), key=lambda one: one.started_at)
    newest = {one.scenario: one for one in held}
    if not newest:
        return "## Drills\n\nNone was held."
    lines = ["## Drills", "", "| scenario | held | took | gaps |", "|---|---|---|---|"]
    for scenario, one in sorted(newest.items()):
        took = (one.steps[-1].at - one.started_at).total_seconds()
        mark = ", SIMULATED" if one.simulated else ""
        gaps = _brief("; ".join(one.gaps), 400) or "none"
        lines.append(
            f"| {scenario}{mark} | {one.started_at:%Y-%m-%d %H:%M} | {took:.1f} s | {gaps} |"
        )
    return "\n".join(lines)


def _records(made: r.Checkpoint, judged: r.SafeguardsJudgement, judgement: Digest) -> str:
    until = good_until(judged.standards)
    rows = {
        "checkpoint": made.digest,
        "verdict": judged.verdict.record,
        "judgement": judgement,
        "good until": f"{until:%Y-%m-%d %H:%M:%S}"
        if until and judged.holds
        else "it does not hold",
        "format": FORMAT,
    }
    return "## Records\n\n" + "\n".join(f"- {name}: `{value}`" for name, value in rows.items())
