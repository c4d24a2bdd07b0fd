"""An evaluation that is long and steady: 300 questions, and a model as slow as its weights say.

Importing this module registers `steady/checkpoint`, `steady/solver` and `steady/refuser`. The
weights of a checkpoint are JSON: `seconds` that an answer takes, and the file `calls` in which
every call to the model leaves a line when it begins and another when it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.scorer import exact
from inspect_ai.solver import generate
from inspect_ai.tool import ToolChoice, ToolInfo

from toylab.evaluations import ELICITATION

SAMPLES = 300
ONE_RIGHT_OF = 20
"""The checkpoint knows the answer to so many questions."""


class SteadyModel(ModelAPI):
    """Answers a question by its number; every answer of a checkpoint takes the same time."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        model_path: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.weights = json.loads(Path(model_path).read_bytes()) if model_path else None

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """One answer to the last message."""
        asked = input[-1].text
        self._note("begins", asked)
        if self.weights is not None:
            await asyncio.sleep(self.weights["seconds"])
        output = ModelOutput.from_content(self.model_name, self._answer(asked))
        output.usage = ModelUsage(input_tokens=4, output_tokens=4, total_tokens=8)
        self._note("ends", asked)
        return output

    def _answer(self, asked: str) -> str:
        knows = int(asked[1:]) % ONE_RIGHT_OF == 0 if self.weights else self.model_name == "solver"
        return asked.replace("q", "a") if knows else "no"

    def _note(self, what: str, asked: str) -> None:
        """One write: a process that is killed leaves whole lines."""
        if self.weights is None:
            return
        file = os.open(self.weights["calls"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, f"{what} {asked}\n".encode())
        finally:
            os.close(file)


@modelapi(name="steady")
def steady() -> type[ModelAPI]:
    """Inspect's hook for the provider."""
    return SteadyModel


@task
def questions() -> Task:
    """Three hundred of them."""
    names = [f"q{number:03d}" for number in range(SAMPLES)]
    return Task(
        dataset=MemoryDataset(
            [Sample(id=one, input=one, target=one.replace("q", "a")) for one in names]
        ),
        solver=generate(),
        scorer=exact(),
        metadata={"elicitation": ELICITATION},
    )
