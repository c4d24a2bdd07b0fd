"""Playing a planned drill in a process of its own, and what its record will hold.

Everything that was not shown is a gap: a planned step that did not come, or did not work, a crash,
a time-out, a line that does not read. There is always at least one step, so there is always a
record.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from include.adapters.drilling import LOOK_SECONDS, DrillCall
from include.rsp.safeguard_plan import PlannedDrill
from include.rsp.safeguard_records import DrillStep

PROJECT = Path(__file__).resolve().parents[2]
NOT_PASSED_ON = ("AIRFLOW", "_AIRFLOW")
"""Environment variables that may hold Airflow's secrets; the drill does not get them."""
END_SECONDS = 1.0
"""So long a drill has to end after SIGTERM before it is killed."""
MAXIMUM_BYTES = 1 << 20
SHOWN = 300


@dataclass(slots=True)
class Played:
    """What a drill came to: fields of its record.

    Args:
        started_at: when it was started, UTC.
        steps: every planned step, in order of time; what was not reached is not done.
        gaps: what did not work, in sentences; empty: everything that was planned was shown.
    """

    started_at: datetime
    steps: list[DrillStep] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


def play(
    plan: PlannedDrill,
    *,
    store: str,
    keys: Path,
    interpreter: Sequence[str] = (sys.executable, "-m", "include.adapters.drill_process"),
) -> Played:
    """Play a drill; it never raises for what the drill does.

    Args:
        store: where the evidence store is.
        keys: the folder of keys that the drill may use.
        interpreter: what is started, with `module:function` as its last word.
    """
    started_at = datetime.now(UTC)
    call = DrillCall(plan.settings, store, keys, started_at, plan.timeout_seconds)
    output, ending = _run([*interpreter, plan.run], call)
    played = Played(started_at)
    _read(played, output, ending, ended_at=datetime.now(UTC))
    return played


def _run(command: list[str], call: DrillCall) -> tuple[bytes, str | None]:
    """(standard output, why it did not come to its end by itself).

    All three streams are files: whoever outlives the drill cannot keep anybody waiting.
    """
    with contextlib.ExitStack() as open_files:
        asked, output, errors = (
            open_files.enter_context(tempfile.TemporaryFile()) for _ in range(3)
        )
        asked.write(json.dumps(call.as_json()).encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={k: v for k, v in os.environ.items() if not k.startswith(NOT_PASSED_ON)},
                stdin=asked,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            return b"", f"The drill could not be started: {error}."
        in_time = _wait(process, call.seconds)
        output.seek(0)
        content = output.read(MAXIMUM_BYTES + 1)
        if not in_time:
            return content, f"The drill was ended after its time limit of {call.seconds:g} s."
        if process.returncode != 0:
            code = process.returncode
            return content, f"The drill ended with exit code {code}{_last_line(errors)}."
        return content, None


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ended in time; in any case nothing of its group is left.

    Its leader is waited for without being reaped: until the group is ended, its number is nobody
    else's.
    """
    try:
        in_time = _ends_within(process, seconds)
        if not in_time:
            _signal_group(process.pid, signal.SIGTERM)  # so that it can clean up
            _ends_within(process, END_SECONDS)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
    return in_time


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, how) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4096))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:SHOWN]}" if lines else ""


def _read(played: Played, output: bytes, ending: str | None, *, ended_at: datetime) -> None:
    """Turn what it said into steps and gaps, and name everything that is not there."""
    planned: list[str] | None = None
    ended = False
    if len(output) > MAXIMUM_BYTES:
        played.gaps.append(
            f"The drill said more than {MAXIMUM_BYTES} bytes; the rest was not read."
        )
    for raw in output[:MAXIMUM_BYTES].splitlines():
        line = _line(raw)
        if "planned" in line and planned is None:
            planned = [str(one) for one in line["planned"]]
        elif "step" in line and planned is not None:
            _take_step(played, line, planned)
        elif "failed" in line:
            played.gaps.append(str(line["failed"]))
        elif "ended" in line and planned is not None:
            ended = True
        else:
            played.gaps.append(f"A line of the drill does not read: {raw[:SHOWN]!r}.")
    if not ended or ending:
        played.gaps.append(ending or "The drill did not come to its end.")
    _name_what_is_missing(played, planned or ["begin"], ended_at)


def _line(raw: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(plain, dict) or not isinstance(plain.get("planned", []), list):
        return {}
    return plain


def _take_step(played: Played, line: dict[str, Any], planned: list[str]) -> None:
    before = played.steps[-1].at if played.steps else played.started_at
    try:
        step = DrillStep.model_validate(
            {
                "name": line["step"], "at": line["at"], "done": line["done"] is True,
                "note": line["note"], "seconds": 0.0,
            }
        )  # fmt: skip
    except (ValidationError, KeyError) as error:
        played.gaps.append(f"A step of the drill does not read: {error!r:.{SHOWN}}")
        return
    problem = _problem_with(step, planned, played, before)
    if problem:
        played.gaps.append(f"Step {step.name!r}: {problem}")
        step = step.model_copy(update={"done": False, "at": max(step.at, before)})
    elif not step.done:
        played.gaps.append(f"Step {step.name!r} did not work: {step.note}")
    seconds = round((step.at - before).total_seconds(), 6)
    played.steps.append(step.model_copy(update={"seconds": seconds}))


def _problem_with(
    step: DrillStep, planned: list[str], played: Played, before: datetime
) -> str | None:
    """Why a step may not count as it was told."""
    if step.name not in planned:
        return f"was not planned (expected one of {planned})."
    if any(one.name == step.name for one in played.steps):
        return "was told twice."
    if step.at < before:
        return f"is dated {step.at:%H:%M:%S.%f}, before the one before it ({before:%H:%M:%S.%f})."
    if step.at > datetime.now(UTC):
        return f"is dated in the future ({step.at})."
    return None


def _name_what_is_missing(played: Played, planned: list[str], ended_at: datetime) -> None:
    told = {one.name for one in played.steps}
    for name in planned:
        if name in told:
            continue
        before = played.steps[-1].at if played.steps else played.started_at
        at = max(ended_at, before)
        seconds = round((at - before).total_seconds(), 6)
        step = DrillStep(name=name, at=at, seconds=seconds, done=False, note="not reached")
        played.steps.append(step)
        played.gaps.append(f"Step {name!r} was not reached.")
