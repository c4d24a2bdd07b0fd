"""The parts of the laboratory that the demo and `make up` share: the trainer and the evidence."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO

from include.adapters import bootstrap
from include.adapters.evidence_store import add_evidence, signer_of
from include.adapters.ledger import LedgerReader
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore
from include.cli import stack
from include.local_stack.layout import Layout
from include.local_stack.stack import StackHandle
from include.rsp import records as r
from include.rsp.reading import parse_record
from include.rsp.safeguard_evidence import SafeguardEvidence
from toylab.lab_suite import home_of, suite_of, surfaces_program
from toylab.milestones import RUN_ID
from toylab.switches import NAME, Switches, read_switches, write_switches

STANDARD = "toy-asl-3"
OUTSIDER = "second-line"
"""The office whose SIMULATED holder signs the evidence: it owns none of what is shown."""
AT_HAND = {
    "weights-listed": ("weight-inventory", "", "one copy of the weights, read by the trainer only"),
    "weights-access-two-person": (
        "access-review",
        "toy-weights",
        "one person alone asked for the weights and was refused",
    ),
}
"""By requirement: the type of its evidence, the surface (none: the organisation), what it says."""


def begin(layout: Layout, say: Callable[[str], None]) -> StackHandle:
    """Start the stack with the laboratory's service; its classifier is off on the api surface."""
    os.environ["REDLINE_DRILL_KEYS"] = str(layout.keys)
    layout.home.mkdir(parents=True, exist_ok=True)
    suite = suite_of(layout)
    switch_classifier(layout, api=False)
    return stack.start(layout, (surfaces_program(layout),), say, suite=str(suite))


def switch_classifier(layout: Layout, *, api: bool) -> None:
    """Switch the classifier on the api surface; on the app it stays on."""
    home = home_of(layout)
    home.mkdir(parents=True, exist_ok=True)
    now = read_switches(home) if (home / NAME).exists() else Switches()
    write_switches(home, now.model_copy(update={"classifier": {"app": True, "api": api}}))


def write_evidence(layout: Layout, evidence: Mapping[str, tuple[str, str, str]]) -> None:
    """Add SIMULATED evidence for requirements of the toy standard that have none yet."""
    store = DirectoryStore(layout.store)
    state = LedgerReader(store).refresh()
    known = {one.criterion for one in state.evidence.values()}
    folders = bootstrap.KeyFolders(layout.keys)
    root = parse_record(folders.trust_root.read_bytes(), where="trust root")
    trust = root if isinstance(root, r.TrustRoot) else None
    signer = signer_of(trust, KeyFile(folders.officer(OUTSIDER)))
    for criterion, (kind, surface, statement) in evidence.items():
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
            collector=signer.entry.holder,
            surfaces=[surface] if surface else [],
            simulated=True,
        )
        add_evidence(store, piece, by="the demo", at=now, signer=signer)


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
