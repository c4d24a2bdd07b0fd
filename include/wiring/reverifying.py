"""Verifying safeguards again: on schedule, on new evidence, before evidence lapses."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from include.adapters.store import get_blob
from include.rsp import records as r
from include.rsp.canonical import Digest, digest_of, short
from include.rsp.capability_report import first_screen
from include.rsp.errors import Refused
from include.rsp.reverification import newest_judgement, reopened, verdicts_in_use
from include.rsp.safeguards import name_of
from include.rsp.safeguards_answers import is_approved
from include.rsp.safeguards_report import expiring
from include.wiring import safeguarding, telling
from include.wiring.desk import Desk
from include.wiring.signing_off import rules_of

log = logging.getLogger("redline.reverifying")


@dataclass(frozen=True, slots=True)
class Verified:
    """One checkpoint's safeguards, judged again."""

    where: str
    report: Digest
    because: str
    holds: bool
    lost: tuple[str, ...]


def verify(desk: Desk, verdict: Digest, because: str = "on schedule") -> Verified:
    """Judge what a verdict requires and write the report."""
    digest, judged = safeguarding.judge(desk, verdict)
    report = safeguarding.write_report(desk, digest)
    checkpoint = desk.state.expect(verdict, r.Verdict).checkpoint.record
    return Verified(
        where=desk.state.expect(checkpoint, r.Checkpoint).location,
        report=report,
        because=because,
        holds=judged.holds,
        lost=tuple(safeguarding.shortfalls(judged)),
    )


def reopen(desk: Desk) -> list[Verified]:
    """Judge again what has to be, for everything that goes on because safeguards hold."""
    state, now = desk.state, desk.now()
    found = []
    for verdict in verdicts_in_use(state, at=now):
        because = reopened(state, rules_of(desk, verdict), verdict, at=now)
        if because is not None:
            found.append(verify(desk, verdict, because))
    return found


def warnings(desk: Desk) -> list[telling.Word]:
    """What officers have to be told of everything that goes on because safeguards hold: by the
    newest judgement, whoever made it. The same is told once, until something else is so.
    """
    state, now = desk.state, desk.now()
    words: list[telling.Word] = []
    for verdict in verdicts_in_use(state, at=now):
        newest = newest_judgement(state, verdict)
        if newest is None:
            continue
        rules = rules_of(desk, verdict)
        lapsing = [
            f"{name_of(standard, row)} until {row.good_until:%Y-%m-%d %H:%M} "
            f"(owner: {row.owner or 'nobody is named'})"
            for standard, row in expiring(rules, newest[1], at=now)
            if row.good_until
        ]
        lost = safeguarding.shortfalls(newest[1])
        if newest[1].holds and not lapsing:
            continue
        said = "lapse soon" if newest[1].holds else "no longer hold"
        what = lapsing if newest[1].holds else lost
        checkpoint = state.expect(verdict, r.Verdict).checkpoint.record
        where = state.expect(checkpoint, r.Checkpoint).location
        words += [
            telling.Word(
                run_id=state.run_of_verdict(verdict),
                about=verdict,
                notice=f"safeguards {said} {short(digest_of(sorted(what)))}",
                to=office,
                subject=f"Redline: safeguards of {where} {said}",
                text="\n".join([f"- {one}" for one in what] + ["", _first_screen(desk, newest[0])]),
            )
            for office in rules.policy.sign_off.roles
        ]
    return words


def _first_screen(desk: Desk, judgement: Digest) -> str:
    for one in desk.state.records.values():
        if isinstance(one, r.SafeguardsReport) and one.judgement.record == judgement:
            return first_screen(get_blob(desk.store, one.document.blob).decode())
    return f"No report was written on the judgement {judgement} yet."


def attestation_of(desk: Desk, report: Digest) -> str:
    """Where the notary's attestation of an approved report is; waits until it is there.

    Raises:
        Refused: the officers do not approve, or the report does not say that the standards hold.
    """
    state = desk.state
    judgement = state.expect(report, r.SafeguardsReport).judgement.record
    judged = state.expect(judgement, r.SafeguardsJudgement)
    policy = rules_of(desk, judged.verdict.record).policy
    if not is_approved(state, policy, report):
        raise Refused(
            "not_approved",
            f"The officers did not approve the Safeguards Report {report}, or it does not say that "
            f"the standards hold ({policy.sign_off.clause}). Nothing is attested; a rejection "
            "orders a hold on what rests on it.",
        )
    run_id = state.run_of_verdict(judged.verdict.record)
    wanted = judgement.removeprefix("sha256:")
    look = Retrying(
        retry=retry_if_result(lambda one: one is None),
        stop=stop_after_delay(desk.notary_seconds),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda _: None,
    )
    place: str | None = look(lambda: _attested(desk, run_id, wanted))
    if place is None:
        raise Refused("not_attested", "The notary has not attested it yet. Clear this task.")
    return place


def _attested(desk: Desk, run_id: str, wanted: str) -> str | None:
    desk.reader.refresh()
    found = desk.store.list(f"runs/{run_id}/attestations")
    return next((one for one in found if one.endswith(f"safeguards-{wanted}.json")), None)
