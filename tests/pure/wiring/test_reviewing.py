"""People read transcripts before results count; attacks on that are refused by the notary."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters import answers
from include.adapters.rederivation import reader_of
from include.adapters.review_requests import draft, review_of
from include.adapters.store import get_blob, put_blob
from include.adapters.verification import verify_store
from include.cli import main as command
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes, digest_of
from include.rsp.errors import NotaryUnreachable, Refused
from include.rsp.human_tasks import REVIEW
from include.rsp.results import Sample
from include.rsp.vocabulary import Finding, Outcome, RedLineStatus
from include.wiring import assessment, registration, reviewing
from include.wiring.signing_off import Answered
from tests.support.factories import ADDITION, POLICY_BYTES, changed
from tests.support.people import signed
from tests.support.refusing import refused
from tests.support.reviewing import asked, evaluated, read, reviewed_suite, verdict
from tests.support.stand_in_airflow import DAG, DAG_RUN, StandInAirflow
from tests.support.world import RUN, World


@pytest.fixture
def reviewed(tmp_path: Path) -> World:
    """A world whose suite wants transcripts of the red line's evaluation read."""
    return World(tmp_path, suite=reviewed_suite())


def problems(found: r.Verdict) -> str:
    return "; ".join(one for each in found.decision.findings for one in each.problems)


def test_read_and_nothing_suspicious_continues_and_can_be_verified(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    read(reviewed, request)
    assert reviewing.open_reviews(reviewed.desk, key) == []
    found = verdict(reviewed, key)
    assert found.decision.recommendation is Outcome.CONTINUE
    assert assessment.request_permit(reviewed.desk, key)
    assert verify_store(reviewed.store).problems == []


def test_what_nobody_read_is_not_ruled_out(reviewed: World) -> None:
    key = evaluated(reviewed)
    asked(reviewed, key)
    found = verdict(reviewed, key)
    assert found.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert "were not reviewed yet" in problems(found)
    assert verify_store(reviewed.store).problems == []


def test_what_the_results_flag_is_put_to_people_first(reviewed: World) -> None:
    key = evaluated(reviewed)
    state = reviewed.state
    stored = reader_of(reviewed.store, state)

    def flagged(result_set: r.ResultSet) -> list[Sample] | None:
        return [
            one.model_copy(update={"flags": ["sandbagging"]}) if one.sample_id == "p0150" else one
            for one in stored(result_set) or []
        ]

    rules = reviewed.desk.rulebook.of_assessment(state, key)
    made = draft(reviewed.store, flagged, state, rules, key, ADDITION)
    first = made.selection.trials[0]
    assert (first.sample_id, first.because) == ("p0150", "flagged as 'sandbagging'")
    review = review_of(flagged, state, rules, key, ADDITION)
    assert review is not None
    assert review.selection == made.selection


def test_results_that_fell_since_the_last_checkpoint_are_read_as_far_as_one_can(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, suite=reviewed_suite(triggers=["regressed"], at_most=7))
    key = evaluated(world, addition=20)
    read(world, asked(world, key))
    verdict(world, key)
    assessment.request_permit(world.desk, key)
    world.pass_time(seconds=30)
    world.publish(4)
    later = world.due()
    world.evaluate(later, addition=2)
    request = world.state.expect(asked(world, later), r.ReviewRequest)
    assert len(request.trials) == 7
    assert "the mean score fell from 0.1" in request.alerts[0]
    assert request.unread >= 18 - 7  # of those whose score fell
    assert verify_store(world.store).problems == []


def test_where_nobody_was_even_asked_nothing_is_ruled_out(reviewed: World) -> None:
    found = verdict(reviewed, evaluated(reviewed))
    assert found.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert "nobody was asked" in problems(found)


def test_after_the_time_the_line_stays_open_and_the_answer_is_too_late(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    reviewed.pass_time(hours=20)
    reviewed.pass_time(hours=29)
    with refused("signature_out_of_time"):
        read(reviewed, request)
    with refused("signature_out_of_time"):
        reviewing.question_on(reviewed.desk, request)
    found = verdict(reviewed, key)
    assert found.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


@pytest.mark.parametrize("choice", ["cheating", "sandbagging"])
def test_what_a_reviewer_saw_keeps_the_line_open(reviewed: World, choice: str) -> None:
    key = evaluated(reviewed)
    read(reviewed, asked(reviewed, key), choice)
    found = verdict(reviewed, key)
    assert found.decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert f"saw {choice}" in problems(found)


def test_invalidated_trials_stand_in_the_verdict_with_their_reasons(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    drawn = list(enumerate(reviewed.state.expect(request, r.ReviewRequest).trials, start=1))
    number, trial = next(one for one in drawn if one[1].sample_id > "p0009")  # the model was wrong
    read(reviewed, request, invalid=[f"{number}: the sandbox was down"])
    found = verdict(reviewed, key)
    (one,) = [each for each in found.decision.findings if each.name == ADDITION]
    assert one.invalidated == [f"{trial.sample_id} (1): the sandbox was down"]
    assert one.n == 199
    assert one.finding is Finding.BELOW


def test_a_crossing_needs_no_reader(reviewed: World) -> None:
    key = evaluated(reviewed, addition=190)
    assert verdict(reviewed, key).decision.red_lines[0].status is RedLineStatus.CROSSED


def test_an_evaluation_without_a_review_asks_nobody(world: World) -> None:
    key = evaluated(world)
    assert reviewing.open_reviews(world.desk, key) == []
    assert "review_request" not in {one.kind for one in world.state.records.values()}
    assert verdict(world, key).decision.recommendation is Outcome.CONTINUE


def test_an_assessment_that_is_being_read_does_not_stand_still(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    reviewed.pass_time(hours=3)
    assert registration.raise_due_occasions(reviewed.desk) == []
    read(reviewed, request)
    reviewed.pass_time(hours=3)
    assert registration.raise_due_occasions(reviewed.desk) == [key]


def test_nobody_who_may_review_is_told_and_rules_nothing_out(tmp_path: Path) -> None:
    world = World(tmp_path, suite=changed(reviewed_suite(), with_authors("simulated-board")))
    key = evaluated(world)
    assert reviewing.open_reviews(world.desk, key) == []
    state = world.state
    rules = world.desk.rulebook.of_assessment(state, key)
    with refused("no_reviewer"):
        draft(world.store, reader_of(world.store, state), state, rules, key, ADDITION)
    assert verdict(world, key).decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def with_authors(*names: str) -> Any:
    return lambda plain: plain.update(authors=list(names))


def test_a_log_that_has_no_such_transcript_is_told_and_rules_nothing_out(
    reviewed: World, caplog: pytest.LogCaptureFixture
) -> None:
    key = evaluated(reviewed)
    counted = reviewed.state.expect(
        reviewed.state.assessments[key].result_sets[ADDITION], r.ResultSet
    )
    assert counted.run.log is not None
    path = reviewed.root / "store" / "blobs" / counted.run.log.blob.removeprefix("sha256:")
    path.write_bytes(b"something else")
    assert reviewing.open_reviews(reviewed.desk, key) == []
    assert verdict(reviewed, key).decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def forged(world: World, key: str, **changes: Any) -> r.ReviewRequest:
    """The request that follows, with something else in it."""
    state = world.state
    rules = world.desk.rulebook.of_assessment(state, key)
    made = draft(world.store, reader_of(world.store, state), state, rules, key, ADDITION)
    counted = state.assessments[key]
    plain = {
        "at": world.now, "by": "a task", "stamp": world.desk.stamp, "assessment_id": key,
        "plan": world.desk.plan_of(key), "validation": r.RecordRef(record=counted.validation or ""),
        "result_set": r.RecordRef(record=made.result_set), "run": ADDITION, "office": made.office,
        "trials": list(made.selection.trials), "unread": 0, "alerts": [],
        "due": world.now + timedelta(hours=48),
        "document": put_blob(world.store, made.text.encode(), name="x.md"),
    }  # fmt: skip
    return r.ReviewRequest.model_validate(plain | changes)


def test_a_request_that_follows_is_chained(reviewed: World) -> None:
    key = evaluated(reviewed)
    assert reviewed.desk.submit(forged(reviewed, key))


ALTERED: dict[str, Any] = {
    "fewer trials": lambda w, one: {"trials": one.trials[:-1]},
    "other trials": lambda w, one: {
        "trials": [
            one.trials[0].model_copy(update={"sample_id": f"p{n:04d}"})
            for n in range(len(one.trials))
        ]
    },
    "another reason": lambda w, one: {
        "trials": [
            one.trials[0].model_copy(update={"because": "it is an easy one"}),
            *one.trials[1:],
        ]
    },
    "an excess": lambda w, one: {"unread": 1},
    "another reviewer": lambda w, one: {"office": "rso"},
    "more time": lambda w, one: {"due": one.due + timedelta(hours=1)},
    "another text": lambda w, one: {"document": put_blob(w.store, b"all is well", name="x")},
    "an alert": lambda w, one: {"alerts": ["all is well"]},
}


@pytest.mark.parametrize("how", list(ALTERED))
def test_a_selection_that_somebody_chose_is_not_chained(reviewed: World, how: str) -> None:
    key = evaluated(reviewed)
    good = forged(reviewed, key)
    with refused("not_derivable"):
        reviewed.desk.submit(forged(reviewed, key, **ALTERED[how](reviewed, good)))
    assert verdict(reviewed, key).decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT


def test_a_request_for_a_run_that_needs_none_or_is_no_run(reviewed: World) -> None:
    key = evaluated(reviewed)
    other = r.RecordRef(record=reviewed.state.assessments[key].result_sets["maximum"])
    with refused("no_review"):
        reviewed.desk.submit(forged(reviewed, key, run="maximum", result_set=other))
    with refused("not_validated"):
        reviewed.desk.submit(forged(reviewed, key, run="nothing"))
    with refused("not_validated"):
        reviewed.desk.submit(forged(reviewed, key, result_set=other))


def test_a_second_request_for_a_run(reviewed: World) -> None:
    key = evaluated(reviewed)
    asked(reviewed, key)
    reviewed.pass_time(seconds=1)
    with refused("already_counted"):
        reviewed.desk.submit(forged(reviewed, key))


def test_results_that_were_not_found_valid_are_not_put_to_people(
    reviewed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = World.validate
    monkeypatch.setattr(World, "validate", lambda world, key: validate(world, key, valid=False))
    key = evaluated(reviewed)
    assert reviewing.open_reviews(reviewed.desk, key) == []
    with refused("not_validated"):
        reviewed.desk.submit(forged(reviewed, key))


def test_an_answer_by_somebody_who_is_not_asked(reviewed: World) -> None:
    request = asked(reviewed, evaluated(reviewed))
    with refused("wrong_office"):
        read(reviewed, request, office="rso")


def test_an_answer_by_the_author_of_the_evaluations(tmp_path: Path) -> None:
    suite = changed(
        reviewed_suite(reviewers=["board", "second-line"]), with_authors("simulated-board")
    )
    world = World(tmp_path, suite=suite)
    key = evaluated(world)
    request = asked(world, key)
    assert world.state.expect(request, r.ReviewRequest).office == "second-line"
    with refused("not_independent"):
        read(world, request, office="board")
    assert verdict(world, key).decision.red_lines[0].status is RedLineStatus.NOT_RULED_OUT
    assert [one.finding for one in deviations(world)] == ["answer_refused"]


def deviations(world: World) -> list[r.Deviation]:
    return [one for one in world.state.records.values() if isinstance(one, r.Deviation)]


def test_an_answer_about_another_request(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    envelope = signed(reviewed, REVIEW, "sha256:" + "0" * 64, "board", "nothing_suspicious")
    with refused("wrong_packet"):
        answers.signed_record(
            reviewed.state.trust, REVIEW, request, envelope, at=reviewed.desk.now()
        )
    good = signed(reviewed, REVIEW, request, "board", "nothing_suspicious")
    record = answers.signed_record(
        reviewed.state.trust, REVIEW, request, good, at=reviewed.desk.now()
    )
    with refused("wrong_packet"):
        reviewed.desk.submit(record.model_copy(update={"envelope": envelope}))
    with refused("bad_signature"):
        reviewed.desk.submit(record.model_copy(update={"invalid": ["1: it was down"]}))
    validation = reviewed.state.assessments[key].validation or ""
    with refused("wrong_subject"):
        read(reviewed, validation)


def test_an_answer_that_is_given_twice_changes_only_for_the_stricter(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    read(reviewed, request, "cheating")
    reviewed.pass_time(seconds=1)
    for milder in ("nothing_suspicious", "cheating"):
        with refused("answered_already"):
            read(reviewed, request, milder)
    read(reviewed, request, "sandbagging")
    assert "saw sandbagging" in problems(verdict(reviewed, key))


def test_an_answer_after_the_verdict(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    verdict(reviewed, key)
    with refused("already_decided"):
        read(reviewed, request)


@pytest.mark.parametrize("invalid", [["9: it was down"], ["1: a b", "1: c d e"]])
def test_an_answer_about_trials_that_were_not_shown(reviewed: World, invalid: list[str]) -> None:
    request = asked(reviewed, evaluated(reviewed))
    with refused("not_shown"):
        read(reviewed, request, invalid=invalid)


def test_no_verdict_counts_that_forgets_the_review(reviewed: World) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    read(reviewed, request)
    good = verdict(reviewed, key)
    other = World(reviewed.root / "other", suite=reviewed_suite())
    unread = evaluated(other)
    asked(other, unread)
    state = other.state
    forgotten = good.model_copy(
        update={
            "at": other.now, "assessment_id": unread, "plan": other.desk.plan_of(unread),
            "validation": r.RecordRef(record=state.assessments[unread].validation or ""),
            "checkpoint": r.RecordRef(record=state.checkpoint_of(unread)[0]),
        }
    )  # fmt: skip
    with refused("not_derivable"):
        other.desk.submit(forgotten)


def test_an_unsigned_answer_counts_only_as_airflow_has_it(tmp_path: Path) -> None:
    world, airflow = World(tmp_path, suite=reviewed_suite()), StandInAirflow()
    airflow.serve(world)
    key = evaluated(world)
    request = asked(world, key)
    given = airflow.answer(
        world, REVIEW, request, "board", "nothing_suspicious", invalid=["1: it was down"]
    )
    airflow.details["review_transcripts"]["params_input"] = given.params | {"invalid": None}
    reviewing.count_answers(world.desk, key, {request: given})
    assert reviewing.open_reviews(world.desk, key)  # refused: it is not what Airflow has
    world.pass_time(seconds=1)
    airflow.details["review_transcripts"]["params_input"] = dict(given.params)
    said = reviewing.count_answers(world.desk, key, {request: given})
    assert said == {ADDITION: "board: nothing_suspicious, 1 invalid"}
    (one,) = [x for x in world.state.records.values() if isinstance(x, r.TranscriptReviewed)]
    assert one.identification == "ATTESTED_BY_AIRFLOW"


def test_an_answer_that_the_notary_cannot_ask_about_now_is_brought_again(tmp_path: Path) -> None:
    world = World(tmp_path, suite=reviewed_suite())
    key = evaluated(world)
    request = asked(world, key)
    given = StandInAirflow().answer(world, REVIEW, request, "board", "nothing_suspicious")
    with pytest.raises(NotaryUnreachable, match="clear count_reviews"):
        reviewing.count_answers(world.desk, key, {request: given})


def test_an_unsigned_answer_does_not_count_where_the_policy_wants_signatures(
    tmp_path: Path,
) -> None:
    def signatures(plain: dict[str, Any]) -> None:
        plain["sign_off"]["accepts"] = ["signature"]

    policy = changed(POLICY_BYTES, signatures)
    world, airflow = World(tmp_path, policy=policy, suite=reviewed_suite()), StandInAirflow()
    airflow.serve(world)
    key = evaluated(world)
    request = asked(world, key)
    given = airflow.answer(world, REVIEW, request, "board", "nothing_suspicious")
    said = reviewing.count_answers(world.desk, key, {request: given})
    assert said == {ADDITION: "not reviewed: it rules nothing out"}


def test_a_reviewer_who_types_what_the_task_says_is_heard(
    reviewed: World, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    key = evaluated(reviewed)
    request = asked(reviewed, key)
    question = reviewing.question_on(reviewed.desk, request)
    assert question.user == "board"
    assert "the answer to p0" in question.body
    (line,) = re.findall("`(rsp sign [^`]*)`", question.body)
    words = {"FILE": str(reviewed.folders.officer("board")), "TEXT": "read"}
    typed = [words.get(one, one) for one in shlex.split(line)]
    monkeypatch.setattr(sys, "argv", [*typed, "--detail", "invalid=1: the sandbox was down"])
    now = type("Clock", (), {"now": lambda _: reviewed.now})
    monkeypatch.setattr("include.cli.people.datetime", now)
    with pytest.raises(SystemExit) as left:
        command.main()
    said = capsys.readouterr()
    assert not left.value.code, said.err
    given = Answered(
        dag_id=DAG, dag_run_id=DAG_RUN, task_id="any", user="board", answered_at=reviewed.now,
        options=["any"], params={"signature": said.out}, map_index=0,
    )  # fmt: skip
    assert reviewing.count_answers(reviewed.desk, key, {request: given}) == {
        ADDITION: "board: nothing_suspicious, 1 invalid"
    }


def test_the_text_is_stored_and_named_by_the_request(reviewed: World) -> None:
    request = asked(reviewed, evaluated(reviewed))
    record = reviewed.state.expect(request, r.ReviewRequest)
    text = get_blob(reviewed.store, record.document.blob).decode()
    assert [f"## {n}. {one.sample_id}, epoch 1" in text for n, one in enumerate(record.trials, 1)]
    assert digest_of(record) == request
    assert canonical_bytes(record)
    assert RUN in reviewed.state.runs
    with pytest.raises(Refused):
        reviewing.question_on(reviewed.desk, next(iter(reviewed.state.records)))
