"""Verifying safeguards again: on schedule, on new evidence, before evidence lapses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from include.adapters.store import get_blob
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.capability_report import first_screen
from include.rsp.errors import Refused
from include.rsp.reverification import is_approved, reopened, verdicts_in_use
from include.rsp.safeguards import name_of
from include.rsp.safeguards_report import expiring
from include.wiring import safeguarding, telling
from include.wiring.desk import Desk

log = logging.getLogger("redline.reverifying")


@dataclass(frozen=True, slots=True)
class Verified:
    """One checkpoint's safeguards, judged again."""

    where: str
    verdict: Digest
    report: Digest
    because: str
    lost: tuple[str, ...]
    lapsing: tuple[str, ...]


def verify(desk: Desk, verdict: Digest, because: str = "on schedule") -> Verified:
    """Judge what a verdict requires and write the report."""
    digest, judged = safeguarding.judge(desk, verdict)
    report = safeguarding.write_report(desk, digest)
    rules = safeguarding.rules_of(desk, verdict)
    checkpoint = desk.state.expect(verdict, r.Verdict).checkpoint.record
    return Verified(
        where=desk.state.expect(checkpoint, r.Checkpoint).location,
        verdict=verdict,
        report=report,
        because=because,
        lost=tuple(safeguarding.shortfalls(judged)),
        lapsing=tuple(
            f"{name_of(standard, row)} until {row.good_until:%Y-%m-%d %H:%M} "
            f"(owner: {row.owner or 'nobody is named'})"
            for standard, row in expiring(rules, judged)
            if row.good_until
        ),
    )


def reopen(desk: Desk) -> list[Verified]:
    """Judge again what has to be, for everything that goes on because safeguards hold."""
    state, now = desk.state, desk.now()
    found = []
    for verdict in verdicts_in_use(state, at=now):
        because = reopened(state, safeguarding.rules_of(desk, verdict), verdict, at=now)
        if because is not None:
            found.append(verify(desk, verdict, because))
    return found


def tell(desk: Desk, found: Sequence[Verified]) -> list[telling.Word]:
    """Tell the officers what no longer holds or lapses soon; those that no channel took."""
    words = []
    for one in found:
        if not one.lost and not one.lapsing:
            continue
        state = desk.state
        rules = safeguarding.rules_of(desk, one.verdict)
        report = state.expect(one.report, r.SafeguardsReport)
        text = first_screen(get_blob(desk.store, report.document.blob).decode())
        said = "no longer hold" if one.lost else "lapse soon"
        words += [
            telling.Word(
                run_id=state.run_of_verdict(one.verdict),
                about=one.report,
                notice=f"safeguards {said}",
                to=office,
                subject=f"Redline: safeguards of {one.where} {said}",
                text=text,
            )
            for office in rules.policy.sign_off.roles
        ]
    return telling.send(desk, words)


def attestation_of(desk: Desk, report: Digest) -> str:
    """Where the notary's attestation of an approved report is; waits until it is there.

    Raises:
        Refused: the officers do not approve.
    """
    state = desk.state
    judgement = state.expect(report, r.SafeguardsReport).judgement.record
    judged = state.expect(judgement, r.SafeguardsJudgement)
    policy = safeguarding.rules_of(desk, judged.verdict.record).policy
    if not is_approved(state, policy, report):
        raise Refused(
            "not_approved",
            f"The officers did not approve the Safeguards Report {report} ({policy.sign_off.clause}"
            "). Nothing is attested; a rejection orders a hold on what rests on it.",
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
    found = desk.store.list(f"runs/{run_id}/attestations")
    return next((one for one in found if one.endswith(f"safeguards-{wanted}.json")), None)
