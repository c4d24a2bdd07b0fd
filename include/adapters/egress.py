"""Can a sandbox reach out? A script in it tries; one attempt has to succeed, or it proves nothing.

The script opens a listener inside the sandbox and connects to it: if even that fails, what it
says of the outside means nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from include.rsp.results import EgressProbe

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


def probe(*, sandbox: str, targets: list[str], log_dir: Path) -> EgressProbe:
    """Run the script in a sandbox of that type.

    Args:
        targets: `host:port` of each attempt.
    """
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import MemoryDataset, Sample
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

    dataset = MemoryDataset([Sample(id="egress", input="egress")])
    inspect_eval(
        Task(dataset=dataset, solver=solver(reach_out)()),
        model="none/none",
        sandbox=sandbox,
        log_dir=str(log_dir),
        log_format="eval",
        log_realtime=False,
        display="plain",
        fail_on_error=False,
        acp_server=False,
        ctl_server=False,
    )
    return _read(said, targets)


def _read(said: list[str], targets: list[str]) -> EgressProbe:
    """No readable answer: the probe does not work, which is not the same as "reached nothing"."""
    try:
        answer = json.loads(said[0])
        return EgressProbe(
            tried=targets, reached=list(answer["reached"]), probe_works=bool(answer["works"])
        )
    except (IndexError, KeyError, TypeError, ValueError):
        return EgressProbe(tried=targets, reached=[], probe_works=False)
