"""A cluster's API as far as a job needs it: batch/v1 jobs, core/v1 pods and their logs.

It refuses what the real API server refuses of what we send (names, labels, images, doubled jobs, no
token) and plays the job controller: a job gets a pod after `pods_after` looks at the pods.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.loopback_http import Answered, Asked, answered, serving

TOKEN = "a-token-of-the-fake-cluster"
NAMESPACE = "evaluations"
_JOBS = re.compile(r"/apis/batch/v1/namespaces/([^/]+)/jobs(?:/([^/]+))?(/status)?")
_PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+)(/log)?)?")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


class FakeCluster:
    """Its state is open to the test; `asked` keeps every request."""

    def __init__(self, rules: list[dict[str, list[str]]]) -> None:
        """`rules` are those of an RBAC Role; nothing else is allowed."""
        self.rules = rules
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.denied = False
        self.hidden = False
        self.busy = False
        self.pods_after = 0
        self.deleted_with: list[str | None] = []
        self._lock = threading.Lock()

    def created(self) -> int:
        """How many jobs were asked for."""
        return sum(1 for one in self.asked if one.method == "POST")

    def end(self, kind: str, reason: str = "", message: str = "", /, **pod: Any) -> None:
        """The only job ends: `Complete` or `Failed`, its pod with the given status."""
        (job,) = self.jobs.values()
        job["status"]["conditions"] = [
            {"type": "Suspended", "status": "False"},
            {"type": kind, "status": "True", "reason": reason, "message": message},
        ]
        self._make_pods()
        for one in self.pods.values():
            one["status"] |= {"phase": "Failed" if kind == "Failed" else "Succeeded"} | pod

    def answer(self, asked: Asked) -> Answered:
        """One request."""
        with self._lock:
            self.asked.append(asked)
            if asked.headers.get("authorization") != f"Bearer {TOKEN}":
                return _status(401, "Unauthorized", "no valid token")
            if self.denied or not self._allowed(asked):
                return _status(403, "Forbidden", "jobs.batch is forbidden: User cannot use it")
            if self.busy:
                return _status(503, "ServiceUnavailable", "etcd has no leader")
            if found := _JOBS.fullmatch(asked.path):
                return self._jobs(asked, found[1], found[2])
            if found := _PODS.fullmatch(asked.path):
                return self._pods(asked, found[2], bool(found[3]))
            return _status(404, "NotFound", f"the fake has no {asked.path}")

    def _allowed(self, asked: Asked) -> bool:
        job, pod = _JOBS.fullmatch(asked.path), _PODS.fullmatch(asked.path)
        found = job or pod
        if found is None:
            return True
        group, resource = ("batch", "jobs") if job else ("", "pods")
        resource += found[3] or ""
        verb = {"POST": "create", "DELETE": "delete", "PATCH": "patch"}.get(asked.method)
        verb = verb or ("get" if found[2] else "list")
        return any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for rule in self.rules
        )

    def _jobs(self, asked: Asked, namespace: str, name: str | None) -> Answered:
        if namespace != NAMESPACE:
            return _status(403, "Forbidden", f"no jobs in {namespace}")
        if asked.method == "POST":
            return self._create(asked.body)
        if name is None:
            return answered(200, {"kind": "JobList", "items": list(self.jobs.values())})
        if name not in self.jobs or self.hidden:
            self.hidden = False
            return _status(404, "NotFound", f'jobs.batch "{name}" not found')
        if asked.method == "DELETE":
            policy = asked.query.get("propagationPolicy")
            self.deleted_with.append(policy)
            if policy in {"Foreground", "Background"}:
                self.pods = {
                    k: v
                    for k, v in self.pods.items()
                    if v["metadata"]["labels"]["job-name"] != name
                }
            return answered(200, {"kind": "Status", "status": "Success", "x": self.jobs.pop(name)})
        return answered(200, self.jobs[name])

    def _create(self, body: dict[str, Any]) -> Answered:
        name = body["metadata"]["name"]
        if problems := list(_problems(body)):
            return _status(422, "Invalid", "; ".join(problems))
        if name in self.jobs:
            return _status(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        job = copy.deepcopy(body)
        job["metadata"] |= {"uid": f"uid-{len(self.asked)}"}
        job["status"] = {"active": 1}
        self.jobs[name] = job
        return answered(201, job)

    def _pods(self, asked: Asked, name: str | None, log: bool) -> Answered:
        if log:
            return answered(200, self.logs.get(str(name), ""))
        self.pods_after -= 1
        if self.pods_after < 0:
            self._make_pods()
        if name is not None:
            known = self.pods.get(name)
            return answered(200, known) if known else _status(404, "NotFound", f"no pod {name}")
        wanted = asked.query.get("labelSelector", "")
        items = [one for one in self.pods.values() if _selected(one, wanted)]
        return answered(200, {"kind": "PodList", "apiVersion": "v1", "items": items})

    def _make_pods(self) -> None:
        for name, job in self.jobs.items():
            template = job["spec"]["template"]
            labels = template["metadata"]["labels"] | {"job-name": name}
            meta = {
                "name": f"{name[:57]}-abcde",
                "namespace": NAMESPACE,
                "labels": labels,
                "creationTimestamp": "2026-11-01T12:00:00Z",
            }
            self.pods.setdefault(
                meta["name"],
                {
                    "kind": "Pod",
                    "metadata": meta,
                    "spec": template["spec"],
                    "status": {"phase": "Running"},
                },
            )


def _problems(job: dict[str, Any]) -> Iterator[str]:
    if not _DNS_LABEL.fullmatch(job["metadata"]["name"]):
        yield f"metadata.name: {job['metadata']['name']!r}"
    spec = job["spec"]["template"]["spec"]
    labels = job["metadata"]["labels"] | job["spec"]["template"]["metadata"]["labels"]
    yield from (f"label {k}={v!r}" for k, v in labels.items() if not _LABEL.fullmatch(v))
    if spec.get("restartPolicy") not in {"Never", "OnFailure"}:
        yield "restartPolicy"
    if not [one for one in spec["containers"] if one.get("image") and one.get("name")]:
        yield "containers"
    volumes = {one["name"] for one in spec.get("volumes", [])}
    for one in spec["containers"]:
        mounted = {mount["name"] for mount in one.get("volumeMounts", [])}
        yield from (f"volumeMount {name}" for name in mounted - volumes)


def _selected(pod: dict[str, Any], selector: str) -> bool:
    labels = pod["metadata"]["labels"]
    for part in filter(None, selector.split(",")):
        if part.startswith("!"):
            if part[1:] in labels:
                return False
        elif "!=" in part:
            name, _, value = part.partition("!=")
            if labels.get(name) == value:
                return False
        else:
            name, _, value = part.partition("=")
            if labels.get(name) != value:
                return False
    return True


def _status(code: int, reason: str, message: str) -> Answered:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return answered(code, body | {"code": code})


def kubeconfig(url: str, path: Path) -> Path:
    """A kubeconfig for the fake."""
    named = {"cluster": "fake", "user": "redline", "namespace": NAMESPACE}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "redline", "user": {"token": TOKEN}}],
        "contexts": [{"name": "fake", "context": named}],
        "current-context": "fake",
    }
    path.write_text(json.dumps(config))
    return path


@contextlib.contextmanager
def running(cluster: FakeCluster) -> Iterator[str]:
    """Serve the fake; yields its URL."""
    with serving(cluster.answer) as url:
        yield url
