"""What `rsp evidence` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from include.cli.printing import console
from include.rsp.canonical import Digest, short
from include.rsp.judgement import verified_by
from include.rsp.safeguard_evidence import SafeguardEvidence
from include.rsp.safeguards import StandardJudgement, unmet
from include.rsp.state import LedgerState


def print_evidence(state: LedgerState, found: Mapping[Digest, SafeguardEvidence]) -> None:
    """One line a piece."""
    table = Table(box=None, header_style="bold")
    for name in ("record", "standard", "requirement", "surfaces", "shows", "collected", "by"):
        table.add_column(name, overflow="fold")
    replaced = {one.supersedes for one in state.evidence.values()}
    for digest, one in found.items():
        behind = verified_by(state, digest) or f"{one.collector} (not signed)"
        table.add_row(
            short(digest) + (" superseded" if digest in replaced else ""),
            one.standard,
            one.criterion,
            ", ".join(one.surfaces) or "organisation",
            "yes" if one.shows else "NO",
            f"{one.collected_at:%Y-%m-%d %H:%M}",
            behind + (" SIMULATED" if one.simulated else ""),
        )
    console().print(table)


def print_missing(judged: Sequence[StandardJudgement]) -> None:
    """What is not met, by standard, with the reason and who owns it."""
    out = console()
    for one in judged:
        missing = unmet([one])
        if not one.criteria:
            out.print(f"{one.standard}: not written; it can never hold", style="bold red")
            continue
        said = "holds" if one.holds else f"does NOT hold: {len(missing)} of {len(one.criteria)}"
        out.print(f"{one.standard}: {said}", style="green" if one.holds else "bold red")
        table = Table(box=None, header_style="bold")
        for name in ("requirement", "surface", "outcome", "owner", "because"):
            table.add_column(name, overflow="fold")
        for _, row in missing:
            table.add_row(
                row.requirement, row.surface, row.outcome, row.owner or "nobody", row.because
            )
        if missing:
            out.print(table)
