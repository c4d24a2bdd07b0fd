"""The store that a command was pointed at, the records in it, and who calls."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from include.rsp.errors import InvalidDocument

if TYPE_CHECKING:
    from include.adapters.store import Store
    from include.rsp.records import Record
    from include.rsp.state import LedgerState


def ledger_of(store: str) -> tuple[Store, LedgerState]:
    """The store and what its ledger says.

    Raises:
        InvalidDocument: nothing is there: a command that went on would speak to nobody.
    """
    from include.adapters.ledger import LedgerReader
    from include.adapters.store import open_store

    opened = open_store(store)
    state = LedgerReader(opened).refresh()
    if state.length == 0:
        raise InvalidDocument(
            f"No ledger is in {store}. Name the store with --store or REDLINE_STORE (the lab's is "
            ".redline/lab/store); `rsp init` and a running notary begin one."
        )
    return opened, state


def record_named(state: LedgerState, text: str) -> tuple[str, Record]:
    """(digest, record) of the one whose digest begins so.

    Raises:
        InvalidDocument: none or several do.
    """
    wanted = text.removeprefix("sha256:")
    found = [one for one in state.records if one.removeprefix("sha256:").startswith(wanted)]
    if len(found) != 1 or not wanted:
        raise InvalidDocument(
            f"{len(found)} of the {state.length} chained records begin with {wanted!r} (expected "
            "one). `rsp log` lists them."
        )
    return found[0], state.records[found[0]]


def caller() -> str:
    """The name of the person on this machine, as the operating system has it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
