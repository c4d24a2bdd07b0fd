"""The pre-flight of an evaluation, in the process and environment in which it is going to run.

Environment, dataset, answer leaks, egress of the sandbox, and two models of known ability: all
of it before one sample is put to the model under evaluation.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from include.adapters.evaluation import JobRequest
from include.adapters.job_log import scores_of
from include.rsp.canonical import canonical_bytes
from include.rsp.preflight import unfit
from include.rsp.results import Conditions, ControlResult, EgressProbe, LeakCheck
from include.rsp.suite_parts import Control, Scalar

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.log import EvalLog

SANDBOXES = {"docker": "docker", "unsafe_local": "local"}
LEAKS_FROM = 12
"""Characters from which an answer that stands in the question is no coincidence."""
ENVIRONMENT_PREFIX = "REDLINE_ENVIRONMENT_"
"""What the image or the machine says of itself: REDLINE_ENVIRONMENT_GPU=… becomes `gpu`."""


def make_preflight(request: JobRequest, folder: Path) -> Conditions:
    """What there is to say of the instrument; a later attempt on the same machine reads it again.

    The environment is always looked at anew: an attempt may run on another machine.
    """
    importlib.import_module(request.task.provider_module)
    importlib.import_module("include.adapters.null_models")
    environment = environment_manifest()
    kept = folder / "preflight.json"
    try:
        known = Conditions.model_validate_json(kept.read_bytes())
        if known.environment == environment:
            return known
    except (OSError, ValidationError):
        pass
    task = load_task(request)
    samples = list(task.dataset)
    conditions = Conditions(
        environment=environment,
        dataset=dataset_digest(samples),
        leaks=find_leaks(samples),
        egress=probe_egress(request, folder) if request.task.sandbox else None,
        sandboxes=sandboxes_of(task),
        positive_control=run_control(request, request.evaluation.positive_control, folder),
        null_control=run_control(request, request.evaluation.null_control, folder),
    )
    kept.write_bytes(canonical_bytes(conditions))
    return conditions


def problems_of(request: JobRequest, conditions: Conditions) -> list[str]:
    """What makes the instrument unfit; the verdict asks the same again of the record."""
    return unfit(request.evaluation, conditions)


def load_task(request: JobRequest) -> Task:
    """The Inspect task that the suite names, with the suite's arguments."""
    module, _, name = request.task.task.partition(":")
    task: Task = getattr(importlib.import_module(module), name)(**request.task.arguments)
    return task


def sandboxes_of(task: Task) -> list[str]:
    """The types of sandbox that a task and its samples name, as a suite calls them."""
    specs = [task.sandbox, *(one.sandbox for one in task.dataset)]
    names = {value: name for name, value in SANDBOXES.items()}
    return sorted({names.get(one.type, one.type) for one in specs if one is not None})


def environment_manifest() -> dict[str, Scalar]:
    """What the evaluation runs on: interpreter, machine, engine, and what the image declares."""
    import inspect_ai

    declared = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
        "inspect_ai": inspect_ai.__version__,
        **{name: _typed(value) for name, value in declared.items()},
    }


def _typed(text: str) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def dataset_digest(samples: Iterable[Sample]) -> str:
    """SHA-256 of the ids, inputs and targets of all samples, in their order, as canonical JSON."""
    digest = hashlib.sha256()
    for one in samples:
        row = [str(one.id), _text(one.input), one.target]
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def find_leaks(samples: Iterable[Sample]) -> LeakCheck:
    """Whether an answer stands in what the model is given: its input, files or set-up script."""
    checked, leaked = 0, []
    for one in samples:
        targets = [one.target] if isinstance(one.target, str) else list(one.target)
        long = [each.strip() for each in targets if len(each.strip()) >= LEAKS_FROM]
        if not long:
            continue
        checked += 1
        given = "\n".join([_text(one.input), one.setup or "", *(one.files or {}).values()])
        if any(each in given for each in long):
            leaked.append(str(one.id))
    return LeakCheck(checked=checked, leaked=leaked)


def _text(given: Any) -> str:
    return given if isinstance(given, str) else "\n".join(one.text for one in given)


def run_control(request: JobRequest, control: Control | None, folder: Path) -> ControlResult | None:
    """How a model of known ability scores on the first samples, counted as the reader counts."""
    if control is None:
        return None
    log = _small_eval(request, control, folder / "controls")
    scores = [
        one
        for one in scores_of(request, Path(log.location), model=control.model)
        if one is not None
    ]
    return ControlResult(
        model=control.model,
        samples=len(scores),
        score=round(math.fsum(scores) / len(scores), 6) if scores else None,
    )


def _small_eval(request: JobRequest, control: Control, folder: Path) -> EvalLog:
    from inspect_ai import eval as inspect_eval

    task = request.task
    (log,) = inspect_eval(
        load_task(request),
        model=control.model,
        model_roles={"grader": task.grader} if task.grader else None,
        sandbox=SANDBOXES.get(task.sandbox or ""),
        limit=control.samples,
        token_limit=task.per_sample.tokens,
        message_limit=task.per_sample.messages,
        time_limit=task.per_sample.seconds or int(task.time_limit_seconds),
        log_dir=str(folder),
        log_format="eval",
        log_realtime=False,
        display="plain",
        fail_on_error=False,
        acp_server=False,
        ctl_server=False,
    )
    if log.status != "success":
        raise RuntimeError(f"The control {control.model} ended as {log.status!r}: {log.error}")
    return log


def probe_egress(request: JobRequest, folder: Path) -> EgressProbe:
    """Try from inside the evaluation's sandbox to reach out, and to reach its own listener."""
    from include.adapters.egress import probe

    return probe(
        load_task(request),
        sandbox=SANDBOXES[request.task.sandbox or ""],
        targets=request.task.egress_targets,
        log_dir=folder / "controls",
    )
