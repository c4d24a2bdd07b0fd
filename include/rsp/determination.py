"""What people determined on a packet, all of them together (lifecycle step 16; DESIGN I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.answers import (
    answers_on,
    check_in_time,
    check_person,
    determinations_on,
    holder_of,
)
from include.rsp.canonical import Digest, short
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Choice, Identification, ResponseKind, View


@dataclass(frozen=True, slots=True)
class Determined:
    """That the officers let something go on, and how far."""

    answers: tuple[Digest, ...]
    last_at: datetime
    below: bool
    cap_ratio: float | None
    identification: Identification
    offices: frozenset[str]
    not_applicable: frozenset[str]


def check_determined(
    state: LedgerState, packet: Digest, rules: Rules, *, at: datetime
) -> Determined:
    """What the officers determined, if they let something go on.

    They do only if (1) the newest opinion of the second line on the report is the one in the
    packet, and asks for nothing more; (2) as many offices as the policy needs have answered;
    (3) none was stricter than the recommendation, here or since on another packet about the same
    verdict and purpose, or chose a response that stops something;
    (4) all of them accept it, or all go below it; (5) each answered in time, and the time is not
    over; (6) they are distinct people, none an author of what is judged, none the second line.

    Raises:
        Refused: with the rule's code.
    """
    rule = rules.policy.sign_off
    opinion = check_opinion(state, packet, rules.policy)  # (1)
    said = determinations_on(state, packet)
    missing = [office for office in rule.roles if office not in said]
    stricter = [one for one in said.values() if one.choice is Choice.STRICTER]
    stricter += _no_elsewhere(state, packet)
    if stricter:  # (3)
        one = stricter[0]
        raise Refused("signed_to_hold", f"The {one.office} is stricter: {one.reason}")
    if len(said) < rule.needed:  # (2)
        raise Refused(
            "signature_missing",
            f"Not signed by {missing} (policy {rules.policy.id} needs {rule.needed} of "
            f"{rule.roles}, {rule.clause}).",
        )
    _check_responses(said, rules.policy)  # (3)
    if len({one.choice for one in said.values()}) != 1:  # (4)
        choices = {office: one.choice.value for office, one in said.items()}
        raise Refused("no_agreement", f"The officers do not determine the same: {choices}.")
    for one in said.values():  # (5)
        check_in_time(state, one, rules.policy)
        check_person(state, one, rules)  # (6)
    until = state.get(packet).at + timedelta(hours=rule.answer_within_hours)
    if at > until:
        raise Refused(
            "signature_out_of_time",
            f"The packet {short(packet)} closed its time at {until:%Y-%m-%d %H:%M:%S}. Have a new "
            "report written and signed.",
        )
    holders = {holder_of(state, one) for one in (*said.values(), opinion)}
    if len(holders) != len(said) + 1:  # (6)
        raise Refused("not_distinct", "Signers and second line must be distinct people.")
    attested = any(
        one.identification is Identification.ATTESTED for one in (*said.values(), opinion)
    )
    signed = answers_on(state, packet, r.Determination)
    caps = [one.cap_ratio for one in said.values() if one.cap_ratio is not None]
    waived = [frozenset(one.not_applicable) for one in said.values()]
    return Determined(
        answers=tuple(signed.values()),
        last_at=max(one.signed_at for one in said.values()),
        below=next(iter(said.values())).choice is Choice.BELOW,
        cap_ratio=min(caps, default=None),
        identification=Identification.ATTESTED if attested else Identification.SIGNED,
        offices=frozenset(said),
        not_applicable=frozenset.intersection(*waived),
    )


def _no_elsewhere(state: LedgerState, packet: Digest) -> list[r.Determination]:
    """Who says no on another packet about the same question, and has not since answered here.

    A no does not go away because the question is put again, to others or before it is heard.
    """
    report = state.report_of(packet)
    run = state.runs[state.run_of_verdict(report.verdict.record)]
    here = answers_on(state, packet, r.Determination)
    found = []
    for digest, one in run.determinations.items():
        other = state.report_of(one.about.record)
        same = (other.verdict, other.purpose) == (report.verdict, report.purpose)
        said = state.index_of.get(here.get(one.office, ""), -1)
        if same and one.choice is Choice.STRICTER and state.index_of[digest] > said:
            found.append(one)
    return found


def check_opinion(state: LedgerState, packet: Digest, policy: Policy) -> r.Opinion:
    """The opinion that a packet holds; raises Refused if it is not the second line's last word."""
    return check_opinion_heard(state, state.expect(packet, r.Packet), policy)


def check_opinion_heard(state: LedgerState, closed: r.Packet, policy: Policy) -> r.Opinion:
    """The same of a packet that is not chained yet."""
    rule = policy.sign_off.second_line
    newest = answers_on(state, closed.report.record, r.Opinion).get(rule.office)
    if newest is None or newest != closed.opinion.record:
        raise Refused(
            "opinion_changed",
            f"The packet holds another opinion than the newest of the {rule.office} on its report "
            f"({rule.clause}). Close a packet anew.",
        )
    opinion = state.expect(newest, r.Opinion)
    if opinion.choice is View.NEED_MORE:
        raise Refused("second_line_needs_more", f"The {rule.office} needs more: {opinion.reason}")
    return opinion


def _check_responses(said: dict[str, r.Determination], policy: Policy) -> None:
    kinds = {one.id: one.kind for one in policy.responses}
    for office, one in said.items():
        if one.response is not None and kinds[one.response] is not ResponseKind.CAP_TRAINING:
            raise Refused(
                "response_chosen",
                f"The {office} chose the response {one.response!r}: nothing goes on by it. A hold "
                "ends by release_hold.",
            )
