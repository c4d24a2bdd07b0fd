"""Does one probe that hangs delay the others? Beside the same probes one after another.

`python -m benchmarks.probes`. Real HTTP canaries against a surface on loopback, one of which never
answers, each with its own time limit. Named peer, in the same run: the same processes, started with
`subprocess.run(timeout=…)` one after another, as a script would do it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rich.console import Console
from rich.table import Table

from include.adapters.probe_runner import AT_ONCE, ENTRY, PROJECT, run_probes
from include.rsp.safeguard_plan import PlannedProbe

LIMIT, ANSWER_SECONDS = 4.0, 0.25
OVER = 1.0
"""So many seconds the whole may take beyond the limit of the one that hangs."""


@dataclass(frozen=True, slots=True)
class Line:
    """One number of probes: seconds of us and of the peer, and of our slowest good probe."""

    probes: int
    hanging: int
    ours: float
    slowest_good: float
    peer: float
    right: bool

    @property
    def met(self) -> bool:
        """The whole within the limit, where all fit at once, and every answer the right one."""
        rounds = -(-self.probes // AT_ONCE)
        return self.right and self.ours <= LIMIT + OVER * rounds and self.slowest_good < LIMIT


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, nargs="*", default=[1, 2, 8, 24])
    options = parser.parse_args()
    with surface() as url:
        run_probes(plans(url, 2, hanging=False))  # warm-up
        lines = [measure(url, count, hanging=hanging)
                 for count in options.probes for hanging in (False, True)]  # fmt: skip
    show(lines)
    return 0 if all(line.met for line in lines) else 1


def plans(url: str, count: int, *, hanging: bool) -> list[PlannedProbe]:
    """So many canaries; the first one's surface never answers, if one is to hang."""
    return [
        PlannedProbe(
            id=f"canary-{number}", probe="http.canary", standard="asl-3", requirement="blocked",
            type="canary", timeout_seconds=LIMIT,
            settings={
                "url": f"{url}/{'hang' if hanging and number == 0 else 'chat'}",
                "body": '{"prompt": "{prompt}"}', "block_pointer": "/blocked",
                "block_value": True, "blocked_prompts": ["bad"], "benign_prompts": ["good"],
                "request_seconds": 600.0,
            },
        )
        for number in range(count)
    ]  # fmt: skip


def measure(url: str, count: int, *, hanging: bool) -> Line:
    """The same probes by us and one after another."""
    planned = plans(url, count, hanging=hanging)
    begun = time.perf_counter()
    ran = run_probes(planned)
    ours = time.perf_counter() - begun
    expected = [not (hanging and number == 0) for number in range(count)]
    begun = time.perf_counter()
    answers = [one_after_another(one) for one in planned]
    peer = time.perf_counter() - begun
    return Line(
        probes=count,
        hanging=int(hanging),
        ours=ours,
        slowest_good=max((one.seconds for one in ran if one.seen.shows), default=0.0),
        peer=peer,
        right=[one.seen.shows for one in ran] == expected == answers,
    )


def one_after_another(planned: PlannedProbe) -> bool:
    """What a script would do."""
    asked = {"kind": planned.probe, "settings": planned.settings, "surfaces": [], "drills": [],
             "at": "", "timeout_seconds": LIMIT}  # fmt: skip
    try:
        done = subprocess.run(ENTRY, input=json.dumps(asked).encode(), capture_output=True,
                              timeout=LIMIT, cwd=PROJECT, check=True)  # fmt: skip
    except subprocess.SubprocessError:
        return False
    return bool(json.loads(done.stdout)["shows"])


@contextmanager
def surface() -> Iterator[str]:
    """Blocks what is bad after a moment; `/hang` never answers."""
    end = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer, or not."""
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            end.wait(600 if self.path == "/hang" else ANSWER_SECONDS)
            content = json.dumps({"blocked": asked["prompt"] == "bad"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        end.set()
        server.shutdown()
        thread.join()
        server.server_close()


def show(lines: list[Line]) -> None:
    """One table, and on which machine."""
    console = Console(width=130)
    table = Table(
        title=f"HTTP canaries of two prompts ({ANSWER_SECONDS:g} s each), time limit {LIMIT:g} s, "
        f"{AT_ONCE} at once"
    )
    for name in ("probes", "of which hang", "wall time", "slowest good one",
                 "one after another (subprocess.run)", "times as fast", "met"):  # fmt: skip
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(
            str(line.probes), str(line.hanging), f"{line.ours:.2f} s",
            f"{line.slowest_good:.2f} s" if line.slowest_good else "-", f"{line.peer:.2f} s",
            f"{line.peer / line.ours:.1f}", "yes" if line.met else "NO",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"Target: wall time ≤ limit + {OVER:g} s for each {AT_ONCE} probes, no good probe near the "
        f"limit, every answer right.\n{os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}."
    )


if __name__ == "__main__":
    sys.exit(main())
