"""What the toy laboratory's drills share: the running service, and keys that may be used."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from include.adapters.bootstrap import KeyFolders
from include.adapters.drilling import DrillCall, DrillFailed, refuse_unsimulated
from include.adapters.ledger import LedgerReader, entry_key
from include.adapters.signing import KeyFile
from include.adapters.store import open_store
from include.rsp import records as r
from include.rsp.attestation import LedgerEntry, Predicate, read_statement
from include.rsp.canonical import Digest
from include.rsp.errors import RedlineError
from include.rsp.vocabulary import KeyRole

CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Replied:
    """What the service answered."""

    status: int
    content: bytes

    @property
    def plain(self) -> dict[str, Any]:
        """The JSON object of the answer; empty when it is none."""
        try:
            found = json.loads(self.content)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.content[:200].decode(errors='replace')}"


@dataclass(frozen=True, slots=True)
class Lab:
    """The running service of the toy laboratory (`toylab.surfaces`)."""

    url: str
    home: Path

    @classmethod
    def of(cls, call: DrillCall) -> Lab:
        """The one whose `surfaces.json` the setting `surfaces` names, or else TOYLAB_SURFACES.

        Raises:
            DrillFailed: nothing is there: there is no service to drill.
        """
        path = Path(call.text("surfaces", os.environ.get("TOYLAB_SURFACES")))
        try:
            plain = json.loads(path.read_bytes())
            return cls(str(plain["url"]), Path(plain["home"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DrillFailed(
                f"No running service is described in {path}: {error!r}. Start toylab.surfaces."
            ) from error

    def get(self, path: str, **query: str) -> Replied:
        """Ask; raises DrillFailed when nothing answers."""
        return self._call("GET", f"{path}?{urlencode(query)}", None)

    def post(self, path: str, body: dict[str, Any]) -> Replied:
        """Send JSON; raises DrillFailed when nothing answers."""
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, body: bytes | None) -> Replied:
        place = urlsplit(self.url)
        try:
            link = http.client.HTTPConnection(
                place.hostname or "", place.port, timeout=CALL_SECONDS
            )
            try:
                link.request(method, path, body)
                answer = link.getresponse()
                return Replied(answer.status, answer.read())
            finally:
                link.close()
        except (OSError, http.client.HTTPException) as error:
            raise DrillFailed(f"{method} {self.url}{path} was not answered: {error!r}.") from error


def reader_of(call: DrillCall) -> LedgerReader:
    """The ledger of the drill's store, with a trust root in it.

    Raises:
        DrillFailed: there is none, or it does not verify.
    """
    try:
        reader = LedgerReader(open_store(call.store))
        if reader.refresh().trust is not None:
            return reader
    except RedlineError as error:
        raise DrillFailed(f"The store {call.store} does not read: {error}") from error
    raise DrillFailed(f"No ledger is in {call.store}. Start the notary.")


def chained_at(reader: LedgerReader, digest: Digest) -> datetime | None:
    """When the notary chained a record, by its signed entry; None: not yet.

    Raises:
        DrillFailed: the notary refused it.
    """
    state = reader.refresh()
    if digest in state.refused:
        refusal = state.expect(state.refused[digest], r.Refusal)
        raise DrillFailed(f"The notary refused {digest}: [{refusal.code}] {refusal.message}")
    if digest not in state.index_of:
        return None
    content = reader.store.get(entry_key(state.index_of[digest])) or b""
    payload = base64.b64decode(r.Envelope.model_validate_json(content).payload)
    _, entry = read_statement(payload, Predicate.LEDGER_ENTRY)
    return LedgerEntry.model_validate(entry).at


def simulated_officer(call: DrillCall, reader: LedgerReader, office: str) -> KeyFile:
    """An officer's key, SIMULATED by the trust root's own word.

    Raises:
        DrillFailed: it is not there, is not this office's, or is a real person's.
    """
    path = KeyFolders(call.keys).officer(office)
    try:
        key = KeyFile(path)
    except RedlineError as error:
        raise DrillFailed(str(error)) from error
    trust = reader.state.trust
    for entry in trust.keys if trust else []:
        if (entry.keyid, entry.role, entry.office) == (key.keyid, KeyRole.OFFICER, office):
            refuse_unsimulated(entry.simulated, f"the {office}")
            return key
    raise DrillFailed(f"{path} is not the {office}'s key in the trust root.")


def drill_name(call: DrillCall, scenario: str) -> str:
    """A name of its own for this drill, usable as a run id."""
    return f"drill-{scenario}-{call.started_at:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
