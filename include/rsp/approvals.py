"""Whether a reviewed proposal may come into force: who has spoken, and in which order.

The governance of the policy *in force* rules: its proposers sign, then those whom it consults say
what they think, then those who approve sign (RSP 2.2 §7; RSP 1.0, procedural commitments).
"""

from __future__ import annotations

from datetime import datetime

from include.rsp import records as r
from include.rsp.adoption_records import ApprovalPart
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.signatures import holder_of
from include.rsp.state import LedgerState

Spoken = dict[tuple[ApprovalPart, str], tuple[int, r.Approval]]


def wanted(policy: Policy) -> list[tuple[ApprovalPart, str]]:
    """Every office that has to speak, in the order of the parts."""
    parts = {
        ApprovalPart.PROPOSE: policy.governance.propose,
        ApprovalPart.CONSULT: policy.governance.consult,
        ApprovalPart.APPROVE: policy.governance.approve,
    }
    return [(part, office) for part in ApprovalPart for office in parts[part]]


def spoken(state: LedgerState, review: Digest) -> Spoken:
    """What each office said last of a review, with the ledger index."""
    return {
        (one.part, one.office): (state.index_of[digest], one)
        for digest, one in state.records.items()
        if isinstance(one, r.Approval) and one.review.record == review
    }


def missing(state: LedgerState, policy: Policy, review: Digest) -> list[str]:
    """Who has not spoken yet, or has to speak again because it was out of turn."""
    said, found, latest = spoken(state, review), [], -1
    for part in ApprovalPart:
        own = [one for one in wanted(policy) if one[0] is part]
        early = [one for one in own if one in said and said[one][0] < latest]
        found += [f"{office} has to {part}" for _, office in own if (part, office) not in said]
        found += [f"{office} spoke out of turn and has to {part} again" for _, office in early]
        latest = max([latest, *(said[one][0] for one in own if one in said)])
    return found


def objections(state: LedgerState, policy: Policy, review: Digest) -> list[str]:
    """The offices that proposed or approve and object; who is only consulted stops nothing."""
    return [
        f"{office} objects: {one.reason}"
        for (part, office), (_, one) in spoken(state, review).items()
        if one.decision == "object"
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
    people = {
        office: holder_of(state, one) for (_, office), (_, one) in _needed(state, policy, review)
    }
    if len(set(people.values())) != len(people):  # (4)
        raise Refused("not_distinct", f"The offices must be distinct people (got {people}).")


def _needed(
    state: LedgerState, policy: Policy, review: Digest
) -> list[tuple[tuple[ApprovalPart, str], tuple[int, r.Approval]]]:
    said = spoken(state, review)
    return [(one, said[one]) for one in wanted(policy)]


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
