"""What the notary signs for others to obey or to admit by: orders, and the deployment attestation.

The attestation is a SLSA Verification Summary (slsa.dev/spec/v1.0/verification_summary) in an
in-toto statement whose subjects are the checkpoint's manifest and its files, so that a deployment
system admits or refuses weights with standard tools.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.rsp import records as r
from include.rsp.attestation import Predicate, statement, statement_about
from include.rsp.canonical import Digest, iso
from include.rsp.errors import UnknownReference
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

Order = r.Permit | r.Hold | r.Revocation
SUMMARY = "https://slsa.dev/verification_summary/v1"
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
    made = found[0].manifest
    subjects = [(found[0].location, found[0].digest)]
    subjects += [(f"{found[0].location}/{one.path}", one.sha256) for one in made.files]
    predicate = {
        "verifier": {"id": "urn:redline:notary"},
        "timeVerified": permit.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resourceUri": f"urn:redline:checkpoint:{found[0].location}",
        "policy": {"uri": "urn:redline:policy", "digest": {"sha256": _hex(permit.policy)}},
        "inputAttestations": [
            {"uri": "urn:redline:record", "digest": {"sha256": _hex(one.record)}}
            for one in permit.basis
        ],
        "verificationResult": "PASSED",
        "verifiedLevels": [PERMITTED],
        "slsaVersion": "1.0",
        "redline": {
            "permit": digest,
            "expires_at": iso(permit.expires_at),
            "identification": permit.identification.value,
            "below_recommendation": permit.below_recommendation,
            "simulated": permit.simulated,
        },
    }
    return statement_about(SUMMARY, subjects, predicate)


def _hex(digest: Digest) -> str:
    return digest.removeprefix("sha256:")
