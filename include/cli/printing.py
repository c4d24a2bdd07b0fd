"""What `rsp` and the demo print: tables for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from include.adapters.file_check import Report
from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.state import LedgerState


def report_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON."""
    return {
        "sound": not report.problems,
        "entries": len(report.entries),
        "head": report.entries[-1] if report.entries else None,
        "files": report.files,
        "problems": [{"where": one.where, "what": one.what} for one in report.problems],
        "unchained": report.unchained,
        "verdicts": verdict_rows(report.state),
    }


def print_report(report: Report) -> None:
    """The report for a person."""
    out = console()
    out.print(verdict_table(report.state))
    for one in report.problems:
        out.print(f"UNSOUND {one.where}: {one.what}", style="bold red", markup=False)
    if report.unchained:
        out.print(f"{len(report.unchained)} records were written but never chained; none counts")
    head = short(report.entries[-1]) if report.entries else "none"
    verdicts = sum(isinstance(one, r.Verdict) for one in report.state.records.values())
    out.print(
        f"{'UNSOUND' if report.problems else 'SOUND'}: {len(report.entries)} entries, head {head}, "
        f"{report.files} files, {verdicts} verdicts recomputed, {len(report.problems)} problems"
    )


def verdict_rows(state: LedgerState) -> list[dict[str, Any]]:
    """One row for each verdict, in the order of the ledger."""
    rows = []
    for digest, verdict in state.records.items():
        if not isinstance(verdict, r.Verdict):
            continue
        checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
        rows.append(
            {
                "checkpoint": checkpoint.location,
                "effective_compute": checkpoint.manifest.effective_compute,
                "scores": {
                    one.evaluation: [one.value, one.lower, one.upper]
                    for one in verdict.decision.findings
                },
                "red_lines": {one.red_line: one.status for one in verdict.decision.red_lines},
                "early_warning": verdict.decision.early_warning,
                "recommendation": verdict.decision.recommendation,
                "record": digest,
            }
        )
    return rows


def verdict_table(state: LedgerState) -> Table:
    """The verdicts as a table: one row a checkpoint, one column an evaluation."""
    rows = verdict_rows(state)
    evaluations = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    table = Table(title="Verdicts (scores with one-sided bounds)")
    for name in ("checkpoint", "FLOP", *evaluations, "red lines", "warning", "verdict", "record"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            row["checkpoint"],
            f"{row['effective_compute']:.3g}",
            *(_score(row["scores"].get(name)) for name in evaluations),
            ", ".join(f"{name}: {status}" for name, status in row["red_lines"].items()),
            "yes" if row["early_warning"] else "no",
            str(row["recommendation"]),
            short(row["record"]),
        )
    return table


def _score(found: list[float | None] | None) -> str:
    if found is None or found[0] is None:
        return "inconclusive"
    value, low, high = found
    return f"{value:.2f} ({low:.2f}-{high:.2f})"


def console() -> Console:
    """A console as wide as the terminal; where there is none, wide enough for the tables."""
    found = Console(soft_wrap=True, highlight=False)
    return found if found.is_terminal else Console(soft_wrap=True, highlight=False, width=160)


def ledger_json(state: LedgerState, last: int) -> list[dict[str, Any]]:
    """The entries as plain JSON: index, record, kind, time, writer."""
    rows = [
        {
            "index": index,
            "record": digest,
            "kind": state.records[digest].kind,
            "at": state.records[digest].model_dump(mode="json")["at"],
            "by": state.records[digest].by,
        }
        for digest, index in state.index_of.items()
    ]
    return rows[-last:] if last else rows


def print_ledger(state: LedgerState, last: int) -> None:
    """One line for each entry."""
    out = console()
    for digest, index in list(state.index_of.items())[-last:]:
        record = state.records[digest]
        out.print(
            f"{index:5} {record.at:%Y-%m-%d %H:%M:%S} {record.kind:22} {short(digest)} {record.by}"
            + _refused(record),
            markup=False,
            highlight=False,
        )


def _refused(record: r.Record) -> str:
    """Why, where the record is a refusal."""
    return f" [{record.code}] {record.message}" if isinstance(record, r.Refusal) else ""
