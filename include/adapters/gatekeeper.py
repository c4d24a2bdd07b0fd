"""Whether a record may be chained: what the ledger's state alone cannot tell (DESIGN I8).

The notary trusts no task. It looks every stored file up, checks every signature against the trust
root, and derives verdicts, judgements and packets again before it counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError

from include.adapters import adoption_check as adoption
from include.adapters import rederivation
from include.adapters.delivery_check import check_delivered
from include.adapters.people_check import PeopleCheck
from include.adapters.rerun_check import check_rerun
from include.adapters.review_requests import check_request
from include.adapters.safeguards_check import SafeguardsCheck
from include.adapters.store import Store, get_blob
from include.adapters.witness import Witness
from include.rsp import records as r
from include.rsp.admission import check_admissible, check_time
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.checkpoint import CheckpointManifest
from include.rsp.comparison import is_notable, screening
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.evaluation_plan import first_runs, planned
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.preliminary import screen
from include.rsp.reading import blobs
from include.rsp.results import Sample
from include.rsp.state import LedgerState

LONGEST_DELAY = timedelta(minutes=10)
PROMPT = (
    r.Proposal,
    r.PolicyReview,
    r.Approval,
    r.PolicyPublication,
    r.Plan,
    r.Preliminary,
    r.Validation,
    r.ReviewRequest,
    r.Verdict,
    r.InterimPlan,
    r.SafeguardsJudgement,
    r.SafeguardsReport,
    r.CapabilityReport,
    r.Packet,
    r.PermitRequest,
    r.StopCheck,
)
"""What is decided as of its own time, and so must reach the ledger soon after it."""

ANSWERED = ("checkpoint ", "proposal ", "results ")
"""What workers refuse in their own name; the notary refuses all else."""


class Gatekeeper:
    """Admits records that workers and people wrote."""

    def __init__(
        self,
        store: Store,
        rulebook: rederivation.RuleBook,
        *,
        witness: Witness | None = None,
        live: bool = True,
    ) -> None:
        self.store = store
        self.rulebook = rulebook
        self.people = PeopleCheck(store, rulebook, witness, live=live)
        self.safeguards = SafeguardsCheck(store, rulebook, live=live)

    def check(self, state: LedgerState, digest: Digest, record: r.Record, *, now: datetime) -> None:
        """Refuse a record that must not count.

        It may be chained only if (1) its kind is one that others than the notary write; (2) the
        ledger's state admits it; (3) its time fits; (4) every file it names is stored unchanged;
        (5) what it claims can be derived again or is signed by whom it must be.

        Raises:
            Refused, InvalidDocument: with the reason.
        """
        if record.kind in r.NOTARY_ONLY:  # (1)
            raise Refused("notary_only", f"Only the notary writes a {record.kind}.")
        check_admissible(state, digest, record)  # (2)
        check_time(state, record)  # (3)
        if record.at > now + CLOCK_TOLERANCE:
            raise Refused("clock_ahead", f"The record is dated {record.at}, in the future.")
        later_adoption = isinstance(record, r.Adoption) and state.adoption is not None
        prompt = isinstance(record, PROMPT) or later_adoption
        if prompt and record.at < now - LONGEST_DELAY:
            raise Refused(
                "back_dated",
                f"The {record.kind} is dated {record.at:%Y-%m-%d %H:%M:%S}, too long ago. Do the "
                "work again; what counts is decided as of now.",
            )
        for ref in blobs(record):  # (4)
            if len(get_blob(self.store, ref.blob)) != ref.bytes:
                raise Refused("wrong_length", f"File {ref.name} ({ref.blob}) has another length.")
        self._check_claim(state, record)  # (5)

    def _check_claim(self, state: LedgerState, record: r.Record) -> None:
        checks: dict[type[r.Record], Callable[[LedgerState, Any], None]] = {
            r.Adoption: self._check_adoption,
            r.Proposal: partial(adoption.check_proposal, self.rulebook),
            r.PolicyReview: partial(adoption.check_review, self.store, self.rulebook),
            r.Approval: partial(adoption.check_approval, self.rulebook),
            r.PolicyPublication: partial(adoption.check_publication, self.rulebook),
            r.Checkpoint: self._check_checkpoint,
            r.Plan: self._check_plan,
            r.Preliminary: self._check_preliminary,
            r.ResultSet: self._check_result_set,
            r.ReviewRequest: self._check_review_request,
            r.TranscriptReviewed: self.people.check_answer,
            r.Verdict: self._check_verdict,
            r.InterimPlan: self.safeguards.check_plan,
            r.SafeguardsJudgement: self.safeguards.check_judgement,
            r.SafeguardsReport: self.safeguards.check_report,
            r.SafeguardsApproval: self.people.check_answer,
            r.Drill: self.safeguards.check_drill,
            r.CapabilityReport: self.people.check_report,
            r.Packet: self.people.check_packet,
            r.Opinion: self.people.check_answer,
            r.Determination: self.people.check_answer,
            r.Receipt: self.people.check_answer,
            r.DeletionAnswer: self.people.check_answer,
            r.Revocation: self.people.check_answer,
            r.Notification: self.people.check_notification,
            r.StopCheck: self.people.check_stop,
            r.Restatement: self._check_restatement,
            r.Evidence: self.safeguards.check_evidence,
            r.Exempted: self.safeguards.check_exemption,
            r.Incident: _check_plain,
            r.Refusal: _check_plain,
        }
        check = checks.get(type(record))
        if check is not None:
            check(state, record)

    def _check_adoption(self, state: LedgerState, record: r.Adoption) -> None:
        if state.adoption is None:
            adoption.check_first(self.rulebook, state, record)
        else:
            adoption.check_next(self.store, self.rulebook, state, record)

    def _check_checkpoint(self, _: LedgerState, record: r.Checkpoint) -> None:
        content = get_blob(self.store, record.manifest_file.blob)
        try:
            declared = CheckpointManifest.model_validate_json(content)
        except ValidationError as error:
            raise InvalidDocument(f"The stored manifest does not read: {error}") from error
        if declared != record.manifest or digest_bytes(content) != record.digest:
            raise Refused("wrong_digest", "The record differs from the manifest that it names.")
        if record.location != f"{declared.run_id}/{declared.checkpoint_id}":
            raise Refused("wrong_name", f"The record calls it {record.location!r:.99}.")

    def _check_plan(self, state: LedgerState, record: r.Plan) -> None:
        """A plan for a comprehensive assessment is always allowed, any other must follow."""
        rules = self.rulebook.of_assessment(state, record.assessment_id)
        occasion = state.occasion(record.assessment_id)
        found = screen(state, rules.policy, rules.suite, occasion, at=record.at)
        if record.reference is not None and (record.reference.record, record.grounds) != (
            found.reference,
            found.grounds,
        ):
            raise Refused(
                "not_derivable",
                f"The plan compares with {record.reference.record} (expected {found.reference}).",
            )
        if record.reference is None and record.grounds not in ([], found.grounds):
            raise Refused("not_derivable", "The plan's grounds do not follow from the ledger.")
        if not state.index_of[record.occasion.record] <= record.ledger_index < state.length:
            raise Refused(
                "stale_index",
                f"The plan saw the ledger up to {record.ledger_index} (expected from its occasion "
                f"at {state.index_of[record.occasion.record]} to {state.length - 1}).",
            )
        _, checkpoint = state.checkpoint_of(record.assessment_id)
        first = rules.suite.evaluations if record.reference is None else screening(rules.suite)
        expected = [one.name for one in first_runs(first, checkpoint.variants)]
        if record.evaluations != expected:
            raise Refused(
                "not_derivable", f"The plan runs {record.evaluations} (expected {expected})."
            )
        if record.runs != planned(rules.suite, checkpoint.variants):
            raise Refused("not_derivable", "The plan's runs are not those that the suite asks for.")

    def _check_result_set(self, state: LedgerState, record: r.ResultSet) -> None:
        plan, run = state.expect(record.plan.record, r.Plan), record.run
        named = {one.name: one for one in plan.runs}
        if run.key not in named or named[run.key].evaluation != run.evaluation:
            raise Refused(
                "unplanned_run",
                f"The results are of {run.key!r}, {run.evaluation!r} (expected one of the plan's "
                f"runs, {sorted(named)}).",
            )
        evaluation = self.rulebook.of_assessment(state, record.assessment_id).suite.evaluation(
            run.evaluation
        )
        check_delivered(self.store, state, record, evaluation, named[run.key])
        check_rerun(self.store, state, record, evaluation, named[run.key])

    def _check_review_request(self, state: LedgerState, record: r.ReviewRequest) -> None:
        rules = self.rulebook.of_assessment(state, record.assessment_id)
        read = rederivation.reader_of(self.store, state)
        check_request(self.store, read, state, rules, record)

    def _check_preliminary(self, state: LedgerState, record: r.Preliminary) -> None:
        rules = self.rulebook.of_assessment(state, record.assessment_id)
        plan = state.expect(record.plan.record, r.Plan)
        grounds = rederivation.derive_grounds(
            self.store, state, rules, record.assessment_id, at=record.at
        )
        further = rules.suite.evaluations if is_notable(grounds) else []
        _, checkpoint = state.checkpoint_of(record.assessment_id)
        runs = first_runs(further, checkpoint.variants)
        expected = [one.name for one in runs if one.name not in plan.evaluations]
        if (grounds, is_notable(grounds), expected) != (
            record.grounds,
            record.notably_more_capable,
            record.evaluations,
        ):
            raise Refused("not_derivable", "The preliminary answer does not follow from its tests.")

    def _check_verdict(self, state: LedgerState, record: r.Verdict) -> None:
        rules = self.rulebook.of_assessment(state, record.assessment_id)
        counted = state.assessments[record.assessment_id]
        named = record.validation.record if record.validation else None
        checkpoint, _ = state.checkpoint_of(record.assessment_id)
        if named != counted.validation or record.checkpoint.record != checkpoint:
            raise Refused("not_derivable", "The verdict names another validation or checkpoint.")
        derived = rederivation.derive_decision(
            self.store, state, rules, record.assessment_id, at=record.at
        )
        decision = derived.decision
        forecasts = rederivation.derive_forecasts(state, rules, record.assessment_id, decision)
        said = (record.decision, record.forecasts, record.inherits)
        if (decision, forecasts, derived.inherits) != said:
            raise Refused(
                "not_derivable",
                f"The verdict of {record.assessment_id} says {record.decision.recommendation}; "
                f"from its evidence follows {decision.recommendation}. It does not count.",
            )

    def _check_restatement(self, state: LedgerState, record: r.Restatement) -> None:
        restated = state.expect(record.result_set.record, r.ResultSet)
        told = rederivation.read_samples(self.store, record.samples)
        if told is None:
            raise InvalidDocument(f"The restated samples {record.samples.blob} do not read.")
        counted = rederivation.reader_of(self.store, state)(restated)
        if counted is not None and _what_counts(counted) == _what_counts(told):
            raise Refused("nothing_restated", "The restated samples are those that were counted.")


def _what_counts(samples: Iterable[Sample]) -> Counter[tuple[object, ...]]:
    """What a finding follows from, whatever file it was read from."""
    return Counter(
        (one.sample_id, one.epoch, one.score, one.error, one.cluster, one.group, one.baseline)
        for one in samples
    )


def _check_plain(_: LedgerState, record: r.Incident | r.Refusal) -> None:
    """What can be told from the record itself."""
    if isinstance(record, r.Incident):
        if record.known_at > record.at + CLOCK_TOLERANCE:
            raise Refused("post_dated", "The incident is said to be known in the future.")
    elif record.reply_to is not None or not record.subject.startswith(ANSWERED):
        raise Refused("notary_only", "Only the notary refuses records and requests.")
