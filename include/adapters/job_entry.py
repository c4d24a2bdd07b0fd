"""The container's entry: fetch the request, run the evaluation as on any machine, deliver.

`python -m include.adapters.job_entry` with REDLINE_JOB_REQUEST_URI and REDLINE_JOB_OUTPUT_URI set.
The evaluation itself is `python -m include.adapters.inspect_job <folder>` in a process of its own,
which sees none of the container's credentials in its environment. Logs are delivered also when it
failed or was told to stop; the outcome comes last and once (see `remote_job`). For a container that
is killed without notice, Inspect's logs are kept every REDLINE_JOB_KEEP_SECONDS (60) as well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from include.adapters.evaluation import JobRequest, is_file_name
from include.adapters.process_evaluator import NOT_PASSED_ON
from include.adapters.remote_job import Delivery, StoredFile
from include.adapters.store import Store, open_store
from include.rsp.canonical import canonical_bytes, digest_bytes
from include.rsp.errors import AlreadyExists, InvalidDocument, RedlineError, StoreUnavailable

log = logging.getLogger("redline.job_entry")

EVALUATION = (sys.executable, "-m", "include.adapters.inspect_job")
STAYS = frozenset({"request.json", "claim.json", "lock", "pid", "attempts"})
"""Files of a job folder that are this machine's affair."""
NOT_RESTORED = STAYS | {"outcome.json", "output.log"}
GRACE_SECONDS = 10.0
MANY = 1000
_KEPT = re.compile(r"(?:kept-(?P<kept>[0-9]{1,9})/)?(?P<name>.+)")


def main() -> int:
    """Run the job that the environment names; the exit code says whether it was delivered."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, _stop)
    try:
        return run(os.environ)
    except RedlineError as error:
        log.error("%s", error)
        return 2


def run(environment: Mapping[str, str], evaluation: Sequence[str] = EVALUATION) -> int:
    """One run of the container.

    Args:
        environment: of the container.
        evaluation: the command that is given the job's folder.

    Returns:
        0 when the job has an outcome, else the evaluation's own exit code, or 1.
    """
    output = open_store(_required(environment, "REDLINE_JOB_OUTPUT_URI"))
    if output.get("outcome.json") is not None:
        log.info("%s has an outcome already; nothing is run again", output.uri)
        return 0
    content = _request(_required(environment, "REDLINE_JOB_REQUEST_URI"))
    job = JobRequest.model_validate_json(content).job
    number = _claim(output)
    with tempfile.TemporaryDirectory(prefix="redline-job-") as scratch:
        folder = Path(scratch) / job
        folder.mkdir()
        _restore(output, number - 1, folder)
        (folder / "request.json").write_bytes(content)
        code = 1
        try:
            with _started(evaluation, folder, environment) as process:
                code = _waited(process, _Keeper(output, number, folder), _seconds(environment))
        finally:
            files = _deliver_logs(output, number, folder)
        if not (folder / "outcome.json").is_file():
            log.error("job %s left no outcome (exit code %s)", job, code)
            return code or 1
        _deliver_outcome(output, Delivery(job=job, attempt=number, files=files))
    return 0


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise InvalidDocument(f"{name} is not set; this is the entry of a Redline job's container.")
    return value


def _request(uri: str) -> bytes:
    folder, _, name = uri.rpartition("/")
    content = open_store(folder).get(name)
    if content is None:
        raise InvalidDocument(f"There is no request at {uri}: the job was not staged there.")
    try:
        JobRequest.model_validate_json(content)
    except ValidationError as error:
        raise InvalidDocument(
            f"The request at {uri} does not read; is the image of the same version? {error}"
        ) from error
    return content


def _claim(output: Store) -> int:
    """A number of its own for this run, so that two runs never write into one folder."""
    mine = canonical_bytes({"host": socket.gethostname(), "token": secrets.token_hex(16)})
    for number in range(1, MANY):
        try:
            output.put_new(f"attempt-{number}/claim.json", mine)
        except AlreadyExists:
            continue
        return number
    raise StoreUnavailable(f"{output.uri} holds {MANY} attempts; something starts them in a loop.")


def _restore(output: Store, number: int, folder: Path) -> None:
    """What the run before left, as a second process on one machine would find it.

    Of a file that was kept several times the newest counts, and one that was delivered at the end.
    """
    if number < 1:
        return
    start = f"attempt-{number}/"
    found = [_KEPT.fullmatch(key.removeprefix(start)) for key in output.list(f"attempt-{number}")]
    for one in sorted(filter(None, found), key=lambda one: int(one["kept"] or 10**9)):
        content = output.get(start + one[0])
        if content is None or not is_file_name(one["name"]) or one["name"] in NOT_RESTORED:
            continue
        path = folder.joinpath(*one["name"].split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@dataclass(slots=True)
class _Keeper:
    """Keeps what changed in `logs/` while the evaluation runs, create-only, under `kept-<k>/`."""

    output: Store
    number: int
    folder: Path
    rounds: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """One round; a store that is away now is asked again in the next."""
        self.rounds += 1
        for path in _files(self.folder / "logs"):
            name, before = path.relative_to(self.folder).as_posix(), path.stat()
            content = path.read_bytes()
            digest, after = digest_bytes(content), path.stat()
            changing = (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, len(content))
            if changing or self.seen.get(name) == digest or not is_file_name(name):
                continue
            try:
                self.output.put_new(f"attempt-{self.number}/kept-{self.rounds}/{name}", content)
            except RedlineError as error:
                log.warning("%s was not kept this time: %s", name, error)
                return
            self.seen[name] = digest


def _seconds(environment: Mapping[str, str]) -> float:
    text = environment.get("REDLINE_JOB_KEEP_SECONDS", "60")
    try:
        return max(0.05, float(text))
    except ValueError as error:
        raise InvalidDocument(f"REDLINE_JOB_KEEP_SECONDS is {text!r} (expected seconds)") from error


@contextlib.contextmanager
def _started(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """In a process group of its own: what it started ends with it."""
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(
            [*command, str(folder)],
            env={k: v for k, v in environment.items() if not k.startswith(NOT_PASSED_ON)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        except BaseException:
            _end(process)
            raise


def _waited(process: subprocess.Popen[bytes], keeper: _Keeper, seconds: float) -> int:
    """The exit code, as a shell gives it."""
    while True:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            keeper.keep()
        else:
            return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def _stop(number: int, frame: Any) -> None:
    """The service ends the container: deliver what there is, then leave."""
    raise SystemExit(128 + number)


def _deliver_logs(output: Store, number: int, folder: Path) -> list[StoredFile]:
    """Every file of the job's folder, the evaluation's outcome after all others."""
    files = []
    for path in sorted(_files(folder), key=lambda path: (path == folder / "outcome.json", path)):
        name = path.relative_to(folder).as_posix()
        if name in STAYS or not is_file_name(name):
            log.info("%s is not delivered", name)
            continue
        content = path.read_bytes()
        output.put_new(f"attempt-{number}/{name}", content)
        files.append(StoredFile(name=name, bytes=len(content), sha256=digest_bytes(content)))
    return files


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _deliver_outcome(output: Store, delivery: Delivery) -> None:
    """The first run that gets here counts; another one is kept beside it."""
    content = canonical_bytes(delivery)
    for place in ("", *(f"again-{number}/" for number in range(1, MANY))):
        try:
            output.put_new(f"{place}outcome.json", content)
        except AlreadyExists:
            continue
        if place:
            log.warning("a run of this job was counted before; this one is kept in %s", place)
        return
    raise StoreUnavailable(f"{output.uri} holds {MANY} outcomes; something starts it in a loop.")


if __name__ == "__main__":
    raise SystemExit(main())
