"""The plan of a job elsewhere: its name, its image, and what is written about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.adapters.evaluation import JobState
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.remote_job import (
    RemoteJob,
    count_attempts,
    fetch_results,
    label_of,
    mark_submitted,
    plan_remote_job,
    read_delivery,
    read_outcome,
    service_name,
    stage_request,
    submitted,
)
from include.adapters.remote_place import RemotePlace
from include.adapters.store import DirectoryStore
from include.rsp.canonical import IDENTIFIER_PATTERN, canonical_bytes
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.vocabulary import ResultStatus
from tests.support.factories import START
from tests.support.remote import (
    IMAGE,
    JOB,
    evaluation_that,
    make_outcome,
    make_request,
    run_container,
)

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
names = st.from_regex(IDENTIFIER_PATTERN, fullmatch=True)


def place(prefix: str, **changes: Any) -> RemotePlace:
    plain = {"image": IMAGE, "output_prefix": prefix, "resources": {"cpu": 2, "memory_mib": 4096}}
    return RemotePlace.model_validate(plain | changes)


def planned(tmp_path: Path, job: str = JOB, **changes: Any) -> RemoteJob:
    return plan_remote_job(
        make_request(job),
        place(str(tmp_path / "out"), **changes),
        assessment="sha256:" + "d" * 64,
        evaluation="two-digit-addition",
        timeout_seconds=900.5,
        attempts=2,
    )


@given(names)
def test_a_name_fits_kubernetes_with_the_operators_prefix_and_aws_batch(job: str) -> None:
    name = service_name(job)
    assert LABEL.fullmatch(f"job-{name}")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", name)
    assert name == service_name(job)


@given(names, names)
def test_two_jobs_never_share_a_name(one: str, other: str) -> None:
    assert (service_name(one) == service_name(other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.b", "a-b"),
        ("a_b", "a-b"),
        ("x" * 99 + "1", "x" * 99 + "2"),
        ("addition-", "addition"),
        (service_name("addition"), "addition"),
    ],
)
def test_names_that_look_alike_after_cutting_are_kept_apart(one: str, other: str) -> None:
    assert service_name(one) != service_name(other)


@pytest.mark.parametrize("text", ["sha256:" + "a" * 64, "", "-x", "x" * 64, "two words", "ok"])
def test_every_text_becomes_a_label_value(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", label_of(text))


def test_the_plan_says_everything_and_no_secret(tmp_path: Path) -> None:
    remote = planned(tmp_path, environment={"AWS_REGION": "eu-central-1"})
    assert remote.command == ("python", "-m", "include.adapters.job_entry")
    assert remote.timeout_seconds == 900
    assert remote.attempts == 2
    assert remote.environment == {
        "AWS_REGION": "eu-central-1",
        "REDLINE_JOB_IMAGE": IMAGE,
        "REDLINE_JOB_OUTPUT_URI": f"{tmp_path}/out/jobs/{JOB}",
        "REDLINE_JOB_REQUEST_URI": f"{tmp_path}/out/jobs/{JOB}/request.json",
    }
    assert set(remote.labels) == {"redline-assessment", "redline-evaluation"}
    assert remote == planned(tmp_path, environment={"AWS_REGION": "eu-central-1"})


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "PATH", "REDLINE_STORE"]
)
def test_an_environment_that_could_hold_a_secret_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidDocument, match=name):
        planned(tmp_path, environment={name: "x"})


@pytest.mark.parametrize(
    "image",
    [
        "registry.example/redline:1.0",
        "registry.example/redline",
        "registry.example/redline:latest",
        "registry.example/redline@sha256:" + "a" * 63,
        "registry.example/redline@sha512:" + "a" * 128,
        "@sha256:" + "a" * 64,
        "",
    ],
)
def test_an_image_without_its_digest_is_refused(tmp_path: Path, image: str) -> None:
    with pytest.raises(ValueError, match="is not pinned"):
        planned(tmp_path, image=image)


@pytest.mark.parametrize(
    "prefix", ["", "relative/path", "s3://", "/a/../b", "http://bucket/x", "s3://Bucket/x"]
)
def test_a_prefix_that_is_no_place_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="no place for jobs"):
        place(prefix)


def test_a_request_is_staged_once_and_another_one_is_refused(tmp_path: Path) -> None:
    remote = planned(tmp_path)
    stage_request(remote, make_request())
    stage_request(remote, make_request())
    other = make_request().model_copy(update={"variant": "helpful-only"})
    with pytest.raises(Refused, match="another request") as refused:
        stage_request(remote, other)
    assert refused.value.code == "other_request"
    assert Path(remote.request_uri).read_bytes() == canonical_bytes(make_request())


def test_the_first_job_that_is_written_down_counts(tmp_path: Path) -> None:
    remote = planned(tmp_path)
    assert submitted(remote) is None
    assert mark_submitted(remote, "AWS Batch job 1") == "AWS Batch job 1"
    assert mark_submitted(remote, "AWS Batch job 2") == "AWS Batch job 1"
    assert submitted(remote) == "AWS Batch job 1"


def test_fetched_results_are_a_local_jobs_folder(tmp_path: Path) -> None:
    remote = planned(tmp_path)
    request = make_request()
    jobs = ProcessEvaluator(tmp_path / "jobs")
    folder = jobs.folder / request.job
    stage_request(remote, request)
    assert fetch_results(remote, folder) is False
    assert jobs.poll(request.job).state is JobState.ABSENT
    assert run_container(remote, evaluation_that(tmp_path)) == 0
    assert fetch_results(remote, folder) is True
    assert jobs.poll(request.job).state is JobState.FINISHED
    (tmp_path / "store").mkdir()
    result = jobs.collect(request, DirectoryStore(tmp_path / "store"), at=START)
    assert result.status is ResultStatus.COMPLETE
    assert read_outcome(remote) == make_outcome()
    assert count_attempts(remote) == 1


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("log", "expected sha256:"),
        ("missing", "is nothing"),
        ("outcome", "expected sha256:"),
        ("delivery", "does not read"),
        ("other job", "is of job"),
        ("way out", "does not read"),
        ("bad outcome", "does not read"),
    ],
)
def test_results_that_were_changed_are_not_used(tmp_path: Path, what: str, message: str) -> None:
    remote = planned(tmp_path)
    stage_request(remote, make_request())
    run_container(remote, evaluation_that(tmp_path))
    _spoil(Path(remote.output_uri), what)
    with pytest.raises(InvalidDocument, match=message):
        fetch_results(remote, tmp_path / "jobs" / JOB)
    assert not (tmp_path / "jobs" / JOB / "outcome.json").exists()


def _spoil(output: Path, what: str) -> None:
    delivery = json.loads((output / "outcome.json").read_bytes())
    first = output / "attempt-1"
    match what:
        case "log":
            (first / "log.eval").write_bytes(b"another log")
        case "missing":
            (first / "log.eval").unlink()
        case "outcome":
            (first / "outcome.json").write_bytes(canonical_bytes(make_outcome(log="x.eval")))
        case "delivery":
            (output / "outcome.json").write_bytes(b"{")
        case "other job":
            (output / "outcome.json").write_bytes(canonical_bytes(delivery | {"job": "other"}))
        case "way out":
            delivery["files"][0]["name"] = "../../../etc/cron.d/x"
            (output / "outcome.json").write_bytes(canonical_bytes(delivery))
        case _:
            from include.rsp.canonical import digest_bytes

            (first / "outcome.json").write_bytes(b"{}")
            delivery["files"][-1]["sha256"] = digest_bytes(b"{}")
            (output / "outcome.json").write_bytes(canonical_bytes(delivery))


def test_a_job_without_delivery_has_no_outcome(tmp_path: Path) -> None:
    remote = planned(tmp_path)
    assert read_delivery(remote) is None
    assert read_outcome(remote) is None
    assert count_attempts(remote) == 0
