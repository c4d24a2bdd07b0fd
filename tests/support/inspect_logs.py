"""Logs that Inspect itself writes, one per shape, by a scripted model without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval_retry, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import (
    EvalLog,
    ProvenanceData,
    edit_score,
    invalidate_samples,
    read_eval_log,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import Score, Scorer, Target, accuracy, exact, mean, scorer
from inspect_ai.scorer._metric import ScoreEdit
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

MODEL = "readerlab/scripted"
COMMON: dict[str, Any] = {
    "model": MODEL, "log_realtime": False, "display": "none", "acp_server": False,
    "ctl_server": False, "score_display": False,
}  # fmt: skip
BROKEN: set[str] = set()
"""Samples that fail as often as they are here; solvers take them out to recover."""


class Scripted(ModelAPI):
    """Answers with its prompt's last word; `refuse` is stopped by a filter, `think` reasons."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)

    async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
        """One answer, with usage as a provider would report it."""
        words = input[-1].text.split()
        stop: Any = "content_filter" if "refuse" in words else "stop"
        output = ModelOutput.from_content(self.model_name, words[-1], stop_reason=stop)
        output.usage = ModelUsage(
            input_tokens=len(words), output_tokens=2, total_tokens=len(words) + 2,
            input_tokens_cache_read=7 if "cache" in words else None,
            reasoning_tokens=5 if "think" in words else None,
            total_cost=0.25 if "paid" in words else None,
        )  # fmt: skip
        return output


@modelapi(name="readerlab")
def readerlab() -> type[ModelAPI]:
    """Inspect's hook."""
    return Scripted


@solver
def failing() -> Solver:
    """Fails on `always`; on `once` only the first time."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        name = str(state.sample_id)
        if name.startswith("always") or name in BROKEN:
            BROKEN.discard(name)
            raise ValueError(f"no luck with {name} " + "x" * 400)
        return await generate(state)

    return solve


@solver
def talkative() -> Solver:
    """Goes on and on, until a limit stops it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for _ in range(int(str(state.sample_id)[-1])):
            state = await generate(state)
            state.messages.append(state.messages[0])
        return state

    return solve


@solver
def copying(folder: Path, to: Path) -> Solver:
    """Copies the unfinished log when the last sample begins."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == "s3":
            (log,) = folder.glob("*.eval")
            shutil.copy(log, to)
        return await generate(state)

    return solve


@scorer(metrics=[accuracy()])
def odd() -> Scorer:
    """The prompt's first word says which value the score has."""
    values: dict[str, Any] = {
        "nan": float("nan"), "inf": float("inf"), "partial": "P", "none": "N", "text": "yes",
        "big": 1e308, "true": True, "half": 0.5, "list": [1, 0], "letter": "C", "less": -3,
    }  # fmt: skip

    async def score(state: TaskState, target: Target) -> Score:
        word = state.input_text.split()[0]
        if word == "unscored":
            return Score.unscored(reason="grader_failed")
        return Score(value=values[word], answer=word, explanation="because",
                     reason="refusal" if word == "none" else None)  # fmt: skip

    return score


@scorer(metrics={"*": [mean()]})
def parts() -> Scorer:
    """A mapping of three values."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(
            value={"speed": 0.25, "care": "C", "style": "P"},
            metadata={"format_failure": True, "flags": ["odd", "odd"], "grading": ["x" * 2000]},
        )

    return score


def dataset(*names: str | int, words: str = "say {}", **metadata: Any) -> MemoryDataset:
    """Samples of these ids, whose right answer is their id."""
    return MemoryDataset(
        [Sample(id=name, input=words.format(name), target=str(name), metadata=metadata or None)
         for name in names]
    )  # fmt: skip


@task
def retried() -> Task:
    """A task that can be found again by its name."""
    return Task(dataset=dataset("s0", "once", "s2", family="f"), solver=failing(), scorer=exact())


def run(folder: Path, name: str, made: Task, **options: Any) -> EvalLog:
    """One evaluation; its log becomes `name`.eval."""
    logs = folder / "logs" / name
    (log,) = inspect_eval(made, log_dir=str(logs), log_format="eval", **(COMMON | options))
    shutil.copy(log.location, folder / f"{name}.eval")
    return log


def build(folder: Path) -> dict[str, Path]:
    """Every shape, in both formats where Inspect writes both; the path of each by its name."""
    for shape in SHAPES:
        shape(folder)
    for path in sorted(folder.glob("*.eval")):
        log = read_eval_log(str(path))
        write_eval_log(log, str(path.with_suffix(".json")), format="json")
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}


def _plain(folder: Path) -> None:
    run(folder, "epochs", Task(dataset=dataset(1, 2, "a/b", "é ü", family=7), solver=generate(),
                               scorer=exact()), epochs=2)  # fmt: skip


def _scores(folder: Path) -> None:
    words = ("nan", "inf", "partial", "none", "text", "big", "true", "half", "list", "letter",
             "less", "unscored")  # fmt: skip
    made = Task(dataset=dataset(*words, words="{} say it"), solver=generate(),
                scorer=[exact(), odd(), parts()])  # fmt: skip
    run(folder, "scores", made)
    run(folder, "none", Task(dataset=dataset("s0", "s1"), solver=generate(), scorer=None))


def _errors(folder: Path) -> None:
    BROKEN.add("once")
    names = ("s0", "always", "once")
    made = Task(dataset=dataset(*names, family="f"), solver=failing(), scorer=exact())
    run(folder, "errors", made, fail_on_error=False, retry_on_error=1)
    run(folder, "scored-errors", made, fail_on_error=False, score_on_error=True)
    run(folder, "stopped", made, fail_on_error=True, max_samples=1)


def _limits(folder: Path) -> None:
    made = Task(dataset=dataset("s1", "s5"), solver=talkative(), scorer=exact())
    run(folder, "messages", made, message_limit=6)
    run(folder, "tokens", made, token_limit=12)


def _usage(folder: Path) -> None:
    long = "think paid cache " + "words " * 300 + "{}"
    made = Task(dataset=dataset("s0", "s1", words=long), solver=generate(), scorer=exact())
    run(folder, "attachments", made)
    refused = Task(dataset=dataset("s0", words="refuse {}", flags="x", family="f"),
                   solver=generate(), scorer=exact())  # fmt: skip
    run(folder, "refused", refused)


def _unfinished(folder: Path) -> None:
    logs, copy = folder / "logs" / "started", folder / "started.eval"
    made = Task(dataset=dataset("s0", "s1", "s2", "s3"), solver=copying(logs, copy), scorer=exact())
    inspect_eval(made, log_dir=str(logs), log_format="eval", log_buffer=1, max_samples=1, **COMMON)


def _retried(folder: Path) -> None:
    BROKEN.add("once")
    logs = str(folder / "logs" / "retried")
    (first,) = inspect_eval(retried(), log_dir=logs, max_samples=1, continue_on_fail=True, **COMMON)
    shutil.copy(first.location, folder / "before-retry.eval")
    retry = {key: value for key, value in COMMON.items() if key != "model"}
    (again,) = eval_retry(first, log_dir=logs, **retry)
    shutil.copy(again.location, folder / "retried.eval")


def _edited(folder: Path) -> None:
    made = Task(dataset=dataset("s0", "s1"), solver=generate(), scorer=exact())
    log = run(folder, "edited", made)
    log = read_eval_log(log.location)
    by = ProvenanceData(author="reviewer", reason="grader erred")
    edit_score(log, "s0", "exact", ScoreEdit(value="I", provenance=by))
    assert log.samples is not None
    assert log.samples[1].uuid is not None
    log = invalidate_samples(log, [log.samples[1].uuid], by)
    write_eval_log(log, str(folder / "edited.eval"))
    log.status = "cancelled"
    write_eval_log(log, str(folder / "cancelled.eval"))


SHAPES: tuple[Callable[[Path], None], ...] = (
    _plain, _scores, _errors, _limits, _usage, _unfinished, _retried, _edited,
)  # fmt: skip
