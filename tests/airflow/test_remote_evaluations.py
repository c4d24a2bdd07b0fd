"""Kubernetes and AWS Batch through the providers' own code, against fakes of their APIs.

Neither was ever run against the real service; this holds us to what the API clients, the providers
and botocore's model of the service say.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
import tenacity
import yaml
from airflow.sdk.exceptions import TaskDeferred
from botocore.loaders import JSONFileLoader
from kubernetes_asyncio.client import ApiException

from include.adapters.evaluation import JobRequest, JobState
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.remote_job import RemoteJob, mark_submitted, stage_request, submitted
from include.adapters.store import DirectoryStore
from include.adapters.waiting_job import waited_until
from include.rsp.errors import InvalidDocument, Refused, TransportError
from include.rsp.results import EvaluationRun
from include.rsp.vocabulary import ResultStatus
from include.wiring import remote_evaluations
from include.wiring.await_job import run_job
from include.wiring.batch_jobs import BatchPlace
from include.wiring.kubernetes_jobs import KubernetesPlace
from include.wiring.remote_evaluations import Seen, open_service, plan, poll
from include.wiring.remote_service import Look, Phase, RemoteService
from tests.support import fake_batch, fake_kubernetes
from tests.support.factories import START
from tests.support.fake_batch import FakeBatch
from tests.support.fake_kubernetes import FakeCluster
from tests.support.loopback_http import serving
from tests.support.remote import IMAGE, evaluation_that, make_request, run_container

pytestmark = pytest.mark.airflow

CONNECTION = "redline_evaluations"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/evaluators-remote.md"
SERVICES: dict[str, RemoteService] = {}


class World(Protocol):
    """One service with its fake, and what can happen there."""

    tmp_path: Path
    extra: dict[str, Any]

    def connect(self, **redline: Any) -> None: ...
    def created(self) -> int: ...
    def names(self) -> list[str]: ...
    def end(self, *, well: bool) -> None: ...
    def vanish(self) -> None: ...
    def deny(self) -> None: ...
    def keep_busy(self) -> None: ...
    def unplug(self) -> None: ...


class OnKubernetes:
    """A fake cluster behind a kubeconfig."""

    def __init__(self, tmp_path: Path, url: str, cluster: FakeCluster, set_env: Any) -> None:
        self.tmp_path, self.cluster, self._set_env = tmp_path, cluster, set_env
        self.config = fake_kubernetes.kubeconfig(url, tmp_path / "kubeconfig")
        self.extra: dict[str, Any] = {
            "image": IMAGE,
            "output_prefix": str(tmp_path / "out"),
            "resources": {"cpu": 1.5, "memory_mib": 2048, "gpu": 1},
            "poll_seconds": 1,
            "service_account": "redline-evaluation",
            "weights_claim": "checkpoints",
        }
        self.connect()

    def connect(self, **redline: Any) -> None:
        extra = {"kube_config_path": str(self.config), "namespace": fake_kubernetes.NAMESPACE}
        connect(self._set_env, "kubernetes", extra | {"redline": self.extra | redline})

    def created(self) -> int:
        return self.cluster.created()

    def names(self) -> list[str]:
        return list(self.cluster.jobs)

    def end(self, *, well: bool) -> None:
        if well:
            self.cluster.end("Complete")
        else:
            self.cluster.end(
                "Failed", "BackoffLimitExceeded", "Job has reached the limit", reason="Evicted"
            )

    def vanish(self) -> None:
        self.cluster.jobs.clear()
        self.cluster.pods.clear()

    def deny(self) -> None:
        self.cluster.denied = True

    def keep_busy(self) -> None:
        self.cluster.busy = True

    def unplug(self) -> None:
        fake_kubernetes.kubeconfig("http://127.0.0.1:9", self.config)
        SERVICES.clear()


class OnBatch:
    """A fake queue behind an endpoint."""

    def __init__(self, tmp_path: Path, url: str, batch: FakeBatch, set_env: Any) -> None:
        self.tmp_path, self.batch, self._set_env = tmp_path, batch, set_env
        self.url = url
        self.extra: dict[str, Any] = {
            "image": IMAGE,
            "output_prefix": str(tmp_path / "out"),
            "resources": {"cpu": 2, "memory_mib": 4096, "gpu": 1},
            "poll_seconds": 1,
            "job_queue": fake_batch.QUEUE,
            "job_definition": fake_batch.DEFINITION,
        }
        self.connect()

    def connect(self, **redline: Any) -> None:
        extra = {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "config_kwargs": {"retries": {"total_max_attempts": 1}, "connect_timeout": 2},
            "redline": self.extra | redline,
        }
        connect(self._set_env, "aws", extra, login="testing", password="testing")

    def created(self) -> int:
        return self.batch.submitted()

    def names(self) -> list[str]:
        return [one["jobName"] for one in self.batch.jobs.values()]

    def end(self, *, well: bool) -> None:
        (job,) = self.batch.jobs
        if well:
            self.batch.end(job, "SUCCEEDED", exitCode=0)
        else:
            said = {"statusReason": "Essential container in task exited", "exitCode": 137}
            self.batch.end(job, "FAILED", **said, reason="OutOfMemoryError: killed")

    def vanish(self) -> None:
        self.batch.jobs.clear()

    def deny(self) -> None:
        self.batch.denied = True

    def keep_busy(self) -> None:
        self.batch.busy = True

    def unplug(self) -> None:
        self.url = "http://127.0.0.1:9"
        self.connect()


def documented(word: str) -> Any:
    """The block of the document that holds a word: what it grants is what the fakes allow."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return yaml.safe_load(found)


def connect(set_env: Any, kind: str, extra: dict[str, Any], **more: str) -> None:
    """Set the connection for this process."""
    fields = {"conn_type": kind, "extra": extra} | more
    set_env(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(fields))


@pytest.fixture(scope="module", autouse=True)
def models_read_once() -> Iterator[None]:
    """Every new session of botocore parses its models again: a fifth of a second per client."""
    real = JSONFileLoader.load_file
    known = functools.cache(lambda path: real(JSONFileLoader(), path))
    JSONFileLoader.load_file = lambda _, path: known(path)
    yield
    JSONFileLoader.load_file = real


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's hook waits up to 15 s between its own tries; here it tries without waiting."""
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import (
        AsyncKubernetesHook,
        KubernetesHook,
    )

    for call in (KubernetesHook.create_job, AsyncKubernetesHook.get_job_status):
        monkeypatch.setattr(call.retry, "wait", tenacity.wait_none())
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnKubernetes]:
    cluster = FakeCluster(documented("kind: Role")["rules"])
    with fake_kubernetes.running(cluster) as url:
        yield OnKubernetes(tmp_path, url, cluster, monkeypatch.setenv)


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnBatch]:
    fake = FakeBatch(IMAGE)
    with serving(fake.answer) as url:
        yield OnBatch(tmp_path, url, fake, monkeypatch.setenv)
    assert fake.problems == []
    allowed = json.dumps(documented("batch:ListJobs"))
    assert [name for name, _ in fake.asked if f'"batch:{name}"' not in allowed] == []


@pytest.fixture(params=["kubernetes", "batch"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def task() -> dict[str, Any]:
    """What the providers' operators read of Airflow's context."""
    instance = SimpleNamespace(
        dag_id="assess_checkpoint",
        task_id="evaluate",
        map_index=3,
        try_number=1,
        xcom_push=lambda **_: None,
    )
    return {"ti": instance, "run_id": "manual__2026-11-01T12:00:00+00:00", "dag": None}


def opened(request: JobRequest | None = None) -> tuple[RemoteService, RemoteJob]:
    """The service is kept as long as its connection says the same: boto3's clients are slow."""
    said = os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"]
    service = SERVICES.get(said) or SERVICES.setdefault(said, open_service(CONNECTION))
    return service, plan(service, request or make_request(), assessment="sha256:" + "d" * 64)


def go_on(world: World, request: JobRequest | None = None) -> Seen | TaskDeferred:
    """One execution or resumption of the task: what it deferred with, or what it saw."""
    wanted = request or make_request()
    service, remote = opened(wanted)
    try:
        return remote_evaluations.run_remotely(
            service,
            remote,
            wanted,
            context=task(),
            resume="resume",
            folder=world.tmp_path / "jobs" / wanted.job,
        )
    except TaskDeferred as deferred:
        return deferred


def deferred(found: Seen | TaskDeferred) -> TaskDeferred:
    assert isinstance(found, TaskDeferred), found
    assert found.method_name == "resume"
    return found


def seen(found: Seen | TaskDeferred) -> Seen:
    assert isinstance(found, Seen), found
    return found


def fire(found: TaskDeferred) -> dict[str, Any]:
    """Run the trigger as the triggerer does: rebuilt from what it serialises to."""
    path, arguments = found.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), 20))


def test_a_job_is_started_awaited_and_brought_back(world: World) -> None:
    """The whole way: start, wait in the provider's trigger, collect as from a local job."""
    waiting = deferred(go_on(world))
    service, remote = opened()
    assert [name.removeprefix("job-") for name in world.names()] == [remote.name]
    assert poll(service, remote).state is JobState.RUNNING
    assert run_container(remote, evaluation_that(world.tmp_path)) == 0
    world.end(well=True)
    assert fire(waiting)["status"] == "success"
    assert seen(go_on(world)).state is JobState.FINISHED
    (world.tmp_path / "store").mkdir()
    result = ProcessEvaluator(world.tmp_path / "jobs").collect(
        make_request(), DirectoryStore(world.tmp_path / "store"), at=START
    )
    assert result.status is ResultStatus.COMPLETE
    assert world.created() == 1


def run_from_task(world: World) -> EvaluationRun:
    """What the operators call, with the settings of a deployment that evaluates remotely."""
    store = world.tmp_path / "store"
    store.mkdir(exist_ok=True)
    desk: Any = SimpleNamespace(
        jobs=ProcessEvaluator(world.tmp_path / "jobs"),
        store=DirectoryStore(store),
        now=lambda: START,
    )
    return run_job(desk, "a-1", make_request(), task(), overdue=False)


@pytest.fixture
def from_settings(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("store", "checkpoints", "jobs"):
        monkeypatch.setenv(f"REDLINE_{name.upper()}", str(world.tmp_path / name))
    monkeypatch.setenv("REDLINE_EVALUATIONS", CONNECTION)
    return world


@pytest.mark.parametrize("delivers", [True, False])
def test_the_connection_of_the_settings_is_where_the_task_runs_it(
    from_settings: World, delivers: bool
) -> None:
    """It is marked as waited for; a job that ended with nothing is a crash that says why."""
    world = from_settings
    with pytest.raises(TaskDeferred):
        run_from_task(world)
    folder = world.tmp_path / "jobs" / make_request().job
    limit = make_request().task.time_limit_seconds * make_request().task.attempts
    assert waited_until(folder) == pytest.approx(START.timestamp() + limit)
    if delivers:
        _, remote = opened()
        assert run_container(remote, evaluation_that(world.tmp_path)) == 0
    world.end(well=delivers)
    found = run_from_task(world)
    assert found.status is (ResultStatus.COMPLETE if delivers else ResultStatus.CRASHED)
    assert delivers or "its log: " in (found.problem or "")
    assert world.created() == 1


def test_a_retry_waits_for_the_same_job(world: World) -> None:
    deferred(go_on(world))
    handle = submitted(opened()[1])
    again = deferred(go_on(world))
    assert world.created() == 1
    assert submitted(opened()[1]) == handle
    world.end(well=False)
    assert fire(again)["status"] == "error"


def test_a_worker_that_died_between_submitting_and_noting_it_finds_the_job(world: World) -> None:
    deferred(go_on(world))
    _, remote = opened()
    (Path(remote.output_uri) / "submitted.json").unlink()
    deferred(go_on(world))
    assert world.created() == 1
    assert submitted(remote) is not None


def test_a_job_that_failed_is_dead_and_says_why(world: World) -> None:
    deferred(go_on(world))
    world.end(well=False)
    found = seen(go_on(world))
    assert found.state is JobState.DEAD
    assert found.handle in found.why
    assert "its log: " in found.why
    assert ("Evicted" in found.why) or ("OutOfMemoryError" in found.why and "137" in found.why)
    assert world.created() == 1


def test_a_job_that_somebody_deleted_is_dead_and_is_not_started_again(world: World) -> None:
    deferred(go_on(world))
    world.vanish()
    found = seen(go_on(world))
    assert found.state is JobState.DEAD
    assert "is gone without an outcome" in found.why
    assert world.created() == 1


def test_a_success_without_an_outcome_is_dead(world: World) -> None:
    deferred(go_on(world))
    world.end(well=True)
    found = seen(go_on(world))
    assert found.state is JobState.DEAD
    assert "left no outcome" in found.why


def test_an_outcome_counts_whatever_became_of_the_container(world: World) -> None:
    deferred(go_on(world))
    run_container(opened()[1], evaluation_that(world.tmp_path))
    world.end(well=False)
    assert seen(go_on(world)).state is JobState.FINISHED
    world.vanish()
    world.deny()
    assert seen(go_on(world)).state is JobState.FINISHED


def test_an_outcome_that_comes_between_the_two_looks_counts(world: World) -> None:
    deferred(go_on(world))
    service, remote = opened()

    class Ending:
        """The service, with a container that ends just before it is asked."""

        place, owns = service.place, staticmethod(service.owns)

        def look(self, remote: RemoteJob) -> Look:
            run_container(remote, evaluation_that(world.tmp_path))
            world.end(well=True)
            return service.look(remote)

    assert poll(Ending(), remote).state is JobState.FINISHED  # type: ignore[arg-type]


def test_a_denial_is_refused_and_not_tried_again(world: World) -> None:
    world.deny()
    with pytest.raises(Refused, match=r"docs/evaluators-remote\.md") as refused:
        go_on(world)
    assert refused.value.code == "denied"
    assert world.names() == []


@pytest.mark.parametrize("what", ["keep_busy", "unplug"])
def test_a_service_that_does_not_answer_is_tried_again(world: World, what: str) -> None:
    getattr(world, what)()
    with pytest.raises(TransportError, match=CONNECTION):
        go_on(world)
    assert world.names() == []


@pytest.mark.parametrize("what", ["deny", "unplug"])
def test_a_running_job_that_cannot_be_seen_is_not_dead(world: World, what: str) -> None:
    deferred(go_on(world))
    getattr(world, what)()
    with pytest.raises((Refused, TransportError)):
        go_on(world)
    assert world.created() == 1


def test_a_stranger_under_our_name_is_not_touched(world: World) -> None:
    deferred(go_on(world))
    world.connect(output_prefix=str(world.tmp_path / "another"))
    with pytest.raises(Refused, match="not the job of") as refused:
        go_on(world)
    assert refused.value.code == "name_taken"
    assert world.created() == 1


def test_another_request_under_the_name_starts_nothing(world: World) -> None:
    _, remote = opened()
    stage_request(remote, make_request().model_copy(update={"variant": "another"}))
    with pytest.raises(Refused, match="another request"):
        go_on(world)
    assert world.created() == 0


def test_a_job_that_was_submitted_elsewhere_is_not_started_here(world: World) -> None:
    _, remote = opened()
    mark_submitted(remote, "Kubernetes job another-namespace/job-x")
    with pytest.raises(Refused, match="another service") as refused:
        go_on(world)
    assert refused.value.code == "elsewhere"
    assert world.created() == 0


def test_jobs_of_other_evaluations_are_other_jobs(world: World) -> None:
    deferred(go_on(world))
    deferred(go_on(world, make_request("two-digit-addition-0123456789ac")))
    assert world.created() == 2
    assert len(set(world.names())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "registry.example/redline:1.0"}, "is not pinned"),
        ({"resources": None}, "resources"),
        ({"unknown": 1}, "unknown"),
        ({"environment": {"AWS_SECRET_ACCESS_KEY": "x"}}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_connection_that_describes_no_job_is_refused(
    world: World, change: dict[str, Any], message: str
) -> None:
    world.connect(**change)
    with pytest.raises(InvalidDocument, match=message):
        go_on(world)
    assert world.created() == 0


def test_cancel_ends_the_job_and_one_that_is_gone_is_no_error(world: World) -> None:
    deferred(go_on(world))
    service, remote = opened()
    remote_evaluations.cancel(service, remote, reason="over its time")
    assert poll(service, remote).state is JobState.DEAD
    remote_evaluations.cancel(service, remote, reason="over its time")


@pytest.mark.parametrize("kind", ["ssh", "generic"])
def test_a_connection_of_another_type_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    connect(monkeypatch.setenv, kind, {"redline": {}})
    with pytest.raises(InvalidDocument, match=f"of type '{kind}'"):
        open_service(CONNECTION)
    connect(monkeypatch.setenv, kind, {})
    with pytest.raises(InvalidDocument, match="no extra 'redline'"):
        open_service(CONNECTION)
    with pytest.raises(InvalidDocument, match="There is no connection"):
        open_service("redline_nowhere")


def test_the_document_names_every_field_and_says_what_was_never_tried() -> None:
    text = DOCUMENT.read_text()
    fields = KubernetesPlace.model_fields | BatchPlace.model_fields
    assert [name for name in fields if f"`{name}`" not in text] == []
    assert "Neither was ever run against the real service." in text


@pytest.mark.parametrize(("word", "kind"), [('"in_cluster"', "kubernetes"), ('"role_arn"', "aws")])
def test_the_documented_connections_read(
    monkeypatch: pytest.MonkeyPatch, word: str, kind: str
) -> None:
    example = documented(word)
    assert example["conn_type"] == kind
    extra = json.loads(json.dumps(example["extra"]).replace("sha256:\\u2026", IMAGE[-71:]))
    connect(monkeypatch.setenv, kind, extra)
    _, remote = opened()
    assert remote.output_uri.startswith("s3://evidence/evaluations/jobs/")


class TestKubernetes:
    """What only a cluster does."""

    def test_the_job_says_all_that_the_plan_says(self, kubernetes: OnKubernetes) -> None:
        deferred(go_on(kubernetes))
        (job,) = kubernetes.cluster.jobs.values()
        _, remote = opened()
        spec, pod = job["spec"], job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert spec["backoffLimit"] == remote.attempts - 1
        assert spec["activeDeadlineSeconds"] == remote.timeout_seconds * remote.attempts
        assert pod["activeDeadlineSeconds"] == remote.timeout_seconds
        assert spec["ttlSecondsAfterFinished"] == 7 * 24 * 3600
        assert job["metadata"]["labels"].items() >= remote.labels.items()
        assert container["image"] == IMAGE
        assert container["command"] == list(remote.command)
        assert {one["name"]: one["value"] for one in container["env"]} == remote.environment
        limits = {"cpu": "1500m", "memory": "2048Mi", "nvidia.com/gpu": "1"}
        assert container["resources"] == {"limits": limits, "requests": limits}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert pod["serviceAccountName"] == "redline-evaluation"
        assert pod["automountServiceAccountToken"] is False
        assert container["volumeMounts"] == [
            {"name": "weights", "mountPath": "/weights", "readOnly": True}
        ]

    def test_pods_that_come_late_do_not_lose_the_job(self, kubernetes: OnKubernetes) -> None:
        """The provider's operator gives up after three looks while the job goes on."""
        kubernetes.cluster.pods_after = 50
        waiting = deferred(go_on(kubernetes))
        assert kubernetes.created() == 1
        kubernetes.end(well=True)
        assert fire(waiting)["status"] == "success"

    def test_a_name_that_is_taken_between_look_and_create_is_joined(
        self, kubernetes: OnKubernetes
    ) -> None:
        deferred(go_on(kubernetes))
        (Path(opened()[1].output_uri) / "submitted.json").unlink()
        kubernetes.cluster.hidden = True
        deferred(go_on(kubernetes))
        assert len(kubernetes.cluster.jobs) == 1
        assert kubernetes.created() > 1

    def test_a_failure_says_the_pod_its_end_and_its_last_line(
        self, kubernetes: OnKubernetes
    ) -> None:
        deferred(go_on(kubernetes))
        done = {"reason": "OOMKilled", "exitCode": 137}
        statuses = [
            {
                "name": "evaluation", "state": {"terminated": done}, "ready": False,
                "restartCount": 0, "image": IMAGE, "imageID": "",
            }
        ]  # fmt: skip
        kubernetes.cluster.end("Failed", "DeadlineExceeded", "too long", containerStatuses=statuses)
        (pod,) = kubernetes.cluster.pods
        kubernetes.cluster.logs[pod] = "sample 200 of 300\n"
        why = seen(go_on(kubernetes)).why
        assert "DeadlineExceeded: too long" in why
        assert f"pod {pod} ended: OOMKilled, exit code 137" in why
        assert f"kubectl -n evaluations logs {pod} (last line: sample 200 of 300)" in why

    def test_a_condition_that_is_false_ends_nothing(self, kubernetes: OnKubernetes) -> None:
        deferred(go_on(kubernetes))
        (job,) = kubernetes.cluster.jobs.values()
        job["status"]["conditions"] = [{"type": "Failed", "status": "False"}]
        assert poll(*opened()).state is JobState.RUNNING

    def test_a_job_that_is_being_deleted_is_dead(self, kubernetes: OnKubernetes) -> None:
        deferred(go_on(kubernetes))
        (job,) = kubernetes.cluster.jobs.values()
        job["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
        assert "being deleted" in seen(go_on(kubernetes)).why

    def test_the_trigger_of_a_deleted_job_ends_in_an_error(self, kubernetes: OnKubernetes) -> None:
        """So the task needs a retry to be told; docs/evaluators-remote.md says it."""
        waiting = deferred(go_on(kubernetes))
        kubernetes.vanish()
        with pytest.raises(ApiException, match="404"):
            fire(waiting)

    def test_cancel_deletes_the_pods_first(self, kubernetes: OnKubernetes) -> None:
        deferred(go_on(kubernetes))
        service, remote = opened()
        remote_evaluations.cancel(service, remote, reason="over its time")
        assert kubernetes.cluster.deleted_with == ["Foreground"]

    def test_what_the_cluster_rejects_is_refused(self, kubernetes: OnKubernetes) -> None:
        kubernetes.connect(node_selector={"zone": "a"}, gpu_resource="nvidia.com/gpu")
        service, remote = opened()
        bad = remote.model_copy(update={"labels": {"redline-evaluation": "not a label"}})
        with pytest.raises(Refused, match="422") as refused:
            service.start(bad, task(), resume="resume")
        assert refused.value.code == "rejected"

    def test_a_connection_without_a_namespace_is_refused(
        self, kubernetes: OnKubernetes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extra = {"kube_config_path": str(kubernetes.config), "redline": kubernetes.extra}
        connect(monkeypatch.setenv, "kubernetes", extra)
        with pytest.raises(InvalidDocument, match="names no namespace"):
            go_on(kubernetes)


class TestBatch:
    """What only AWS Batch does."""

    def test_the_job_says_all_that_the_plan_says(self, batch: OnBatch) -> None:
        deferred(go_on(batch))
        (given,) = [said for name, said in batch.batch.asked if name == "SubmitJob"]
        _, remote = opened()
        override = given["containerOverrides"]
        assert given["jobName"] == remote.name
        assert given["jobDefinition"] == fake_batch.DEFINITION
        assert given["timeout"] == {"attemptDurationSeconds": remote.timeout_seconds}
        assert given["retryStrategy"] == {"attempts": remote.attempts}
        assert given["tags"] == remote.labels
        assert override["command"] == list(remote.command)
        assert {one["name"]: one["value"] for one in override["environment"]} == remote.environment
        assert override["resourceRequirements"] == [
            {"type": "VCPU", "value": "2"},
            {"type": "MEMORY", "value": "4096"},
            {"type": "GPU", "value": "1"},
        ]

    @pytest.mark.parametrize("image", ["registry.example/redline:1.0", IMAGE[:-1] + "b"])
    def test_a_definition_with_another_image_is_refused(self, batch: OnBatch, image: str) -> None:
        batch.batch.image = image
        with pytest.raises(Refused, match="Register a revision") as refused:
            go_on(batch)
        assert refused.value.code == "other_image"
        assert batch.created() == 0

    def test_a_definition_without_a_revision_is_refused(self, batch: OnBatch) -> None:
        batch.connect(job_definition="redline-evaluation")
        with pytest.raises(InvalidDocument, match="job_definition"):
            go_on(batch)

    def test_a_queue_that_is_not_there_is_refused(self, batch: OnBatch) -> None:
        batch.connect(job_queue="nowhere")
        with pytest.raises(Refused, match="not found") as refused:
            go_on(batch)
        assert refused.value.code == "rejected"

    def test_a_name_in_other_letters_is_another_job(self, batch: OnBatch) -> None:
        deferred(go_on(batch))
        (job,) = batch.batch.jobs.values()
        job["jobName"] = job["jobName"].upper()
        (Path(opened()[1].output_uri) / "submitted.json").unlink()
        deferred(go_on(batch))
        assert batch.created() == 2

    def test_of_several_jobs_of_a_name_the_one_that_succeeded_counts(self, batch: OnBatch) -> None:
        """A page of the fake holds one job, so this walks the pages too."""
        deferred(go_on(batch))
        (first,) = batch.batch.jobs
        for number, status in enumerate(["FAILED", "SUCCEEDED", "RUNNING"]):
            extra = {"jobId": f"x{number}", "status": status, "createdAt": 2000 + number}
            batch.batch.jobs[f"x{number}"] = batch.batch.jobs[first] | extra
        service, remote = opened()
        assert service.look(remote).handle.endswith(first)
        (Path(remote.output_uri) / "submitted.json").unlink()
        found = service.look(remote)
        assert (found.phase, found.handle) == (Phase.SUCCEEDED, "AWS Batch job x1")
        del batch.batch.jobs["x1"]
        assert service.look(remote).handle.endswith(first)

    def test_of_two_jobs_that_were_submitted_at_once_the_second_is_ended(
        self, batch: OnBatch
    ) -> None:
        deferred(go_on(batch))
        (first,) = batch.batch.jobs
        service, remote = opened()
        with pytest.raises(TaskDeferred) as found:
            service.start(remote, task(), resume="resume")
        assert found.value.trigger.serialize()[1]["job_id"] == first
        assert [one["status"] for one in batch.batch.jobs.values()] == ["SUBMITTED", "FAILED"]

    @pytest.mark.parametrize(
        ("status", "why"), [("FAILED", "Host EC2 was terminated"), ("SUCCEEDED", "left no outcome")]
    )
    def test_a_job_that_ends_at_once_is_judged_at_once(
        self, batch: OnBatch, status: str, why: str
    ) -> None:
        """The provider's operator then raises, or returns, and does not defer."""
        batch.batch.ends_at_once = status
        found = seen(go_on(batch))
        assert found.state is JobState.DEAD
        assert why in found.why
        assert submitted(opened()[1]) == found.handle
        assert batch.created() == 1

    def test_the_trigger_looks_up_at_least_every_hour(self, batch: OnBatch) -> None:
        batch.connect(poll_seconds=30)
        arguments = deferred(go_on(batch)).trigger.serialize()[1]
        assert arguments["waiter_delay"] * arguments["waiter_max_attempts"] == 3600
