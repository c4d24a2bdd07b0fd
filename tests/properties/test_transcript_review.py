"""A review takes a rule-out away and never gives one, whoever reads and whatever they leave out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from include.rsp.anomalies import Anomaly
from include.rsp.evaluation_plan import RunKey
from include.rsp.finding import SERIOUSNESS, EvaluationFinding, Evidence, find
from include.rsp.results import Sample
from include.rsp.review_parts import DrawnTrial, Heard, NotDue, Review, Selection, TranscriptReview
from include.rsp.suite import Evaluation
from include.rsp.transcript_review import drawn
from include.rsp.vocabulary import AnomalyKind, Finding, Impression
from tests.support.factories import CHECKPOINT, START, make_run, toy_suite
from tests.support.reviewing import RULE, with_review

N = 40
AT = START + timedelta(minutes=5)
DUE = AT + timedelta(hours=1)
METHODS = ("clopper_pearson@1", "cluster_wilson@1", "best_of@1", "pass_at_k@1")


def evaluation(method: str) -> Evaluation:
    def change(plain: dict[str, Any]) -> None:
        with_review(at_most=N, max_invalidated=0.5)(plain)
        limits = {"rule_out": 0.6, "rule_in": 0.7, "buffer": 0.05}
        plain["evaluations"][0] |= {
            "dataset_samples": N, "minimum_samples": 20, "max_error_rate": 0.1, "limits": limits,
            "method": method, "k": 1 if method == "pass_at_k@1" else None,
        }  # fmt: skip

    return toy_suite(change).evaluations[0]


EVALUATIONS = {one: evaluation(one) for one in METHODS}


def samples(right: list[bool], errors: set[int], method: str) -> list[Sample]:
    return [
        Sample(
            sample_id=f"p{n:02d}",
            epoch=1,
            score=None if n in errors else float(one),
            error="lost" if n in errors else None,
            cluster=f"c{n // 4}" if method == "cluster_wilson@1" else None,
            group=("early", "late")[n % 2] if method == "best_of@1" else None,
        )
        for n, one in enumerate(right)
    ]


def found(rule: Evaluation, rows: list[Sample], review: Review | NotDue) -> EvaluationFinding:
    evidence = Evidence(run=make_run(rule), samples=rows, valid=True, review=review)
    key = RunKey(name=rule.id, evaluation=rule.id, variant=None)
    times = {"checkpoint_at": START, "at": AT}
    return find(rule, key, evidence, checkpoint=CHECKPOINT, **times)


def place(one: EvaluationFinding) -> int:
    assert one.finding is not None
    return SERIOUSNESS.index(one.finding)


answers = st.builds(
    Heard,
    office=st.sampled_from(["board", "board", "rso"]),
    at=st.sampled_from([AT, AT, DUE + timedelta(seconds=1)]),
    impression=st.sampled_from([*[Impression.NOTHING] * 4, *Impression]),
    reason=st.just("read"),
    invalid=st.dictionaries(st.integers(1, N + 2), st.just("it was down"), max_size=N),
)
rights = st.lists(st.booleans(), min_size=N, max_size=N) | st.integers(0, N).map(
    lambda n: [one < n for one in range(N)]
)


@settings(max_examples=500, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    right=rights,
    errors=st.sets(st.integers(0, N - 1), max_size=4),
    heard=st.lists(answers, max_size=3),
    unread=st.sampled_from([0, 0, 0, 1]),
)
def test_no_review_makes_a_finding_milder_than_the_scores(
    method: str, right: list[bool], errors: set[int], heard: list[Heard], unread: int
) -> None:
    rule = EVALUATIONS[method]
    assert rule.review is not None
    rows = samples(right, errors, method)
    trials = [DrawnTrial(sample_id=one.sample_id, epoch=1, because="lot") for one in rows]
    chosen = Selection(trials, unread, [])
    review = Review(rule=rule.review, selection=chosen, asked=trials, due=DUE, heard=heard)
    before, after = found(rule, rows, NotDue.BEFORE_VALIDATION), found(rule, rows, review)
    assert place(after) >= place(before)
    if before.finding is Finding.CROSSED:
        assert after.finding is Finding.CROSSED
    counted = [one for one in heard if one.office == "board" and one.at <= DUE]
    if not counted or unread:
        assert after.finding in (Finding.INCONCLUSIVE, Finding.CROSSED)
    longer = replace(review, heard=[*heard, Heard("board", AT, Impression.NOTHING, "read", {})])
    if counted:  # who speaks later takes nothing of it back
        assert place(found(rule, rows, longer)) >= place(after)


rules = st.builds(
    lambda share, least, most: TranscriptReview.model_validate(
        RULE | {"share": share, "at_least": min(least, most), "at_most": most}
    ),
    share=st.floats(0, 1),
    least=st.integers(0, 30),
    most=st.integers(1, 30),
)
oddities = st.builds(
    lambda kind, number: Anomaly(
        kind=kind,
        sample_id=None if number is None else f"p{number:02d}",
        epoch=None if number is None else 1,
        because="odd",
    ),
    kind=st.sampled_from(AnomalyKind),
    number=st.none() | st.integers(0, N + 1),
)


@settings(max_examples=300, deadline=None)
@given(
    rule=rules,
    odd=st.lists(oddities, max_size=30),
    order=st.permutations(range(N)),
    plan=st.sampled_from(["a", "b"]),
)
def test_what_has_to_be_read_is_read_or_counted_as_unread(
    rule: TranscriptReview, odd: list[Anomaly], order: list[int], plan: str
) -> None:
    rows = samples([False] * N, set(), "")
    digest = "sha256:" + plan * 64
    chosen = drawn(digest, "run", rows, rule, odd)
    assert drawn(digest, "run", [rows[one] for one in order], rule, odd) == chosen
    read = [one.trial for one in chosen.trials]
    assert len(set(read)) == len(read) <= rule.at_most
    meant = [one for one in odd if one.kind in rule.triggers]
    wanted = {(one.sample_id, 1) for one in meant if one.sample_id is not None}
    left = wanted - set(read)
    assert chosen.unread >= len(left)
    if chosen.unread == 0:
        assert wanted <= set(read)
        assert len(read) >= rule.by_lot(N)
    if any(one.sample_id is None for one in meant):
        assert len(read) == min(rule.at_most, N)
