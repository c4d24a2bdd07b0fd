"""What a training step pays for asking: seconds of `may_continue`, beside a bare verification.

`python -m benchmarks.client_call`. A mirror on this disk with 1, 100 and 1,000 signed orders, and
10,000 leases and as many heartbeats beside them. The peer, in the same run: read one message,
`json.loads`, and one Ed25519 verification of it by `cryptography`, nothing else.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.envelopes import Sealer, TrustedKeys
from client.gate import LEASE, PERMIT, TrainingGate
from client.loop import TrainingLoop

RUN_ID = "bench"
DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class Keys:
    """One key for all of the notary's and the trainer's messages, and its trust root."""

    private: Ed25519PrivateKey
    sealer: Sealer
    trust_root: Path

    @classmethod
    def create(cls, folder: Path) -> Keys:
        """Make them in a folder."""
        private = Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / "key.pem").write_bytes(pem)
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        keys = [{"role": role, "public": public.decode()} for role in ("permit", "hold")]
        root = folder / "trust_root.json"
        root.write_text(json.dumps({"keys": keys}))
        return cls(private, Sealer(folder / "key.pem"), root)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--files", type=int, default=10_000, help="leases, and heartbeats")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as name:
        folder = Path(name)
        keys = Keys.create(folder)
        for orders in (1, 100, 1000):
            store = folder / f"store-{orders}"
            order = fill(store / "runs" / RUN_ID, keys, orders=orders, files=options.files)
            rows += measure(store, keys, orders, options.calls)
        rows.append(("bare read + json.loads + Ed25519", *timed(bare(order, keys), options.calls)))
    print(f"{options.calls} calls each; {options.files} leases and heartbeats; {os.cpu_count()} "
          f"cores, {datetime.now(UTC):%Y-%m-%d}. Milliseconds.\n")  # fmt: skip
    print("| what | median | p99 |\n|---|---|---|")
    for what, median, worst in rows:
        print(f"| {what} | {median * 1e3:.4f} | {worst * 1e3:.4f} |")
    return 0


def fill(run: Path, keys: Keys, *, orders: int, files: int) -> Path:
    """A run's folder; the path of one order."""
    for box in ("orders", "leases", "heartbeats"):
        (run / box).mkdir(parents=True)
    now = datetime.now(UTC)
    expires = (now + timedelta(days=1)).isoformat()
    for index in range(orders):
        record = {"run_id": RUN_ID, "ceiling_flop": 1e20, "due_flop": 1e19, "expires_at": expires}
        body = {"ledger_index": index, "record": record}
        path = run / "orders" / f"{index:012d}-permit.json"
        path.write_bytes(keys.sealer.seal(PERMIT, DIGEST, body))
    lease = {
        "run_id": RUN_ID, "permit": DIGEST, "ledger_index": orders, "expires_at": expires,
        "issued_at": now.isoformat(),
    }  # fmt: skip
    content = keys.sealer.seal(LEASE, DIGEST, lease)
    for number in range(files):
        at = now - timedelta(seconds=files - number)
        (run / "leases" / f"{at:%Y%m%dT%H%M%S%f}-{number:012d}.json").write_bytes(content)
        (run / "heartbeats" / f"{at:%Y%m%dT%H%M%S%fZ}.json").write_bytes(content)
    os.utime(run / "leases", (now.timestamp() - 60, now.timestamp() - 60))
    return path


def measure(store: Path, keys: Keys, orders: int, calls: int) -> list[tuple[str, float, float]]:
    """The first call, later calls, a heartbeat, and a loop's call between two questions."""
    gate = TrainingGate(
        store=store,
        run_id=RUN_ID,
        keys=TrustedKeys.read(keys.trust_root),
        sealer=keys.sealer,
        heartbeat_every=0.0,
        seconds=60.0,
    )
    begun = time.perf_counter()
    answer = gate.may_continue(1.0)
    first = time.perf_counter() - begun
    assert answer.allowed, answer
    leases = store / "runs" / RUN_ID / "leases"

    def after_a_lease() -> None:
        os.utime(leases)
        gate.may_continue(1.0)

    rows = [
        (f"may_continue, {orders} orders, first call", first, first),
        (f"may_continue, {orders} orders", *timed(lambda: gate.may_continue(1.0), calls)),
        (f"may_continue, {orders} orders, after a new lease", *timed(after_a_lease, calls // 10)),
    ]
    if orders > 1:
        return rows
    rows.append(("heartbeat, written", *timed(lambda: beat(gate), calls)))
    calm = TrainingGate(store=store, run_id=RUN_ID, keys=TrustedKeys.read(keys.trust_root),
                        sealer=keys.sealer, heartbeat_every=1e9)  # fmt: skip
    with TrainingLoop(calm, save=lambda: None, ask_every=1e9) as loop:
        loop.may_go_on(step=0, flop=0.0, next_flop=1.0)
        spent = timed(lambda: loop.may_go_on(step=1, flop=0.5, next_flop=1.0), calls)
    return [*rows, ("TrainingLoop.may_go_on between two questions", *spent)]


def beat(gate: TrainingGate) -> None:
    """One heartbeat, on disk."""
    assert gate.heartbeat(state="training", step=1, flop=1.0), gate.last_problem


def bare(path: Path, keys: Keys) -> Callable[[], None]:
    """The least that any client must do for one message."""
    public = keys.private.public_key()

    def verify() -> None:
        envelope = json.loads(path.read_bytes())
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
        signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
        public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)

    return verify


def timed(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Median and 99th percentile of the seconds of a call."""
    call()
    gc.collect()
    seconds = []
    for _ in range(calls):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]


if __name__ == "__main__":
    raise SystemExit(main())
