"""`python -m include.notary`: the notary as a process of its own, with the keys it alone holds."""

from __future__ import annotations

import argparse
import fcntl
import logging
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

from include.adapters.signing import KeyFile
from include.adapters.store import open_store
from include.adapters.witness import AirflowWitness
from include.notary.notary import Notary
from include.rsp.errors import AlreadyExists, RedlineError
from include.rsp.reading import parse_record
from include.rsp.records import TrustRoot
from include.rsp.vocabulary import KeyRole

log = logging.getLogger("redline.notary")
OWN_KEYS = (KeyRole.LEDGER, KeyRole.PERMIT, KeyRole.HOLD)


def main() -> int:
    """Run until told to stop; a fault of the store is waited out, a broken ledger is not."""
    parser = argparse.ArgumentParser(prog="notary", description=__doc__)
    parser.add_argument("--store", required=True, help="directory or s3://bucket/prefix")
    parser.add_argument("--keys", required=True, type=Path, help="folder of the notary's keys")
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between passes")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with (options.keys / "notary.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log.error("Another notary holds %s. There can be only one sequencer.", lock.name)
            return 1
        return _run(options.store, options.keys, options.interval, stop)


def _run(store: str, keys: Path, interval: float, stop: threading.Event) -> int:
    try:
        notary = Notary(
            store=open_store(store),
            keys={role: KeyFile(keys / f"{role.value}.pem") for role in OWN_KEYS},
            clock=lambda: datetime.now(UTC),
            witness=AirflowWitness.read(keys),
        )
        root = parse_record((keys / "trust_root.json").read_bytes(), where="trust_root.json")
        if not isinstance(root, TrustRoot):
            log.error("trust_root.json holds a %s.", root.kind)
            return 1
        notary.open(root)
    except (RedlineError, OSError) as error:
        log.error("%s", error)
        return 1
    log.info("the notary serves %s at entry %s", store, notary.reader.state.length)
    while not stop.wait(interval):
        try:
            notary.step()
        except AlreadyExists as error:
            log.error("somebody else has written here, reading everything again: %s", error)
            return 1
        except RedlineError as error:
            log.warning("waiting: %s", error)
            stop.wait(1.0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
