"""Monitoring is shown only if it sees what was planted, and nothing that never happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.adapters.probe_runner import run_probes
from include.adapters.probes.http_monitor import heartbeat
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from tests.support.loopback_http import Answered, Asked, answered, serving
from tests.support.probing import planned


@dataclass(slots=True)
class Monitor:
    """A monitor in whose behaviour one thing may be wrong."""

    wrong: str = ""
    beat: Callable[[], Any] = lambda: datetime.now(UTC).isoformat()
    planted: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answered:
        if asked.path == "/health":
            return answered(503 if self.wrong == "no health" else 200, {"last": self.beat()})
        if asked.path == "/events":
            self.planted.append(asked.body["note"])
            return answered(400 if self.wrong == "takes nothing" else 202, {})
        return self.alerts(asked.query["q"])

    def alerts(self, marker: str) -> Answered:
        """Whether it has seen an event; it takes two looks to be sure of one."""
        self.asked.append(marker)
        happened = marker in self.planted
        known = happened and self.asked.count(marker) > 2
        match self.wrong:
            case "sees nothing":
                known = False
            case "echoes":
                known = True
            case "echoes once something happened":
                known = bool(self.planted)
            case "breaks" if happened:
                return answered(502, {"hits": [marker]})
            case "leads elsewhere" if happened:
                return answered(302, {"hits": [marker]}, Location="/x")
            case "no JSON" if happened:
                return answered(200, f"{marker} was seen")
            case "denies" if happened:
                return answered(403, {"hits": [marker]})
        if not known and self.wrong == "404 for nothing":
            return answered(404, {})
        return answered(200, {"query": marker, "hits": [f"event {marker}"] if known else []})


def settings(url: str, **changed: Any) -> dict[str, Any]:
    plain = {
        "plant_url": url + "/events",
        "plant_body": '{"note": "{marker}"}',
        "seen_url": url + "/alerts?q={marker}",
        "seen_pointer": "/hits",
        "within_seconds": 5.0,
        "every_seconds": 0.01,
        "heartbeat_url": url + "/health",
        "heartbeat_pointer": "/last",
        "heartbeat_max_age_seconds": 60.0,
        **changed,
    }
    return {name: value for name, value in plain.items() if value is not None}


def look(monitor: Monitor, **changed: Any) -> Seen:
    with serving(monitor) as url:
        return heartbeat(Look(settings=settings(url, **changed)))


@pytest.mark.parametrize("wrong", ["", "404 for nothing"])
def test_a_monitor_that_sees_what_was_planted_is_shown(wrong: str) -> None:
    monitor = Monitor(wrong)
    seen = look(monitor)
    assert seen.shows, seen.statement
    (marker,) = monitor.planted
    assert monitor.asked.count(marker) == 3
    never = set(monitor.asked) - {marker}
    assert len(never) == 1  # asked before and after
    assert monitor.asked.count(never.pop()) == 2
    assert seen.raw["polls"] == 2


def test_each_look_plants_another_event() -> None:
    monitor = Monitor()
    assert look(monitor).shows
    assert look(monitor).shows
    assert len(set(monitor.planted)) == 2


WRONG = {
    "sees nothing": "did not show up within 0.3 s",
    "echoes": "shows an event that never happened",
    "echoes once something happened": "shows an event that never happened",
    "takes nothing": "not taken: HTTP 400",
    "breaks": "HTTP 502",
    "leads elsewhere": "HTTP 302",
    "no JSON": "not JSON",
    "denies": "HTTP 403",
    "no health": "HTTP 503",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_monitor_that_does_not_do_that_is_not_shown(wrong: str) -> None:
    seen = look(Monitor(wrong), within_seconds=0.3)
    assert not seen.shows
    assert WRONG[wrong] in seen.statement
    assert seen.raw["problem"] in seen.statement


def test_an_answer_that_repeats_the_question_is_no_sight_of_it() -> None:
    seen = look(Monitor(), seen_pointer=None)  # the query itself stands in the answer
    assert not seen.shows
    assert "never happened" in seen.statement


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


BEATS: dict[str, tuple[Callable[[], Any], str]] = {
    "old": (lambda: ago(61).isoformat(), "last heartbeat is 61 s old"),
    "old number": (lambda: time.time() - 3600, "3600 s old"),
    "future": (lambda: ago(-120).isoformat(), "in the future"),
    "no zone": (lambda: ago(1).replace(tzinfo=None).isoformat(), "no time of a heartbeat"),
    "yes": (lambda: True, "no time"),
    "null": (lambda: None, "no time"),
    "word": (lambda: "now", "no time"),
    "huge": (lambda: 1e300, "no time"),
}


@pytest.mark.parametrize("name", BEATS)
def test_without_a_young_heartbeat_it_is_not_shown(name: str) -> None:
    beat, says = BEATS[name]
    monitor = Monitor(beat=beat)
    seen = look(monitor)
    assert not seen.shows
    assert says in seen.statement
    assert monitor.planted == []


def test_a_heartbeat_may_be_seconds_and_has_to_stand_where_it_is_said() -> None:
    assert look(Monitor(beat=time.time)).shows
    assert "nothing at /first" in look(Monitor(), heartbeat_pointer="/first").statement


def test_nobody_there_and_no_answer_are_not_shown(unused_tcp_port: int) -> None:
    nobody = heartbeat(Look(settings=settings(f"http://127.0.0.1:{unused_tcp_port}")))
    assert not nobody.shows
    assert "ConnectError" in nobody.statement
    end = threading.Event()
    with serving(lambda _: (end.wait(30), answered(200, {}))[1]) as url:
        late = heartbeat(Look(settings=settings(url, request_seconds=0.1)))
        (ran,) = run_probes([planned("http.monitor", seconds=1.5, **settings(url))])
        end.set()
    assert "ReadTimeout" in late.statement
    assert "did not answer within" in ran.seen.statement
    assert not late.shows
    assert not ran.seen.shows


def test_it_runs_in_a_process_of_its_own() -> None:
    with serving(Monitor()) as url:
        (ran,) = run_probes([planned("http.monitor", **settings(url))])
    assert ran.seen.shows, ran.seen.statement


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"attempts": 2.0}, "does not know"),
        ({"within_seconds": 0.0}, "above 0"),
        ({"within_seconds": None}, "'within_seconds' is None"),
        ({"heartbeat_url": None}, "'heartbeat_url' is None"),
        ({"heartbeat_max_age_seconds": None}, "'heartbeat_max_age_seconds' is None"),
        ({"plant_body": '{"note": "x"}'}, "holds no {marker}"),
        ({"plant_method": "DELETE"}, "plant_method"),
        ({"seen_url": "ftp://x/"}, "no URL"),
        ({"seen_pointer": "hits"}, "no JSON pointer"),
    ],
)
def test_a_wrong_setting_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDocument, match=says):
        look(Monitor(), **changed)
