"""The policy's responses that officers choose, and what the notary ordered by them (step 19)."""

from __future__ import annotations

from include.adapters.ledger import wait_until
from include.rsp.canonical import Digest
from include.rsp.people_parts import Response
from include.rsp.state import LedgerState
from include.rsp.vocabulary import ResponseKind, Scope
from include.wiring.desk import Desk
from include.wiring.signing_off import chosen_responses


def chosen(desk: Desk, packet: Digest, kind: ResponseKind) -> list[Response]:
    """The responses of a kind that were chosen on a packet."""
    return [one for one in chosen_responses(desk, packet) if one.kind is kind]


def carried_out(desk: Desk, packet: Digest, kind: ResponseKind) -> list[Digest]:
    """The holds that the chosen responses of a kind order; waits until the notary ordered them.

    Raises:
        NotaryUnreachable: it has not in time.
    """
    scopes = {
        scope
        for response in chosen(desk, packet, kind)
        for scope in (Scope.DEPLOYMENT, Scope.WEIGHTS)
        if response.orders(scope)
    }
    run_id = desk.state.run_of_verdict(desk.state.report_of(packet).verdict.record)

    def ordered(state: LedgerState) -> list[Digest] | None:
        by = [
            digest
            for digest, one in state.runs[run_id].determinations.items()
            if one.about.record == packet
        ]
        found = {
            hold.scope: digest
            for digest, hold in state.runs[run_id].holds.items()
            if hold.reply_to.record in by and hold.scope in scopes
        }
        return list(found.values()) if found.keys() >= scopes else None

    what = f"the {' and '.join(sorted(scopes))} holds of {packet}"
    return wait_until(desk.reader, ordered, seconds=desk.notary_seconds, what=what)
