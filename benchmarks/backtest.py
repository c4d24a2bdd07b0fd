"""Seconds to decide 1,000 past assessments again, on one core.

`make bench WHAT=backtest` (about two minutes). Builds a store with a history of its own
(`long_history.py`), then times what `rsp backtest` and the review of a proposal do, beside two
peers on the same tables in the same run: pydantic's validation of the samples alone, and a script
with pandas that takes the mean and an exact bound and checks nothing. Prints a table; `--write`
puts it into README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from benchmarks.long_history import POLICY, RULES, SUITE, build
from include.adapters.adoption_check import derive_review
from include.adapters.ledger import LedgerReader
from include.adapters.past_decisions import past_decisions
from include.adapters.policy_files import read_policy, read_suite
from include.adapters.rederivation import RuleBook
from include.adapters.store import DirectoryStore, get_blob, put_blob
from include.rsp import records as r
from include.rsp.backtest import Backtest, backtest, redecide
from include.rsp.results import SampleTable
from include.rsp.state import LedgerState

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- bench-backtest -->", "<!-- end of bench-backtest -->"
LIMIT = 5.0
TIMES = 3
STRICTER = SUITE.replace(b"rule_out: 0.5,", b"rule_out: 0.4,")
NEXT_SUITE = STRICTER.replace(b'version: "1.0"', b'version: "1.1"')
NEXT_POLICY = POLICY.replace(b'version: "1.0"', b'version: "1.1"')


@dataclass(frozen=True, slots=True)
class Seconds:
    """Of the core, and by the clock: more where other programs want the same core."""

    core: float
    clock: float

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.core - other.core, self.clock - other.clock)


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians in seconds, and what was found."""

    decisions: int
    entries: int
    samples: int
    seconds: dict[str, Seconds]
    found: Backtest


def main() -> int:
    """Build, measure on one core, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    use_one_core()
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as folder:
        build(Path(folder), options.decisions)
        measured = measure(Path(folder))
    table = render(measured)
    print(table)
    if options.write:
        write(table)
    return 0 if measured.seconds["all"].core < LIMIT * options.decisions / 1_000 else 1


def use_one_core() -> None:
    """Pin this process to one core, and start it again with one thread for linear algebra."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - itself


def measure(folder: Path) -> Measured:
    """Time every stage; each thing is done as production does it, from the same files."""
    store = DirectoryStore(folder / "store")
    law, added = read_policy(NEXT_POLICY, where="policy"), read_suite(NEXT_SUITE, where="suite")
    state, chain = timed(lambda: LedgerReader(store).refresh())
    seconds = {"chain": chain}
    _, seconds["evidence"] = timed(lambda: deque(past_decisions(store, state), maxlen=0))
    found, seconds["all"] = timed(
        lambda: backtest(redecide(law, added, past_decisions(store, state)))
    )
    seconds["decide"] = seconds["all"] - seconds["evidence"]
    same = backtest(redecide(RULES.policy, RULES.suite, past_decisions(store, state)))
    assert (same.decisions, same.changed) == (found.decisions, [])
    proposal = propose(store, state)
    rulebook, at = RuleBook(store), state.last_at
    assert at is not None
    review, seconds["review"] = timed(
        lambda: derive_review(store, rulebook, state, proposal, at=at)
    )
    assert review.backtest == found
    samples, seconds["pydantic"] = timed(
        lambda: sum(validated(store, one) for one in tables(state))
    )
    _, seconds["pandas"] = timed(lambda: sum(by_pandas(store, one) for one in tables(state)))
    _, seconds["command"] = timed(lambda: run_command(folder))
    return Measured(found.decisions, state.length, samples, seconds, found)


def timed(work: Callable[[], Any]) -> tuple[Any, Seconds]:
    """The result, and the median of the seconds."""
    core, clock = [], []
    for _ in range(TIMES):
        before, begun = spent(), time.perf_counter()
        result = work()
        core.append(spent() - before)
        clock.append(time.perf_counter() - begun)
    return result, Seconds(statistics.median(core), statistics.median(clock))


def spent() -> float:
    """Seconds of the core that this process and its children have used."""
    return sum(os.times()[:4])


def run_command(folder: Path) -> None:
    """`rsp backtest` as a process of its own, on the same core."""
    policy, suite = folder / "next.policy.yaml", folder / "next.suite.yaml"
    policy.write_bytes(NEXT_POLICY)
    suite.write_bytes(NEXT_SUITE)
    command = [sys.executable, "-m", "include.cli.main", "backtest", "--policy", str(policy)]
    asked = ["--suite", str(suite), "--store", str(folder / "store"), "--json"]
    subprocess.run([*command, *asked], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def propose(store: DirectoryStore, state: LedgerState) -> r.Proposal:
    """The proposal that a review would be derived from."""
    assert state.adoption is not None
    digest, adoption = state.adoption
    return r.Proposal(
        at=adoption.at, by="benchmark", stamp=adoption.stamp,
        policy=put_blob(store, NEXT_POLICY, name="policy.yaml"),
        suite=put_blob(store, NEXT_SUITE, name="suite.yaml"),
        supersedes=r.RecordRef(record=digest), reason="a benchmark wants it",
        changelog="A lower limit.", effective_at=adoption.at, open_assessments=[],
    )  # fmt: skip


def tables(state: LedgerState) -> list[str]:
    """The digest of every counted table of samples."""
    counted = [one for past in state.assessments.values() for one in past.result_sets.values()]
    refs = [state.expect(one, r.ResultSet).run.samples for one in counted]
    return [one.blob for one in refs if one is not None]


def validated(store: DirectoryStore, digest: str) -> int:
    """Peer: read, compare the digest, validate every sample; decide nothing."""
    return len(SampleTable.model_validate_json(get_blob(store, digest)).samples)


def by_pandas(store: DirectoryStore, digest: str) -> float:
    """Peer: mean and exact upper bound with pandas and SciPy; nothing is checked."""
    content = (store.root / "blobs" / digest.removeprefix("sha256:")).read_bytes()
    scores = pd.DataFrame(json.loads(content)["samples"])["score"].fillna(1)
    bound = binomtest(int(scores.sum()), len(scores), alternative="less").proportion_ci(0.95)
    return float(scores.mean() + bound.high)


def render(found: Measured) -> str:
    """The table, in Markdown."""
    took, thousand = found.seconds, 1_000 / found.decisions

    def row(name: str, stage: str) -> str:
        core, clock = took[stage].core * thousand, took[stage].clock * thousand
        share = f"{took[stage].core / took['all'].core:.0%}"
        return f"| {name} | {core:.2f} | {clock:.2f} | {1_000 / core:,.0f} | {share} |"

    rows = [
        f"{found.decisions:,} decisions on {found.samples:,} samples in a local store, one core, "
        f"medians of {TIMES}, {datetime.now(UTC):%Y-%m-%d}. {len(found.found.changed)} of them "
        f"change, {found.found.loosened} get looser. The ledger, read before, is no part of it.",
        "",
        "| per 1,000 decisions | core, s | clock, s | decisions/s | share |",
        "|---|---|---|---|---|",
        row("read the evidence: files, digests, every sample validated", "evidence"),
        row("decide again and compare", "decide"),
        row(f"**backtest, both** (limit: {LIMIT:g} s of the core)", "all"),
        row(
            "review of a proposal, a backtest in it (by its task and again by the notary)", "review"
        ),
        row(f"read and verify the ledger, {found.entries:,} entries, once in a process", "chain"),
        row("`rsp backtest` as a new process: ledger and backtest", "command"),
        row("peer: pydantic validates the same samples, nothing decided", "pydantic"),
        row("peer: pandas mean and SciPy exact bound, nothing checked", "pandas"),
    ]
    return "\n".join(rows)


def write(table: str) -> None:
    """Put the table between its marks in the README."""
    path = ROOT / "README.md"
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert end, f"README.md lacks {BEGIN} or {END}"
    path.write_text(f"{head}{begin}\n{table}\n{end}{tail}")


if __name__ == "__main__":
    raise SystemExit(main())
