"""Tells the story of a run from its records and the trainer's own events, as they happen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from include.adapters.ledger import LedgerReader
from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.safeguards import SATISFIED
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome, RedLineStatus
from toylab.training import BASE_STEPS, FLOP_PER_STEP

X_FLOP = BASE_STEPS * FLOP_PER_STEP


def multiple(flop: float) -> str:
    """Effective compute in the laboratory's unit."""
    return f"{flop / X_FLOP:.3g}x"


@dataclass(slots=True)
class Narrator:
    """Prints every new record and event once."""

    reader: LedgerReader
    events_file: Path
    console: Console = field(default_factory=lambda: Console(soft_wrap=True, highlight=False))
    events: list[dict[str, Any]] = field(default_factory=list)
    _told: int = 0

    def catch_up(self) -> LedgerState:
        """Tell what is new; the ledger's state."""
        state = self.reader.refresh()
        for digest, index in list(state.index_of.items())[self._told :]:
            for line, style in _lines(state, state.records[digest]):
                self.say(f"{line}  · {short(digest)} #{index}", style)
        self._told = state.length
        for event in self._new_events():
            told = _event(event)
            if told:
                self.say(told, "cyan")
        return state

    def say(self, line: str, style: str = "") -> None:
        """One line of the story."""
        self.console.print(line, style=style or None, markup=False)

    def _new_events(self) -> Iterator[dict[str, Any]]:
        if not self.events_file.exists():
            return
        lines = self.events_file.read_text().splitlines()
        for line in lines[len(self.events) :]:
            self.events.append(json.loads(line))
            yield self.events[-1]


def _event(event: dict[str, Any]) -> str | None:
    if event["event"] == "resumed" and event["after"] == "no_permit":
        return None
    said = {
        "started": "starts; lingers {linger:g} s while it is assessed (a setting of the demo)",
        "order_seen": "sees the hold while it is still moving",
        "acknowledged": "stopped, state saved; {steps_from_order_to_stop} steps and "
        "{seconds_from_order_to_stop:.2f} s after the order, {lease_seconds_left:.1f} s of the "
        "lease left",
        "waiting": "stands still: {reason}",
        "resumed": "goes on (it waited for: {after})",
        "finished": "finished",
    }.get(event["event"])
    if said is None:
        return None
    if event.get("seconds_from_order_to_stop", 0) is None:
        said = "acknowledges the hold; it stood still before it came"
    where = f"trainer  step {event['step']} ({multiple(event['flop'])})"
    return f"{where}: {said.format(**event)}"


def _lines(state: LedgerState, record: r.Record) -> Iterable[tuple[str, str]]:
    if isinstance(record, r.Verdict):
        return _verdict(state, record)
    if isinstance(record, r.SafeguardsJudgement):
        return _judgement(record)
    teller = _TELLERS.get(record.kind)
    return [teller(record)] if teller else []


def _trust_root(record: r.TrustRoot) -> tuple[str, str]:
    simulated = [key.holder for key in record.keys if key.simulated]
    return f"notary   begins the ledger; SIMULATED officers: {', '.join(simulated)}", "dim"


def _adoption(record: r.Adoption) -> tuple[str, str]:
    return f"officers adopt {record.policy.name}, signed by {len(record.signatures)}", "dim"


def _checkpoint(record: r.Checkpoint) -> tuple[str, str]:
    compute = record.manifest.effective_compute
    size = f"{compute:.4g} FLOP ({multiple(compute)})"
    return f"redline  registers checkpoint {record.location}: {size}, files checked", ""


def _validation(record: r.Validation) -> tuple[str, str]:
    kept = sum(record.valid.values())
    return f"redline  Great Expectations: {kept} of {len(record.valid)} result sets valid", ""


def _evidence(record: r.Evidence) -> tuple[str, str]:
    piece = record.evidence
    label = "SIMULATED " if piece.simulated else ""
    where = f" on {', '.join(piece.surfaces)}" if piece.surfaces else ""
    said = f"{label}evidence for {piece.criterion}{where}: {piece.statement}"
    return said, "dim" if piece.shows else "red"


def _answer(record: r.Answer) -> tuple[str, str]:
    who = f"{record.office} ({record.identification}{', SIMULATED' if record.simulated else ''})"
    return f"{who}: {record.choice}: {record.reason}", "magenta"


def _notification(record: r.Notification) -> tuple[str, str]:
    went = [one.channel for one in record.deliveries if one.delivered]
    how = f"by {', '.join(went)}" if went else "by no channel: none is configured"
    return f"redline  sends word to {record.to} ({record.notice}) {how}", "dim"


def _stop_check(record: r.StopCheck) -> tuple[str, str]:
    if record.stands_still:
        return "redline  sees the run stand still: nothing newer, no heartbeat of training", "cyan"
    return f"redline  sees the run MOVE: {record.findings[0].message}", "bold red"


def _acknowledgement(record: r.Acknowledgement) -> tuple[str, str]:
    return f"trainer  acknowledges the hold at step {record.last_step}: {record.state}", "cyan"


def _permit(record: r.Permit) -> tuple[str, str]:
    kind = "genesis permit" if record.checkpoint is None else f"{record.purpose} permit"
    ends = ", which ends the hold" if record.releases else ""
    simulated = f" ({record.identification}{', SIMULATED' if record.simulated else ''})"
    return (
        f"notary   signs a {kind}{ends}{simulated}: next assessment due at "
        f"{multiple(record.due_flop)}, ceiling {multiple(record.ceiling_flop)}",
        "green",
    )


def _verdict(state: LedgerState, record: r.Verdict) -> Iterator[tuple[str, str]]:
    checkpoint = state.expect(record.checkpoint.record, r.Checkpoint)
    for one in record.decision.findings:
        if one.value is None:
            yield f"         {one.evaluation}: inconclusive: {'; '.join(one.problems)}", "yellow"
        else:
            yield (
                f"         {one.evaluation}: {one.value:.3f} ({one.lower:.3f} to {one.upper:.3f}, "
                f"n={one.n}, {one.confidence:.0%} one-sided): {one.finding or 'reported'}",
                "",
            )
    for line in record.decision.red_lines:
        calm = line.status is RedLineStatus.RULED_OUT
        yield (
            f"VERDICT  {checkpoint.location}: {line.red_line} {line.status} by {line.clause} -> "
            f"{record.decision.recommendation}",
            "bold green" if calm else "bold red",
        )
    if record.decision.early_warning and record.decision.recommendation is Outcome.CONTINUE:
        yield (
            f"         early warning: the next assessment is due at {record.decision.due_ratio:g}x "
            f"this compute, the ceiling is {record.decision.ceiling_ratio:g}x",
            "bold yellow",
        )
    for ahead in record.forecasts:
        if ahead.at_compute is None:
            yield f"         forecast of {ahead.red_line}: {ahead.note}", "dim"
        elif ahead.value is None:
            yield f"         forecast at {multiple(ahead.at_compute)}: {ahead.note}", "dim"
        else:
            yield (
                f"         forecast at {multiple(ahead.at_compute)}: {ahead.value:.2f} "
                f"({ahead.lower:.2f} to {ahead.upper:.2f}, {ahead.confidence:.0%}, "
                f"{ahead.points} points), headroom {ahead.headroom:.2f} "
                f"({ahead.headroom_lower:.2f} to {ahead.headroom_upper:.2f}) {ahead.note}",
                "dim",
            )


def _judgement(record: r.SafeguardsJudgement) -> Iterator[tuple[str, str]]:
    for standard in record.standards:
        verb = "holds" if standard.holds else "does NOT hold"
        yield f"redline  standard {standard.standard} {verb}", "green" if standard.holds else "red"
        for row in standard.criteria:
            if row.outcome not in SATISFIED:
                yield (
                    f"         {row.requirement} on {row.surface} ({row.clause}) {row.outcome}: "
                    f"{row.because}",
                    "red",
                )


def _drill(record: r.Drill) -> tuple[str, str]:
    took = (record.steps[-1].at - record.started_at).total_seconds()
    gaps = f"{len(record.gaps)} gaps" if record.gaps else "no gaps"
    mark = ", SIMULATED" if record.simulated else ""
    steps = ", ".join(f"{one.name} {one.seconds:.2f} s" for one in record.steps)
    style = "yellow" if record.gaps else "green"
    return f"DRILL    {record.scenario} in {took:.1f} s, {gaps}{mark}: {steps}", style


_TELLERS: dict[str, Callable[[Any], tuple[str, str]]] = {
    "trust_root": _trust_root,
    "adoption": _adoption,
    "permit": _permit,
    "checkpoint": _checkpoint,
    "occasion": lambda one: (f"redline  an assessment is due: {one.reason}", ""),
    "validation": _validation,
    "evidence": _evidence,
    "hold": lambda one: (f"notary   HOLD on {one.run_id}: {one.reason}", "bold red"),
    "safeguards_report": lambda _: ("redline  writes the Safeguards Report", ""),
    "drill": _drill,
    "capability_report": lambda _: ("redline  writes the Capability Report", ""),
    "packet": lambda _: ("redline  closes the packet: report and second line's opinion", ""),
    "opinion": _answer,
    "determination": _answer,
    "receipt": _answer,
    "notification": _notification,
    "stop_check": _stop_check,
    "escalation": lambda one: (f"LADDER   rung {one.rung}: {', '.join(one.to)}", "bold yellow"),
    "acknowledgement": _acknowledgement,
    "refusal": lambda one: (f"REFUSED  [{one.code}] {one.message}", "yellow"),
    "deviation": lambda one: (f"DEVIATION {one.finding}: {one.message}", "bold yellow"),
}
