"""One run's part of the store or of its mirror: `runs/<run_id>/{orders,leases,outbox,heartbeats}`.

Reads what the notary signed, writes what the trainer signs; nothing is edited or deleted.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from client.answers import Order
from client.envelopes import NotSigned, TrustedKeys, opened

PERMIT: Final = "urn:redline:permit:1"
LEASE: Final = "urn:redline:lease:1"
HOLD: Final = "urn:redline:hold:1"
REVOCATION: Final = "urn:redline:revocation:1"
TRAINING_RUN: Final = "urn:redline:training-run:1"
ACKNOWLEDGEMENT: Final = "urn:redline:acknowledgement:1"
HEARTBEAT: Final = "urn:redline:heartbeat:1"

MAXIMUM_BYTES: Final = 1 << 20
SETTLED_NS: Final = 2_000_000_000
_ORDER_NAME: Final = re.compile(r"(\d{12})-(permit|hold|revocation)\.json")
_RUN_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(slots=True)
class Orders:
    """The verified orders of a run, each list by ledger index."""

    permits: list[Order] = field(default_factory=list)
    holds: list[Order] = field(default_factory=list)
    revocations: list[Order] = field(default_factory=list)

    def signed_at(self) -> datetime | None:
        """The newest time that an order was signed at."""
        newest = [kind[-1].body for kind in (self.permits, self.holds, self.revocations) if kind]
        return max((datetime.fromisoformat(one["at"]) for one in newest if "at" in one),
                   default=None)  # fmt: skip

    def hold_after(self, index: int, *, other_scopes: frozenset[str]) -> Order | None:
        """The newest hold after a ledger index; one of a scope nobody knows is nobody's other."""
        newer = (
            one
            for one in reversed(self.holds)
            if one.ledger_index > index and one.body.get("scope", "training") not in other_scopes
        )
        return next(newer, None)

    def revocation_of(self, permit: Order) -> Order | None:
        """The order that takes a permit back."""
        named = (one for one in self.revocations if one.body["permit"]["record"] == permit.digest)
        return next(named, None)


class Mailbox:
    """Reads and writes one run's folder; what was verified once is not read again.

    Raises:
        ValueError: the run id could name a path.
    """

    def __init__(self, store: Path, run_id: str, keys: TrustedKeys) -> None:
        if not _RUN_ID.fullmatch(run_id) or ".." in run_id:
            raise ValueError(
                f"run id {run_id!r} is not allowed (expected 1 to 100 of a-z 0-9 . _ -, starting "
                "with a letter or digit, without '..')"
            )
        self.folder = store / "runs" / run_id
        self.run_id = run_id
        self._keys = keys
        self._known: set[str] = set()
        self._orders = Orders()
        self._lease: tuple[str, dict[str, Any]] | None = None
        self._listed: tuple[int, str | None] | None = None

    def orders(self) -> Orders:
        """All orders that are there or ever were.

        Raises:
            NotSigned: one does not verify, is another run's, or is of a kind this client is too
                old to know.
            OSError: the folder cannot be read.
        """
        new = [name for name in _names(self.folder / "orders") if name not in self._known]
        for name in sorted(new):
            self._take(name)
        if new:
            for kind in (self._orders.permits, self._orders.holds, self._orders.revocations):
                kind.sort(key=lambda one: one.ledger_index)
        return self._orders

    def _take(self, name: str) -> None:
        match = _ORDER_NAME.fullmatch(name)
        if match is None:
            raise NotSigned(f"orders/{name} is no order that this client knows; is it too old?")
        predicate, keys, kept = {
            "permit": (PERMIT, self._keys.permit, self._orders.permits),
            "hold": (HOLD, self._keys.hold, self._orders.holds),
            "revocation": (REVOCATION, self._keys.permit, self._orders.revocations),
        }[match[2]]
        digest, body = self._opened(f"orders/{name}", keys, predicate)
        record, index = body["record"], int(body["ledger_index"])
        self._check_run(f"orders/{name}", record)
        if index != int(match[1]):
            raise NotSigned(f"orders/{name} was renamed: it was signed for ledger index {index}")
        kept.append(Order(digest, index, record))
        self._known.add(name)

    def newest_lease(self) -> dict[str, Any] | None:
        """The lease with the last name; None when there is none.

        Raises:
            NotSigned: it does not verify or is another run's.
            OSError: the folder cannot be read.
        """
        newest = self._newest_lease_name(self.folder / "leases")
        if newest is None:
            return None
        if self._lease is None or self._lease[0] != newest:
            _, lease = self._opened(f"leases/{newest}", self._keys.permit, LEASE)
            self._check_run(f"leases/{newest}", lease)
            self._lease = (newest, lease)
        return self._lease[1]

    def _newest_lease_name(self, folder: Path) -> str | None:
        """List the folder only when it changed: after a week it has a hundred thousand leases.

        A change within `SETTLED_NS` of the last one might not show in the folder's time. It would
        be missed until the next lease, which can only shorten what is permitted.
        """
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if self._listed is None or self._listed[0] != changed:
            newest = max(_names(folder), default=None)
            settled = time.time_ns() - changed > SETTLED_NS
            self._listed = (changed, newest) if settled else None
            return newest
        return self._listed[1]

    def has_sent(self, predicate: str, own: Any, subject: str) -> bool:
        """Whether the outbox has a message of that kind, about that, signed by that key."""
        for name in _names(self.folder / "outbox"):
            try:
                found, _ = self._opened(f"outbox/{name}", [own], predicate)
            except NotSigned:
                continue
            if found == subject:
                return True
        return False

    def send(self, content: bytes) -> None:
        """Put a message into the outbox, flushed to disk, named by its digest."""
        self.write("outbox", f"{hashlib.sha256(content).hexdigest()}.json", content, durable=True)

    def write(self, box: str, name: str, content: bytes, *, durable: bool) -> None:
        """Write a file whole or not at all.

        Raises:
            FileExistsError: there is one of that name.
            OSError: it could not be written.
        """
        folder = self.folder / box
        folder.mkdir(parents=True, exist_ok=True)
        target, beside = folder / name, folder / f".{secrets.token_hex(8)}"
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        try:
            with beside.open("xb") as file:
                file.write(content)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def _opened(self, key: str, keys: list[Any], predicate: str) -> tuple[str, dict[str, Any]]:
        with (self.folder / key).open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
        if len(content) > MAXIMUM_BYTES:
            raise NotSigned(f"{key} is larger than a message may be ({MAXIMUM_BYTES} bytes)")
        try:
            return opened(content, keys, predicate)
        except NotSigned as error:
            raise NotSigned(f"{key}: {error}") from error

    def _check_run(self, key: str, body: dict[str, Any]) -> None:
        if body["run_id"] != self.run_id:
            raise NotSigned(f"{key} is for the run {body['run_id']!r} (expected {self.run_id!r})")


def _names(folder: Path) -> list[str]:
    """The messages' names in a folder, in no order; a folder that is not there has none."""
    try:
        return [name for name in os.listdir(folder) if name[-5:] == ".json" and name[0] != "."]
    except FileNotFoundError:
        return []
