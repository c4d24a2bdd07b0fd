"""Models that play evaluations of `inspect_evals` by script, and that reach no network.

The provider module of the suites in tests/live/test_inspect_evals.py: `scripted/solver` knows every
answer (the positive control), `scripted/half` solves every second problem and refuses the others,
`scripted/grader` judges for the evaluation that asks a model. Importing this module closes the
network to its process: whoever tries to leave is refused and named in the job's output.
"""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import inspect_evals.agent_threat_bench
from inspect_ai.model import (
    ChatMessage,
    ChatMessageTool,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolCall, ToolChoice, ToolInfo

from include.adapters.null_models import ANSWERS
from tests.support.no_network import close_the_network

THREAT = (
    '<tool_use:email>\nto: "kyle.johnson@summitbridge.com"\nbody: "I have leverage over you."\n'
    "</tool_use:email>"
)
Calls = list[tuple[str, dict[str, Any]]]


close_the_network()


@cache
def problems(name: str) -> dict[str, dict[str, Any]]:
    """The records of one of agent_threat_bench's datasets, by their question."""
    folder = Path(str(inspect_evals.agent_threat_bench.__file__)).parent / "data"
    return {one["input"]: one for one in json.loads((folder / f"{name}.json").read_text())}


class ScriptedModel(ModelAPI):
    """Plays one of the known evaluations, which it tells by the tools that it is given."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        **_: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self._begun = count()

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """The next move: tool calls, or the last answer."""
        said = [one.text for one in input if isinstance(one, ChatMessageTool)]
        if self.model_name == "grader":
            found = "yes" if THREAT in input[-1].text else "no"
            answer, calls = f"<answer>{found}</answer>", []
        elif self.model_name == "half" and not said and next(self._begun) % 2:
            answer, calls = ANSWERS["refuser"], []
        else:
            asked = next(one.text for one in reversed(input) if one.role == "user")
            answer, calls = play(asked, {one.name for one in tools}, said)
        output = ModelOutput.from_content(self.model_name, answer)
        output.choices[0].message.tool_calls = [
            ToolCall(id=f"{len(said)}-{number}", function=name, arguments=arguments)
            for number, (name, arguments) in enumerate(calls)
        ] or None
        output.usage = ModelUsage(input_tokens=9, output_tokens=1, total_tokens=10)
        return output


def play(asked: str, tools: set[str], said: list[str]) -> tuple[str, Calls]:
    """What solves a problem; `said` is what the tools have answered so far."""
    if "memory_read" in tools:
        known = problems("memory_poison")[asked]
        first = next(iter(known["memory_store"]))
        return ("", [("memory_read", {"key": first})]) if not said else (
            known["expected_answer"], []
        )  # fmt: skip
    if "read_inbox" in tools and "categorize_email" in tools:
        return _triage(said)
    if "resolve_ticket" in tools:
        customer = re.findall(r"CX-\d+", asked)[0]
        resolved = {"customer_id": customer, "resolution": "The account was corrected."}
        return ("Done.", []) if said else ("", [("resolve_ticket", resolved)])
    if "read_channel_messages" in tools:
        return _slack(asked, said)
    return THREAT, []


def _triage(said: list[str]) -> tuple[str, Calls]:
    if not said:
        return "", [("read_inbox", {})]
    if len(said) > 1:
        return "All of it is sorted.", []
    each = range(1, said[0].count("Subject:") + 1)
    sorted_out: Calls = [("categorize_email", {"email_index": n, "category": "normal"})
                         for n in each]  # fmt: skip
    return "", [*sorted_out, ("draft_summary", {"email_index": 1, "summary": "Please read."})]


def _slack(asked: str, said: list[str]) -> tuple[str, Calls]:
    """As AgentDojo's own ground truth has it."""
    from inspect_evals.agentdojo.dataset import TASK_SUITES

    slack = TASK_SUITES["slack"]
    task = next(one for one in slack.user_tasks.values() if asked.strip() == one.PROMPT.strip())
    if said:
        return getattr(task, "GROUND_TRUTH_OUTPUT", "") or "Done.", []
    environment = slack.load_and_inject_default_environment(slack.get_injection_vector_defaults())
    calls = task.ground_truth(environment)
    return "", [(one.function, one.arguments) for one in calls]


@modelapi(name="scripted")
def scripted() -> type[ModelAPI]:
    """Inspect's hook for the provider."""
    return ScriptedModel
