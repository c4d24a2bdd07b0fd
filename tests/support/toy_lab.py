"""A toy laboratory with a notary that runs in a thread: for what has to wait for real time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.adapters import bootstrap
from include.adapters.ledger import LedgerReader
from include.adapters.policy_files import read_policy
from include.adapters.signing import KeyFile
from include.adapters.store import DirectoryStore
from include.notary.notary import Notary
from include.rsp.adoption import offices_of
from include.rsp.state import LedgerState
from tests.support.factories import POLICY_BYTES, SUITE_BYTES


@dataclass(frozen=True, slots=True)
class ToyLab:
    """Its folders; the store is written without waiting for the disk."""

    root: Path

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.root / "store", durable=False)

    @property
    def folders(self) -> bootstrap.KeyFolders:
        return bootstrap.KeyFolders(self.root / "keys")

    @property
    def state(self) -> LedgerState:
        """What the ledger says now."""
        return LedgerReader(self.store).refresh()


def begin(root: Path, *, simulated: bool = True) -> tuple[ToyLab, Notary]:
    """Keys, trust root, the toy policy adopted; the notary has taken its first pass."""
    lab = ToyLab(root)
    (root / "store").mkdir(parents=True)
    offices = offices_of(read_policy(POLICY_BYTES, where="the toy lab's policy"))
    now = datetime.now(UTC)
    trust = bootstrap.make_trust_root(lab.folders, offices, simulated=simulated, at=now)
    bootstrap.adopt(lab.store, lab.folders, POLICY_BYTES, SUITE_BYTES, at=now)
    keys = {one: KeyFile(lab.folders.notary / f"{one.value}.pem") for one in bootstrap.NOTARY_KEYS}
    notary = Notary(store=lab.store, keys=keys, clock=lambda: datetime.now(UTC))
    notary.open(trust)
    notary.step()
    return lab, notary


@contextlib.contextmanager
def running(notary: Notary) -> Iterator[None]:
    """The notary's loop, as `python -m include.notary` has it."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            notary.step()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
