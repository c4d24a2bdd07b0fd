"""Writing down what a person said: from their own signature, or from Airflow's word."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.answer_check import PREDICATES
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.rsp import human_tasks
from include.rsp import records as r
from include.rsp.attestation import statement
from include.rsp.canonical import Digest, iso, short
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.vocabulary import Identification, KeyRole

KINDS: dict[str, type[r.AnyAnswer]] = {
    "opinion": r.Opinion,
    "determination": r.Determination,
    "receipt": r.Receipt,
    "deletion_answer": r.DeletionAnswer,
    "revocation": r.Revocation,
    "transcript_review": r.TranscriptReviewed,
    "safeguards_approval": r.SafeguardsApproval,
}


def said_by(
    kind: str, *, office: str, choice: str, reason: str, at: datetime, **more: Any
) -> dict[str, object]:
    """What a person of an office is about to sign; `more` as the kind of answer asks for it.

    Raises:
        InvalidDocument: an answer of that kind says no such thing.
    """
    plain = {
        "at": iso(at), "by": office, "stamp": code_stamp().model_dump(),
        "about": {"record": "sha256:" + "0" * 64},
        "office": office, "choice": choice, "reason": reason, "signed_at": iso(at),
        "simulated": False, "identification": Identification.SIGNED,
        "envelope": {"payload": "", "payloadType": "", "signatures": []}, "attested": None,
        **more,
    }  # fmt: skip
    return _build(kind, plain).said()


def sign_answer(key: KeyFile, kind: str, about: Digest, said: dict[str, object]) -> r.Envelope:
    """A person's signature under what they say about a record."""
    return key.sign(statement(PREDICATES[kind], about, said))


def signed_record(
    trust: r.TrustRoot | None, kind: str, about: Digest, envelope: r.Envelope, *, at: datetime
) -> r.AnyAnswer:
    """The record of an answer that was signed, as it came.

    Raises:
        Refused: no officer's key signed it, or it is about another record.
        InvalidDocument: what was signed does not read as such an answer.
    """
    keys = signing.keys_for(trust, KeyRole.OFFICER)
    key, subject, body = signing.verify(envelope, keys, PREDICATES[kind])
    if subject != about:
        raise Refused(
            "wrong_packet",
            f"{key.holder} ({key.office}) signed {short(subject)} (expected {short(about)}). Sign "
            "what the task shows.",
        )
    return _build(
        kind,
        {
            **body,
            "at": at,
            "by": key.holder,
            "stamp": code_stamp(),
            "about": {"record": about},
            "simulated": key.simulated,
            "identification": Identification.SIGNED,
            "envelope": envelope,
            "attested": None,
        },
    )


def attested_record(
    trust: r.TrustRoot | None,
    kind: str,
    about: Digest,
    office: str,
    said: r.AirflowAnswer,
    *,
    answered_at: datetime,
    at: datetime,
    **more: Any,
) -> r.AnyAnswer:
    """The record of an answer that only Airflow vouches for; the notary asks Airflow again.

    Raises:
        Refused: the trust root knows no such account for the office.
        InvalidDocument: it does not read as such an answer.
    """
    accounts = trust.accounts if trust else []
    account = next((x for x in accounts if (x.user, x.office) == (said.user, office)), None)
    if account is None:
        raise Refused(
            "unknown_account",
            f"{said.user!r} answered as {office}; the trust root knows no such account (expected "
            f"one of {sorted(f'{one.user} as {one.office}' for one in accounts)}).",
        )
    (option,) = said.options or [""]
    typed = {key: one for key, one in said.params.items() if key != "signature" and one}
    return _build(
        kind,
        {
            **typed,
            **more,
            "at": at,
            "by": account.holder,
            "stamp": code_stamp(),
            "about": {"record": about},
            "office": office,
            "choice": human_tasks.choice_of(kind, option, about) or option,
            "reason": said.params.get("reason") or "",
            "signed_at": answered_at,
            "simulated": account.simulated,
            "identification": Identification.ATTESTED,
            "envelope": None,
            "attested": said,
        },
    )


def read_signature(text: str) -> r.Envelope:
    """What `rsp sign` printed, as somebody pasted it; raises Refused when it does not read."""
    try:
        return r.Envelope.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        raise Refused(
            "bad_signature",
            "The signature does not read. Paste the whole line that `rsp sign` printed.",
        ) from error


def _build(kind: str, plain: dict[str, Any]) -> r.AnyAnswer:
    try:
        return KINDS[kind].model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidDocument(
            f"This is no {kind.replace('_', ' ')}: {place}: {first['msg']} (got "
            f"{first.get('input')!r})"
        ) from error
