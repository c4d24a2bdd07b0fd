"""A SLSA Verification Summary about a checkpoint (slsa.dev/spec/v1.0/verification_summary).

An in-toto statement whose subjects are the checkpoint's manifest and its files, so that standard
tools find it by the digest of what they hold. Not signed: whoever verified signs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.rsp import records as r
from include.rsp.attestation import statement_about
from include.rsp.canonical import Digest

SUMMARY = "https://slsa.dev/verification_summary/v1"
FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified of a checkpoint.

    Args:
        at: when it was verified.
        policy: the digest of the policy's file.
        inputs: the digests of the records that it follows from.
        levels: what was reached; none: the verification failed.
        redline: what only Redline says, beside what the standard knows.
    """

    at: datetime
    policy: Digest
    inputs: Sequence[Digest]
    levels: Sequence[str]
    redline: Mapping[str, object]


def summary_about(checkpoint: r.Checkpoint, verified: Verified) -> bytes:
    """The canonical bytes of the statement; without a level it says FAILED, twice."""
    subjects = [(checkpoint.location, checkpoint.digest)]
    subjects += [
        (f"{checkpoint.location}/{one.path}", one.sha256) for one in checkpoint.manifest.files
    ]
    predicate = {
        "verifier": {"id": "urn:redline:notary"},
        "timeVerified": verified.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resourceUri": f"urn:redline:checkpoint:{checkpoint.location}",
        "policy": {"uri": "urn:redline:policy", "digest": {"sha256": _hex(verified.policy)}},
        "inputAttestations": [
            {"uri": "urn:redline:record", "digest": {"sha256": _hex(one)}}
            for one in verified.inputs
        ],
        "verificationResult": "PASSED" if verified.levels else FAILED,
        "verifiedLevels": list(verified.levels) or [FAILED],
        "slsaVersion": "1.0",
        "redline": dict(verified.redline),
    }
    return statement_about(SUMMARY, subjects, predicate)


def _hex(digest: Digest) -> str:
    return digest.removeprefix("sha256:")
