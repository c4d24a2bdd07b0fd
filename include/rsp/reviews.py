"""The reviews of transcripts that the ledger knows: who may be asked, and what was said."""

from __future__ import annotations

import hashlib
from datetime import datetime

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.review_parts import Heard, TranscriptReview
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import KeyRole


def authors_of_run(state: LedgerState, run_id: str, rules: Rules) -> dict[str, str]:
    """By holder, what a person made of that which is judged: the run, the evaluations."""
    announced = state.expect(state.runs[run_id].announcement, r.TrainingRun)
    return {announced.by: "trains the run"} | dict.fromkeys(
        rules.suite.authors, "wrote the evaluation set"
    )


def authors_of_results(
    state: LedgerState, rules: Rules, *, assessment_id: str, run: str
) -> dict[str, str]:
    """By holder, what a person made of that which a review judges: also the results themselves."""
    authors = authors_of_run(state, state.occasion(assessment_id).run_id, rules)
    counted = state.assessments[assessment_id].result_sets.get(run)
    delivered = state.expect(counted, r.ResultSet).run.delivered if counted else None
    return authors | ({delivered.holder: "delivered the results"} if delivered else {})


def evaluation_of(state: LedgerState, plan: Digest, run: str, rules: Rules) -> Evaluation:
    """The evaluation that a planned run is of; raises Refused when the plan has no such run."""
    planned = {one.name: one for one in state.expect(plan, r.Plan).runs}
    if run not in planned:
        raise Refused(
            "unplanned_run", f"{run!r} is no run of the plan (expected one of {sorted(planned)})."
        )
    return rules.suite.evaluation(planned[run].evaluation)


def rule_for(state: LedgerState, request: r.ReviewRequest, rules: Rules) -> TranscriptReview:
    """What the suite asks of this review; raises Refused when it asks for none."""
    evaluation = evaluation_of(state, request.plan.record, request.run, rules)
    if evaluation.review is None:
        raise Refused(
            "no_review", f"The suite asks for no review of the transcripts of {evaluation.id!r}."
        )
    return evaluation.review


def reviewer_for(
    state: LedgerState, rules: Rules, rule: TranscriptReview, *, assessment_id: str, run: str
) -> str:
    """The office that is asked: one by lot of those whose holder made nothing of what is judged.

    The lot follows from the plan, so nobody chooses the reviewer either.

    Raises:
        Refused: nobody could answer who may.
    """
    plan = state.assessments[assessment_id].plan or ""
    authors = authors_of_results(state, rules, assessment_id=assessment_id, run=run)
    able = [
        office
        for office in sorted(rule.reviewers)
        if (holders := _holders(state, office)) and not holders & set(authors)
    ]
    if not able:
        raise Refused(
            "no_reviewer",
            f"None of {', '.join(rule.reviewers)} could review the transcripts of {run!r}: "
            "nobody in the trust root holds the office without having made what is judged. "
            "Nothing is ruled out by it until somebody does.",
        )
    return min(able, key=lambda one: hashlib.sha256(f"{plan} {run} {one}".encode()).digest())


def _holders(state: LedgerState, office: str) -> set[str]:
    """Whoever may answer for an office, by key or by account."""
    trust = state.trust
    if trust is None:
        return set()
    keys = {one.holder for one in trust.keys if (one.role, one.office) == (KeyRole.OFFICER, office)}
    return keys | {one.holder for one in trust.accounts if one.office == office}


def heard_on(state: LedgerState, request: Digest) -> list[Heard]:
    """What reviewers answered to a request, in the order of the ledger."""
    return [
        Heard(
            office=one.office,
            at=one.signed_at,
            impression=one.choice,
            reason=one.reason,
            invalid=one.reasons,
        )
        for one in state.answers.get(request, {}).values()
        if isinstance(one, r.TranscriptReviewed)
    ]


def is_being_read(state: LedgerState, assessment_id: str, *, at: datetime) -> bool:
    """Whether an assessment waits for a reviewer whose time is not over."""
    assessment = state.assessments[assessment_id]
    if assessment.verdict is not None:
        return False
    asked = {
        digest: state.expect(digest, r.ReviewRequest)
        for digest in assessment.review_requests.values()
    }
    return any(at <= one.due and not heard_on(state, digest) for digest, one in asked.items())


def check_review(state: LedgerState, record: r.TranscriptReviewed, rules: Rules) -> None:
    """Refuse what a reviewer says that cannot be meant, or that comes too late to count.

    It may be counted only if (1) the suite asks this office; (2) the assessment has no verdict
    yet; (3) each trial that it invalidates was shown, and is named once.

    Raises:
        Refused: with the rule's code.
    """
    request = state.expect(record.about.record, r.ReviewRequest)
    rule = rule_for(state, request, rules)
    if record.office not in rule.reviewers:  # (1)
        raise Refused(
            "wrong_office",
            f"The {record.office} reviews no transcripts of {request.run!r} (expected "
            f"{' or '.join(rule.reviewers)}).",
        )
    if state.assessments[request.assessment_id].verdict is not None:  # (2)
        raise Refused(
            "already_decided",
            f"The assessment {request.assessment_id} has its verdict. Report what you saw as an "
            "incident (`rsp report incident`): then the checkpoint is assessed again.",
        )
    shown = len(request.trials)
    beyond = [number for number in record.reasons if number > shown]
    if beyond or len(record.reasons) != len(record.invalid):  # (3)
        raise Refused(
            "not_shown",
            f"Invalidated {', '.join(record.invalid)} (expected each of 1 to {shown} at most "
            "once, as `number: reason`).",
        )
