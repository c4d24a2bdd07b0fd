"""What the notary signs for others to obey or to admit by: orders, and the deployment attestation.

The attestation is a SLSA Verification Summary (include/rsp/verification_summary.py), so that a
deployment system admits or refuses weights with standard tools.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.rsp import records as r
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import Digest, iso
from include.rsp.errors import UnknownReference
from include.rsp.state import LedgerState
from include.rsp.verification_summary import Verified, summary_about
from include.rsp.vocabulary import KeyRole

Order = r.Permit | r.Hold | r.Revocation
PERMITTED = "REDLINE_DEPLOYMENT_PERMITTED"


@dataclass(frozen=True, slots=True)
class Signable:
    """An order before it is signed."""

    run_id: str
    role: KeyRole
    predicate: Predicate
    body: dict[str, object]
    payload: bytes


def order_of(state: LedgerState, record: Order, digest: Digest, index: int) -> Signable:
    """The order that carries a chained record out."""
    predicate, role = {
        "permit": (Predicate.PERMIT, KeyRole.PERMIT),
        "hold": (Predicate.HOLD, KeyRole.HOLD),
        "revocation": (Predicate.REVOCATION, KeyRole.PERMIT),
    }[record.kind]
    if isinstance(record, r.Revocation):
        run_id = state.expect(record.about.record, r.Permit).run_id
        said: dict[str, object] = {
            "run_id": run_id,
            "permit": {"record": record.about.record},
            "reason": record.reason,
            "at": iso(record.signed_at),
        }
    else:
        run_id, said = record.run_id, record.model_dump(mode="json")
    body: dict[str, object] = {"ledger_index": index, "record": said}
    return Signable(run_id, role, predicate, body, statement(predicate, digest, body))


def deployment_summary(state: LedgerState, permit: r.Permit, digest: Digest) -> bytes:
    """The statement about a checkpoint that may be deployed; its subjects are what is deployed."""
    found = [
        one
        for one in state.runs[permit.run_id].checkpoints.values()
        if one.digest == permit.checkpoint
    ]
    if not found:
        raise UnknownReference(f"The permit {digest} is about no checkpoint of its run.")
    verified = Verified(
        at=permit.at,
        policy=permit.policy,
        inputs=[one.record for one in permit.basis],
        levels=[PERMITTED],
        redline={
            "permit": digest,
            "expires_at": iso(permit.expires_at),
            "identification": permit.identification.value,
            "below_recommendation": permit.below_recommendation,
            "simulated": permit.simulated,
        },
    )
    return summary_about(found[0], verified)
