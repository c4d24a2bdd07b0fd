"""Who answered: by the person's own signature, or as Airflow attests (DESIGN I5)."""

from __future__ import annotations

from include.adapters import signing
from include.adapters.witness import Witness
from include.rsp import human_tasks
from include.rsp import records as r
from include.rsp.answers import account_of, answers_on
from include.rsp.attestation import Predicate
from include.rsp.errors import Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.notices import receipts_on
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

PREDICATES: dict[str, Predicate] = {
    "opinion": Predicate.OPINION,
    "determination": Predicate.DETERMINATION,
    "receipt": Predicate.RECEIPT,
    "deletion_answer": Predicate.DELETION_ANSWER,
    "revocation": Predicate.REVOCATION,
    "transcript_review": Predicate.TRANSCRIPT_REVIEW,
    "safeguards_approval": Predicate.SAFEGUARDS_APPROVAL,
}


def check_identity(
    state: LedgerState, record: r.Answer, policy: Policy, witness: Witness | None, *, live: bool
) -> None:
    """Refuse an answer of which nothing shows whose it is.

    Args:
        witness: who can say again what was answered in Airflow; None: nobody can.
        live: False when a copied ledger is verified: what the notary read of Airflow then is
            believed, by the notary's signature under the ledger entry.

    Raises:
        Refused: with the rule's code.
    """
    if record.signed_at > record.at + CLOCK_TOLERANCE:
        raise Refused("post_dated", f"The {record.office} answered in the future.")
    if record.envelope is not None:
        _check_signed(state, record, record.envelope)
    elif record.attested is not None:
        _check_attested(state, record, record.attested, policy)
        if live:
            check_again(record, record.attested, witness)


def _check_signed(state: LedgerState, record: r.Answer, envelope: r.Envelope) -> None:
    keys = signing.keys_for(state.trust, KeyRole.OFFICER)
    key, subject, body = signing.verify(envelope, keys, PREDICATES[record.kind])
    if subject != record.about.record:
        raise Refused("wrong_packet", f"{key.holder} signed {subject}, not what was answered.")
    if (
        record.by != key.holder
        or body != record.said()
        or key.office != record.office
        or key.simulated != record.simulated
    ):
        raise Refused(
            "bad_signature",
            f"{key.holder} ({key.office}) did not sign what the record says of the "
            f"{record.office}.",
        )


def _check_attested(
    state: LedgerState, record: r.Answer, said: r.AirflowAnswer, policy: Policy
) -> None:
    """The record says nothing else than the answer in Airflow that it names.

    It counts only if (1) the policy takes Airflow's word; (2) the trust root knows the account for
    this office, and its holder is named; (3) the task is the one of ours in which this office
    gives such an answer; (4) the option names the record that was shown; (5) the person gave no
    own signature: then that is what they said, not the option beside it; (6) everything else is
    what was typed in.
    """
    if "airflow" not in policy.sign_off.accepts:  # (1)
        raise Refused(
            "signature_needed",
            f"{policy.id} {policy.version} ({policy.sign_off.clause}) takes no answer without the "
            "person's own signature. Sign with `rsp sign` and answer with what it prints.",
        )
    account = account_of(state, record)
    named = (record.simulated, record.by)
    if account is None or (account.simulated, account.holder) != named:  # (2)
        raise Refused(
            "unknown_account",
            f"The trust root knows no account {said.user!r} for the {record.office}.",
        )
    asked = record.kind in human_tasks.TASKS
    expected = human_tasks.task_for(record.kind, record.office) if asked else None
    if said.task_id != expected or said.dag_id not in human_tasks.ASKING:  # (3)
        raise Refused(
            "wrong_task",
            f"Answered in {said.dag_id}.{said.task_id} (expected {expected!r} of "
            f"{', '.join(human_tasks.ASKING)}).",
        )
    option = human_tasks.option_for(record.kind, record.choice, record.about.record)
    if said.options != [option]:  # (4)
        raise Refused("wrong_packet", f"Answered {said.options} (expected [{option!r}]).")
    _check_typed(record, said)


def _check_typed(record: r.Answer, said: r.AirflowAnswer) -> None:
    if said.params.get("signature"):  # (5)
        raise Refused(
            "answer_altered",
            f"The {record.office} answered {said.task_id} with an own signature. Bring that in; "
            "what was clicked beside it does not count.",
        )
    typed = {key: one for key, one in said.params.items() if key != "signature" and one}
    meant = record.said()
    for name in ("reason", *type(record).SAID):  # (6)
        if name == "notice":
            continue
        if (typed.get(name) or None) != (meant[name] or None):
            raise Refused(
                "answer_altered",
                f"{name}: Airflow has {typed.get(name)!r}, the record {meant[name]!r}.",
            )


def check_again(record: r.Answer, said: r.AirflowAnswer, witness: Witness | None) -> None:
    """Refuse what Airflow no longer says: marked by hand, cleared, altered, answered by another."""
    if witness is None:
        raise Refused(
            "airflow_unreachable",
            "The notary has no account in Airflow, so it can attest nothing. Answer with an own "
            "signature (`rsp sign`), or give the notary an account (docs/identities.md).",
        )
    now = witness.recall(said)
    if now.user != said.user or now.assigned != [said.user]:
        raise Refused(
            "answer_altered",
            f"{said.task_id} was answered by {now.user!r} and asked {now.assigned} (expected "
            f"{said.user!r} alone).",
        )
    altered = [
        name
        for name, one, other in (
            ("time", now.answered_at, record.signed_at),
            ("options", now.options, said.options),
            ("params", now.params, said.params),
        )
        if one != other
    ]
    if altered:
        raise Refused(
            "answer_altered",
            f"What Airflow says of {said.task_id} differs from the record in {', '.join(altered)}: "
            "the question was answered again, or the answer was changed.",
        )


def check_packet_again(state: LedgerState, packet: str, witness: Witness | None) -> None:
    """Before a permit: every answer that Airflow attested on this packet still stands there."""
    closed = state.expect(packet, r.Packet)
    counted = [closed.opinion.record, *answers_on(state, packet, r.Determination).values()]
    counted += [digest for digest, _ in receipts_on(state, packet).values()]
    for digest in counted:
        record = state.get(digest)
        if isinstance(record, r.Answer) and record.attested is not None:
            check_again(record, record.attested, witness)
