"""People: the report, the second line, the packet, the signatures, and what follows from them.

Lifecycle steps 13 to 17, 26 and 28. Nothing here decides: answers are written down as they came,
and the notary checks each of them and derives again what may follow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from include.adapters import answers
from include.adapters.report_page import page_of
from include.adapters.store import get_blob, put_blob
from include.rsp import records as r
from include.rsp.answers import answers_on, determinations_on
from include.rsp.canonical import Digest
from include.rsp.capability_report import Subject, report_markdown
from include.rsp.determination import Determined, check_determined
from include.rsp.duties import Notice
from include.rsp.errors import Refused
from include.rsp.judgement import suffices
from include.rsp.notices import missing_receipts
from include.rsp.people_parts import Response
from include.rsp.rules import Rules
from include.rsp.vocabulary import Choice, Scope, View
from include.wiring.desk import Desk

log = logging.getLogger("redline.signing_off")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who started what leads to a report, and why."""

    by: str
    because: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered human task, as Airflow handed it on."""

    dag_id: str
    dag_run_id: str
    task_id: str
    user: str
    answered_at: datetime
    options: list[str]
    params: Mapping[str, Any]
    map_index: int = -1


def rules_of(desk: Desk, verdict: Digest) -> Rules:
    """The policy and suite that a verdict was reached under."""
    state = desk.state
    return desk.rulebook.of_assessment(state, state.expect(verdict, r.Verdict).assessment_id)


def write_report(
    desk: Desk,
    verdict: Digest,
    judgement: Digest | None,
    *,
    purpose: Literal[Scope.TRAINING, Scope.DEPLOYMENT],
    asked: Asked,
) -> tuple[Digest, str]:
    """Write the Capability Report on a verdict; (digest, text)."""
    state = desk.state
    run = state.runs[state.run_of_verdict(verdict)]
    about = Subject(
        verdict=verdict,
        judgement=judgement,
        hold=run.newest_hold(purpose),
        purpose=purpose,
        asked_by=asked.by,
        asked_because=asked.because,
    )
    text = report_markdown(state, rules_of(desk, verdict), about)
    digest = desk.submit(
        r.CapabilityReport(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            purpose=purpose,
            verdict=r.RecordRef(record=verdict),
            judgement=_ref(judgement),
            hold=_ref(about.hold),
            document=put_blob(desk.store, text.encode(), name="capability-report.md"),
            page=put_blob(desk.store, page_of(text), name="capability-report.html"),
            asked_by=asked.by,
            asked_because=asked.because,
        )
    )
    return digest, text


def _ref(digest: Digest | None) -> r.RecordRef | None:
    return r.RecordRef(record=digest) if digest else None


def record_answer(
    desk: Desk, kind: str, about: Digest, office: str, given: Answered, **more: Any
) -> Digest:
    """Write down what a person answered, with their signature or else with Airflow's word.

    Raises:
        Refused: the answer may not count; the notary's refusal says why.
    """
    pasted = given.params.get("signature")
    if pasted:
        envelope = answers.read_signature(str(pasted))
        record = answers.signed_record(desk.state.trust, kind, about, envelope, at=desk.now())
        if record.office != office:
            raise Refused(
                "wrong_office",
                f"Signed for the {record.office} (expected the {office}, whose task it is).",
            )
    else:
        said = r.AirflowAnswer(
            dag_id=given.dag_id, dag_run_id=given.dag_run_id, task_id=given.task_id,
            user=given.user, options=given.options, params=dict(given.params),
            map_index=given.map_index,
        )  # fmt: skip
        record = answers.attested_record(
            desk.state.trust, kind, about, office, said,
            answered_at=given.answered_at, at=desk.now(), **more,
        )  # fmt: skip
    known = _same(desk, record)
    return known or desk.submit(record)


def _same(desk: Desk, record: r.Answer) -> Digest | None:
    """The chained answer that says the same: a retry of the task writes nothing new."""
    for digest, one in desk.state.answers.get(record.about.record, {}).items():
        if type(one) is type(record) and one.said() == record.said():
            return digest
    return None


def close_packet(desk: Desk, report: Digest) -> tuple[Digest, str] | None:
    """Close the packet once the second line was heard; None if it needs more or is silent."""
    state = desk.state
    written = state.expect(report, r.CapabilityReport)
    rules = rules_of(desk, written.verdict.record)
    office = rules.policy.sign_off.second_line.office
    heard = answers_on(state, report, r.Opinion).get(office)
    if heard is None:
        log.warning("The %s has given no opinion: nothing can be signed.", office)
        return None
    opinion = state.expect(heard, r.Opinion)
    if opinion.choice is View.NEED_MORE:
        log.warning("The %s needs more: %s", office, opinion.reason)
        return None
    text = report_markdown(state, rules, Subject.of(written), opinion)
    digest = desk.submit(
        r.Packet(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            report=r.RecordRef(record=report),
            opinion=r.RecordRef(record=heard),
            document=put_blob(desk.store, text.encode(), name="packet.md"),
            page=put_blob(desk.store, page_of(text), name="packet.html"),
        )
    )
    return digest, text


def text_of(desk: Desk, digest: Digest) -> str:
    """The text of a report or a packet."""
    record = desk.state.get(digest)
    if not isinstance(record, r.CapabilityReport | r.Packet):
        raise Refused("wrong_subject", f"{digest} is a {record.kind}, nothing that is shown.")
    return get_blob(desk.store, record.document.blob).decode()


def determined(desk: Desk, packet: Digest) -> Determined | None:
    """What the officers determined, if they let something go on; None: they do not."""
    state = desk.state
    rules = rules_of(desk, state.report_of(packet).verdict.record)
    try:
        return check_determined(state, packet, rules, at=desk.now())
    except Refused as refusal:
        log.warning("[%s] %s", refusal.code, refusal.message)
        return None


def goes_on(desk: Desk, packet: Digest) -> bool:
    """Whether a permit may be asked for: people let it go on, and there is something to rest on."""
    said = determined(desk, packet)
    if said is None:
        return False
    state = desk.state
    report = state.report_of(packet)
    verdict = state.expect(report.verdict.record, r.Verdict)
    named = report.judgement
    judgement = state.expect(named.record, r.SafeguardsJudgement) if named else None
    return said.below or suffices(verdict, judgement)


def chosen_responses(desk: Desk, packet: Digest) -> list[Response]:
    """The responses of the policy that the officers chose on a packet."""
    state = desk.state
    rules = rules_of(desk, state.report_of(packet).verdict.record)
    named = {one.response for one in determinations_on(state, packet).values()}
    return [one for one in rules.policy.responses if one.id in named]


def next_signer(desk: Desk, packet: Digest) -> str | None:
    """The office whose turn it is; None: all that is needed is there, or somebody said no."""
    state = desk.state
    rule = rules_of(desk, state.report_of(packet).verdict.record).policy.sign_off
    said = determinations_on(state, packet)
    stricter = any(one.choice is Choice.STRICTER for one in said.values())
    if stricter or len(said) >= rule.needed:
        return None
    return next((office for office in rule.roles if office not in said), None)


def receipts_to_come(desk: Desk, packet: Digest) -> list[tuple[Notice, str]]:
    """(notice, office) of every receipt that must be there before a permit and is not."""
    said = determined(desk, packet)
    waived = said.not_applicable if said else frozenset[str]()
    state = desk.state
    policy = rules_of(desk, state.report_of(packet).verdict.record).policy
    return missing_receipts(state, policy, packet, waived=waived)


def ask_for_permit(desk: Desk, packet: Digest) -> tuple[Digest, r.Permit]:
    """Ask the notary for what the officers determined.

    Raises:
        Refused: the notary says why not.
    """
    state = desk.state
    report = state.report_of(packet)
    run_id = state.run_of_verdict(report.verdict.record)
    for digest, permit in state.runs[run_id].permits.items():
        if permit.purpose is report.purpose and r.RecordRef(record=packet) in permit.basis:
            return digest, permit
    digest = desk.ask(
        r.PermitRequest(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            purpose=report.purpose,
            run_id=run_id,
            verdict=report.verdict,
            packet=r.RecordRef(record=packet),
            hold=report.hold,
            seen_index=state.length - 1,
        )
    )
    return digest, desk.state.expect(digest, r.Permit)
