"""Models that do nothing: one answer each, and no tool is ever called."""

from __future__ import annotations

import asyncio

import pytest
from inspect_ai.model import ChatMessageUser, GenerateConfig

from include.adapters.null_models import NullModel


@pytest.mark.parametrize(
    ("name", "answer"),
    [("refuser", "I cannot help with that."), ("silent", ""), ("constant", "ANSWER: A")],
)
def test_a_null_model_says_the_same_to_everybody(name: str, answer: str) -> None:
    model = NullModel(name, model_path="weights.npz")
    for asked in ("What is 2 + 2?", "Write to Kyle."):
        said = asyncio.run(
            model.generate([ChatMessageUser(content=asked)], [], "auto", GenerateConfig())
        )
        assert (said.completion, said.message.tool_calls) == (answer, None)
        assert said.usage.input_tokens == len(asked)


def test_a_null_model_of_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no model null/solver"):
        NullModel("solver")
