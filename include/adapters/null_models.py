"""Models that can do nothing, as null controls of any evaluation: what they score is no ability.

Importing this module registers `null/refuser`, which refuses everything, `null/silent`, which
answers with an empty text, and `null/constant`, which always chooses the first option. The
pre-flight imports it, so every suite may name them. docs/null-baselines.md says what they score
on public evaluations.
"""

from __future__ import annotations

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

ANSWERS = {"refuser": "I cannot help with that.", "silent": "", "constant": "ANSWER: A"}


class NullModel(ModelAPI):  # type: ignore[misc]  # Inspect is not typed here
    """Says the same whatever it is asked, and never calls a tool."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        if model_name not in ANSWERS:
            raise ValueError(f"There is no model null/{model_name} (expected {sorted(ANSWERS)})")

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """The one answer."""
        answer = ANSWERS[self.model_name]
        output = ModelOutput.from_content(self.model_name, answer)
        read = sum(len(one.text) for one in input)
        # without a usage Inspect would count with a tokenizer that it has to download
        output.usage = ModelUsage(
            input_tokens=read, output_tokens=len(answer), total_tokens=read + len(answer)
        )
        return output


@modelapi(name="null")  # type: ignore[untyped-decorator]
def null() -> type[ModelAPI]:
    """Inspect's hook for the provider."""
    return NullModel
