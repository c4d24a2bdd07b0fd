"""A mirror with really signed messages, made fast: the notary's keys without a notary."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.deployment import DeploymentGate
from client.envelopes import Sealer, TrustedKeys, opened
from client.gate import HOLD, LEASE, PERMIT, TrainingGate
from client.mailbox import REVOCATION

RUN = "run-1"
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Mirror:
    """`runs/<run>` as a notary fills it; time stands still until a test moves it."""

    root: Path
    now: datetime = START
    ticks: float = 0.0
    index: int = 0
    sealers: dict[str, Sealer] = field(init=False)

    def __post_init__(self) -> None:
        self.sealers = {name: self._sealer(name) for name in ("permit", "hold", "trainer")}
        keys = [{"role": name, "public": self._public(name)} for name in ("permit", "hold")]
        self.trust_root.write_text(json.dumps({"keys": keys}))

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def folder(self) -> Path:
        return self.store / "runs" / RUN

    @property
    def trust_root(self) -> Path:
        return self.root / "trust_root.json"

    @property
    def trainer_key(self) -> Path:
        return self.root / "trainer.pem"

    def gate(self, **changes: Any) -> TrainingGate:
        return TrainingGate(**(self.given() | changes))

    def deployment(self, **changes: Any) -> DeploymentGate:
        return DeploymentGate(**(self.given() | changes))

    def given(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "run_id": RUN,
            "keys": TrustedKeys.read(self.trust_root),
            "sealer": self.sealers["trainer"],
            "clock": lambda: self.now,
            "monotonic": lambda: self.ticks,
        }

    def passes(self, seconds: float) -> None:
        """Both clocks go on."""
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    def permit(self, ceiling: float = 100.0, *, lease: bool = True, **changes: Any) -> str:
        """A permit, with a lease unless told otherwise; its digest."""
        digest = self.order(
            "permit",
            ceiling_flop=ceiling,
            due_flop=ceiling / 2,
            checkpoint=None,
            expires_at=iso(self.now + timedelta(days=30)),
            **changes,
        )
        if lease:
            self.lease(digest)
        return digest

    def hold(self, reason: str = "a red line", **changes: Any) -> str:
        return self.order("hold", reason=reason, **changes)

    def revoke(self, permit: str, reason: str = "a restatement", **changes: Any) -> str:
        return self.order("revocation", permit={"record": permit}, reason=reason, **changes)

    def deployable(self, checkpoint: str, **changes: Any) -> str:
        plain: dict[str, Any] = {"purpose": "deployment", "checkpoint": checkpoint}
        plain["expires_at"] = iso(self.now + timedelta(days=30))
        return self.order("permit", **(plain | changes))

    def order(self, kind: str, *, signed_by: str | None = None, **record: Any) -> str:
        """A signed order under the next ledger index; the record's digest."""
        index, digest = self.index, digest_of(f"{kind} {self.index}")
        self.index += 1
        body = {
            "ledger_index": index,
            "record": {"run_id": RUN, "at": iso(self.now), **record},
        }
        predicate = {"permit": PERMIT, "hold": HOLD, "revocation": REVOCATION}[kind]
        signer = self.sealers[signed_by or ("hold" if kind == "hold" else "permit")]
        self.put(f"orders/{index:012d}-{kind}.json", signer.seal(predicate, digest, body))
        return digest

    def lease(self, permit: str, *, seconds: float = 20.0, **changes: Any) -> Path:
        """A lease for a permit, issued now."""
        body = {
            "run_id": RUN,
            "permit": permit,
            "ledger_index": self.index - 1,
            "issued_at": iso(self.now),
            "expires_at": iso(self.now + timedelta(seconds=seconds)),
        } | changes
        name = f"leases/{self.now:%Y%m%dT%H%M%S%f}-{self.index - 1:012d}.json"
        return self.put(name, self.sealers["permit"].seal(LEASE, permit, body))

    def put(self, key: str, content: bytes) -> Path:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def sent(self, box: str, predicate: str) -> list[dict[str, Any]]:
        """The trainer's verified messages of a kind, by time."""
        found = []
        for path in sorted((self.folder / box).glob("*.json")):
            plain = json.loads(path.read_bytes())
            assert (
                path.read_bytes()
                == json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
            )
            try:
                subject, body = opened(
                    path.read_bytes(), [self.sealers["trainer"].public], predicate
                )
            except Exception:  # noqa: BLE001, S112 - of another kind
                continue
            found.append({"subject": subject, "file": path.name, **body})
        return sorted(found, key=lambda one: str(one["at"]))

    def _sealer(self, name: str) -> Sealer:
        path = self.root / f"{name}.pem"
        private = Ed25519PrivateKey.generate()
        path.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Sealer(path)

    def _public(self, name: str) -> str:
        private = serialization.load_pem_private_key(
            (self.root / f"{name}.pem").read_bytes(), password=None
        )
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public.decode()
