"""What people must have signed before a permit follows, and what they were shown (DESIGN I5)."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.judgement import good_until, judge_required
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.rsp.vocabulary import CriterionOutcome


def packet_of(state: LedgerState, request: r.PermitRequest) -> r.Packet:
    if request.packet is None:
        raise Refused("signature_missing", "The request names no packet that anybody signed.")
    packet = state.expect(request.packet.record, r.Packet)
    if packet.verdict != request.verdict:
        raise Refused("wrong_packet", "The signed packet is about another verdict.")
    if packet.hold != request.hold:
        raise Refused("wrong_packet", "The signed packet is about another hold.")
    return packet


def check_safeguards(
    state: LedgerState, request: r.PermitRequest, policy: Policy, at: datetime
) -> datetime | None:
    """The signed judgement holds, and the standards still hold on all evidence there is now.

    Returns:
        When the first piece of that evidence expires.

    Raises:
        Refused: otherwise.
    """
    packet = packet_of(state, request)
    if packet.judgement is None:
        raise Refused("no_safeguards", "The signed packet holds no judgement of the safeguards.")
    judgement = state.expect(packet.judgement.record, r.SafeguardsJudgement)
    if not judgement.holds or judgement.verdict != request.verdict:
        raise Refused("safeguards_not_verified", "The required safeguards were not shown to hold.")
    judged, holds = judge_required(
        state, policy, request.verdict.record, ledger_index=state.length, at=at
    )
    if not holds:
        lost = [
            f"{row.criterion} {row.outcome}"
            for one in judged
            for row in one.criteria
            if row.outcome is not CriterionOutcome.MET
        ]
        raise Refused("safeguards_stale", f"Since they were judged: {', '.join(lost)}.")
    return good_until(judged)


def check_signatures(
    state: LedgerState, request: r.PermitRequest, policy: Policy, at: datetime
) -> None:
    """All offices signed `proceed` on this packet, none to hold; distinct people, in time."""
    packet = packet_of(state, request)
    signed = [state.expect(ref.record, r.Determination) for ref in request.determinations]
    by_office = {one.office: one for one in signed}
    rule = policy.sign_off
    missing = [office for office in rule.roles if office not in by_office]
    if missing:
        raise Refused(
            "signature_missing",
            f"Not signed by {missing} (policy {policy.id}, {rule.clause}).",
        )
    needed = [by_office[office] for office in rule.roles]
    for one in state.records.values():
        if isinstance(one, r.Determination) and one.packet == request.packet:
            needed += [one] if one.decision != "proceed" and one.office in rule.roles else []
    for one in needed:
        if one.packet != request.packet:
            raise Refused("wrong_packet", f"The {one.office} signed another packet.")
        if one.decision != "proceed":
            raise Refused("signed_to_hold", f"The {one.office} signed to hold: {one.reason}")
        late = packet.at + timedelta(hours=rule.answer_within_hours)
        if one.signed_at < packet.at or one.signed_at > late or at > late:
            raise Refused(
                "signature_out_of_time",
                f"The {one.office} signed at {one.signed_at:%Y-%m-%d %H:%M:%S}, outside the "
                f"packet's time ({packet.at:%Y-%m-%d %H:%M:%S} to {late:%Y-%m-%d %H:%M:%S}).",
            )
    holders = {holder_of(state, by_office[office]) for office in rule.roles}
    if len(holders) != len(rule.roles) or packet.author in holders:
        raise Refused(
            "not_distinct", "The signers must be distinct people, none of them the author."
        )


def holder_of(state: LedgerState, determination: r.Determination | r.Approval) -> str:
    """The person whose key signed; raises Refused for a key that the trust root does not know."""
    keyid = determination.envelope.signatures[0]["keyid"]
    for key in state.trust.keys if state.trust else []:
        if key.keyid == keyid:
            return key.holder
    raise Refused("unknown_key", f"Key {keyid} is not in the trust root.")
