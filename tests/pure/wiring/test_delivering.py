"""Results that people deliver, from the inbox to the verdict; and what the notary refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.adapters.delivered_results import MOST_DELIVERIES
from include.adapters.evaluation import JobRequest, JobState, crashed
from include.adapters.ledger import write_record
from include.adapters.store import get_blob, put_blob
from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes, digest_bytes
from include.rsp.errors import Refused
from include.rsp.results import EvaluationRun, SampleTable
from include.rsp.vocabulary import Finding, RedLineStatus, ResultStatus
from include.rsp.wanted_results import WantedResults
from include.wiring import assessment, evaluating
from include.wiring.delivering import Waiting, collect_delivered, inbox_of
from tests.support.deliveries import (
    TRIAL,
    as_uplift_trial,
    deliver,
    shares_csv,
    study_world,
    trial_csv,
    waiting_run,
)
from tests.support.eval_logs import eval_log
from tests.support.evaluated import record_result
from tests.support.factories import ADDITION, make_samples
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which people run the load-bearing evaluation."""
    return study_world(tmp_path)


def collect(world: World, key: str, request: JobRequest) -> EvaluationRun | Waiting:
    return collect_delivered(world.desk, key, request, folder=world.root / "inbox")


def run_of(world: World, key: str, request: JobRequest) -> EvaluationRun:
    found = collect(world, key, request)
    assert isinstance(found, EvaluationRun)
    return found


def finding_of(world: World, key: str) -> Any:
    """Bring the assessment to its verdict; what it says of the study."""
    world.finish_jobs(key, {"maximum": 10, "copying": 100})
    for name in ("maximum", "copying"):
        record_result(world.desk, key, name)
    world.validate(key)
    _, verdict = assessment.reach_verdict(world.desk, key)
    found = {one.evaluation: one for one in verdict.decision.findings}
    return found[ADDITION], verdict.decision.red_lines[0].status


def test_a_delivery_counts_and_can_rule_a_line_out(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first")
    run = run_of(world, key, request)
    assert run.status is ResultStatus.COMPLETE
    assert run.delivered is not None
    assert (run.delivered.organisation, run.delivered.holder) == ("Institute-A", "institute-a")
    assert [one.name for one in run.delivered.files] == ["trial.csv"]
    assert get_blob(world.store, run.delivered.files[0].blob) == shares_csv()
    evaluating.count(world.desk, key, run)
    finding, status = finding_of(world, key)
    assert (finding.finding, finding.n) == (Finding.BELOW, 200)
    assert status is RedLineStatus.RULED_OUT
    assert verify_store(world.store).problems == []


def test_a_trial_of_two_arms_is_measured_by_the_ratio_of_its_means(tmp_path: Path) -> None:
    world = study_world(tmp_path, as_uplift_trial)
    key, request = waiting_run(world)
    deliver(world, request, "first", files={"t.csv": ("csv", trial_csv(treatment=55.0))},
            columns=TRIAL)  # fmt: skip
    evaluating.count(world.desk, key, run_of(world, key, request))
    finding, status = finding_of(world, key)
    assert finding.problems == []
    assert finding.value == pytest.approx(55 / 49, abs=1e-3)
    assert status is RedLineStatus.RULED_OUT


def test_a_trial_with_a_misspelt_arm_rules_nothing_out(tmp_path: Path) -> None:
    world = study_world(tmp_path, as_uplift_trial)
    key, request = waiting_run(world)
    content = trial_csv().replace(b"p001,treatment", b"p001,Treatment")
    deliver(world, request, "first", files={"t.csv": ("csv", content)}, columns=TRIAL)
    evaluating.count(world.desk, key, run_of(world, key, request))
    finding, status = finding_of(world, key)
    assert finding.finding is Finding.INCONCLUSIVE
    assert status is RedLineStatus.NOT_RULED_OUT


def test_an_inspect_log_keeps_its_whole_table(world: World) -> None:
    key, request = waiting_run(world)
    log = eval_log(make_samples(5), model="institute/m", at=world.now.isoformat())
    deliver(world, request, "first", files={"a.eval": ("inspect", log)}, engine="inspect",
            engine_version="0.3.285", model="institute/m", columns=None)  # fmt: skip
    run = run_of(world, key, request)
    assert run.samples is not None
    assert run.samples.name.endswith(".samples.parquet")
    assert run.log is not None
    assert get_blob(world.store, run.log.blob) == log
    evaluating.count(world.desk, key, run)
    finding, _ = finding_of(world, key)
    assert (finding.finding, finding.n) == (Finding.BELOW, 200)


AGGREGATE = (
    b"config: {type: a}\nresults: {tasks: {}}\ntarget: {api_endpoint: {model_id: m}}\n"
    b"metadata: {versioning: {nemo_evaluator: 0.2.8}}\n"
)


def test_an_aggregate_without_samples_is_kept_and_rules_nothing_out(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first", files={"results.yml": ("nemo-results", AGGREGATE)},
            engine="nemo-evaluator", engine_version="0.2.8", model="m", columns=None)  # fmt: skip
    run = run_of(world, key, request)
    assert (run.status, run.samples) == (ResultStatus.UNREADABLE, None)
    evaluating.count(world.desk, key, run)
    finding, status = finding_of(world, key)
    assert "only an aggregate was delivered" in finding.problems[0]
    assert status is RedLineStatus.NOT_RULED_OUT


def test_what_is_wanted_stands_in_the_inbox_until_something_comes(world: World) -> None:
    key, request = waiting_run(world)
    waiting = collect(world, key, request)
    assert isinstance(waiting, Waiting)
    inbox = inbox_of(world.desk, key, request, folder=world.root / "inbox")
    wanted = (Path(waiting.folder) / "wanted.json").read_bytes()
    assert WantedResults.model_validate_json(wanted) == inbox.wanted(request)
    assert b"rule_out" not in wanted  # nobody who makes the scores is told the limit
    assert request.weights.encode() not in wanted
    assert inbox.poll(request.job).state is JobState.RUNNING
    assert collect(world, key, request) == waiting
    deliver(world, request, "first")
    assert inbox.poll(request.job).state is JobState.FINISHED
    assert inbox.poll("another").state is JobState.ABSENT


def test_when_it_is_due_and_nothing_came_the_run_says_so_and_rules_nothing_out(
    world: World,
) -> None:
    key, request = waiting_run(world)
    world.pass_time(days=29.9)
    assert isinstance(collect(world, key, request), Waiting)
    world.pass_time(days=0.1)
    run = run_of(world, key, request)
    assert run.status is ResultStatus.CRASHED
    assert str(run.problem).startswith("no results were delivered by 2026-12-01 12:00 UTC")
    evaluating.count(world.desk, key, run)
    finding, status = finding_of(world, key)
    assert "no results were delivered" in finding.problems[0]
    assert status is RedLineStatus.NOT_RULED_OUT


def test_a_bad_delivery_is_refused_on_the_record_and_keeps_no_good_one_away(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "bad", variant="helpful-only")
    waiting = collect(world, key, request)
    assert isinstance(waiting, Waiting)
    assert [one.split(":")[0] for one in waiting.seen] == ["bad"]
    collect(world, key, request)
    refusals = [one for one in world.state.records.values() if isinstance(one, r.Refusal)]
    assert [(one.code, "helpful-only" in one.message) for one in refusals] == [
        ("wrong_results", True)
    ]
    deliver(world, request, "good")
    assert run_of(world, key, request).status is ResultStatus.COMPLETE


def test_an_overdue_run_says_what_became_of_what_was_delivered(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "bad", variant="helpful-only")
    deliver(world, request, "half")
    (world.root / "inbox" / request.job / "half" / "trial.csv").unlink()
    world.pass_time(days=30)
    problem = str(run_of(world, key, request).problem)
    assert "'bad' is refused: results of the variant 'helpful-only'" in problem
    assert "'half' did not arrive whole" in problem


def test_of_two_good_deliveries_the_one_signed_first_counts_and_the_other_is_kept(
    world: World,
) -> None:
    key, request = waiting_run(world)
    ended = world.now
    world.pass_time(minutes=2)
    deliver(world, request, "a-later", started_at=ended.isoformat(), finished_at=ended.isoformat(),
            files={"x.csv": ("csv", shares_csv(150))})  # fmt: skip
    deliver(world, request, "b-earlier", signed_at=ended, started_at=ended.isoformat(),
            finished_at=ended.isoformat(), holder="institute-b")  # fmt: skip
    run = run_of(world, key, request)
    assert run.delivered is not None
    assert run.delivered.holder == "institute-b"
    assert [one.name for one in run.delivered.others] == [
        "a-later/delivery.json", "a-later/delivery.dsse.json", "a-later/x.csv",
    ]  # fmt: skip
    assert get_blob(world.store, run.delivered.others[2].blob) == shares_csv(150)
    evaluating.count(world.desk, key, run)
    assert run_of(world, key, request) == run  # looked at again, the same counts


def test_what_is_hidden_linked_or_too_much_is_not_looked_at(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "good")
    inbox = world.root / "inbox" / request.job
    (inbox / "good").rename(inbox / ".good")
    (inbox / "link").symlink_to(inbox / ".good")
    assert isinstance(collect(world, key, request), Waiting)
    for number in range(MOST_DELIVERIES):
        shutil.copytree(inbox / ".good", inbox / f"copy{number:02d}")
    shutil.copytree(inbox / ".good", inbox / "zz")
    assert isinstance(collect(world, key, request), EvaluationRun)


def test_a_name_that_is_none_is_refused(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "good")
    inbox = world.root / "inbox" / request.job
    (inbox / "good").rename(inbox / "töd")
    assert isinstance(collect(world, key, request), Waiting)
    assert any("is no name for a delivery" in one.message for one in refusals_of(world))


def refusals_of(world: World) -> list[r.Refusal]:
    return [one for one in world.state.records.values() if isinstance(one, r.Refusal)]


def test_a_run_of_an_automated_evaluation_is_not_taken_from_people(world: World) -> None:
    key, _ = waiting_run(world)
    with pytest.raises(Refused, match="is run by Redline itself"):
        collect(world, key, evaluating.job_request(world.desk, key, "maximum"))


# ---- what the notary does not take


def other_samples(world: World, run: EvaluationRun) -> EvaluationRun:
    table = canonical_bytes(SampleTable(samples=make_samples(0)))
    return run.model_copy(update={"samples": put_blob(world.store, table, name="s.json")})


def no_samples(_: World, run: EvaluationRun) -> EvaluationRun:
    return run.model_copy(update={"samples": None})


def not_delivered(_: World, run: EvaluationRun) -> EvaluationRun:
    return run.model_copy(update={"delivered": None})


def other_file(world: World, run: EvaluationRun) -> EvaluationRun:
    assert run.delivered is not None
    ref = put_blob(world.store, shares_csv(0), name="trial.csv")
    changed = run.delivered.model_copy(update={"files": [ref]})
    return run.model_copy(update={"delivered": changed})


def other_statement(world: World, run: EvaluationRun) -> EvaluationRun:
    assert run.delivered is not None
    content = get_blob(world.store, run.delivered.statement.blob)
    edited = put_blob(world.store, content.replace(b"final", b"small"), name="delivery.json")
    changed = run.delivered.model_copy(update={"statement": edited})
    return run.model_copy(update={"delivered": changed})


def other_holder(_: World, run: EvaluationRun) -> EvaluationRun:
    assert run.delivered is not None
    changed = run.delivered.model_copy(update={"holder": "institute-b"})
    return run.model_copy(update={"delivered": changed})


def better_elicited(_: World, run: EvaluationRun) -> EvaluationRun:
    changed = run.elicitation.model_copy(update={"hours": 1000.0})
    return run.model_copy(update={"elicitation": changed})


def crashed_instead(_: World, run: EvaluationRun) -> EvaluationRun:
    return run.model_copy(update={"status": ResultStatus.CRASHED, "problem": "lost"})


def nothing_came(world: World, run: EvaluationRun) -> EvaluationRun:
    request = evaluating.job_request(world.desk, next(iter(world.state.assessments)), ADDITION)
    return crashed(request, "no results were delivered", at=run.finished_at, attempts=1)


def as_another_run(_: World, run: EvaluationRun) -> EvaluationRun:
    return run.model_copy(update={"name": "maximum", "evaluation": "maximum"})


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (other_samples, "not_derivable"),
        (no_samples, "not_derivable"),
        (not_delivered, "not_delivered"),
        (other_file, "other_files"),
        (other_statement, "other_statement"),
        (other_holder, "not_derivable"),
        (better_elicited, "not_derivable"),
        (crashed_instead, "not_derivable"),
        (nothing_came, "not_due"),
        (as_another_run, "no_study"),
    ],
)
def test_the_notary_takes_nobodys_word_for_what_was_delivered(
    world: World, forge: Callable[[World, EvaluationRun], EvaluationRun], code: str
) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first")
    run = run_of(world, key, request)
    with pytest.raises(Refused) as caught:
        evaluating.count(world.desk, key, forge(world, run))
    assert caught.value.code == code
    assert evaluating.counted_result(world.desk, key, ADDITION) is None
    evaluating.count(world.desk, key, run)  # and a forgery keeps the true one away from nothing


def test_a_delivery_for_another_checkpoint_is_refused_by_the_notary_too(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first", checkpoint="sha256:" + "e" * 64)
    assert isinstance(collect(world, key, request), Waiting)
    deliver(world, request, "second")
    run = run_of(world, key, request)
    assert run.delivered is not None
    folder = world.root / "inbox" / request.job / "first"
    content = (folder / "delivery.json").read_bytes()
    forged = run.model_copy(
        update={
            "delivered": run.delivered.model_copy(
                update={
                    "statement": put_blob(world.store, content, name="delivery.json"),
                    "envelope": r.Envelope.model_validate_json(
                        (folder / "delivery.dsse.json").read_bytes()
                    ),
                }
            )
        }
    )
    assert digest_bytes(content) != run.delivered.statement.blob
    with pytest.raises(Refused) as caught:
        evaluating.count(world.desk, key, forged)
    assert caught.value.code == "wrong_results"


def test_verification_finds_a_delivered_file_that_was_changed_in_the_store(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first")
    run = run_of(world, key, request)
    evaluating.count(world.desk, key, run)
    assert run.delivered is not None
    blob = run.delivered.files[0].blob.removeprefix("sha256:")
    (world.root / "store" / "blobs" / blob).write_bytes(shares_csv(0))
    assert verify_store(world.store).problems != []


def test_a_worker_may_refuse_results_in_its_own_name_and_nothing_else(world: World) -> None:
    world.gate()
    for subject, chained in (("results a/b", True), ("permit x", False)):
        record = r.Refusal(
            at=world.now, by="test", stamp=world.desk.stamp, subject=subject, code="x",
            message="x", reply_to=None, run_id=None,
        )  # fmt: skip
        digest = write_record(world.store, record)
        world.notary.step()
        assert (digest in world.state.records) is chained


def test_verification_finds_samples_that_do_not_follow_from_the_files(world: World) -> None:
    key, request = waiting_run(world)
    deliver(world, request, "first")
    forged = other_samples(world, run_of(world, key, request))
    record = r.ResultSet(
        at=world.now, by="test", stamp=world.desk.stamp, assessment_id=key,
        plan=world.desk.plan_of(key), run=forged,
    )  # fmt: skip
    world.notary._append(record)  # a notary that was taken over
    assert any(
        "do not follow from the files" in one.what for one in verify_store(world.store).problems
    )
