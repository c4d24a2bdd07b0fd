"""Inspect's model provider for the toy laboratory, with a planted solver and a refuser as controls.

Importing this module registers `toylab/checkpoint`, `toylab/solver` and `toylab/refuser`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from toylab.problems import solve
from toylab.transformer import Transformer


class ToylabModel(ModelAPI):
    """Answers a prompt with three characters.

    `checkpoint` needs `model_path`, the checkpoint's weights; `solver` knows every answer (the
    positive control); `refuser` never answers (the null control).
    """

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
        if model_name not in {"checkpoint", "solver", "refuser"}:
            raise ValueError(
                f"toylab has no model {model_name!r} (expected checkpoint, solver or refuser)"
            )
        self._transformer: Transformer | None = None
        if model_name == "checkpoint":
            if model_path is None:
                raise ValueError("toylab/checkpoint needs model_path, the checkpoint's weights")
            self._transformer = Transformer.load(Path(model_path))

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """One greedy answer to the last message."""
        prompt = input[-1].text
        answer = self._answer(prompt)
        output = ModelOutput.from_content(self.model_name, answer)
        output.usage = ModelUsage(
            input_tokens=len(prompt),
            output_tokens=len(answer),
            total_tokens=len(prompt) + len(answer),
        )
        return output

    def _answer(self, prompt: str) -> str:
        if self._transformer is not None:
            return self._transformer.answer([prompt])[0]
        return solve(prompt) if self.model_name == "solver" else "I will not answer that."


@modelapi(name="toylab")
def toylab() -> type[ModelAPI]:
    """Inspect's hook for the provider."""
    return ToylabModel
