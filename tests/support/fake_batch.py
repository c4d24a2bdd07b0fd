"""AWS Batch's JSON API as far as a job needs it, held to botocore's own model of the service.

moto's Batch either needs a Docker engine or ends every job at once. This one checks every request
and every answer against the service model, keeps jobs by id (names are not unique there either) and
lets the test say when they end.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tests.support.loopback_http import Answered, Asked, answered

QUEUE = "evaluations"
DEFINITION = "redline-evaluation:3"
ARN = "arn:aws:batch:us-east-1:123456789012:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ENDED = {"SUCCEEDED", "FAILED"}


class FakeBatch:
    """One queue and one job definition; `asked` keeps (operation, parameters)."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.problems: list[str] = []
        self.denied = False
        self.busy = False
        self.page = 1
        self.ends_at_once: str | None = None
        self._lock = threading.Lock()
        model = botocore.session.get_session().get_service_model("batch")
        every = [model.operation_model(name) for name in model.operation_names]
        self._operations = {one.http["requestUri"]: one for one in every}

    def submitted(self) -> int:
        """How many jobs were submitted."""
        return sum(1 for name, _ in self.asked if name == "SubmitJob")

    def end(self, job: str, status: str, **said: Any) -> None:
        """A job ends; `statusReason` of the job, anything else of its container."""
        found = self.jobs[job]
        found |= {"status": status, "stoppedAt": 3}
        if "statusReason" in said:
            found["statusReason"] = said.pop("statusReason")
        found["container"] |= {"logStreamName": f"redline/default/{job}"} | said

    def answer(self, asked: Asked) -> Answered:
        """One request."""
        with self._lock:
            if not asked.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
                return _error(403, "MissingAuthenticationTokenException", "not signed")
            operation = self._operations.get(asked.path)
            if operation is None:
                return _error(404, "UnknownOperationException", asked.path)
            given = asked.body or {}
            self._hold(operation.input_shape, given, f"request of {operation.name}")
            self.asked.append((operation.name, given))
            if self.denied:
                return _error(403, "AccessDeniedException", f"not authorized: {operation.name}")
            if self.busy:
                return _error(429, "TooManyRequestsException", "Too Many Requests")
            call = getattr(self, f"_{operation.name}", None)
            if call is None:
                return _error(404, "UnknownOperationException", f"the fake has no {operation.name}")
            found: Answered = call(given)
            if found.status == 200:
                self._hold(operation.output_shape, found.body, f"answer of {operation.name}")
            return found

    def _hold(self, shape: Any, content: dict[str, Any], where: str) -> None:
        report = ParamValidator().validate(content, shape)
        unknown = set(content) - set(shape.members)
        if report.has_errors() or unknown:
            self.problems.append(f"{where}: {report.generate_report()} {sorted(unknown)}")

    def _SubmitJob(self, given: dict[str, Any]) -> Answered:  # noqa: N802
        if not _NAME.fullmatch(given["jobName"]):
            return _error(400, "ClientException", "Job name should match valid pattern")
        if given["jobQueue"] != QUEUE or given["jobDefinition"] != DEFINITION:
            return _error(400, "ClientException", "JobQueue or JobDefinition not found")
        if given.get("timeout", {}).get("attemptDurationSeconds", 60) < 60:
            return _error(400, "ClientException", "timeout must be at least 60 seconds")
        if not 1 <= given.get("retryStrategy", {}).get("attempts", 1) <= 10:
            return _error(400, "ClientException", "attempts must be between 1 and 10")
        job = f"00000000-0000-4000-8000-{len(self.jobs):012d}"
        self.jobs[job] = {
            "jobId": job,
            "jobName": given["jobName"],
            "jobQueue": f"{ARN}job-queue/{QUEUE}",
            "jobDefinition": f"{ARN}job-definition/{DEFINITION}",
            "status": "SUBMITTED",
            "createdAt": 1000 + len(self.jobs),
            "startedAt": 0,
            "container": {"image": self.image} | given.get("containerOverrides", {}),
        }
        if self.ends_at_once:
            self.end(job, self.ends_at_once, statusReason="Host EC2 was terminated")
        return answered(200, {"jobId": job, "jobName": given["jobName"]})

    def _DescribeJobs(self, given: dict[str, Any]) -> Answered:  # noqa: N802
        return answered(200, {"jobs": [self.jobs[j] for j in given["jobs"] if j in self.jobs]})

    def _ListJobs(self, given: dict[str, Any]) -> Answered:  # noqa: N802
        (rule,) = given["filters"]
        (wanted,) = rule["values"]
        found = [
            {key: job[key] for key in ("jobId", "jobName", "status", "createdAt")}
            for job in sorted(self.jobs.values(), key=lambda job: -job["createdAt"])
            if job["jobName"].lower() == wanted.lower()
        ]
        start = int(given.get("nextToken", 0))
        shown = found[start : start + self.page]
        more = {"nextToken": str(start + self.page)} if start + self.page < len(found) else {}
        return answered(200, {"jobSummaryList": shown} | more)

    def _TerminateJob(self, given: dict[str, Any]) -> Answered:  # noqa: N802
        if self.jobs[given["jobId"]]["status"] not in _ENDED:
            self.end(given["jobId"], "FAILED", statusReason=given["reason"])
        return answered(200, {})

    def _DescribeJobDefinitions(self, given: dict[str, Any]) -> Answered:  # noqa: N802
        known = {
            "jobDefinitionName": DEFINITION.partition(":")[0],
            "jobDefinitionArn": f"{ARN}job-definition/{DEFINITION}",
            "revision": 3,
            "status": "ACTIVE",
            "type": "container",
            "containerProperties": {"image": self.image},
        }
        return answered(
            200, {"jobDefinitions": [known] if DEFINITION in given["jobDefinitions"] else []}
        )


def _error(status: int, code: str, message: str) -> Answered:
    return answered(status, {"message": message}, x_amzn_ErrorType=code)
