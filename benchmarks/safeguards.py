"""How long it takes to judge a large standard: 500 requirements on 8 surfaces.

`python -m benchmarks.safeguards`. Every row has several pieces of evidence, some of which are
stale, of another type, self-verified, broken or against it. Named peer, in the same run: the same
join done with pandas (merge, filter, sort, last of each group), whose outcomes have to be the same;
once on a frame that is there, once from the same evidence that ours begins with.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pandas as pd
from rich.console import Console
from rich.table import Table

from include.rsp.catalogue import CatalogueStandard, Requirement
from include.rsp.policy_parts import Criterion, Standard
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import SafeguardEvidence, Shown
from include.rsp.safeguard_plan import SafeguardPlan, Surface
from include.rsp.safeguards import StandardJudgement, judge_standard
from include.rsp.vocabulary import SurfaceKind

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
TARGET = 1.0
DAYS = 30.0
TYPES = ("probe", "report", "rumour")
T = TypeVar("T")
Outcomes = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class World:
    """One standard and all the evidence for it."""

    standard: Standard
    said: CatalogueStandard
    plan: SafeguardPlan
    evidence: dict[str, Shown]


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", type=int, default=500)
    parser.add_argument("--pieces", type=int, nargs="*", default=[1, 4], help="for each row")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    table = Table(title=f"{options.requirements} requirements x {len(SurfaceKind)} surfaces")
    for name in ("pieces of evidence", "rows", "judge_standard", "target", "pandas",
                 "with its frame", "times as fast", "rows alike", "met"):  # fmt: skip
        table.add_column(name, justify="right")
    fine, found = True, Counter[str]()
    for pieces in options.pieces:
        world = make(options.requirements, pieces)
        frame = as_frame(world)
        ours, judged = timed(partial(judge, world), options.repeat)
        peer, theirs = timed(partial(join, world, frame), options.repeat)
        whole, _ = timed(partial(join_whole, world), options.repeat)
        rows = {(row.requirement, row.surface): row.outcome.value for row in judged.criteria}
        alike = sum(theirs[key] == outcome for key, outcome in rows.items())
        met = ours < TARGET and alike == len(rows) == len(theirs)
        fine, found = fine and met, found + Counter(rows.values())
        table.add_row(
            str(len(world.evidence)), str(len(rows)), f"{ours * 1e3:.0f} ms", f"< {TARGET:g} s",
            f"{peer * 1e3:.0f} ms", f"{whole * 1e3:.0f} ms",
            f"{peer / ours:.2f} | {whole / ours:.2f}", f"{alike} of {len(rows)}",
            "yes" if met else "NO",
        )  # fmt: skip
    console = Console(width=130)
    console.print(table)
    console.print(
        f"Medians of {options.repeat}; the index over the evidence is part of both. Outcomes: "
        f"{dict(sorted(found.items()))}.\npandas gives outcomes alone: no reasons, no owner, no "
        f"end of validity. {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, pandas {pd.__version__}, {datetime.now(UTC):%Y-%m-%d}."
    )
    return 0 if fine and len(found) == 4 else 1


def make(requirements: int, pieces: int) -> World:
    """A standard whose every row has about so many pieces of evidence, by lot (seed 0)."""
    draw = random.Random(0)  # noqa: S311 - not for secrets
    criteria = [Criterion(id=f"c-{n}", clause="§1", part="deployment", text="x", evidence="probe",
                          max_age_days=DAYS) for n in range(requirements)]  # fmt: skip
    required = [Requirement(id=f"r-{n}", criterion=f"c-{n}", clause="§1", shown="x",
                            evidence=["probe", "report"], surfaces=list(SurfaceKind),
                            max_age_days=DAYS, verifier=draw.choice(("self", "independent")))
                for n in range(requirements)]  # fmt: skip
    surfaces = [Surface(id=kind.value.replace("_", "-"), kind=kind, owner=f"team-{n}", text="x")
                for n, kind in enumerate(SurfaceKind)]  # fmt: skip
    evidence = {}
    for number in range(requirements * len(surfaces) * pieces):
        one, surface = required[number % requirements], draw.choice(surfaces)
        evidence[f"sha256:{number:064x}"] = Shown(
            piece=SafeguardEvidence(
                standard="big", criterion=one.id, type=draw.choices(TYPES, (6, 3, 1))[0],
                shows=draw.random() > 0.1, statement="seen", collector="lab",
                collected_at=AT - timedelta(seconds=30 * draw.randrange(1, 116_000)),
                surfaces=[surface.id], simulated=True,
            ),
            by=draw.choice((None, "auditor", surface.owner)),
            broken="its attachment is another" if draw.random() < 0.05 else None,
        )  # fmt: skip
    return World(
        Standard(id="big", clause="§1", level="asl-3", text="x", criteria=criteria),
        CatalogueStandard(standard="big", defined=True, requirements=required),
        SafeguardPlan(surfaces=surfaces),
        evidence,
    )


def judge(world: World) -> StandardJudgement:
    """Ours, from the evidence on."""
    return judge_standard(
        world.standard, world.said, Basis(plan=world.plan, evidence=world.evidence, at=AT)
    )


def as_frame(world: World) -> pd.DataFrame:
    """The evidence as pandas wants it."""
    return pd.DataFrame(
        [
            {"digest": digest, "requirement": one.piece.criterion, "type": one.piece.type,
             "surface": one.piece.surfaces[0], "shows": one.piece.shows,
             "at": one.piece.collected_at, "by": one.by, "broken": one.broken is not None}
            for digest, one in world.evidence.items()
        ]
    )  # fmt: skip


def join(world: World, frame: pd.DataFrame) -> Outcomes:
    """The same with pandas: every row, the newest piece that counts there, and what it says."""
    required = pd.DataFrame(
        [{"requirement": one.id, "self": one.verifier == "self"} for one in world.said.requirements]
    )
    surfaces = pd.DataFrame(
        [{"surface": one.id, "owner": one.owner} for one in world.plan.surfaces]
    )
    rows = required.merge(surfaces, how="cross")
    seen = frame.merge(rows, on=["requirement", "surface"])
    independent = seen["by"].notna() & (seen["by"] != seen["owner"])
    counts = ~seen["shows"] | (  # what speaks against it counts whoever says it
        ~seen["broken"] & seen["type"].isin(["probe", "report"]) & (seen["self"] | independent)
    )
    seen = seen[counts].assign(against=lambda one: ~one["shows"])
    newest = seen.sort_values(["at", "against", "digest"]).groupby(
        ["requirement", "surface"], as_index=False
    ).last()  # fmt: skip
    old = newest["at"] + pd.Timedelta(days=DAYS) < pd.Timestamp(AT)
    newest["outcome"] = "met"
    newest.loc[old, "outcome"] = "stale"
    newest.loc[~newest["shows"], "outcome"] = "not_met"
    found = rows.merge(
        newest[["requirement", "surface", "outcome"]], on=["requirement", "surface"], how="left"
    )
    said = found["outcome"].fillna("missing")
    return dict(zip(zip(found["requirement"], found["surface"], strict=True), said, strict=True))


def join_whole(world: World) -> Outcomes:
    """With pandas from where ours begins."""
    return join(world, as_frame(world))


def timed(call: Callable[[], T], repeat: int) -> tuple[float, T]:
    """(median seconds, what came of it), after one call to warm up."""
    result = call()
    seconds = []
    for _ in range(repeat):
        gc.collect()
        begun = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), result


if __name__ == "__main__":
    sys.exit(main())
