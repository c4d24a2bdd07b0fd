"""`python -m toylab.surfaces`: the toy laboratory's product, a real HTTP service on loopback.

Two surfaces, `/app` and `/api`, with a classifier in front and a monitor behind, and the keeper of
the weights. In a real laboratory the three are apart; here they share a process and a log folder.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from include.adapters.signing import keys_for
from include.rsp.reading import parse_record
from include.rsp.records import TrustRoot
from include.rsp.vocabulary import KeyRole
from toylab import monitor as monitoring
from toylab.classifier import stops_answer, stops_question
from toylab.json_http import Asked, Reply, serve
from toylab.monitor import EventLog, Monitor
from toylab.reading import NotUnderstood, model_input
from toylab.served import NoModel, Served
from toylab.switches import (
    NAME,
    SURFACES,
    MonitorState,
    Switches,
    Unsettled,
    read_switches,
    write_json,
    write_switches,
)
from toylab.weights import Keeper

ADDRESS = "surfaces.json"
PARENT_SECONDS = 0.5


@dataclass(slots=True)
class Service:
    """Everything behind the port."""

    home: Path
    served: Served
    log: EventLog
    monitor: Monitor
    keeper: Keeper | None

    def answer(self, asked: Asked) -> Reply:
        """Route one request; what is not known is 404."""
        query, body = asked.query, asked.body
        routes: dict[tuple[str, str], Callable[[], Reply]] = {
            ("POST", "/monitor/plant"): lambda: self.plant(body),
            ("GET", "/monitor/seen"): lambda: self.seen(query.get("marker", "")),
            ("GET", "/monitor/flagged"): lambda: self.flagged(query.get("exchange", "")),
            ("GET", "/monitor/heartbeat"): lambda: Reply(200, {"at": self.monitor.last_pass}),
            **{("POST", f"/{one}"): partial(self.exchange, one, body) for one in SURFACES},
        }
        route = routes.get((asked.method, asked.path))
        if route is not None:
            return route()
        if self.keeper is not None and asked.path.startswith("/weights/"):
            return self.keeper.answer(asked)
        return Reply(404, {"error": f"there is no {asked.method} {asked.path}"})

    def exchange(self, surface: str, body: dict[str, Any]) -> Reply:
        """One question on a surface.

        It is answered only if (1) the settings read; (2) the classifier lets the question pass;
        (3) the product understands it, and there is a model; (4) the classifier lets the answer
        pass; (5) the exchange is in the log, where logging is on. A classifier that is switched
        off on a surface lets everything pass there, and nothing says so: that is what the probes
        are for.
        """
        prompt = body.get("prompt")
        if not isinstance(prompt, str):
            return Reply(400, {"error": f"prompt is {prompt!r:.80} (expected a text)"})
        try:
            switches = read_switches(self.home)  # (1)
            reply = self._reply(surface, prompt, switches)
        except (Unsettled, NoModel) as error:
            return Reply(503, {"error": str(error)})
        except NotUnderstood as error:
            return Reply(400, {"error": str(error)})
        if switches.logging[surface]:  # (5)
            try:
                self.log.append(**reply.logged)
            except OSError as error:
                return Reply(503, {"error": f"the exchange cannot be logged: {error}"})
        return reply

    def _reply(self, surface: str, prompt: str, switches: Switches) -> Reply:
        exchange = secrets.token_hex(8)
        logged = {"exchange": exchange, "surface": surface, "prompt": prompt}
        guarded = switches.classifier[surface]
        stop = stops_question(prompt, switches.patches) if guarded else None  # (2)
        if stop is None:
            asked = model_input(prompt)  # (3)
            answer = self.served.answer(asked)
            stop = stops_answer(prompt, answer) if guarded else None  # (4)
            if stop is None:
                answered = {"answer": answer, "exchange": exchange}
                return Reply(200, answered, {**logged, "asked": asked, "answer": answer})
        blocked = {"blocked": True, "by": stop, "exchange": exchange}
        return Reply(403, blocked, {**logged, "blocked_by": stop})

    def plant(self, body: dict[str, Any]) -> Reply:
        """Plant an event into the log of a surface; where logging is off it silently goes lost."""
        marker, surface = body.get("marker"), body.get("surface", "api")
        if not isinstance(marker, str) or not marker or surface not in SURFACES:
            return Reply(400, {"error": f"expected a marker, and a surface of {SURFACES}"})
        try:
            if read_switches(self.home).logging[surface]:
                self.log.append(planted=marker, surface=surface)
        except (Unsettled, OSError) as error:
            return Reply(503, {"error": str(error)})
        return Reply(202, {"taken": True})

    def seen(self, marker: str) -> Reply:
        """The planted events with that marker that the monitor has seen; none: an empty list."""
        at = self.monitor.seen.get(marker)
        return Reply(200, {"events": [{"marker": marker, "at": at}] if at else []})

    def flagged(self, exchange: str) -> Reply:
        """What the monitor says of an exchange; 404 as long as it has not flagged it."""
        found = self.monitor.flagged.get(exchange)
        return Reply(200, found) if found else Reply(404, {"error": "not flagged"})


def main() -> int:
    """Serve until terminated."""
    options = _options()
    home: Path = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    _settle(home, options)
    log, monitor = EventLog(home / monitoring.LOG), Monitor(home)
    service = Service(home, Served(options.checkpoint), log, monitor, _keeper(home, options))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    looks = [(monitoring.PASS_SECONDS, monitor.look)]
    if service.keeper is not None:
        looks.append((monitoring.PASS_SECONDS, service.keeper.watch))
    threads = [monitoring.every(seconds, look, stop) for seconds, look in looks]
    with serve(service.answer, port=options.port) as port:
        _tell(home, port)
        _wait(stop, with_parent=options.with_parent)
    stop.set()
    for thread in threads:
        thread.join()
    (home / ADDRESS).unlink(missing_ok=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="toylab.surfaces", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="settings, logs, surfaces.json")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint, or the folder of them")
    parser.add_argument("--weights", type=Path, help="the folder whose reading takes two people")
    parser.add_argument("--trust-root", type=Path, help="who the people are; with --weights")
    parser.add_argument("--with-parent", action="store_true", help="end when its starter is gone")
    for switch in ("classifier", "logging"):
        parser.add_argument(f"--{switch}-off", choices=SURFACES, action="append", default=None)
    parser.add_argument("--monitor", choices=list(MonitorState), type=MonitorState)
    options = parser.parse_args()
    if (options.weights is None) is not (options.trust_root is None):
        parser.error("--weights and --trust-root go together")
    return options


def _settle(home: Path, options: argparse.Namespace) -> None:
    """Write the settings if there are none; switches on the command line are set in any case."""
    if not (home / NAME).exists():
        write_switches(home, Switches())
    given = {"classifier": options.classifier_off, "logging": options.logging_off}
    changes: dict[str, Any] = {
        name: {one: one not in off for one in SURFACES} for name, off in given.items() if off
    }
    if options.monitor is not None:
        changes["monitor"] = options.monitor
    if changes:
        now = read_switches(home)
        write_switches(home, Switches.model_validate({**now.model_dump(), **changes}))


def _keeper(home: Path, options: argparse.Namespace) -> Keeper | None:
    if options.weights is None:
        return None
    root = parse_record(options.trust_root.read_bytes(), where=str(options.trust_root))
    trust = root if isinstance(root, TrustRoot) else None
    return Keeper(home, options.weights.resolve(), keys_for(trust, KeyRole.OFFICER))


def _tell(home: Path, port: int) -> None:
    """Say where it is: in a file that others wait for, and on standard output."""
    url = f"http://127.0.0.1:{port}"
    write_json(home / ADDRESS, {"url": url, "port": port, "pid": os.getpid(), "home": str(home)})
    print(f"{url} (settings: {home / NAME})", flush=True)


def _wait(stop: threading.Event, *, with_parent: bool) -> None:
    parent = os.getppid()
    while not stop.wait(PARENT_SECONDS):
        if with_parent and os.getppid() != parent:
            return


if __name__ == "__main__":
    raise SystemExit(main())
