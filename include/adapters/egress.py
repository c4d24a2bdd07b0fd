"""Can a sandbox reach out? A script in it tries; one attempt has to succeed, or it proves nothing.

The script opens a listener inside the sandbox and connects to it: if even that fails, what it
says of the outside means nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from include.rsp.results import EgressProbe

if TYPE_CHECKING:
    from inspect_ai import Task

SCRIPT = """
import json, socket, sys
def reaches(host, port):
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        return True
    except OSError:
        return False
own = socket.socket()
own.bind(("127.0.0.1", 0))
own.listen()
works = reaches("127.0.0.1", own.getsockname()[1])
reached = [t for t in sys.argv[1:] if reaches(*t.rsplit(":", 1))]
print(json.dumps({"works": works, "reached": reached}))
"""


def probe(task: Task, *, sandbox: str, targets: list[str], log_dir: Path) -> EgressProbe:
    """Run the script in the sandboxes of a task: one sample of each that its samples name.

    Args:
        task: the evaluation's own, so that its compose file and network are what is tried.
        sandbox: the type that the suite names, where the task names none.
        targets: `host:port` of each attempt.
    """
    from inspect_ai import eval as inspect_eval
    from inspect_ai import task_with
    from inspect_ai.dataset import MemoryDataset
    from inspect_ai.solver import Generate, Solver, TaskState, solver
    from inspect_ai.util import sandbox as running_sandbox

    said: list[str] = []

    def reach_out() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            command = ["python3", "-c", SCRIPT, *targets]
            result = await running_sandbox().exec(command, timeout=10 + 4 * len(targets))
            said.append(result.stdout)
            return state

        return solve

    each = {str(one.sandbox): one for one in reversed(list(task.dataset))}
    inspect_eval(
        task_with(
            task,
            dataset=MemoryDataset(list(each.values())),
            solver=solver(reach_out)(),
            setup=None,
            scorer=[],
            epochs=1,
        ),
        model="none/none",
        sandbox=task.sandbox or sandbox,
        log_dir=str(log_dir),
        log_format="eval",
        log_realtime=False,
        display="plain",
        fail_on_error=False,
        acp_server=False,
        ctl_server=False,
    )
    return _read(said, targets, expected=len(each))


def _read(said: list[str], targets: list[str], *, expected: int) -> EgressProbe:
    """No readable answer: the probe does not work, which is not the same as "reached nothing"."""
    try:
        answers = [json.loads(one) for one in said]
        return EgressProbe(
            tried=targets,
            reached=sorted({one for answer in answers for one in answer["reached"]}),
            probe_works=len(answers) == expected and all(one["works"] for one in answers),
        )
    except (KeyError, TypeError, ValueError):
        return EgressProbe(tried=targets, reached=[], probe_works=False)
