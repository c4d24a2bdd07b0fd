"""Whether what a person said may count (DESIGN I5). Who it was is checked in the adapters.

Order, distinctness and time are the policy's; nobody who made what is judged may judge it, and
whoever has answered may only become stricter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from include.rsp import records as r
from include.rsp.answer_content import check_content
from include.rsp.canonical import Digest, short
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.reviews import authors_of_results, authors_of_run
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Choice, Impression, View

ABOUT: dict[type[r.Answer], type[r.Record]] = {
    r.Opinion: r.CapabilityReport,
    r.Determination: r.Packet,
    r.Receipt: r.Packet,
    r.DeletionAnswer: r.Packet,
    r.Revocation: r.Permit,
    r.TranscriptReviewed: r.ReviewRequest,
    r.SafeguardsApproval: r.SafeguardsReport,
}
STRICTNESS: dict[type[r.Answer], Sequence[str]] = {
    r.Opinion: (View.AGREE, View.NEED_MORE, View.DISAGREE),
    r.Determination: (Choice.BELOW, Choice.ACCEPT, Choice.STRICTER),
    r.Receipt: ("received", "approved", "rejected"),
    r.DeletionAnswer: ("keep", "delete"),
    r.Revocation: ("revoke",),
    r.TranscriptReviewed: tuple(Impression),
    r.SafeguardsApproval: ("approve", "reject"),
}
"""A second answer of the same office counts only if it stands further to the right."""


def check_answer(state: LedgerState, record: r.Answer, rules: Rules) -> None:
    """Refuse an answer that may not count.

    It may only if (1) it is about a record of the kind that such an answer is about; (2) the
    policy gives its office a say in it; (3) those before it have answered; (4) it was given after
    the record was written and within the policy's time; (5) its holder made nothing of what is
    judged and has not answered in another office; (6) the office has not answered before, or now
    becomes stricter, or was told before the last officer signed; (7) what it says is something
    that the policy offers.

    Raises:
        Refused: with the rule's code.
    """
    about = state.get(record.about.record)
    expected = ABOUT[type(record)]
    if not isinstance(about, expected):  # (1)
        raise Refused(
            "wrong_subject",
            f"The {record.kind} is about a {about.kind} (expected {expected.__name__}).",
        )
    _check_say(state, record, rules.policy)  # (2)
    _check_turn(state, record, rules.policy)  # (3)
    check_in_time(state, record, rules.policy)  # (4)
    check_person(state, record, rules)  # (5)
    _check_first(state, record)  # (6)
    check_content(state, record, rules)  # (7)


def answers_on(state: LedgerState, about: Digest, kind: type[r.Answer]) -> dict[str, Digest]:
    """By office, the answer of that kind that counts: the last, which is the strictest."""
    found = state.answers.get(about, {})
    return {one.office: digest for digest, one in found.items() if isinstance(one, kind)}


def determinations_on(state: LedgerState, packet: Digest) -> dict[str, r.Determination]:
    """By office, what it determines on a packet."""
    found = answers_on(state, packet, r.Determination)
    return {office: state.expect(one, r.Determination) for office, one in found.items()}


def holder_of(state: LedgerState, answer: r.Answer | r.Approval) -> str:
    """The person who answered; raises Refused for a key or account that nobody knows."""
    trust = state.trust
    if answer.envelope is not None:
        keyid = answer.envelope.signatures[0]["keyid"]
        for key in trust.keys if trust else []:
            if key.keyid == keyid:
                return key.holder
        raise Refused("unknown_key", f"Key {keyid} is not in the trust root.")
    account = account_of(state, answer) if isinstance(answer, r.Answer) else None
    if account is None:
        raise Refused(
            "unknown_account", f"No account for the {answer.office} is in the trust root."
        )
    return account.holder


def account_of(state: LedgerState, answer: r.Answer) -> r.AccountEntry | None:
    """The account of the trust root that an attested answer was given with, for its office."""
    user = answer.attested.user if answer.attested else ""
    known = state.trust.accounts if state.trust else []
    return next((one for one in known if (one.user, one.office) == (user, answer.office)), None)


def authors_of(state: LedgerState, verdict: Digest, rules: Rules) -> dict[str, str]:
    """By holder, what a person made of that which is judged: the run, the evaluations."""
    return authors_of_run(state, state.run_of_verdict(verdict), rules)


def run_behind(state: LedgerState, answer: r.Answer) -> str | None:
    """The training run that was answered about, if it can be told."""
    about = state.get(answer.about.record)
    if isinstance(about, r.ReviewRequest):
        return state.occasion(about.assessment_id).run_id
    verdict = verdict_of(state, answer)
    return state.run_of_verdict(verdict) if verdict else None


def verdict_of(state: LedgerState, answer: r.Answer) -> Digest | None:
    """The verdict behind what was answered about; None: a genesis permit has none."""
    about = state.get(answer.about.record)
    match about:
        case r.CapabilityReport():
            return about.verdict.record
        case r.Packet():
            return state.report_of(answer.about.record).verdict.record
        case r.SafeguardsReport():
            return state.expect(about.judgement.record, r.SafeguardsJudgement).verdict.record
        case r.Permit():
            return about.basis[0].record if about.checkpoint else None
        case _:
            return None


def _check_say(state: LedgerState, record: r.Answer, policy: Policy) -> None:
    signing = policy.sign_off
    if isinstance(record, r.TranscriptReviewed):
        return  # the suite says who reviews: `check_review`
    match record:
        case r.Opinion():
            entitled, clause = [signing.second_line.office], signing.second_line.clause
        case r.Determination() | r.SafeguardsApproval():
            entitled, clause = signing.roles, signing.clause
        case r.Revocation():
            entitled, clause = [*signing.roles, signing.second_line.office], signing.clause
        case r.Receipt():
            named = [one for one in policy.notices if one.id == record.notice]
            entitled = named[0].to if named else []
            clause = named[0].clause if named else f"no notice {record.notice!r}"
        case _:
            chosen = _deleting(state, record.about.record, policy)
            entitled, clause = (
                chosen,
                "no response asks about deletion" if not chosen else "deletion",
            )
    if record.office not in entitled:
        raise Refused(
            "wrong_office",
            f"The {record.office} has no say in this {record.kind} under {policy.id} "
            f"{policy.version} (expected {' or '.join(entitled) or 'nobody'}; {clause}).",
        )


def _deleting(state: LedgerState, packet: Digest, policy: Policy) -> list[str]:
    """Who is asked about deletion: the people of the response that somebody chose."""
    chosen = {one.response for one in determinations_on(state, packet).values()}
    return [
        office
        for one in policy.responses
        if one.id in chosen and "consider_deletion" in one.actions
        for office in one.people
    ]


def _check_turn(state: LedgerState, record: r.Answer, policy: Policy) -> None:
    if not isinstance(record, r.Determination | r.Receipt):
        return
    packet = record.about.record
    roles = policy.sign_off.roles
    said = determinations_on(state, packet)
    if isinstance(record, r.Receipt):
        before = [] if len(said) >= policy.sign_off.needed else roles
    elif record.choice is Choice.STRICTER or policy.sign_off.quorum is not None:
        before = []  # a no never waits; where some of several suffice, any may be first
    else:
        before = roles[: roles.index(record.office)]
    missing = [office for office in before if office not in said]
    if missing:
        raise Refused(
            "out_of_turn",
            f"{' and '.join(missing)} must sign before the {record.office} "
            f"({policy.sign_off.clause}).",
        )
    earlier = [said[one] for one in before] or list(said.values())
    late = [one for one in earlier if one.signed_at > record.signed_at]
    if late and record.choice is not Choice.STRICTER:
        raise Refused(
            "out_of_turn",
            f"The {record.office} signed at {record.signed_at:%H:%M:%S}, before the "
            f"{late[0].office} ({late[0].signed_at:%H:%M:%S}). Look at what it says, sign again.",
        )


def hours_for(record: r.Answer, policy: Policy) -> float | None:
    """How long an answer may take; None: as long as it likes."""
    match record:
        case r.Opinion():
            return policy.sign_off.second_line.answer_within_hours
        case r.Determination() | r.Receipt() | r.SafeguardsApproval():
            return policy.sign_off.answer_within_hours
        case _:
            return None


def check_in_time(state: LedgerState, record: r.Answer, policy: Policy) -> None:
    """Refuse what was said before the record was written, or after the policy's time."""
    about = state.get(record.about.record)
    begun, hours = about.at, hours_for(record, policy)
    until = begun + timedelta(hours=hours) if hours is not None else None
    if isinstance(about, r.ReviewRequest):
        until = about.due
    if record.signed_at < begun or (until is not None and record.signed_at > until):
        window = f"{begun:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}" if until else "after it"
        raise Refused(
            "signature_out_of_time",
            f"The {record.office} answered at {record.signed_at:%Y-%m-%d %H:%M:%S}, outside the "
            f"time of {short(record.about.record)} ({window}).",
        )


def check_person(state: LedgerState, record: r.Answer, rules: Rules) -> None:
    """Refuse an author of what is judged, and a person who answers in two offices."""
    holder, run_id = holder_of(state, record), run_behind(state, record)
    authors = authors_of_run(state, run_id, rules) if run_id else {}
    if isinstance(record, r.TranscriptReviewed):
        asked = state.expect(record.about.record, r.ReviewRequest)
        authors = authors_of_results(state, rules, assessment_id=asked.assessment_id, run=asked.run)
    if holder in authors and not isinstance(record, r.Revocation):
        raise Refused(
            "not_independent",
            f"{holder} {authors[holder]} and may not judge it as {record.office}.",
        )
    if isinstance(record, r.Receipt | r.Revocation | r.DeletionAnswer | r.TranscriptReviewed):
        return
    for other in _judging(state, record.about.record):
        if other.office != record.office and holder_of(state, other) == holder:
            raise Refused(
                "not_distinct",
                f"{holder} has answered as {other.office} and may not answer as {record.office} "
                "as well: they must be distinct people.",
            )


def _judging(state: LedgerState, about: Digest) -> list[r.Answer]:
    """Every opinion and determination on a report or packet and on the report behind it."""
    record = state.get(about)
    places = [about, record.report.record] if isinstance(record, r.Packet) else [about]
    return [
        one
        for place in places
        for one in state.answers.get(place, {}).values()
        if isinstance(one, r.Opinion | r.Determination | r.SafeguardsApproval)
    ]


def _check_first(state: LedgerState, record: r.Answer) -> None:
    order = STRICTNESS[type(record)]
    for one in state.answers.get(record.about.record, {}).values():
        same = type(one) is type(record) and one.office == record.office
        if isinstance(record, r.Receipt) and isinstance(one, r.Receipt):
            same = same and one.notice == record.notice
        if same and _told_too_early(state, record, one):
            continue
        if same and order.index(record.choice) <= order.index(one.choice):
            raise Refused(
                "answered_already",
                f"The {record.office} has answered {one.choice!r} at {one.signed_at:%H:%M:%S}; "
                f"{record.choice!r} is no stricter and changes nothing.",
            )


def _told_too_early(state: LedgerState, record: r.Answer, before: r.Answer) -> bool:
    """Whether an office that was told before an officer signed says the same once more."""
    if not isinstance(record, r.Receipt) or record.choice != before.choice:
        return False
    said = determinations_on(state, record.about.record).values()
    return any(before.signed_at < one.signed_at <= record.signed_at for one in said)
