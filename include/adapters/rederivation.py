"""Deriving verdicts and judgements from chained records and stored files.

The same functions serve the task that decides, the notary that re-derives before it counts the
decision, and `rsp verify`, which recomputes everything (DESIGN I6, I8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import ValidationError

from include.adapters.catalogue_files import catalogues_of
from include.adapters.policy_files import read_policy, read_suite
from include.adapters.review_requests import Reader, review_of
from include.adapters.sample_table import read_table, to_samples
from include.adapters.store import Store, get_blob
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.comparison import Ground
from include.rsp.decision import Decision, decide
from include.rsp.errors import InvalidDocument
from include.rsp.finding import Evidence
from include.rsp.forecast import (
    Forecast,
    ForecastPoint,
    Where,
    forecast,
    nothing_to_forecast_from,
)
from include.rsp.preliminary import answer, conclude
from include.rsp.results import BlobRef, Sample, SampleTable
from include.rsp.review_parts import NotDue
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation, load_bearing


class RuleBook:
    """Policies and suites by the digests of their files, read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[tuple[Digest, Digest], Rules] = {}

    def rules(self, policy: Digest, suite: Digest) -> Rules:
        """The rules in the two stored files; raises InvalidDocument when they do not read."""
        if (policy, suite) not in self._known:
            law = read_policy(get_blob(self.store, policy), where=f"policy {policy}")
            self._known[policy, suite] = Rules(
                policy=law,
                suite=read_suite(get_blob(self.store, suite), where=f"suite {suite}"),
                catalogues=catalogues_of(law, lambda ref: get_blob(self.store, ref.sha256)),
            )
        return self._known[policy, suite]

    def of_assessment(self, state: LedgerState, assessment_id: str) -> Rules:
        """The rules that an assessment started with."""
        occasion = state.occasion(assessment_id)
        return self.rules(occasion.policy, occasion.suite)

    def of_verdict(self, state: LedgerState, verdict: Digest) -> Rules:
        """The rules that a verdict was reached under."""
        return self.of_assessment(state, state.expect(verdict, r.Verdict).assessment_id)

    def in_force(self, state: LedgerState) -> Rules | None:
        """The adopted rules, if any."""
        if state.adoption is None:
            return None
        return self.rules(state.adoption[1].policy.blob, state.adoption[1].suite.blob)


@dataclass(frozen=True, slots=True)
class Derived:
    """A decision, and the verdict that it was taken over from, if it was."""

    decision: Decision
    inherits: r.RecordRef | None


def derive_decision(
    store: Store, state: LedgerState, rules: Rules, assessment_id: str, *, at: datetime
) -> Derived:
    """The decision that follows from the counted result sets and their validation.

    After a preliminary assessment that finds nothing notable it is the one on the other model.
    """
    plan = state.expect(state.assessments[assessment_id].plan or "", r.Plan)
    own = _own_decision(store, state, rules, assessment_id, at=at)
    inherited = conclude(state, rules, plan, own, at=at)
    return Derived(own, None) if inherited is None else Derived(inherited, plan.reference)


def derive_grounds(
    store: Store, state: LedgerState, rules: Rules, assessment_id: str, *, at: datetime
) -> list[Ground]:
    """The grounds of a preliminary assessment, from results that were not validated yet."""
    plan = state.expect(state.assessments[assessment_id].plan or "", r.Plan)
    own = _own_decision(store, state, rules, assessment_id, at=at, validated=False)
    return answer(state, rules, plan, own.findings, at=at)


def _own_decision(
    store: Store,
    state: LedgerState,
    rules: Rules,
    assessment_id: str,
    *,
    at: datetime,
    validated: bool = True,
) -> Decision:
    _, checkpoint = state.checkpoint_of(assessment_id)
    evidence = stored_evidence(store, state, rules, assessment_id)
    if not validated:
        early = NotDue.BEFORE_VALIDATION
        evidence = {name: replace(one, valid=True, review=early) for name, one in evidence.items()}
    return decide(
        rules.policy,
        rules.suite,
        evidence,
        checkpoint=checkpoint.digest,
        checkpoint_at=checkpoint.manifest.created_at,
        at=at,
        variants=checkpoint.variants,
    )


def stored_evidence(
    store: Store, state: LedgerState, rules: Rules, assessment_id: str
) -> dict[str, Evidence]:
    """The counted result sets with their samples, and what validation and reviewers said."""
    assessment = state.assessments[assessment_id]
    valid: dict[str, bool] = {}
    validated: dict[str, Digest] = {}
    if assessment.validation is not None:
        validation = state.expect(assessment.validation, r.Validation)
        valid = dict(validation.valid)
        validated = {name: ref.record for name, ref in validation.result_sets.items()}
    read = reader_of(store, state)
    found = {}
    for name, digest in assessment.result_sets.items():
        result_set = state.expect(digest, r.ResultSet)
        found[name] = Evidence(
            run=result_set.run,
            samples=read(result_set),
            valid=valid.get(name) if validated.get(name) == digest else None,
            review=review_of(read, state, rules, assessment_id, name),
        )
    return found


PARQUET = b"PAR1"


def read_samples(
    store: Store, ref: BlobRef | None, *, scorer: str | None = None
) -> list[Sample] | None:
    """The samples in a stored table; None when there is none or it does not read.

    Args:
        scorer: whose scores count in a table that is read from a log; null: the only one.
    """
    if ref is None:
        return None
    try:
        content = get_blob(store, ref.blob)
        if content.startswith(PARQUET):
            return to_samples(read_table(content), scorer=scorer)
        return SampleTable.model_validate_json(content).samples
    except (InvalidDocument, ValidationError):
        return None


def reader_of(store: Store, state: LedgerState) -> Reader:
    """What reads the stored samples of a result set, with the scorer that its plan names."""

    def read(result_set: r.ResultSet) -> list[Sample] | None:
        plan = state.expect(result_set.plan.record, r.Plan)
        scorers = {one.name: one.scorer for one in plan.runs}
        run = result_set.run
        return read_samples(store, run.samples, scorer=scorers.get(run.key))

    return read


def derive_forecasts(
    state: LedgerState, rules: Rules, assessment_id: str, decision: Decision
) -> list[Forecast]:
    """For each red line and load-bearing evaluation: the headroom where the next assessment is due
    and at the ceiling, from the run's verdicts up to the plan's ledger index and this decision.
    Scores of another version of the evaluation are no points.
    """
    assessment = state.assessments[assessment_id]
    plan = state.expect(assessment.plan or "", r.Plan)
    _, checkpoint = state.checkpoint_of(assessment_id)
    compute = checkpoint.manifest.effective_compute
    run = state.runs[checkpoint.manifest.run_id]
    decisions = [
        (state.expect(verdict.checkpoint.record, r.Checkpoint).manifest.effective_compute, verdict)
        for digest, verdict in run.verdicts.items()
        if state.index_of[digest] <= plan.ledger_index
    ]
    history = [(at, verdict.decision) for at, verdict in decisions if at < compute]
    places: list[tuple[Where, float]] = [
        ("next_milestone", compute * decision.due_ratio),
        ("ceiling", compute * decision.ceiling_ratio),
    ]
    rows = []
    for line in rules.policy.red_lines:
        bearing = load_bearing(rules.suite, line.id)
        if not bearing:
            rows.append(nothing_to_forecast_from(line.id))
        for evaluation in bearing:
            points = [
                point
                for at, past in [*history, (compute, decision)]
                for point in _points(evaluation, past, at)
            ]
            rows += [
                forecast(evaluation, points, where=where, at_compute=at) for where, at in places
            ]
    return rows


def _points(evaluation: Evaluation, decision: Decision, at: float) -> list[ForecastPoint]:
    """The score of a decision's most capable variant, if there is one of this version."""
    scored = [
        ForecastPoint(effective_compute=at, value=one.value, n=one.n)
        for one in decision.findings
        if (one.evaluation, one.version) == (evaluation.id, evaluation.version)
        and one.value is not None
    ]
    return [max(scored, key=lambda one: one.value)] if scored else []


def derive_triggered(
    store: Store, state: LedgerState, rules: Rules, assessment_id: str, *, at: datetime
) -> list[str]:
    """The runs without a result whose triggers are not shown to be below, before validation.

    None where nothing may be evaluated: without a counted pre-flight, or where the model was found
    not to be notably more capable.
    """
    assessment = state.assessments[assessment_id]
    if assessment.preflight is None or _is_spared(state, assessment_id):
        return []
    own = _own_decision(store, state, rules, assessment_id, at=at, validated=False)
    there = assessment.result_sets
    waiting = {one.id for one in rules.suite.evaluations if one.runs_after}
    return [
        one.name
        for one in own.findings
        if one.evaluation in waiting and not one.not_run and one.name not in there
    ]


def _is_spared(state: LedgerState, assessment_id: str) -> bool:
    """Whether a preliminary assessment is planned and did not ask for the whole suite."""
    assessment = state.assessments[assessment_id]
    plan = state.expect(assessment.plan or "", r.Plan)
    if plan.reference is None:
        return False
    if assessment.preliminary is None:
        return True
    return not state.expect(assessment.preliminary, r.Preliminary).notably_more_capable
