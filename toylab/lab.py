"""`make up` and `make down`: the local stack with the toy trainer, left running to be looked at."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from include.cli import stack
from include.local_stack.layout import Layout
from toylab.lab_suite import home_of
from toylab.story import AT_HAND, begin, launch_trainer, write_evidence

LINGER_SECONDS = 90.0


def main() -> int:
    """Start or stop."""
    parser = argparse.ArgumentParser(prog="toylab.lab", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--home", type=Path, default=Path(".redline/lab"))
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    layout = stack.layout_of(options.home, options.port)
    if options.what == "down":
        stop_trainer(layout)
        stack.down(options.home, options.port)
        return 0
    proposals = layout.checkpoints.parent / "proposals"
    proposals.mkdir(parents=True, exist_ok=True)
    handle = begin(layout, print)
    write_evidence(layout, AT_HAND)
    start_trainer(layout)
    print(f"UI: {handle.base_url}   users and passwords: {layout.users_file}")
    print(f"store: {layout.store}   officers' keys: {layout.keys / 'officers'}")
    print(f"proposed policies: {proposals}")
    print(f"surfaces of the toy model and their switches: {home_of(layout)}")
    print(f"trainer: {layout.home / 'trainer' / 'events.jsonl'}   stop all with: make down")
    return 0


def start_trainer(layout: Layout) -> None:
    """The trainer in a session of its own, unless it runs already."""
    pid_file = layout.run / "trainer.pid"
    if _running(pid_file):
        return
    with (layout.logs / "trainer.log").open("ab") as output:
        process = launch_trainer(layout, LINGER_SECONDS, output)
    pid_file.write_text(str(process.pid))


def stop_trainer(layout: Layout) -> None:
    """End the trainer that `up` started."""
    pid_file = layout.run / "trainer.pid"
    if _running(pid_file):
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    pid_file.unlink(missing_ok=True)


def _running(pid_file: Path) -> bool:
    """Whether the process of that file is still the trainer (a pid may have been given away)."""
    if not pid_file.exists():
        return False
    try:
        command = Path(f"/proc/{pid_file.read_text()}/cmdline").read_bytes()
    except OSError:
        return False
    return b"toylab.train" in command


if __name__ == "__main__":
    raise SystemExit(main())
