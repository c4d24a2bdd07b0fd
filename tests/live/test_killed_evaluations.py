"""Evaluations of 300 samples in a started stack, while parts of it are killed with SIGKILL.

What is claimed, with Airflow's limits shortened to 6 s for the token of a task (600 s by default),
6 s for a task's heartbeat (300 s) and 6 s for a triggerer's (30 s): an evaluation whose samples
alone take at least three times as long ends in the verdict of an undisturbed one, whichever of
these is killed on the way:

- the evaluation process (its whole process group), the triggerer or the scheduler, with 10 %, 50 %
  or 90 % of the samples done;
- the worker, which works for an evaluation only at its two ends: *submitting* is while it starts
  the evaluation process, *waiting* with 50 % done, when it has handed over to the triggerer and no
  worker is busy (all that idle are killed), *collecting* when it brings in the results. A busy
  worker is killed with the task that it runs, as if its container had gone.

In each case: the same job, every finished sample kept and put to the model once, each sample in the
counted table once, one result set. Only what was in the air when the evaluation process died (at
most `parallel_samples`) is put to the model again.

Normally three blows fall at once on three evaluations that run side by side; all twelve, one by
one: REDLINE_ALL_KILLS=1 (about ten minutes).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.support.long_evaluations import (
    LIMIT_SECONDS,
    PARALLEL,
    PATIENCE,
    SAMPLES,
    Assessed,
    LongEvaluations,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.live
log = logging.getLogger("redline.tests")

ALL = bool(os.environ.get("REDLINE_ALL_KILLS"))
SLOW, QUICK = 3 * LIMIT_SECONDS * PARALLEL / SAMPLES, 0.1
"""Seconds that an answer takes: with the slow ones the samples alone last three limits."""

Blow = tuple[str, str]
TELLING: tuple[Blow, ...] = (("evaluation", "50%"), ("triggerer", "50%"), ("scheduler", "90%"))
SHARES = {"10%": 0.1, "50%": 0.5, "90%": 0.9}
EVERY: tuple[Blow, ...] = (
    *((victim, share) for victim in ("evaluation", "triggerer", "scheduler") for share in SHARES),
    *(("worker", moment) for moment in ("submitting", "collecting", "waiting")),
)


def name_of(blow: Blow, *, alone: bool) -> str:
    """The training run whose assessment gets the blow."""
    return f"{blow[0]}-{blow[1].removesuffix('%')}{'-alone' if alone else ''}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongEvaluations]:
    seconds = {name_of(blow, alone=False): SLOW for blow in TELLING}
    if ALL:
        seconds |= {name_of(blow, alone=True): SLOW for blow in EVERY}
    prepared = LongEvaluations.prepare(
        tmp_path_factory.mktemp("kills"), seconds | {"undisturbed": QUICK}
    )
    try:
        prepared.start()
        yield prepared
    finally:
        prepared.stop()


@pytest.fixture(scope="module")
def counted(stack: LongEvaluations) -> str:
    """The evaluation that nothing happens to, once its results are in the ledger."""
    stack.assess("undisturbed")
    eventually(lambda: stack.is_counted("undisturbed"), PATIENCE)
    return "undisturbed"


@pytest.fixture(scope="module")
def undisturbed(stack: LongEvaluations, counted: str) -> Assessed:
    """The verdict that every other one has to equal."""
    found = stack.assessed(counted)
    assert found.verdict.decision.recommendation == "continue"
    (finding,) = found.verdict.decision.findings
    assert (finding.n, finding.value) == (SAMPLES, 0.05)
    assert set(stack.calls(counted).values()) == {1}
    assert found.run.attempts == 1
    return found


class Struck:
    """One assessment, and the blow that it gets once its moment has come."""

    def __init__(self, stack: LongEvaluations, blow: Blow, *, alone: bool) -> None:
        self.stack, (self.victim, self.moment) = stack, blow
        self.run_id = name_of(blow, alone=alone)
        self.dag_run = stack.assess(self.run_id)
        self.job, self.struck_at = "", 0.0
        self.done, self.begun, self.ended = 0, 0, 0

    def struck(self) -> bool:
        """Strike if the moment has come."""
        job = self.stack.job(self.run_id)
        if job is None or not (self.share() if self.moment in SHARES else self.of_worker(job)):
            return False
        self.job, self.struck_at = job, time.monotonic()
        self.done = self.stack.done(self.run_id)
        self.begun = len(self.stack.calls(self.run_id, "begins"))
        self.ended = len(self.stack.calls(self.run_id, "ends"))
        return True

    def share(self) -> bool:
        """So much of the samples is done."""
        if self.stack.done(self.run_id) < SHARES[self.moment] * SAMPLES:
            return False
        if self.victim == "evaluation":
            self.stack.kill_evaluation(self.run_id)
        else:
            self.stack.kill_program(self.victim)
        return True

    def of_worker(self, job: str) -> bool:
        """One of the worker's three moments; a moment that has passed is never taken for it."""
        done, ended = self.stack.done(self.run_id), self.stack.jobs.poll(job).state == "finished"
        match self.moment:
            case "submitting":
                assert done == 0, "the worker was not caught while it submitted"
                return self.stack.kill_busy_workers()
            case "waiting":
                assert not ended, "no moment came at which all workers were idle"
                return done >= SAMPLES / 2 and self.stack.kill_idle_workers()
            case _:
                assert not self.stack.is_counted(self.run_id), "it collected too quickly"
                return ended and self.stack.kill_busy_workers()

    def ends_as(self, undisturbed: Assessed) -> None:
        """Nothing was lost, nothing was done twice, and the verdict is the same."""
        found = self.stack.assessed(self.run_id)
        log.info(
            "%s: struck with %s of %s done, %s in the air; verdict %.0f s later; the evaluation "
            "took %.1f s in %s attempts",
            *(self.run_id, self.done, SAMPLES, self.begun - self.ended),
            *(time.monotonic() - self.struck_at, found.seconds, found.run.attempts),
        )
        assert found.says == undisturbed.says
        # the same handle, and one result set
        assert self.stack.job(self.run_id) == self.job == found.run.job
        assert found.result_sets == 1
        # each sample once
        assert len(found.times_in_table) == SAMPLES
        assert set(found.times_in_table.values()) == {1}
        # every finished one kept
        calls = self.stack.calls(self.run_id)
        again = [one for one, times in calls.items() if times > 1]
        assert len(calls) == SAMPLES
        if self.victim == "evaluation":
            assert found.run.attempts == 2
            assert max(calls.values()) <= 2
            assert len(again) <= PARALLEL
        else:
            assert found.run.attempts == 1
            assert again == []
        # progress counted what was taken over, and nothing twice
        progress = self.stack.jobs.poll(self.job).progress
        assert progress is not None
        assert progress.done == SAMPLES
        assert progress.before >= (self.done if self.victim == "evaluation" else 0)


def strike(all_of: list[Struck]) -> None:
    """Each at its moment, in whatever order they come."""
    waiting, give_up = list(all_of), time.monotonic() + PATIENCE
    while waiting:
        waiting = [one for one in waiting if not one.struck()]
        assert time.monotonic() < give_up, [one.run_id for one in waiting]
        time.sleep(0.02)


@pytest.fixture(scope="module")
def struck(stack: LongEvaluations, counted: str) -> list[Struck]:
    """Three evaluations side by side, each with its blow behind it."""
    evaluations = [Struck(stack, blow, alone=False) for blow in TELLING]
    stack.assessed(counted)  # before the first blow
    strike(evaluations)
    return evaluations


def test_the_three_most_telling_moments(struck: list[Struck], undisturbed: Assessed) -> None:
    """Evaluation process and triggerer at half, the scheduler near the end."""
    for one in struck:
        one.ends_as(undisturbed)


def test_an_evaluation_outlives_the_limits_of_airflow(
    stack: LongEvaluations, struck: list[Struck]
) -> None:
    """It lasts three times Airflow's token, task heartbeat and triggerer heartbeat limits.

    The task that waits for it is one try from the first submission to the result: it holds no
    worker, no token and no heartbeat meanwhile.
    """
    for one in struck:
        stack.assessed(one.run_id)
        (task,) = stack.tasks(one.dag_run)
        assert (task["state"], task["try_number"]) == ("success", 1)
        began, ended = (datetime.fromisoformat(task[each]) for each in ("start_date", "end_date"))
        assert (ended - began).total_seconds() >= 3 * LIMIT_SECONDS


@pytest.mark.skipif(not ALL, reason="all twelve only with REDLINE_ALL_KILLS=1")
@pytest.mark.parametrize("blow", EVERY, ids=" at ".join)
def test_each_kill_alone(stack: LongEvaluations, undisturbed: Assessed, blow: Blow) -> None:
    one = Struck(stack, blow, alone=True)
    strike([one])
    one.ends_as(undisturbed)
