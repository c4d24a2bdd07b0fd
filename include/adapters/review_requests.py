"""Deriving reviews from chained records and stored files, for the task and for the notary alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from include.adapters.store import Store, get_blob
from include.adapters.transcripts import read_transcripts
from include.rsp import records as r
from include.rsp.anomalies import Anomaly, Compared, Scored, anomalies
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.errors import Refused
from include.rsp.results import Sample
from include.rsp.review_parts import Review, Selection, TranscriptReview
from include.rsp.reviews import evaluation_of, heard_on, reviewer_for
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.transcript_review import drawn
from include.rsp.transcript_text import extract

Reader = Callable[[r.ResultSet], list[Sample] | None]
"""The stored samples of a result set; None: there are none, or they do not read."""
OTHERS = 20
"""Newest results of other checkpoints that a result is compared with."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a request for a review has to say."""

    rule: TranscriptReview
    result_set: Digest
    selection: Selection
    office: str
    text: str


def review_of(
    read: Reader, state: LedgerState, rules: Rules, assessment_id: str, run: str
) -> Review | None:
    """All that is known of the review of a counted run; None: the suite asks for none."""
    assessment = state.assessments[assessment_id]
    evaluation = evaluation_of(state, assessment.plan or "", run, rules)
    if evaluation.review is None:
        return None
    counted = state.expect(assessment.result_sets[run], r.ResultSet)
    samples = read(counted)
    selection = (
        None
        if samples is None
        else select(read, state, evaluation, assessment_id, run=run, samples=samples)
    )
    digest = assessment.review_requests.get(run)
    if digest is None:
        return Review(rule=evaluation.review, selection=selection)
    request = state.expect(digest, r.ReviewRequest)
    return Review(
        rule=evaluation.review,
        selection=selection,
        asked=request.trials,
        due=request.due,
        heard=heard_on(state, digest),
    )


def select(
    read: Reader,
    state: LedgerState,
    evaluation: Evaluation,
    assessment_id: str,
    *,
    run: str,
    samples: list[Sample],
) -> Selection:
    """What has to be read of a counted run: it follows from the plan, the results and the suite."""
    if evaluation.review is None:
        raise Refused("no_review", f"The suite asks for no review of {evaluation.id!r}.")
    plan = state.assessments[assessment_id].plan or ""
    found = anomalies_of(read, state, evaluation, assessment_id, run=run, samples=samples)
    return drawn(plan, run, samples, evaluation.review, found)


def anomalies_of(
    read: Reader,
    state: LedgerState,
    evaluation: Evaluation,
    assessment_id: str,
    *,
    run: str,
    samples: list[Sample],
) -> list[Anomaly]:
    """What a person has to look at in a counted run, beside earlier results that the plan knew."""
    _, checkpoint = state.checkpoint_of(assessment_id)
    mine, others = _others(read, state, evaluation, assessment_id, run)
    return anomalies(
        evaluation,
        Scored.of(samples),
        checkpoint=checkpoint.digest,
        earlier=mine[0] if mine else None,
        others=[*mine, *others],
    )


def _others(
    read: Reader, state: LedgerState, evaluation: Evaluation, assessment_id: str, run: str
) -> tuple[list[Compared], list[Compared]]:
    """Results of the same planned run that the plan could know: (of this training run, of others),
    the newest first. Those of this very checkpoint are none of them.
    """
    plan = state.expect(state.assessments[assessment_id].plan or "", r.Plan)
    here = state.occasion(assessment_id)
    known = [
        (state.index_of[digest], key, state.expect(digest, r.ResultSet))
        for key, one in state.assessments.items()
        if (digest := one.result_sets.get(run)) and state.index_of[digest] <= plan.ledger_index
    ]
    mine: list[Compared] = []
    others: list[Compared] = []
    for _, key, found in sorted(known, key=lambda one: -one[0])[:OTHERS]:
        occasion, (_, checkpoint) = state.occasion(key), state.checkpoint_of(key)
        samples, other = read(found), found.run
        same = (other.evaluation, other.evaluation_version) == (evaluation.id, evaluation.version)
        if not same or samples is None or occasion.checkpoint == here.checkpoint:
            continue
        compared = Compared(checkpoint.digest, checkpoint.location, Scored.of(samples))
        (mine if occasion.run_id == here.run_id else others).append(compared)
    return mine, others


def runs_to_review(read: Reader, state: LedgerState, rules: Rules, assessment_id: str) -> list[str]:
    """The counted, valid runs whose transcripts somebody has to read, in the plan's order."""
    assessment = state.assessments[assessment_id]
    if assessment.validation is None or assessment.plan is None:
        return []
    valid = state.expect(assessment.validation, r.Validation).valid
    found = []
    for one in state.expect(assessment.plan, r.Plan).runs:
        if one.name not in assessment.result_sets or valid.get(one.name) is not True:
            continue
        review = review_of(read, state, rules, assessment_id, one.name)
        if review is not None and review.selection is not None and review.selection.trials:
            found.append(one.name)
    return found


def draft(
    store: Store, read: Reader, state: LedgerState, rules: Rules, assessment_id: str, run: str
) -> Draft:
    """What has to be read of a run, by whom, and the text that is shown.

    Raises:
        Refused: the suite asks for no review, nothing of it has to be read, there is no log, or
            nobody may review it.
        InvalidDocument: the log does not read.
    """
    assessment = state.assessments[assessment_id]
    evaluation = evaluation_of(state, assessment.plan or "", run, rules)
    if evaluation.review is None or run not in assessment.result_sets:
        raise Refused("no_review", f"No review of the transcripts of {run!r} is asked for.")
    counted = state.expect(assessment.result_sets[run], r.ResultSet)
    samples = read(counted)
    if samples is None or counted.run.log is None:
        raise Refused(
            "no_transcripts",
            f"{run!r} has no {'samples' if samples is None else 'log'}, so nobody can review its "
            "transcripts: nothing is ruled out by it. Evaluate it with an engine that keeps a log.",
        )
    chosen = select(read, state, evaluation, assessment_id, run=run, samples=samples)
    if not chosen.trials:
        raise Refused("no_review", f"No transcript of {run!r} has to be read.")
    office = reviewer_for(state, rules, evaluation.review, assessment_id=assessment_id, run=run)
    content = get_blob(store, counted.run.log.blob)
    found = read_transcripts(content, [one.trial for one in chosen.trials])
    return Draft(
        rule=evaluation.review,
        result_set=assessment.result_sets[run],
        selection=chosen,
        office=office,
        text=extract(run, chosen, found, counted.run.log),
    )


def check_request(
    store: Store, read: Reader, state: LedgerState, rules: Rules, record: r.ReviewRequest
) -> None:
    """Refuse a request that is not the one which follows from the records.

    It may be chained only if (1) the run's results were validated as they are counted, and found
    valid; (2) trials, reasons, excess, reviewer and time are those that follow; (3) the text that
    the reviewer is shown is the one that follows from the stored log.

    Raises:
        Refused, InvalidDocument: with the reason.
    """
    assessment = state.assessments[record.assessment_id]
    validation = state.expect(record.validation.record, r.Validation)
    validated = validation.result_sets.get(record.run)
    if (
        record.validation.record != assessment.validation
        or validated != record.result_set
        or validation.valid.get(record.run) is not True
    ):  # (1)
        raise Refused(
            "not_validated", f"The results of {record.run!r} are not those that were found valid."
        )
    follows = draft(store, read, state, rules, record.assessment_id, record.run)
    said = (record.result_set.record, record.trials, record.unread, record.alerts, record.office)
    chosen = follows.selection
    expected = (
        follows.result_set, list(chosen.trials), chosen.unread, list(chosen.alerts), follows.office,
    )  # fmt: skip
    due = record.at + timedelta(hours=follows.rule.within_hours)
    if said != expected or record.due != due:  # (2)
        raise Refused(
            "not_derivable",
            f"The request for {record.run!r} asks for other transcripts, another reviewer or "
            "another time than follow from the plan, the results and the suite.",
        )
    if record.document.blob != digest_bytes(follows.text.encode()):  # (3)
        raise Refused(
            "not_derivable",
            f"The text for the reviewer of {record.run!r} is not what the stored log says.",
        )
