"""A started stack with assessments whose one evaluation is long, and ways to kill parts of it.

Every assessment is of a training run of its own, registered and due before Airflow starts.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from include.adapters.ledger import LedgerReader
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.store import DirectoryStore, get_blob
from include.cli import stack as stack_commands
from include.local_stack.layout import Layout
from include.local_stack.lifecycle import status, up
from include.local_stack.ports import free_port
from include.local_stack.processes import StackProcess, stack_processes
from include.local_stack.stack import StackHandle
from include.rsp import records as r
from include.rsp.results import EvaluationRun
from include.rsp.state import LedgerState
from include.wiring import registration
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.waiting import eventually
from tests.support.world import World

DAG = "assess_checkpoint"
EVALUATION = "three-hundred-questions"
SAMPLES, PARALLEL = 300, 4
PATIENCE = 180.0
LIMIT_SECONDS = 6
"""Airflow's limits in these tests; its defaults are 600 (token), 300 (task) and 30 (triggerer)."""

SHORT_LIMITS = {
    # the token with which a task's process calls Airflow; valid not a second longer
    "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": str(LIMIT_SECONDS),
    "AIRFLOW__API_AUTH__JWT_LEEWAY": "0",
    # a running task that is silent for so long is taken for dead
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(LIMIT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(LIMIT_SECONDS),
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    # a triggerer that is silent for so long loses its triggers
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(LIMIT_SECONDS),
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
}


def one_evaluation(plain: dict[str, Any]) -> None:
    """A suite of nothing but the long evaluation, which the red line rests on."""
    control = {"samples": 5}
    plain["stand_still_seconds"] = 86_400  # nobody but the test wakes an assessment
    plain["evaluations"] = [
        plain["evaluations"][0]
        | {
            "id": EVALUATION,
            "title": "Three hundred questions, slowly",
            "dataset_samples": SAMPLES,
            "minimum_samples": SAMPLES,
            "dataset": None,
            "positive_control": control | {"model": "steady/solver", "at_least": 0.95},
            "null_control": control | {"model": "steady/refuser", "at_most": 0.05},
            "inspect": {
                "task": "tests.support.steady:questions",
                "provider_module": "tests.support.steady",
                "model": "steady/checkpoint",
                "parallel_samples": PARALLEL,
                "time_limit_seconds": 240,
                "attempts": 3,
            },
        }
    ]


def no_early_warning(plain: dict[str, Any]) -> None:
    """The suite has no trigger."""
    plain["compute_trigger"]["early_warning"] = None


@dataclass(slots=True)
class Assessed:
    """What one assessment came to."""

    verdict: r.Verdict
    run: EvaluationRun
    result_sets: int
    times_in_table: Counter[tuple[str, int, str]]

    @property
    def says(self) -> Any:
        """All that the verdict says of what was found, and nothing of when."""
        return self.verdict.decision.model_dump()

    @property
    def seconds(self) -> float:
        """From the first start of the evaluation process to its outcome."""
        return (self.run.finished_at - self.run.started_at).total_seconds()


@dataclass(slots=True)
class LongEvaluations:
    """The stack, and the assessments that are due in it by the name of their training run."""

    home: Path
    due: dict[str, str]
    layout: Layout
    reader: LedgerReader
    handle: StackHandle = field(init=False)

    @classmethod
    def prepare(cls, home: Path, seconds: dict[str, float]) -> LongEvaluations:
        """A store with one due assessment for each entry: how long an answer takes, by run."""
        world = World(
            home,
            policy=changed(POLICY_BYTES, no_early_warning),
            suite=changed(SUITE_BYTES, one_evaluation),
        )
        world.now = datetime.now(UTC)
        for run_id, each in seconds.items():
            world.gate(run_id)
            weights = {"seconds": each, "calls": str(home / f"calls-of-{run_id}")}
            world.publish(1, run_id=run_id, weights=json.dumps(weights).encode())
        registration.register_new(world.desk)
        keys = registration.raise_due_occasions(world.desk)
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(stack_commands.PROJECT / "dags" / f"{DAG}.py", dags)
        return cls(
            home=home,
            due={world.state.occasion(key).run_id: key for key in keys},
            layout=Layout.of(
                stack_commands.PROJECT, home=home, api_port=free_port(), dags_folder=dags
            ),
            reader=LedgerReader(DirectoryStore(home / "store")),
        )

    def start(self) -> None:
        """Start Airflow and the notary."""
        notary = stack_commands.notary_program(self.layout)
        self.handle = up(self.layout, programs=[notary], extra_environment=SHORT_LIMITS, say=print)
        with self.handle.rest() as rest:
            eventually(lambda: rest.find(f"dags/{DAG}"), PATIENCE)

    def stop(self) -> None:
        """End everything that was started, evaluations too."""
        stack_commands.down(self.home, self.layout.api_port)

    @property
    def state(self) -> LedgerState:
        """What the ledger says."""
        return self.reader.refresh()

    @property
    def jobs(self) -> ProcessEvaluator:
        """The evaluations of the stack."""
        return ProcessEvaluator(self.layout.jobs)

    def assess(self, run_id: str) -> str:
        """Begin the assessment; the DAG run."""
        with self.handle.rest("engineer") as rest:
            conf = {"assessment_id": self.due[run_id]}
            return str(rest.trigger(DAG, conf)["dag_run_id"])

    def job(self, run_id: str) -> str | None:
        """The one job of the assessment, if it has been submitted."""
        plan = self.state.assessments[self.due[run_id]].plan
        found = [one.name for one in self.layout.jobs.iterdir() if plan and one.name[-12:] in plan]
        assert len(found) <= 1, found
        return found[0] if found else None

    def done(self, run_id: str) -> int:
        """Samples that the running evaluation says it has done."""
        job = self.job(run_id)
        progress = self.jobs.poll(job).progress if job else None
        return progress.done if progress else 0

    def calls(self, run_id: str, what: str = "begins") -> Counter[str]:
        """How often each question's call to the model began, or ended."""
        file = self.home / f"calls-of-{run_id}"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(what))

    def is_counted(self, run_id: str) -> bool:
        """Whether the results are in the ledger."""
        return bool(self.state.assessments[self.due[run_id]].result_sets)

    def verdict(self, run_id: str) -> r.Verdict | None:
        """The verdict, once there is one."""
        state = self.state
        found = state.assessments[self.due[run_id]].verdict
        return state.expect(found, r.Verdict) if found else None

    def assessed(self, run_id: str) -> Assessed:
        """Wait for the verdict; what the assessment came to."""
        verdict = eventually(lambda: self.verdict(run_id), PATIENCE)
        assert verdict is not None
        key = self.due[run_id]
        sets = [
            one
            for one in self.state.records.values()
            if isinstance(one, r.ResultSet) and one.assessment_id == key
        ]
        counted = self.state.expect(
            self.state.assessments[key].result_sets[EVALUATION], r.ResultSet
        )
        assert counted.run.samples is not None, counted.run.problem
        content = get_blob(self.reader.store, counted.run.samples.blob)
        rows = pq.read_table(BytesIO(content), columns=["sample_id", "epoch", "scorer"]).to_pylist()
        return Assessed(
            verdict=verdict,
            run=counted.run,
            result_sets=len(sets),
            times_in_table=Counter((one["sample_id"], one["epoch"], one["scorer"]) for one in rows),
        )

    def tasks(self, dag_run: str, task_id: str = "evaluate") -> list[dict[str, Any]]:
        """The task instances of that name."""
        with self.handle.rest("viewer") as rest:
            return [one for one in rest.task_instances(DAG, dag_run) if one["task_id"] == task_id]

    def kill_program(self, name: str) -> int:
        """SIGKILL to one supervised process; supervisord starts it again. Its pid."""
        pid = next(one.pid for one in status(self.layout).programs if one.name == name)
        assert pid > 0, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_evaluation(self, run_id: str) -> None:
        """SIGKILL to the process group of the running evaluation."""
        job = self.job(run_id)
        assert job is not None
        os.killpg(int((self.layout.jobs / job / "pid").read_text()), signal.SIGKILL)

    def kill_busy_workers(self) -> bool:
        """SIGKILL to every worker that runs a task, and to the task; whether there was one."""
        busy = [one for one in self._workers() if not one.command.endswith("<idle>")]
        for one in busy:
            kill_with_task(one)
        return bool(busy)

    def kill_idle_workers(self) -> bool:
        """SIGKILL to every worker, if all are idle; whether they were."""
        workers = self._workers()
        if not workers or not all(one.command.endswith("<idle>") for one in workers):
            return False
        for one in workers:
            kill_with_task(one)
        return True

    def _workers(self) -> list[StackProcess]:
        return [one for one in stack_processes(self.layout) if "LocalExecutor:" in one.command]


def kill_with_task(worker: StackProcess) -> None:
    """SIGKILL to a worker and to the task that it runs; what a task has detached lives on."""
    for one in [worker.handle, *worker.handle.children(recursive=True)]:
        try:
            if os.getsid(one.pid) == os.getsid(worker.pid):
                one.kill()
        except (psutil.Error, ProcessLookupError):
            continue
