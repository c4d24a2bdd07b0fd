"""What the ledger says: a fold over its records in order (DESIGN I3, I4).

Pure and total: `apply` takes records that `include.rsp.admission` let in. The notary, every task
and the offline verifier build the same state from the same ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import UnknownReference
from include.rsp.run_state import RunState
from include.rsp.safeguard_evidence import SafeguardEvidence

T = TypeVar("T", bound=r.Record)


@dataclass(slots=True)
class AssessmentState:
    """One assessment: the counted record of each stage."""

    occasion: Digest
    plan: Digest | None = None
    preflight: Digest | None = None
    preliminary: Digest | None = None
    result_sets: dict[str, Digest] = field(default_factory=dict)
    validation: Digest | None = None
    review_requests: dict[str, Digest] = field(default_factory=dict)
    verdict: Digest | None = None
    last_progress: datetime | None = None


@dataclass(slots=True)
class LedgerState:
    """Everything that has been chained so far."""

    head: Digest | None = None
    last_at: datetime | None = None
    records: dict[Digest, r.Record] = field(default_factory=dict)
    index_of: dict[Digest, int] = field(default_factory=dict)
    trust: r.TrustRoot | None = None
    adoptions: dict[Digest, r.Adoption] = field(default_factory=dict)
    runs: dict[str, RunState] = field(default_factory=dict)
    assessments: dict[str, AssessmentState] = field(default_factory=dict)
    evidence: dict[Digest, SafeguardEvidence] = field(default_factory=dict)
    exemptions: dict[Digest, r.Exempted] = field(default_factory=dict)
    judgements: dict[Digest, r.SafeguardsJudgement] = field(default_factory=dict)
    drills: dict[Digest, r.Drill] = field(default_factory=dict)
    incidents: dict[Digest, r.Incident] = field(default_factory=dict)
    restatements: dict[Digest, r.Restatement] = field(default_factory=dict)
    approvals: dict[Digest, r.Approval] = field(default_factory=dict)
    answers: dict[Digest, dict[Digest, r.Answer]] = field(default_factory=dict)
    notifications: dict[Digest, r.Notification] = field(default_factory=dict)
    stop_checks: dict[Digest, dict[Digest, r.StopCheck]] = field(default_factory=dict)
    refusals: dict[Digest, r.Refusal] = field(default_factory=dict)
    replies: dict[Digest, Digest] = field(default_factory=dict)
    unanswered: dict[Digest, r.TrainingRun | r.PermitRequest] = field(default_factory=dict)
    refused: dict[str, Digest] = field(default_factory=dict)

    @property
    def adoption(self) -> tuple[Digest, r.Adoption] | None:
        """The adoption in force: the newest."""
        return next(reversed(self.adoptions.items()), None)

    @property
    def simulated(self) -> bool:
        """Whether any person of the trust root is simulated: then everything that follows is."""
        if self.trust is None:
            return True
        keys, accounts = self.trust.keys, self.trust.accounts
        return any(one.simulated for one in keys) or any(one.simulated for one in accounts)

    @property
    def length(self) -> int:
        """How many entries the ledger has; the next index."""
        return len(self.index_of)

    def get(self, digest: Digest) -> r.Record:
        """The chained record of that digest.

        Raises:
            UnknownReference: it is not in the ledger.
        """
        try:
            return self.records[digest]
        except KeyError:
            raise UnknownReference(
                f"No record {digest} in the ledger (its head is {self.head} with {self.length} "
                "entries). Only what the notary has chained counts."
            ) from None

    def expect(self, digest: Digest, kind: type[T]) -> T:
        """The chained record of that digest and kind; raises UnknownReference otherwise."""
        record = self.get(digest)
        if not isinstance(record, kind):
            raise UnknownReference(f"Record {digest} is a {record.kind} (expected {kind.__name__})")
        return record

    def run_of_verdict(self, verdict: Digest) -> str:
        """The training run that a verdict is about; raises UnknownReference when it is none."""
        return self.occasion(self.expect(verdict, r.Verdict).assessment_id).run_id

    def report_of(self, packet: Digest) -> r.CapabilityReport:
        """The report that a packet holds; raises UnknownReference when it is no packet."""
        closed = self.expect(packet, r.Packet)
        return self.expect(closed.report.record, r.CapabilityReport)

    def checkpoint_of(self, assessment_id: str) -> tuple[Digest, r.Checkpoint]:
        """(record digest, record) of the checkpoint that an assessment is about."""
        occasion = self.occasion(assessment_id)
        return occasion.checkpoint.record, self.expect(occasion.checkpoint.record, r.Checkpoint)

    def occasion(self, assessment_id: str) -> r.Occasion:
        """The occasion of an assessment; raises UnknownReference when there is none."""
        if assessment_id not in self.assessments:
            raise UnknownReference(
                f"No occasion for the assessment {assessment_id!r} is in the ledger. Let "
                "register_checkpoint raise it, or look up the id in its log."
            )
        return self.expect(self.assessments[assessment_id].occasion, r.Occasion)

    def apply(self, digest: Digest, record: r.Record, *, entry: Digest, at: datetime) -> None:
        """Count one more record; `entry` is the digest of its ledger entry, the new head."""
        self.index_of[digest] = self.length
        self.records[digest] = record
        self.head, self.last_at = entry, at
        self._count_in_general(digest, record)
        self._count_of_safeguards(digest, record)
        self._count_of_people(digest, record)
        self._count_in_adoptions(digest, record)
        self._count_in_run(digest, record)
        self._count_in_assessment(digest, record, at)

    def _count_in_general(self, digest: Digest, record: r.Record) -> None:
        match record:
            case r.TrustRoot():
                self.trust = record
            case r.Incident():
                self.incidents[digest] = record
            case r.Restatement():
                self.restatements[digest] = record
            case r.Refusal():
                self.refused[record.subject] = digest
                self.refusals[digest] = record
            case r.TrainingRun() | r.PermitRequest():
                self.unanswered[digest] = record
        if isinstance(record, r.Permit | r.Hold | r.Refusal) and record.reply_to:
            self.replies.setdefault(record.reply_to.record, digest)
            self.unanswered.pop(record.reply_to.record, None)

    def _count_of_safeguards(self, digest: Digest, record: r.Record) -> None:
        match record:
            case r.Evidence():
                self.evidence[digest] = record.evidence
            case r.Exempted():
                self.exemptions[digest] = record
            case r.SafeguardsJudgement():
                self.judgements[digest] = record
            case r.Drill():
                self.drills[digest] = record

    def _count_of_people(self, digest: Digest, record: r.Record) -> None:
        match record:
            case r.Answer():
                self.answers.setdefault(record.about.record, {})[digest] = record
            case r.Notification():
                self.notifications[digest] = record
            case r.StopCheck():
                self.stop_checks.setdefault(record.hold.record, {})[digest] = record

    def _count_in_adoptions(self, digest: Digest, record: r.Record) -> None:
        if isinstance(record, r.Approval):
            self.approvals[digest] = record
        if isinstance(record, r.Adoption):
            self.adoptions[digest] = record
            for run in self.runs.values():
                run.changed_at_index = self.length - 1

    def _count_in_run(self, digest: Digest, record: r.Record) -> None:
        if isinstance(record, r.TrainingRun):
            self.runs[record.run_id] = RunState(announcement=digest)
            return
        run = self.runs.get(self._run_id_of(record) or "")
        if run is None:
            return
        if isinstance(record, r.Verdict):
            compute = self.expect(record.checkpoint.record, r.Checkpoint).manifest
            run.next_due_flop = compute.effective_compute * record.decision.due_ratio
        if isinstance(record, r.Verdict | r.Hold | r.Permit | r.Revocation):
            run.changed_at_index = self.length - 1
        run.count(digest, record)

    def _count_in_assessment(self, digest: Digest, record: r.Record, at: datetime) -> None:
        if isinstance(record, r.Occasion):
            self.assessments[record.assessment_id] = AssessmentState(occasion=digest)
        assessment = self.assessments.get(getattr(record, "assessment_id", ""))
        if assessment is None:
            return
        assessment.last_progress = at
        match record:
            case r.Plan():
                assessment.plan = digest
            case r.Preflight():
                assessment.preflight = digest
            case r.Preliminary():
                assessment.preliminary = digest
            case r.ResultSet():
                assessment.result_sets[record.run.key] = digest
            case r.Validation():
                assessment.validation = digest
            case r.ReviewRequest():
                assessment.review_requests[record.run] = digest
            case r.Verdict():
                assessment.verdict = digest

    def _run_id_of(self, record: r.Record) -> str | None:
        match record:
            case r.Checkpoint():
                return record.manifest.run_id
            case r.Verdict():
                return self.occasion(record.assessment_id).run_id
            case r.Determination():
                return self.run_of_verdict(self.report_of(record.about.record).verdict.record)
            case r.Revocation():
                return self.expect(record.about.record, r.Permit).run_id
            case _:
                return getattr(record, "run_id", None)
