"""Whether a reviewed proposal may come into force: who has spoken, and in which order.

The governance of the policy *in force* rules: its proposers sign, then those whom it consults say
what they think, then those who approve sign (RSP 2.2 §7; RSP 1.0, procedural commitments).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from include.rsp import records as r
from include.rsp.adoption_records import ApprovalPart
from include.rsp.answers import holder_of
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.state import LedgerState


@dataclass(frozen=True, slots=True)
class Statement:
    """What an office says last, and when it said so for the first time."""

    approval: r.Approval
    since: datetime


Spoken = dict[tuple[ApprovalPart, str], Statement]


def wanted(policy: Policy) -> list[tuple[ApprovalPart, str]]:
    """Every office that has to speak, in the order of the parts."""
    parts = {
        ApprovalPart.PROPOSE: policy.governance.propose,
        ApprovalPart.CONSULT: policy.governance.consult,
        ApprovalPart.APPROVE: policy.governance.approve,
    }
    return [(part, office) for part in ApprovalPart for office in parts[part]]


def spoken(state: LedgerState, review: Digest) -> Spoken:
    """What each office said last of a review, by the time that it signed for.

    Neither the order in which records reach the ledger nor an older one brought again counts. Of
    two signed at the same time the objection does.
    """
    said: Spoken = {}
    first: dict[tuple[ApprovalPart, str, str], datetime] = {}
    every = [one for one in state.approvals.values() if one.review.record == review]
    for one in sorted(every, key=lambda one: (one.signed_at, one.decision == "object")):
        since = first.setdefault((one.part, one.office, one.decision), one.signed_at)
        said[one.part, one.office] = Statement(one, since)
    return said


def missing(state: LedgerState, policy: Policy, review: Digest) -> list[str]:
    """Who has not spoken yet, or has to speak again because it was out of turn.

    An office is in turn if it signed after all those before it first said what they now say: who
    only repeats itself sets nobody back.
    """
    said, found = spoken(state, review), []
    latest = datetime.min.replace(tzinfo=UTC)
    for part in ApprovalPart:
        own = [one for one in wanted(policy) if one[0] is part]
        early = [one for one in own if one in said and said[one].approval.signed_at < latest]
        found += [f"{office} has to {part}" for _, office in own if (part, office) not in said]
        found += [f"{office} spoke out of turn and has to {part} again" for _, office in early]
        latest = max([latest, *(said[one].since for one in own if one in said)])
    return found


def objections(state: LedgerState, policy: Policy, review: Digest) -> list[str]:
    """The offices that proposed or approve and object; who is only consulted stops nothing."""
    return [
        f"{office} objects: {one.approval.reason}"
        for (part, office), one in spoken(state, review).items()
        if one.approval.decision == "object"
        and part is not ApprovalPart.CONSULT
        and (part, office) in wanted(policy)
    ]


def check_approved(state: LedgerState, policy: Policy, review: Digest) -> None:
    """Refuse a proposal that was not approved.

    It is approved only if (1) the policy in force names somebody who proposes or approves;
    (2) each office has spoken, in the order of the parts; (3) none that proposes or approves
    objects; (4) they are distinct people.

    Raises:
        Refused: with the rule's code.
    """
    clause = policy.governance.clause
    if not (policy.governance.propose or policy.governance.approve):  # (1)
        raise Refused("nobody_approves", f"{policy.id} names nobody who approves ({clause}).")
    gaps = missing(state, policy, review)
    if gaps:  # (2)
        raise Refused("not_approved", f"{'; '.join(gaps)} ({clause}).")
    against = objections(state, policy, review)
    if against:  # (3)
        raise Refused("objected", f"{'; '.join(against)} ({clause}).")
    said = spoken(state, review)
    people = {one[1]: holder_of(state, said[one].approval) for one in wanted(policy)}
    if len(set(people.values())) != len(people):  # (4)
        raise Refused("not_distinct", f"The offices must be distinct people (got {people}).")


def check_turn(
    state: LedgerState, policy: Policy, review: r.PolicyReview, record: r.Approval
) -> None:
    """Refuse an answer that would not count as it is.

    Raises:
        Refused: the review is blocked or about a version in force no more, the office has no such
            right, or those before it have not spoken.
    """
    proposal = state.expect(review.proposal.record, r.Proposal)
    if review.findings.blockers:
        raise Refused("blocked", f"{'; '.join(review.findings.blockers)}. Do not sign for it.")
    if state.adoption is None or proposal.supersedes.record != state.adoption[0]:
        raise Refused("superseded", "Another version came into force since. Propose it again.")
    rights = wanted(policy)
    if (record.part, record.office) not in rights:
        listed = ", ".join(f"{office} as {part}" for part, office in rights)
        raise Refused(
            "wrong_office",
            f"The {record.office} has no say as {record.part} in {policy.id} {policy.version} "
            f"(expected {listed}; {policy.governance.clause}).",
        )
    said = spoken(state, record.review.record)
    order = list(ApprovalPart)
    before = [
        f"{office} has to {part} first"
        for part, office in rights
        if order.index(part) < order.index(record.part) and (part, office) not in said
    ]
    if before:
        raise Refused("out_of_turn", f"{'; '.join(before)} ({policy.governance.clause}).")


def still_to_speak(
    state: LedgerState, policy: Policy, review: Digest, *, but: r.Approval
) -> list[str]:
    """Who has to speak after an answer that is not chained yet."""
    said = {*spoken(state, review), (but.part, but.office)}
    return [f"{office} ({part})" for part, office in wanted(policy) if (part, office) not in said]


def published(state: LedgerState, review: Digest) -> r.PolicyPublication | None:
    """The first publication of what was reviewed."""
    return next(
        (
            one
            for one in state.records.values()
            if isinstance(one, r.PolicyPublication) and one.review.record == review
        ),
        None,
    )


def check_published(state: LedgerState, policy: Policy, review: Digest, *, at: datetime) -> None:
    """Refuse to put into force what had to be public first.

    Raises:
        Refused: it is not, or not early enough.
    """
    rule = policy.governance.published
    if rule is None:
        return
    found = published(state, review)
    if found is None:
        raise Refused(
            "not_published",
            f"The version has to be public {rule.replace('_', ' ')} it takes effect "
            f"({policy.governance.clause}), and no publication is in the ledger.",
        )
    if found.at > at or (rule == "before" and found.at >= at):
        raise Refused("not_published", f"It was published at {found.at}, not {rule} {at}.")


def check_effective(proposal: r.Proposal, *, at: datetime) -> None:
    """Refuse before the effective date; raises Refused."""
    if at < proposal.effective_at:
        raise Refused("not_effective", f"It takes effect at {proposal.effective_at}, not at {at}.")
