"""The container's entry: deliver logs first and the outcome last, once, on a disk and on S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from include.adapters import job_entry
from include.adapters.remote_job import (
    Delivery,
    RemoteJob,
    count_attempts,
    plan_remote_job,
    read_delivery,
    read_outcome,
    stage_request,
)
from include.adapters.remote_place import RemotePlace
from include.adapters.store import open_store
from include.rsp.errors import AlreadyExists, InvalidDocument
from tests.support.remote import (
    IMAGE,
    JOB,
    evaluation_that,
    make_outcome,
    make_request,
    run_container,
)
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["directory", "s3"])
def remote(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RemoteJob:
    """A staged job on each kind of place."""
    prefix = str(tmp_path / "out")
    if request.param == "s3":
        prefix = "s3://evaluations/redline"
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", request.getfixturevalue("s3_endpoint"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="evaluations")
    job = f"{JOB}-{abs(hash(str(tmp_path)))}"
    return staged(prefix, job)


def staged(prefix: str, job: str = JOB) -> RemoteJob:
    plain = {"image": IMAGE, "output_prefix": prefix, "resources": {"cpu": 1, "memory_mib": 512}}
    made = plan_remote_job(
        make_request(job),
        RemotePlace.model_validate(plain),
        assessment="an-assessment",
        evaluation="two-digit-addition",
        timeout_seconds=60,
        attempts=3,
    )
    stage_request(made, make_request(job))
    return made


def test_a_run_delivers_every_file_and_the_outcome(remote: RemoteJob, tmp_path: Path) -> None:
    does = "pathlib.Path('logs/one.eval').write_text('one'); print('hello')"
    assert run_container(remote, evaluation_that(tmp_path, does)) == 0
    delivery = read_delivery(remote)
    assert delivery is not None
    assert [one.name for one in delivery.files] == [
        "log.eval",
        "logs/one.eval",
        "output.log",
        "samples.json",
        "outcome.json",
    ]
    assert read_outcome(remote) == make_outcome()
    assert open_store(remote.output_uri).get("attempt-1/output.log") == b"hello\n"


def test_a_job_that_has_its_outcome_runs_nothing_again(remote: RemoteJob, tmp_path: Path) -> None:
    run_container(remote, evaluation_that(tmp_path))
    never = evaluation_that(tmp_path, f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()")
    assert run_container(remote, never) == 0
    assert not (tmp_path / "ran").exists()
    assert count_attempts(remote) == 1


def test_a_second_run_is_kept_beside_and_changes_nothing(remote: RemoteJob, tmp_path: Path) -> None:
    """The other run finishes while this one is under way."""
    other = evaluation_that(tmp_path, outcome=make_outcome(problem="other"))
    nested = (
        "import subprocess; subprocess.run("
        f"[{sys.executable!r}, '-c', 'import sys; sys.path.insert(0, sys.argv[1]); "
        "from include.adapters.job_entry import run; import json, os; "
        "sys.exit(run(json.loads(sys.argv[2]), json.loads(sys.argv[3])))', "
        f"{str(ROOT)!r}, {json.dumps(remote.environment)!r}, {json.dumps(other)!r}], check=True, "
        f"env={dict(os.environ)!r})"
    )
    mine = evaluation_that(tmp_path, nested, outcome=make_outcome(problem="mine"))
    assert run_container(remote, mine) == 0
    counted = read_outcome(remote)
    assert counted is not None
    assert counted.problem == "other"
    kept = open_store(remote.output_uri).get("again-1/outcome.json")
    assert kept is not None
    assert Delivery.model_validate_json(kept).attempt == 1
    assert b'"mine"' in (open_store(remote.output_uri).get("attempt-1/outcome.json") or b"")
    assert count_attempts(remote) == 2


def test_an_evaluation_that_fails_leaves_its_logs_and_no_outcome(
    remote: RemoteJob, tmp_path: Path
) -> None:
    does = "pathlib.Path('logs/part.eval').write_text('half'); print('no memory'); sys.exit(7)"
    assert run_container(remote, evaluation_that(tmp_path, does)) == 7
    assert read_outcome(remote) is None
    store = open_store(remote.output_uri)
    assert store.get("attempt-1/logs/part.eval") == b"half"
    assert store.get("attempt-1/output.log") == b"no memory\n"


def test_the_next_attempt_finds_what_the_one_before_left(remote: RemoteJob, tmp_path: Path) -> None:
    does = "pathlib.Path('logs/part.eval').write_text('half'); sys.exit(7)"
    run_container(remote, evaluation_that(tmp_path, does))
    goes_on = "assert pathlib.Path('logs/part.eval').read_text() == 'half'"
    assert run_container(remote, evaluation_that(tmp_path, goes_on)) == 0
    delivery = read_delivery(remote)
    assert delivery is not None
    assert delivery.attempt == 2


def test_without_its_logs_an_outcome_is_not_delivered(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    spoilt = Path(remote.output_uri) / "attempt-1/samples.json"
    does = f"pathlib.Path({str(spoilt)!r}).write_text('of somebody else')"
    with pytest.raises(AlreadyExists):
        run_container(remote, evaluation_that(tmp_path, does))
    assert read_outcome(remote) is None


def test_a_container_that_is_killed_loses_only_what_was_not_kept_yet(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    one, two = Path(remote.output_uri) / "attempt-1", "logs/part.eval"
    does = (
        f"pathlib.Path({two!r}).write_text('100 samples')\n"
        f"while not list(pathlib.Path({str(one)!r}).glob('kept-*/{two}')): time.sleep(0.01)\n"
        f"pathlib.Path({two!r}).write_text('200 samples')\n"
        f"while len(list(pathlib.Path({str(one)!r}).glob('kept-*/{two}'))) < 2: time.sleep(0.01)\n"
        "os.kill(os.getppid(), 9)"
    )
    container = _container(remote, evaluation_that(tmp_path, does), REDLINE_JOB_KEEP_SECONDS="0.05")
    assert container.wait(20) == -signal.SIGKILL
    assert not (one / "output.log").exists()
    goes_on = f"assert pathlib.Path({two!r}).read_text() == '200 samples'"
    assert run_container(remote, evaluation_that(tmp_path, goes_on)) == 0
    delivery = read_delivery(remote)
    assert delivery is not None
    assert delivery.attempt == 2


def test_what_was_delivered_at_the_end_goes_before_what_was_kept_on_the_way(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    one, two = Path(remote.output_uri) / "attempt-1", "logs/part.eval"
    does = (
        f"pathlib.Path({two!r}).write_text('100 samples')\n"
        f"while not list(pathlib.Path({str(one)!r}).glob('kept-*/{two}')): time.sleep(0.01)\n"
        f"pathlib.Path({two!r}).write_text('300 samples'); sys.exit(7)"
    )
    run_container(remote, evaluation_that(tmp_path, does), REDLINE_JOB_KEEP_SECONDS="0.05")
    goes_on = f"assert pathlib.Path({two!r}).read_text() == '300 samples'"
    assert run_container(remote, evaluation_that(tmp_path, goes_on)) == 0


@pytest.mark.parametrize("text", ["soon", ""])
def test_a_time_to_keep_that_is_no_number_is_refused(tmp_path: Path, text: str) -> None:
    remote = staged(str(tmp_path / "out"))
    with pytest.raises(InvalidDocument, match="expected seconds"):
        run_container(remote, evaluation_that(tmp_path), REDLINE_JOB_KEEP_SECONDS=text)
    assert read_outcome(remote) is None


def test_an_evaluation_that_ends_well_without_an_outcome_is_no_success(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    assert run_container(remote, evaluation_that(tmp_path, "sys.exit(0)")) == 1
    assert read_outcome(remote) is None


def test_an_evaluation_that_is_killed_is_no_success(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    assert run_container(remote, evaluation_that(tmp_path, "os.kill(os.getpid(), 9)")) == 137


def test_the_evaluation_sees_no_credential(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    does = "print(sorted(os.environ))"
    secret = {"AWS_SECRET_ACCESS_KEY": "x", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}
    run_container(remote, evaluation_that(tmp_path, does), **secret, PLAIN="seen")
    seen = open_store(remote.output_uri).get("attempt-1/output.log") or b""
    assert b"PLAIN" in seen
    assert b"AWS_" not in seen


def test_links_and_hidden_files_are_not_delivered(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    (tmp_path / "secret").write_text("s")
    does = f"os.symlink({str(tmp_path / 'secret')!r}, 'link'); pathlib.Path('.hidden').touch()"
    assert run_container(remote, evaluation_that(tmp_path, does)) == 0
    delivery = read_delivery(remote)
    assert delivery is not None
    assert {one.name for one in delivery.files}.isdisjoint({"link", ".hidden"})


@pytest.mark.parametrize("missing", ["REDLINE_JOB_REQUEST_URI", "REDLINE_JOB_OUTPUT_URI"])
def test_an_entry_that_does_not_know_its_job_refuses(tmp_path: Path, missing: str) -> None:
    remote = staged(str(tmp_path / "out"))
    environment = {k: v for k, v in remote.environment.items() if k != missing}
    with pytest.raises(InvalidDocument, match=missing):
        job_entry.run(environment)


def test_a_request_that_is_missing_or_of_another_version_refuses(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    path = Path(remote.request_uri)
    path.write_text('{"job": "x", "future": 1}')
    with pytest.raises(InvalidDocument, match="same version"):
        run_container(remote, evaluation_that(tmp_path))
    path.unlink()
    with pytest.raises(InvalidDocument, match="no request"):
        run_container(remote, evaluation_that(tmp_path))


def test_a_container_that_is_told_to_stop_delivers_its_logs_first(tmp_path: Path) -> None:
    remote = staged(str(tmp_path / "out"))
    begun = tmp_path / "begun"
    does = f"print('half', flush=True); pathlib.Path({str(begun)!r}).touch(); time.sleep(60)"
    command = evaluation_that(tmp_path, does)
    container = _container(remote, command)
    eventually(begun.exists, 20, every=0.02)
    container.send_signal(signal.SIGTERM)
    assert container.wait(20) == 128 + signal.SIGTERM
    assert open_store(remote.output_uri).get("attempt-1/output.log") == b"half\n"
    assert read_outcome(remote) is None


def _container(remote: RemoteJob, evaluation: list[str], **more: str) -> subprocess.Popen[bytes]:
    """The entry in a process of its own, with a stand-in for the evaluation."""
    code = (
        "import sys; from include.adapters import job_entry; "
        f"job_entry.run.__defaults__ = ({evaluation!r},); sys.exit(job_entry.main())"
    )
    environment = os.environ | remote.environment | {"PYTHONPATH": str(ROOT)} | more
    return subprocess.Popen([sys.executable, "-c", code], env=environment)
