"""Which records may be chained, as far as the ledger's own state can tell (DESIGN I3, I4, I8).

What needs more than the state (signatures, stored files, re-derivation) is in `include.notary`.
"""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.checkpoint import check_against_run
from include.rsp.errors import Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.occasion import assessment_id
from include.rsp.reading import references
from include.rsp.state import AssessmentState, LedgerState

COUNTED = (
    r.Plan, r.Preflight, r.Preliminary, r.ResultSet, r.Validation, r.ReviewRequest, r.Verdict,
)  # fmt: skip
"""The stages of an assessment; each has one place, which the first record chained holds."""


def check_admissible(state: LedgerState, digest: Digest, record: r.Record) -> None:
    """Refuse a record that contradicts what is chained already.

    It is admissible only if (1) the first record of all is a trust root and no other is;
    (2) every record that it names is chained; (3) it is not dated in the future of the ledger's
    order (`check_time`); (4) for a counted stage, no other record holds its place.

    Raises:
        Refused: with the rule's code.
    """
    if (state.length == 0) != isinstance(record, r.TrustRoot):  # (1)
        raise Refused("trust_root", "The first record must be the trust root, and only the first.")
    missing = [ref for ref in references(record) if ref not in state.records]  # (2)
    if missing:
        raise Refused(
            "unknown_reference",
            f"Record {digest} names {missing[0]}, which is not in the ledger. Write that first.",
        )
    if isinstance(record, r.Checkpoint):
        _check_checkpoint(state, record)
    if isinstance(record, r.Occasion):
        _check_occasion(state, record)
    if isinstance(record, r.TrainingRun) and record.run_id in state.runs:
        raise Refused("already_counted", f"Training run {record.run_id!r} is announced already.")
    if isinstance(record, COUNTED):
        _check_stage(state, record)  # (4)


def check_time(state: LedgerState, record: r.Record) -> None:
    """Refuse a record dated before the newest that it names (a clock went backwards)."""
    for ref in references(record):
        earlier = state.get(ref)
        if record.at < earlier.at - CLOCK_TOLERANCE:
            raise Refused(
                "clock_regress",
                f"The {record.kind} is dated {record.at:%H:%M:%S}, before the {earlier.kind} that "
                f"it names ({earlier.at:%H:%M:%S}). Correct the writer's clock.",
            )


def _check_checkpoint(state: LedgerState, record: r.Checkpoint) -> None:
    run = state.runs.get(record.manifest.run_id)
    if run is None:
        raise Refused(
            "unknown_run",
            f"Checkpoint {record.manifest.checkpoint_id!r} belongs to the training run "
            f"{record.manifest.run_id!r}, which was never announced. Announce the run first.",
        )
    if any(one.digest == record.digest for one in run.checkpoints.values()):
        raise Refused("already_counted", f"Checkpoint {record.digest} is registered already.")
    check_against_run(
        record.manifest, record.digest, [(o.digest, o.manifest) for o in run.checkpoints.values()]
    )


def _check_occasion(state: LedgerState, record: r.Occasion) -> None:
    if record.assessment_id in state.assessments:
        raise Refused("already_counted", f"Occasion {record.assessment_id} is raised already.")
    if state.adoption is None:
        raise Refused("no_policy", "No policy is in force. Adopt one with `rsp init`.")
    adopted = state.adoption[1]
    if (record.policy, record.suite) != (adopted.policy.blob, adopted.suite.blob):
        raise Refused(
            "unknown_policy",
            f"The occasion names policy {record.policy} and suite {record.suite} (expected the "
            f"adopted {adopted.policy.blob} and {adopted.suite.blob}).",
        )
    run = state.runs.get(record.run_id)
    if run is None or record.checkpoint.record not in run.checkpoints:
        raise Refused(
            "unknown_checkpoint",
            f"Checkpoint {record.checkpoint.record} is none of the run {record.run_id!r}.",
        )
    named = assessment_id(
        checkpoint=record.checkpoint.record,
        policy=record.policy,
        suite=record.suite,
        kind=record.occasion,
        reason=record.reason,
    )
    if named != record.assessment_id:
        raise Refused("wrong_id", f"The occasion is {named}, not {record.assessment_id}.")


def _check_stage(
    state: LedgerState,
    record: r.Plan
    | r.Preflight
    | r.Preliminary
    | r.ResultSet
    | r.Validation
    | r.ReviewRequest
    | r.Verdict,
) -> None:
    assessment = state.assessments.get(record.assessment_id)
    if assessment is None:
        raise Refused("unknown_assessment", f"No occasion for {record.assessment_id!r} is known.")
    counted = counted_in(assessment, record)
    if counted is not None:
        raise Refused(
            "already_counted",
            f"The {record.kind} of assessment {record.assessment_id} is counted already: {counted}",
        )
    if not isinstance(record, r.Plan) and record.plan.record != assessment.plan:
        raise Refused(
            "other_plan",
            f"The {record.kind} follows the plan {record.plan.record} (expected the counted one, "
            f"{assessment.plan}).",
        )
    if isinstance(record, r.ResultSet) and assessment.preflight is None:
        raise Refused(
            "no_preflight",
            f"Assessment {record.assessment_id} has results but no pre-flight. Nothing may be "
            "evaluated before its checks.",
        )


def counted_in(assessment: AssessmentState, record: r.Record) -> Digest | None:
    """The record that already holds the place which this one would take, if any."""
    if isinstance(record, r.ResultSet):
        counted = assessment.result_sets.get(record.run.key)
        replaced = record.replaces.record if record.replaces else None
        return None if counted == replaced else counted
    if isinstance(record, r.ReviewRequest):
        return assessment.review_requests.get(record.run)
    held: dict[type[r.Record], Digest | None] = {
        r.Plan: assessment.plan,
        r.Preflight: assessment.preflight,
        r.Preliminary: assessment.preliminary,
        r.Validation: assessment.validation,
        r.Verdict: assessment.verdict,
    }
    return held.get(type(record))
