"""One process of its own for one look, and the certain end of it and of whatever it started."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped,unused-ignore]

MARK = "PROBE_RUN"
"""Environment variable with a random word by which a probe's descendants are found again, in
whatever session they hide."""
NOT_PASSED_ON = ("REDLINE_", "AIRFLOW", "_AIRFLOW", "__AIRFLOW")
"""Beginnings of the names of variables that probes do not get. Cloud credentials are the
machine's own, and pass."""
MOST_OUTPUT = 1_000_000
KEPT_OF_ERRORS = 4_000
CHUNK = 1 << 16
ROUNDS = 5
DEAD_SECONDS = 5.0


def environment_of(parent: Mapping[str, str]) -> dict[str, str]:
    """What a probe gets of its parent's environment."""
    return {name: value for name, value in parent.items() if not name.startswith(NOT_PASSED_ON)}


class ProbeProcess:
    """A running process that leads a session of its own.

    It is reaped by `end` alone: until then its number, and so its group, is nobody else's.

    Raises:
        OSError: it does not start.
    """

    def __init__(self, command: Sequence[str], asked: bytes, *, folder: Path) -> None:
        self.word = secrets.token_hex(16)
        self.output, self.errors = bytearray(), bytearray()
        self.begun = time.monotonic()
        with tempfile.TemporaryFile() as question:  # a pipe would block on who never reads
            question.write(asked)
            question.seek(0)
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**environment_of(os.environ), MARK: self.word},
                stdin=question,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        try:
            self.exit_fd = os.pidfd_open(self._process.pid)
        except OSError:
            self._process.kill()
            self._process.communicate()
            raise
        pipes = (self._process.stdout, self._process.stderr)
        self.output_fd, self.errors_fd = (one.fileno() for one in pipes if one is not None)
        for fd in (self.output_fd, self.errors_fd):
            os.set_blocking(fd, False)

    @property
    def floods(self) -> bool:
        """Whether it has written more than an answer may be long."""
        return len(self.output) > MOST_OUTPUT

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.begun

    def read(self, fd: int) -> bool:
        """Take what waits in one of its pipes; False: nothing more will come of it."""
        try:
            content = os.read(fd, CHUNK)
        except BlockingIOError:
            return True
        if fd == self.output_fd:
            self.output += content
        else:
            self.errors = (self.errors + content)[-KEPT_OF_ERRORS:]
        return bool(content)

    def drain(self) -> None:
        """After its exit: what it wrote, though somebody else may still hold the pipes open."""
        for fd in (self.output_fd, self.errors_fd):
            for _ in range(MOST_OUTPUT // CHUNK + 2):
                before = len(self.output), bytes(self.errors)
                if not self.read(fd) or before == (len(self.output), bytes(self.errors)):
                    break

    def has_exited(self) -> bool:
        """Whether it is dead, without reaping it."""
        how = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._process.pid, how) is not None

    def others(self) -> list[psutil.Process]:
        """Whatever still lives of what it started: in its group, or with its word."""
        return list(self._others())

    def _others(self) -> Iterator[psutil.Process]:
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if one.pid == self._process.pid or one.status() == psutil.STATUS_ZOMBIE:
                    continue
                ours = os.getpgid(one.pid) == self._process.pid
                if ours or one.environ().get(MARK) == self.word:
                    yield one

    def end(self) -> int | None:
        """Kill it and all that it started, and reap it; its exit code, None: it cannot be ended."""
        for _ in range(ROUNDS):  # something may have been started while we looked
            others = self.others()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for one in others:
                with contextlib.suppress(psutil.Error):
                    one.kill()
            if not others:
                break
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(DEAD_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        os.close(self.exit_fd)
        return code
