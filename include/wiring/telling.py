"""Telling people: notices before something goes on, reminders, escalations (steps 26, 27, 36).

Delivery goes through Airflow's notifiers (`notifying`); each attempt is a record. That somebody was
told is shown by their own receipt, never by a delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from include.rsp import records as r
from include.rsp.canonical import Digest, short
from include.rsp.capability_report import first_screen
from include.rsp.notices import applicable
from include.wiring import notifying
from include.wiring.desk import Desk
from include.wiring.holding import escalations_of
from include.wiring.signing_off import determined, next_signer, rules_of, text_of

log = logging.getLogger("redline.telling")


@dataclass(frozen=True, slots=True)
class Word:
    """One message to one office about one record."""

    run_id: str
    about: Digest
    notice: str
    to: str
    subject: str
    text: str


def notices_on(desk: Desk, packet: Digest) -> list[Word]:
    """What has to be said to whom after a determination."""
    state = desk.state
    report = state.report_of(packet)
    verdict = state.expect(report.verdict.record, r.Verdict)
    said = determined(desk, packet)
    waived = said.not_applicable if said else frozenset[str]()
    run_id = state.run_of_verdict(report.verdict.record)
    policy = rules_of(desk, report.verdict.record).policy
    return [
        Word(
            run_id=run_id,
            about=packet,
            notice=notice.id,
            to=office,
            subject=f"Redline: {run_id}: {verdict.decision.recommendation} ({notice.clause})",
            text=first_screen(text_of(desk, packet)),
        )
        for notice in applicable(policy, verdict, waived=waived)
        for office in notice.to
    ]


def escalations_on(desk: Desk, hold: Digest) -> list[Word]:
    """What has to be said about a hold that is not shown to be obeyed."""
    record = desk.state.expect(hold, r.Hold)
    return [
        Word(
            run_id=one.run_id,
            about=digest,
            notice=f"escalation {one.rung}",
            to=office,
            subject=f"Redline: the {record.scope} hold on {one.run_id} is not shown to be obeyed",
            text=f"{one.because}\n\nHold {short(hold)}: {record.reason}",
        )
        for digest, one in escalations_of(desk, hold).items()
        for office in one.to
    ]


def reminders(desk: Desk, packet: Digest) -> list[Word]:
    """Who has to be reminded now; when half the time is over, others are told as well."""
    state, now = desk.state, desk.now()
    report = state.report_of(packet)
    rule = rules_of(desk, report.verdict.record).policy.sign_off
    begun, whole = state.get(packet).at, timedelta(hours=rule.answer_within_hours)
    office = next_signer(desk, packet)
    if rule.remind_after_hours is None or office is None or now > begun + whole:
        return []
    number = int((now - begun) / timedelta(hours=rule.remind_after_hours))
    told = [office, *(rule.escalate_to if now >= begun + whole / 2 else [])]
    run_id = state.run_of_verdict(report.verdict.record)
    return [
        Word(
            run_id=run_id,
            about=packet,
            notice=f"reminder {number}",
            to=one,
            subject=f"Redline: {run_id} waits for the {office}",
            text=f"Nothing goes on without it. {first_screen(text_of(desk, packet))}",
        )
        for one in (dict.fromkeys(told) if number > 0 else [])
    ]


def untold(desk: Desk, words: list[Word]) -> Iterator[Word]:
    """Those that were not delivered yet, nor tried in vain without a channel to try."""
    done = {
        (one.about.record, one.notice, one.to)
        for one in desk.state.notifications.values()
        if any(x.delivered for x in one.deliveries)
        or all(x.channel == "none" for x in one.deliveries)
    }
    return (one for one in words if (one.about, one.notice, one.to) not in done)


def send(desk: Desk, words: list[Word]) -> list[Word]:
    """Send what was not sent and record each attempt; those that a channel failed to take."""
    failed: list[Word] = []
    for word in untold(desk, words):
        link = f"/redline/records/{word.about}"
        deliveries = notifying.deliver(
            notifying.Message(to=word.to, subject=word.subject, text=word.text, link=link)
        )
        record_delivery(desk, word, deliveries)
        if notifying.needs_another_try(deliveries):
            failed.append(word)
    return failed


def record_delivery(desk: Desk, word: Word, deliveries: list[notifying.Delivery]) -> Digest:
    """Write down how a message went out."""
    for one in deliveries:
        if not one.delivered:
            log.warning("%s was not told by %s: %s", word.to, one.channel, one.problem)
    return desk.submit(
        r.Notification(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            run_id=word.run_id,
            about=r.RecordRef(record=word.about),
            notice=word.notice,
            to=word.to,
            deliveries=[
                r.Delivery(
                    channel=one.channel, address=one.address, delivered=one.delivered,
                    problem=one.problem,
                )
                for one in deliveries
            ],
        )
    )  # fmt: skip
