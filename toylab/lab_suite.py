"""The demo's suite: the laboratory's, with the probes and drills that find its service here.

An adopted suite never changes, so it is written once for a folder and then read from there.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import yaml

from include.adapters.bootstrap import KeyFolders
from include.adapters.policy_files import SUITES, named_file
from include.adapters.yaml_source import load
from include.local_stack.layout import Layout
from include.local_stack.supervisor_config import Program

SAFEGUARDS = Path(__file__).resolve().parent / "safeguards.yaml"
WRITTEN_FOR = "http://127.0.0.1:8091"


def suite_of(layout: Layout) -> Path:
    """The suite of the stack in a folder; made at first, with a free port for the service."""
    path = layout.home / "suite.yaml"
    if not path.exists():
        plain = load(named_file(SUITES, "toylab").read_bytes())
        found = SAFEGUARDS.read_text().replace(WRITTEN_FOR, f"http://127.0.0.1:{_free_port()}")
        plain["safeguards"] = load(found.encode())
        for drill in plain["safeguards"]["drills"]:
            if drill["scenario"] != "pause":
                drill["settings"] = {"surfaces": str(home_of(layout) / "surfaces.json")}
        plain["version"] = f"{plain['version']}+demo"
        head = "# Made by toylab.lab_suite: the toy laboratory's suite for this folder.\n"
        path.write_text(head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    return path


def home_of(layout: Layout) -> Path:
    """Where the laboratory's service keeps its settings and its log."""
    return layout.home / "surfaces"


def surfaces_program(layout: Layout) -> Program:
    """The laboratory's service as a supervised process."""
    plain = load(suite_of(layout).read_bytes())
    url = str(plain["safeguards"]["probes"][0]["settings"]["url"])
    return Program(
        name="surfaces",
        command=(
            *(sys.executable, "-m", "toylab.surfaces"),
            *("--home", str(home_of(layout))),
            *("--port", url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]),
            *("--checkpoint", str(layout.checkpoints)),
            *("--weights", str(layout.checkpoints)),
            *("--trust-root", str(KeyFolders(layout.keys).trust_root)),
        ),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
