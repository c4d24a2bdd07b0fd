"""Who has to be told, or to approve, before something may go on (lifecycle steps 26 and 27)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.answers import determinations_on
from include.rsp.canonical import Digest
from include.rsp.determination import Determined
from include.rsp.duties import Event, Notice
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.state import LedgerState

NOW = (Event.VERDICT, Event.DETERMINATION, Event.STANDARD_REQUIRED, Event.HOLD)
"""The events of an assessment. The others have clocks of their own."""


def applicable(policy: Policy, verdict: r.Verdict, *, waived: frozenset[str]) -> list[Notice]:
    """The notices that a determination on a verdict calls for.

    One with a condition applies unless all who determined say that its condition is not met
    (`waived`); that a standard is required is read off the verdict. Doubt tells.
    """
    return [one for one in policy.notices if one.event in NOW and _applies(one, verdict, waived)]


def _applies(notice: Notice, verdict: r.Verdict, waived: frozenset[str]) -> bool:
    demanded = any(line.demands for line in verdict.decision.red_lines)
    if notice.event in (Event.STANDARD_REQUIRED, Event.HOLD) and not demanded:
        return False
    return not notice.waivable or notice.id not in waived


def owed(policy: Policy, verdict: r.Verdict, *, waived: frozenset[str]) -> list[tuple[Notice, str]]:
    """(notice, office) of every receipt that must be there before a permit."""
    found = [one for one in applicable(policy, verdict, waived=waived) if one.before_permit]
    return [(notice, office) for notice in found for office in notice.to]


def receipts_on(
    state: LedgerState, packet: Digest
) -> dict[tuple[str, str], tuple[Digest, r.Receipt]]:
    """By (notice, office), the receipt that counts: the last."""
    return {
        (one.notice, one.office): (digest, one)
        for digest, one in state.answers.get(packet, {}).items()
        if isinstance(one, r.Receipt)
    }


def missing_receipts(
    state: LedgerState, policy: Policy, packet: Digest, *, waived: frozenset[str]
) -> list[tuple[Notice, str]]:
    """The receipts that are still to come; one from before the last signature has to come again."""
    verdict = state.expect(state.report_of(packet).verdict.record, r.Verdict)
    signed = [one.signed_at for one in determinations_on(state, packet).values()]
    there = {
        key
        for key, (_, one) in receipts_on(state, packet).items()
        if one.choice == "rejected" or all(one.signed_at >= at for at in signed)
    }
    return [
        (notice, office)
        for notice, office in owed(policy, verdict, waived=waived)
        if (notice.id, office) not in there
    ]


def check_receipts(
    state: LedgerState, policy: Policy, packet: Digest, determined: Determined
) -> tuple[Digest, ...]:
    """The receipts that the policy demands before a permit.

    All are there only if (1) each office that has to be told has answered; (2) none rejects what
    it has to approve; (3) each answered after the officers had determined.

    Raises:
        Refused: otherwise.
    """
    verdict = state.expect(state.report_of(packet).verdict.record, r.Verdict)
    there = receipts_on(state, packet)
    found: list[Digest] = []
    for notice, office in owed(policy, verdict, waived=determined.not_applicable):
        what = "approved" if notice.approval else "received"
        if (notice.id, office) not in there:  # (1)
            raise Refused(
                "receipt_missing",
                f"The {office} has not {what} the packet (notice {notice.id}, {notice.clause}). "
                "Nothing goes on before that.",
            )
        digest, receipt = there[notice.id, office]
        if receipt.choice == "rejected":  # (2)
            raise Refused(
                "rejected", f"The {office} rejects it ({notice.clause}): {receipt.reason}"
            )
        if receipt.signed_at < determined.last_at:  # (3)
            raise Refused(
                "receipt_too_early",
                f"The {office} was told at {receipt.signed_at:%H:%M:%S}, before the determination "
                f"of {determined.last_at:%H:%M:%S} ({notice.clause}). Tell it again.",
            )
        found.append(digest)
    return tuple(found)
