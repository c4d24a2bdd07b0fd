"""The parts of the laboratory that the demo and `make up` share: the trainer and the evidence."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

from include.adapters import bootstrap
from include.adapters.ledger import LedgerReader, write_record
from include.adapters.stamp import code_stamp
from include.adapters.store import DirectoryStore
from include.local_stack.layout import Layout
from include.rsp import records as r
from include.rsp.safeguard_evidence import SafeguardEvidence
from toylab.milestones import RUN_ID

STANDARD = "toy-asl-3"
AT_HAND = {
    "weights-listed": ("weight-inventory", "one copy of the weights, read by the trainer only"),
    "weights-access-two-person": ("access-review", "reviewed: two people for every access"),
}
SUPPLIED_LATER = {
    "answers-monitored": ("monitoring-drill", "a planted answer was caught on every surface"),
}


def write_evidence(layout: Layout, evidence: dict[str, tuple[str, str]]) -> None:
    """Add SIMULATED evidence for criteria of the toy standard that have none yet."""
    store = DirectoryStore(layout.store)
    known = {one.criterion for one in LedgerReader(store).refresh().evidence.values()}
    for criterion, (kind, statement) in evidence.items():
        if criterion in known:
            continue
        now = datetime.now(UTC)
        piece = SafeguardEvidence(
            standard=STANDARD,
            criterion=criterion,
            type=kind,
            shows=True,
            statement=statement,
            collected_at=now,
            collector="the demo",
            simulated=True,
        )
        write_record(store, r.Evidence(at=now, by="the demo", stamp=code_stamp(), evidence=piece))


@contextlib.contextmanager
def trainer(layout: Layout, linger: float) -> Iterator[subprocess.Popen[bytes]]:
    """The trainer as a process of its own, ended with the demo."""
    with (layout.logs / "trainer.log").open("ab") as output:
        process = launch_trainer(layout, linger, output)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=10)


def launch_trainer(layout: Layout, linger: float, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start it; it goes on from its saved state, if there is one."""
    folders = bootstrap.KeyFolders(layout.keys)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "toylab.train"),
            *("--store", str(layout.store)),
            *("--checkpoints", str(layout.checkpoints)),
            *("--state", str(layout.home / "trainer")),
            *("--key", str(folders.trainer)),
            *("--trust-root", str(folders.trust_root)),
            *("--run-id", RUN_ID),
            *("--linger", str(linger)),
        ],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=output,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
