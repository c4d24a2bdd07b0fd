"""Whether what people are shown and what they said may be chained (DESIGN I5, I8)."""

from __future__ import annotations

from datetime import timedelta

from include.adapters.answer_check import check_identity
from include.adapters.heartbeats import look_at, looked_at
from include.adapters.rederivation import RuleBook
from include.adapters.report_page import page_of
from include.adapters.store import Store
from include.adapters.witness import Witness
from include.rsp import records as r
from include.rsp.answers import check_answer, verdict_of
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.capability_report import Subject, report_markdown
from include.rsp.determination import check_opinion_heard
from include.rsp.errors import Refused
from include.rsp.rules import Rules
from include.rsp.standstill import check_grace
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope


class PeopleCheck:
    """Admits reports, packets, answers, and what is said of them."""

    def __init__(
        self, store: Store, rulebook: RuleBook, witness: Witness | None, *, live: bool
    ) -> None:
        self.store, self.rulebook = store, rulebook
        self.witness, self.live = witness, live

    def rules_for(self, state: LedgerState, verdict: Digest | None) -> Rules:
        """The rules that a verdict was reached under; of none, those in force."""
        if verdict is not None:
            key = state.expect(verdict, r.Verdict).assessment_id
            return self.rulebook.of_assessment(state, key)
        rules = self.rulebook.in_force(state)
        if rules is None:
            raise Refused("no_policy", "No policy is in force.")
        return rules

    def check_report(self, state: LedgerState, record: r.CapabilityReport) -> None:
        """It is about what is newest, and says what follows from the records."""
        check_current(state, record)
        self._check_text(state, record, Subject.of(record), None)

    def check_packet(self, state: LedgerState, record: r.Packet) -> None:
        """Its report is current still, the second line was heard, and its text follows."""
        report = state.expect(record.report.record, r.CapabilityReport)
        check_current(state, report)
        rules = self.rules_for(state, report.verdict.record)
        opinion = check_opinion_heard(state, record, rules.policy)
        rule = rules.policy.sign_off
        hours = rule.second_line.answer_within_hours + rule.answer_within_hours
        if record.at > report.at + timedelta(hours=hours):
            raise Refused(
                "report_too_old",
                f"The report is of {report.at:%Y-%m-%d %H:%M}, more than {hours:g} hours old "
                f"({rule.second_line.clause}). Write it anew.",
            )
        self._check_text(state, record, Subject.of(report), opinion)

    def _check_text(
        self,
        state: LedgerState,
        record: r.CapabilityReport | r.Packet,
        about: Subject,
        opinion: r.Opinion | None,
    ) -> None:
        text = report_markdown(state, self.rules_for(state, about.verdict), about, opinion)
        shown = (digest_bytes(text.encode()), digest_bytes(page_of(text)))
        if shown != (record.document.blob, record.page.blob):
            raise Refused(
                "not_derivable", f"The {record.kind}'s text does not follow from the records."
            )

    def check_answer(self, state: LedgerState, record: r.Answer) -> None:
        """It may count, and it is shown who gave it."""
        about = state.records.get(record.about.record)
        if isinstance(about, r.ReviewRequest):
            rules = self.rulebook.of_assessment(state, about.assessment_id)
        else:
            rules = self.rules_for(state, verdict_of(state, record) if about else None)
        check_identity(state, record, rules.policy, self.witness, live=self.live)
        check_answer(state, record, rules)

    def check_notification(self, state: LedgerState, record: r.Notification) -> None:
        """It is about a run that is known."""
        if record.run_id not in state.runs:
            raise Refused("unknown_run", f"No training run {record.run_id!r} was announced.")

    def check_stop(self, state: LedgerState, record: r.StopCheck) -> None:
        """What it found follows from the ledger and from the newest heartbeat."""
        hold = state.expect(record.hold.record, r.Hold)
        rules = self.rulebook.in_force(state)
        if rules is None or hold.run_id != record.run_id or hold.scope is not Scope.TRAINING:
            raise Refused("not_derivable", "A stop is verified of a training hold of that run.")
        newest = next(reversed(state.stop_checks.get(record.hold.record, {}).values()), None)
        older = newest is not None and record.at < newest.at
        if older or record.ledger_index >= state.length:
            raise Refused("stale_index", "The stop was looked at again since. Look once more.")
        check_grace(state, record.hold.record, rules.policy, at=record.at)
        hold_digest, at = record.hold.record, record.at
        if self.live:
            found = look_at(self.store, state, hold_digest, at=at)
        else:
            found = looked_at(state, record)
        if found != (record.heartbeat, record.findings) or record.stands_still is bool(
            record.findings
        ):
            raise Refused("not_derivable", "What the stop check says does not follow.")


def check_current(state: LedgerState, report: r.CapabilityReport) -> None:
    """Refuse a report about a verdict or hold that another one replaced."""
    verdict = state.expect(report.verdict.record, r.Verdict)
    run = state.runs[state.run_of_verdict(report.verdict.record)]
    scope = report.purpose
    newest = run.newest_verdict[0] if run.newest_verdict else None
    if scope is Scope.DEPLOYMENT:
        newest = run.newest_verdict_on(verdict.checkpoint.record)
    if newest != report.verdict.record:
        raise Refused("not_newest_verdict", "The run has a newer verdict. Report on that one.")
    hold = report.hold.record if report.hold else None
    if hold != run.newest_hold(scope):
        raise Refused(
            "other_hold",
            f"The report is about the hold {hold}, the newest one in force is "
            f"{run.newest_hold(scope)}. Write it anew.",
        )
    judgement = report.judgement.record if report.judgement else None
    if judgement is not None:
        judged = state.expect(judgement, r.SafeguardsJudgement)
        if judged.verdict != report.verdict:
            raise Refused("wrong_judgement", "The judgement is about another verdict.")
