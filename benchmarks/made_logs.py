"""Logs for `results_reading.py`: a real evaluation by Inspect, and the same log many times as long.

The evaluation is an agent's: a system prompt, a question, some turns with a tool that answers at
length, a graded answer. The long log has the real one's members again and again, under new ids.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.adapters.log_archive import Archive
from include.adapters.log_source import Source
from tests.support.log_making import ZipMaker, as_json

MODEL = "bench/agent"
TURNS = 4
WORDS = [
    "".join(random.Random(n).choices("abcdefghijklmnoprstuvw", k=2 + n % 9))  # noqa: S311
    for n in range(4000)
]
JOURNAL = 10  # summaries a member of the journal, as Inspect flushes them


def words(seed: int, count: int) -> str:
    """So many made-up words, the same for the same seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=count))  # noqa: S311


def real_log(folder: Path, count: int) -> Path:
    """Let Inspect evaluate so many samples and write the log."""
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.solver import generate, system_message, use_tools

    samples = [
        Sample(id=f"problem-{n:07d}", input=f"{n} " + words(n, 90), target="yes",
               metadata={"family": f"family-{n % 40}", "difficulty": n % 5, "source": words(n, 8)})
        for n in range(count)
    ]  # fmt: skip
    made = Task(
        dataset=MemoryDataset(samples),
        solver=[system_message(words(1, 120)), use_tools(_looking()), generate()],
        scorer=_graded(),
    )
    (log,) = inspect_eval(
        made, model=_model(), log_dir=str(folder), log_format="eval", log_realtime=False,
        display="none", score_display=False, acp_server=False, ctl_server=False, max_samples=20,
    )  # fmt: skip
    assert log.status == "success", log.error
    return Path(log.location)


def _looking() -> Any:
    from inspect_ai.tool import tool

    @tool
    def look() -> Any:
        async def execute(what: str) -> str:
            """Look something up.

            Args:
                what: the thing to look up.
            """
            return words(len(what) + ord(what[0]), 180)

        return execute

    return look()


def _graded() -> Any:
    from inspect_ai.scorer import Score, accuracy, scorer, stderr

    @scorer(metrics=[accuracy(), stderr()])
    def graded() -> Any:
        async def score(state: Any, target: Any) -> Score:
            number = int(state.input_text.split()[0])
            return Score(
                value="C" if number % 3 else "I", answer=words(number, 12),
                explanation=words(number, 60), metadata={"grader": words(number, 20)},
            )  # fmt: skip

        return score

    return graded()


def _model() -> Any:
    from inspect_ai.model import (
        GenerateConfig,
        ModelAPI,
        ModelOutput,
        ModelUsage,
        get_model,
        modelapi,
    )

    class Agent(ModelAPI):
        def __init__(
            self,
            model_name: str,
            base_url: str | None = None,
            api_key: str | None = None,
            config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own
            **_: Any,
        ) -> None:
            super().__init__(model_name, base_url, api_key, [], config)

        async def generate(
            self, input: Any, tools: Any, tool_choice: Any, config: Any
        ) -> ModelOutput:
            turn = sum(one.role == "tool" for one in input)
            seed = turn + 7 * int(input[1].text.split()[0])
            if turn < TURNS:
                output = ModelOutput.for_tool_call(
                    self.model_name, "look", {"what": words(seed, 5)}, content=words(seed, 40)
                )
            else:
                output = ModelOutput.from_content(self.model_name, words(seed, 80))
            output.usage = ModelUsage(input_tokens=400 * turn, output_tokens=60,
                                      total_tokens=400 * turn + 60)  # fmt: skip
            return output

    @modelapi(name="bench")
    def bench() -> type[ModelAPI]:
        return Agent

    return get_model(MODEL)


def long_log(real: Path, target: Path, count: int) -> Path:
    """The real log's samples over and over until there are so many, each under an id of its own."""
    with Source(real) as source, target.open("wb") as out:
        archive = Archive(source)
        contents = {one.name: archive.read(one) for one in archive.members
                    if one.name.startswith("samples/") or one.name.endswith(".json")}  # fmt: skip
        maker = ZipMaker(out)
        maker.add("_journal/start.json", contents["_journal/start.json"])
        old = [(json.loads(body)["id"], body) for name, body in sorted(contents.items())
               if name.startswith("samples/")]  # fmt: skip
        summaries = {one["id"]: one for one in json.loads(contents["summaries.json"])}
        written: list[dict[str, Any]] = []
        for number, (was, body) in zip(range(count), _again(old), strict=False):
            new = f"problem-{number:07d}"
            maker.add(f"samples/{new}_epoch_1.json", body.replace(was.encode(), new.encode()))
            written.append(summaries[was] | {"id": new})
            if len(written) % JOURNAL == 0:
                maker.add(f"_journal/summaries/{len(written) // JOURNAL}.json",
                          as_json(written[-JOURNAL:]))  # fmt: skip
        maker.add("summaries.json", as_json(written))
        header = json.loads(contents["header.json"])
        header["eval"]["dataset"]["sample_ids"] = [one["id"] for one in written]
        header["results"]["total_samples"] = header["results"]["completed_samples"] = count
        maker.add("header.json", as_json(header))
        maker.finish()
    return target


def _again(samples: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    while True:
        yield from samples
