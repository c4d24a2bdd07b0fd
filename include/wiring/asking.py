"""What a person is asked, and whether it is their turn: read from the ledger and the policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.adapters.store import get_blob
from include.rsp import records as r
from include.rsp.answers import answers_on, determinations_on
from include.rsp.canonical import Digest
from include.rsp.capability_report import first_screen
from include.rsp.errors import Refused
from include.rsp.human_tasks import DELETION, DETERMINATION, OPINION, RECEIPT, SIGNERS
from include.rsp.policy import Policy
from include.wiring.desk import Desk
from include.wiring.signing_off import (
    chosen_responses,
    next_signer,
    receipts_to_come,
    rules_of,
    text_of,
)

ANSWER = {OPINION: "agree", DETERMINATION: "accept_recommendation", RECEIPT: "received"}


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one person; `seconds` is how much of the policy's time is left."""

    user: str
    subject: str
    body: str
    seconds: float


def question_for(
    desk: Desk, kind: str, office: str, about: Digest, *, again: bool = False
) -> Question | None:
    """What the office is asked now; None: it is not its turn, or the policy does not ask it.

    Args:
        again: the task was run before. Who has answered is then asked again, and the notary refuses
            and records the second answer: nobody re-runs a sign-off unseen.

    Raises:
        Refused: the time is over, or nobody could ever answer.
    """
    state = desk.state
    record = state.get(about)
    if not isinstance(record, r.CapabilityReport | r.Packet):
        raise Refused("wrong_subject", f"{about} is a {record.kind}, nothing that is shown.")
    report = record if isinstance(record, r.CapabilityReport) else state.report_of(about)
    policy = rules_of(desk, report.verdict.record).policy
    if kind == DETERMINATION:
        check_have_tasks(policy)
    answered = again and office in determinations_on(state, about)
    if not answered and not _is_asked(desk, kind, office, about):
        return None
    hours = (
        policy.sign_off.second_line.answer_within_hours
        if kind == OPINION
        else policy.sign_off.answer_within_hours
    )
    left = (record.at + timedelta(hours=hours) - desk.now()).total_seconds()
    if left <= 0 and kind != DELETION:
        raise Refused(
            "signature_out_of_time",
            f"The {office} could answer until {record.at + timedelta(hours=hours)}; that is over.",
        )
    verdict = state.expect(report.verdict.record, r.Verdict)
    made = state.expect(verdict.checkpoint.record, r.Checkpoint)
    return Question(
        user=user_of(desk, _office_of(kind, office, policy)),
        subject=f"{office}: {_WHAT[kind]} {made.location}",
        body=_body(desk, kind, office, about, policy),
        seconds=max(left, hours * 3600 if kind == DELETION else 1.0),
    )


_WHAT = {
    OPINION: "your opinion on",
    DETERMINATION: "determine on",
    RECEIPT: "you have to be told of",
    DELETION: "shall the weights be deleted of",
}


def _office_of(kind: str, office: str, policy: Policy) -> str:
    """The second line has another name in some policies; its task is the same."""
    return policy.sign_off.second_line.office if kind == OPINION else office


def _is_asked(desk: Desk, kind: str, office: str, about: Digest) -> bool:
    if kind == OPINION:
        return True
    if kind == DETERMINATION:
        return next_signer(desk, about) == office
    if kind == RECEIPT:
        return any(to == office for _, to in receipts_to_come(desk, about))
    return any(
        office in one.people and "consider_deletion" in one.actions
        for one in chosen_responses(desk, about)
    )


def check_have_tasks(policy: Policy) -> None:
    """Refuse a policy that asks an office without a task, or in another order; raises Refused."""
    roles = policy.sign_off.roles
    known = [one for one in SIGNERS if one in roles]
    if known != roles:
        raise Refused(
            "no_such_task",
            f"{policy.id} {policy.version} asks {roles} to sign; Airflow has tasks for "
            f"{list(SIGNERS)}, in that order. Sign with `rsp sign --submit` instead, or add the "
            "office to include/rsp/human_tasks.py.",
        )


def user_of(desk: Desk, office: str) -> str:
    """The user name of an office in Airflow, as the trust root has it."""
    accounts = desk.state.trust.accounts if desk.state.trust else []
    return next((one.user for one in accounts if one.office == office), office)


def _body(desk: Desk, kind: str, office: str, about: Digest, policy: Policy) -> str:
    name = _office_of(kind, office, policy)
    owed = receipts_to_come(desk, about) if kind == RECEIPT else []
    mine = [one for one, to in owed if to == office]
    answer, detail = ANSWER.get(kind, "keep"), ""
    if mine:
        answer = "approved" if mine[0].approval else answer
        detail = f" --detail notice={mine[0].id}"
    signed = (
        f"Sign with your own key and paste the line: `rsp sign --about {about} --office {name} "
        f"--key FILE --answer {answer} --reason TEXT{detail}`"
    )
    word = (
        "Without a signature your answer is recorded as ATTESTED_BY_AIRFLOW: it shows that your "
        "account answered, not that you did. A reason is needed either way."
        if "airflow" in policy.sign_off.accepts
        else "An answer without your own signature does not count under this policy."
    )
    listed = "\n".join(f"- `{one.id}` ({one.clause})" for one in mine)
    told = f"You are told of this before anything goes on:\n\n{listed}" if listed else ""
    parts = [
        told,
        first_screen(text_of(desk, about)),
        f"[The whole text](/redline/reports/{about})",
        signed,
        word,
    ]
    return "\n\n".join(part for part in parts if part)


def approval_question(desk: Desk, office: str, about: Digest) -> Question | None:
    """What an office is asked about a Safeguards Report; None: it does not sign, or nobody asks.

    Raises:
        Refused: the time is over.
    """
    if not about:
        return None
    state = desk.state
    report = state.expect(about, r.SafeguardsReport)
    judged = state.expect(report.judgement.record, r.SafeguardsJudgement)
    rule = rules_of(desk, judged.verdict.record).policy.sign_off
    said = answers_on(state, about, r.SafeguardsApproval).values()
    rejected = any(state.expect(x, r.SafeguardsApproval).choice == "reject" for x in said)
    if office not in rule.roles or rejected:
        return None
    until = report.at + timedelta(hours=rule.answer_within_hours)
    left = (until - desk.now()).total_seconds()
    if left <= 0:
        raise Refused("signature_out_of_time", f"The {office} could answer until {until}.")
    run_id = state.run_of_verdict(judged.verdict.record)
    text = get_blob(desk.store, report.document.blob).decode()
    sign = (
        f"Sign with your own key and paste the line: `rsp sign --about {about} --office {office} "
        "--key FILE --answer approve --reason TEXT`"
    )
    parts = [
        "You approve that the standard holds as this report shows, for as long as its evidence "
        "counts and a year at most. Rejecting orders a hold on what rests on it.",
        first_screen(text),
        f"[The whole text](/redline/reports/{about})",
        sign,
    ]
    return Question(
        user=user_of(desk, office),
        subject=f"{office}: do the safeguards hold of {run_id}",
        body="\n\n".join(parts),
        seconds=left,
    )
