"""Can the evaluation's sandbox reach out? It must fail to (facts R16, R17).

The script of `egress` runs inside the sandbox. Its silence says something only if it could try at
all, and if somebody listens where it tried: both are looked at.
"""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from include.adapters import egress
from include.adapters.probes.look_parts import refuse_unknown_settings
from include.adapters.probes.plain_json import read_json
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from include.rsp.results import EgressProbe

SETTINGS = frozenset({"addresses", "control", "command", "task", "sandbox"})
SECONDS_OUTSIDE = 3.0
MOST_BYTES = 100_000
ADDRESS = re.compile(r"\[?[A-Za-z0-9.:-]+\]?:[0-9]{1,5}")


def no_way_out(look: Look) -> Seen:
    """Try from inside the sandbox to reach each address.

    It shows the safeguard only if (1) somebody listens at one of the addresses, seen from outside
    of the sandbox, (2) the script ran inside and reached a listener of its own, (3) it reached no
    address, and (4) it reached the control, if there is one.

    Raises:
        InvalidDocument: a setting is missing, unknown or wrong.
    """
    refuse_unknown_settings(look, SETTINGS)
    addresses = look.texts("addresses")
    control = [look.text("control")] if "control" in look.settings else []
    _check(addresses, control)
    tried = [*addresses, *control]
    listening = [one for one in addresses if _answers(one)]
    found = _by_command(look, tried) if "command" in look.settings else _by_task(look, tried)
    raw = {"listening_outside": listening, **found.model_dump()}
    problem = _problem(found, listening, control)
    if problem is not None:
        expected = f"Expected: none of {', '.join(addresses)} is reached" + (
            f", and {control[0]} is" if control else ""
        )
        return Seen(shows=False, statement=f"The sandbox: {problem}. {expected}."[:3900], raw=raw)
    return Seen(
        shows=True,
        statement=f"From inside the sandbox none of {', '.join(addresses)} was reached, while "
        f"{', '.join([*listening, *control])} could be: from outside"
        f"{', the last one also from inside' if control else ''}."[:3900],
        raw=raw,
    )


def _problem(found: EgressProbe, listening: list[str], control: list[str]) -> str | None:
    out = [one for one in found.reached if one not in control]
    if out:  # whatever else went wrong, this is known
        return f"it reached {', '.join(out)}"
    if not found.probe_works:
        return "the probe could not try from inside: it did not even reach its own listener"
    if not listening:  # (1)
        return (
            "nobody listens at any of the addresses, so that it reached none says nothing; list "
            "one that answers to the machine of the probe"
        )
    if not set(control) <= set(found.reached):
        return f"it did not reach the control {control[0]}, so that it reached nothing says little"
    return None


def _check(addresses: list[str], control: list[str]) -> None:
    wrong = [one for one in [*addresses, *control] if not ADDRESS.fullmatch(str(one))]
    if not addresses or wrong or set(addresses) & set(control):
        raise InvalidDocument(
            f"The probe's settings 'addresses' {addresses} and 'control' {control} do not read "
            "(expected at least one host:port, and a control that is none of them)."
        )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_OUTSIDE).close()
    except (OSError, OverflowError):
        return False
    return True


def _by_command(look: Look, tried: list[str]) -> EgressProbe:
    """In a sandbox that a command starts: its last words are a Python inside of it."""
    command = look.texts("command")
    if not command or {"task", "sandbox"} & set(look.settings):
        raise InvalidDocument(
            "The probe's setting 'command' is empty, or stands beside 'task' or 'sandbox' "
            "(expected words that run a Python in the sandbox, or a task)."
        )
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                [*command, "-c", egress.SCRIPT, *tried],
                stdin=subprocess.DEVNULL,
                stdout=output,
                check=False,
                timeout=10 + 4 * len(tried),
            )
        except (OSError, subprocess.TimeoutExpired):
            return _could_not(tried)
        output.seek(0)
        said = output.read(MOST_BYTES + 1)
    if done.returncode != 0 or len(said) > MOST_BYTES:
        return _could_not(tried)
    return _read(said, tried)


def _could_not(tried: list[str]) -> EgressProbe:
    return EgressProbe(tried=tried, reached=[], probe_works=False)


def _read(said: bytes, tried: list[str]) -> EgressProbe:
    try:
        answer = read_json(said)
        works, reached = answer["works"], answer["reached"]
        known = sorted({one for one in reached if one in tried})
        whole = works is True and isinstance(reached, list) and set(reached) <= set(tried)
        return EgressProbe(tried=tried, reached=known, probe_works=whole)
    except (KeyError, TypeError, ValueError):
        return _could_not(tried)


def _by_task(look: Look, tried: list[str]) -> EgressProbe:
    """In the sandbox of an Inspect task, as the pre-flight of an evaluation does."""
    from include.adapters.inspect_preflight import SANDBOXES

    module, _, name = look.text("task").partition(":")
    sandbox = look.text("sandbox", "docker")
    if sandbox not in SANDBOXES:
        raise InvalidDocument(f"sandbox is {sandbox!r} (expected one of {sorted(SANDBOXES)})")
    try:
        task: Any = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidDocument(
            f"The task {module}:{name} does not load: {error}. Correct the probe's setting 'task'."
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        return egress.probe(task, sandbox=SANDBOXES[sandbox], targets=tried, log_dir=Path(folder))
