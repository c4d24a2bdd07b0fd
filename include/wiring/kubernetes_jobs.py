"""Evaluations as Kubernetes jobs, through the provider's operator, hook and trigger.

Import it inside a function only: the provider takes seconds to import.

The provider's operator cannot be left alone with a retry: it creates without looking, tries a name
that is taken four times more, and fails when the controller has not made the pod within three
looks, while the job goes on. So the job is looked for first, and whatever the operator says after
it created, the job that is there is waited for with the provider's own trigger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import kubernetes.client as k8s  # type: ignore[import-untyped]
from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
from airflow.providers.cncf.kubernetes.operators.job import JOB_NAME_PREFIX, KubernetesJobOperator
from airflow.providers.cncf.kubernetes.triggers.job import KubernetesJobTrigger
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from kubernetes.client.rest import ApiException  # type: ignore[import-untyped]
from kubernetes.config import ConfigException  # type: ignore[import-untyped]
from pydantic import Field
from urllib3.exceptions import HTTPError

from include.adapters.remote_job import RemoteJob, mark_submitted
from include.adapters.remote_place import RemotePlace
from include.rsp.errors import InvalidDocument, RedlineError, Refused, TransportError
from include.wiring.remote_service import Look, Phase

OUTPUT = "redline-output-uri"
"""The annotation that tells our job from a stranger's under the same name."""
HANDLE = "Kubernetes job "
CONTAINER = "evaluation"
WEEK = 7 * 24 * 3600


class KubernetesPlace(RemotePlace):
    """The connection's extra `redline`, for a connection of type `kubernetes`."""

    service_account: str = Field(description="may read and write the output prefix, nothing else")
    image_pull_secret: str | None = None
    node_selector: dict[str, str] = Field(default_factory=dict)
    weights_claim: str | None = Field(default=None, description="claim mounted read-only")
    weights_path: str = Field(default="/weights", description="where; as the checkpoints say it")
    gpu_resource: str = "nvidia.com/gpu"
    keep_seconds: int = Field(
        default=WEEK, ge=3600, description="a finished job and its pods' logs"
    )


class KubernetesService:
    """One cluster and namespace."""

    def __init__(self, connection_id: str, place: KubernetesPlace) -> None:
        self.connection_id = connection_id
        self.place = place

    @cached_property
    def hook(self) -> Any:
        """The provider's hook, with the connection's cluster."""
        return KubernetesHook(conn_id=self.connection_id)

    @cached_property
    def namespace(self) -> str:
        """The connection's extra `namespace`; there is no default, it is a boundary."""
        found = self.hook.get_namespace()
        if not found:
            raise InvalidDocument(
                f"The connection {self.connection_id} names no namespace (expected the extra "
                "'namespace'). Give evaluations a namespace of their own."
            )
        return str(found)

    def owns(self, handle: str) -> bool:
        """Whether it is a job of this namespace."""
        return handle.startswith(f"{HANDLE}{self.namespace}/")

    def look(self, remote: RemoteJob) -> Look:
        """The job by its name, refused when it is not ours."""
        with self._faults(f"look for job {_name(remote)}"):
            try:
                job = self.hook.batch_v1_client.read_namespaced_job(
                    name=_name(remote), namespace=self.namespace
                )
            except ApiException as error:
                if error.status == 404:
                    return Look(Phase.ABSENT)
                raise
        handle = self._handle(remote)
        if (job.metadata.annotations or {}).get(OUTPUT) != remote.output_uri:
            raise Refused(
                "name_taken",
                f"{handle} is not the job of {remote.output_uri} (by its annotation {OUTPUT}). "
                "It was not touched; find out who made it.",
            )
        conditions = {c.type: c for c in (job.status.conditions or []) if c.status == "True"}
        if "Complete" in conditions:
            return Look(Phase.SUCCEEDED, handle)
        if "Failed" in conditions:
            said = conditions["Failed"]
            return Look(Phase.FAILED, handle, self._why(remote, f"{said.reason}: {said.message}"))
        if job.metadata.deletion_timestamp:
            return Look(Phase.FAILED, handle, self._why(remote, "it is being deleted"))
        return Look(Phase.RUNNING, handle)

    def start(self, remote: RemoteJob, context: Any, *, resume: str) -> None:
        """Create it, then wait for it with the provider's trigger."""
        try:
            with self._faults(f"create job {_name(remote)}"):
                self._operator(remote).execute(context)
        except TaskDeferred as deferred:
            mark_submitted(remote, self._handle(remote))
            raise TaskDeferred(trigger=deferred.trigger, method_name=resume) from None
        except RedlineError:
            if self.look(remote).phase is Phase.ABSENT:
                raise
        mark_submitted(remote, self._handle(remote))
        if self.look(remote).phase is Phase.RUNNING:
            self.attach(remote, resume=resume)

    def attach(self, remote: RemoteJob, *, resume: str) -> None:
        """Wait for it with the provider's trigger."""
        mark_submitted(remote, self._handle(remote))
        raise TaskDeferred(
            trigger=KubernetesJobTrigger(
                job_name=_name(remote),
                job_namespace=self.namespace,
                pod_names=[],
                pod_namespace=self.namespace,
                base_container_name=CONTAINER,
                kubernetes_conn_id=self.connection_id,
                poll_interval=self.place.poll_seconds,
                get_logs=False,
            ),
            method_name=resume,
        )

    def cancel(self, remote: RemoteJob, *, reason: str) -> None:
        """Delete the job; its pods go first."""
        with self._faults(f"delete job {_name(remote)} ({reason})"):
            try:
                self.hook.batch_v1_client.delete_namespaced_job(
                    name=_name(remote), namespace=self.namespace, propagation_policy="Foreground"
                )
            except ApiException as error:
                if error.status != 404:
                    raise

    def _operator(self, remote: RemoteJob) -> Any:
        place, limits = self.place, _limits(remote, self.place)
        mounted = place.weights_claim is not None
        return KubernetesJobOperator(
            task_id="evaluation",
            kubernetes_conn_id=self.connection_id,
            namespace=self.namespace,
            name=remote.name,
            random_name_suffix=False,
            image=remote.image,
            cmds=list(remote.command),
            env_vars=dict(remote.environment),
            labels=dict(remote.labels),
            annotations={OUTPUT: remote.output_uri},
            base_container_name=CONTAINER,
            container_resources=k8s.V1ResourceRequirements(requests=limits, limits=limits),
            service_account_name=place.service_account,
            automount_service_account_token=False,
            container_security_context=k8s.V1SecurityContext(
                allow_privilege_escalation=False, capabilities=k8s.V1Capabilities(drop=["ALL"])
            ),
            image_pull_secrets=_pull_secrets(place),
            node_selector=dict(place.node_selector) or None,
            volumes=[_volume(place)] if mounted else None,
            volume_mounts=[_mount(place)] if mounted else None,
            full_job_spec=_deadlines(remote),
            backoff_limit=remote.attempts - 1,
            ttl_seconds_after_finished=place.keep_seconds,
            wait_until_job_complete=True,
            deferrable=True,
            job_poll_interval=place.poll_seconds,
            get_logs=False,
            do_xcom_push=False,
        )

    def _why(self, remote: RemoteJob, said: str) -> str:
        """What the job says, what its newest pod says, and where the log is."""
        with self._faults(f"list the pods of {_name(remote)}"):
            pods = self.hook.core_v1_client.list_namespaced_pod(
                namespace=self.namespace, label_selector=f"job-name={_name(remote)}"
            ).items
        where = f"{self._handle(remote)} failed ({said})"
        kept = f"what it left is under {remote.output_uri}/attempt-<n>/"
        if not pods:
            return f"{where}; its pods are gone, {kept}"
        pod = max(pods, key=lambda one: str(one.metadata.creation_timestamp))
        name = pod.metadata.name
        return (
            f"{where}; pod {name} {_ended(pod)}; its log: kubectl -n {self.namespace} logs {name}"
            f"{self._last_line(name)}; {kept}"
        )

    def _last_line(self, pod: str) -> str:
        """Only a convenience: a pod whose log cannot be read has failed all the same."""
        try:
            answer = self.hook.core_v1_client.read_namespaced_pod_log(
                name=pod,
                namespace=self.namespace,
                container=CONTAINER,
                tail_lines=1,
                _preload_content=False,  # the client would give the bytes as text like "b'…'"
            )
        except (ApiException, HTTPError):
            return ""
        text = answer.data.decode(errors="replace").strip()
        return f" (last line: {text[:200]})" if text else ""

    def _handle(self, remote: RemoteJob) -> str:
        return f"{HANDLE}{self.namespace}/{_name(remote)}"

    @contextlib.contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        """The client's errors as ours: a refusal, a wrong connection, or a fault to try again."""
        where = f"Could not {what} by the connection {self.connection_id}"
        try:
            yield
        except ApiException as error:
            raise _of_status(where, error) from error
        except HTTPError as error:
            raise TransportError(f"{where}: the API was not reached ({error})") from error
        except ConfigException as error:
            raise InvalidDocument(f"{where}: its cluster configuration: {error}") from error
        except AirflowException as error:
            raise TransportError(f"{where}: {error}") from error


def _of_status(where: str, error: Any) -> RedlineError:
    said = f"{error.status} {error.reason}: {str(error.body)[:300]}"
    if error.status in {401, 403}:
        return Refused(
            "denied", f"{where}: {said}. Grant the role in docs/evaluators-remote.md, no more."
        )
    if error.status in {400, 404, 405, 415, 422}:
        return Refused("rejected", f"{where}: {said}. Correct the connection's extra 'redline'.")
    return TransportError(f"{where}: {said}")


def _name(remote: RemoteJob) -> str:
    return f"{JOB_NAME_PREFIX}{remote.name}"


def _limits(remote: RemoteJob, place: KubernetesPlace) -> dict[str, str]:
    wanted = remote.resources
    limits = {"cpu": f"{round(wanted.cpu * 1000)}m", "memory": f"{wanted.memory_mib}Mi"}
    return limits | ({place.gpu_resource: str(wanted.gpu)} if wanted.gpu else {})


def _deadlines(remote: RemoteJob) -> Any:
    """One attempt (the pod) has its time, and all attempts together (the job) have theirs."""
    pod = k8s.V1PodSpec(containers=[], active_deadline_seconds=remote.timeout_seconds)
    return k8s.V1Job(
        metadata=k8s.V1ObjectMeta(),
        spec=k8s.V1JobSpec(
            active_deadline_seconds=remote.timeout_seconds * remote.attempts,
            template=k8s.V1PodTemplateSpec(metadata=k8s.V1ObjectMeta(), spec=pod),
        ),
    )


def _pull_secrets(place: KubernetesPlace) -> list[Any] | None:
    secret = place.image_pull_secret
    return [k8s.V1LocalObjectReference(name=secret)] if secret else None


def _volume(place: KubernetesPlace) -> Any:
    claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=place.weights_claim, read_only=True)
    return k8s.V1Volume(name="weights", persistent_volume_claim=claim)


def _mount(place: KubernetesPlace) -> Any:
    return k8s.V1VolumeMount(name="weights", mount_path=place.weights_path, read_only=True)


def _ended(pod: Any) -> str:
    """How a pod ended, in its own words."""
    if pod.status.reason:
        return f"ended: {pod.status.reason} ({pod.status.message})"
    for one in pod.status.container_statuses or []:
        done = one.state.terminated if one.state else None
        if one.name == CONTAINER and done is not None:
            return f"ended: {done.reason}, exit code {done.exit_code}"
    return f"is {pod.status.phase}"
