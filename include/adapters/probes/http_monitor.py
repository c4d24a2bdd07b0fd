"""Does monitoring see what happens? An event is planted, and has to show up (facts R18).

A monitor that says yes to everything shows nothing, so it is also asked for what never happened.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.adapters.probes import http_caller
from include.adapters.probes.http_caller import Caller, NoAnswer, checked_url, shown
from include.adapters.probes.look_parts import NotShown, positive, refuse_unknown_settings
from include.adapters.probes.plain_json import (
    MISSING,
    checked_pointer,
    filled,
    read_template,
    texts_in,
    value_at,
)
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument

SETTINGS = http_caller.SETTINGS | {
    "plant_url", "plant_method", "plant_body", "seen_url", "seen_pointer", "within_seconds",
    "every_seconds", "heartbeat_url", "heartbeat_pointer", "heartbeat_max_age_seconds",
}  # fmt: skip
METHODS = ("POST", "PUT")
AHEAD_SECONDS = 5.0
"""So far the service's clock may be ahead of ours."""
NOT_FOUND = 404


@dataclass(slots=True)
class _Monitor:
    """One monitor as the settings describe it, and what it said so far."""

    look: Look
    caller: Caller
    raw: dict[str, Any] = field(default_factory=dict)

    def sees(self, marker: str, seconds: float | None = None) -> bool:
        """Whether it says that it has seen an event; 404 says that it has not."""
        url = filled(checked_url(self.look, "seen_url"), "marker", marker)
        answer = self.caller.ask("GET", url, seconds=seconds)
        self.raw["seen"] = answer.plain()
        if answer.status == NOT_FOUND:
            return False
        if not 200 <= answer.status < 300:
            raise NoAnswer(f"GET {shown(url)}: HTTP {answer.status} (expected 200, or 404)")
        place = value_at(answer.body, checked_pointer(self.look.text("seen_pointer", "")))
        return any(marker in one for one in texts_in(place))

    def plant(self, marker: str) -> None:
        """Make the event happen."""
        url = checked_url(self.look, "plant_url")
        method = self.look.text("plant_method", "POST")
        if method not in METHODS:
            raise InvalidDocument(f"plant_method is {method!r} (expected one of {METHODS})")
        body = filled(read_template(self.look, "plant_body", "marker"), "marker", marker)
        answer = self.caller.ask(method, url, body=body)
        self.raw["planted"] = answer.plain()
        if not 200 <= answer.status < 300:
            raise NotShown(f"the event was not taken: HTTP {answer.status} of {shown(url)}")

    def age_of_heartbeat(self) -> float:
        """Seconds since its last sign of life."""
        url = checked_url(self.look, "heartbeat_url")
        answer = self.caller.ask("GET", url)
        if not 200 <= answer.status < 300:
            raise NoAnswer(f"GET {shown(url)}: HTTP {answer.status} (expected 200)")
        pointer = checked_pointer(self.look.text("heartbeat_pointer"))
        at = _moment(value_at(answer.body, pointer), f"{pointer} of {shown(url)}")
        age = (datetime.now(UTC) - at).total_seconds()
        self.raw["heartbeat"] = {"at": at.isoformat(), "age_seconds": round(age, 3)}
        return age


def heartbeat(look: Look) -> Seen:
    """Plant an event, and wait until the monitor shows it.

    It shows the safeguard only if (1) the last heartbeat is young enough, (2) the monitor shows
    neither of two new markers before anything is planted, (3) the planted one shows up in time,
    and (4) the other one still does not.

    Raises:
        InvalidDocument: a setting is missing, unknown or wrong.
    """
    refuse_unknown_settings(look, SETTINGS)
    within = positive(look, "within_seconds")
    oldest = positive(look, "heartbeat_max_age_seconds")
    read_template(look, "plant_body", "marker")
    planted, never = (f"redline-probe-{secrets.token_hex(16)}" for _ in range(2))
    with Caller(look) as caller:
        monitor = _Monitor(look, caller)
        try:
            _check_heartbeat(monitor.age_of_heartbeat(), oldest)  # (1)
            if monitor.sees(planted) or monitor.sees(never):  # (2)
                raise NotShown("it shows an event that never happened")
            monitor.plant(planted)
            took = _wait(monitor, planted, within)  # (3)
            if monitor.sees(never):  # (4)
                raise NotShown("it shows an event that never happened")
        except (NoAnswer, NotShown) as problem:
            raw = {**monitor.raw, "problem": str(problem)}
            said = f"The monitor shows nothing: {problem}. {_expected(within, oldest)}"
            return Seen(shows=False, statement=said, raw=raw)
    return Seen(
        shows=True,
        statement=f"The planted event showed up after {took:.1f} s, and one that never happened "
        f"did not. {_expected(within, oldest)}",
        raw={**monitor.raw, "seconds_until_seen": round(took, 3)},
    )


def _expected(within: float, oldest: float) -> str:
    return f"Expected: within {within:g} s, and a heartbeat of the last {oldest:g} s."


def _check_heartbeat(age: float, oldest: float) -> None:
    if age > oldest:
        raise NotShown(f"its last heartbeat is {age:.0f} s old")
    if age < -AHEAD_SECONDS:
        raise NotShown(f"its last heartbeat is {-age:.0f} s in the future")


def _wait(monitor: _Monitor, marker: str, within: float) -> float:
    """Seconds until the marker showed up; a poll that fails ends it, as nobody knows then."""
    every = positive(monitor.look, "every_seconds", 0.5)
    begun = time.monotonic()
    polls = 0
    while (left := within - (time.monotonic() - begun)) > 0:
        polls += 1
        monitor.raw["polls"] = polls
        seen = monitor.sees(marker, seconds=left)
        took = time.monotonic() - begun
        if seen and took <= within:
            return took
        time.sleep(max(min(every, within - took), 0.0))
    raise NotShown(f"the planted event did not show up within {within:g} s ({polls} looks)")


def _moment(value: Any, where: str) -> datetime:
    """A time as ISO text with its zone, or as seconds since 1970."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    got = "nothing" if value is MISSING else f"a {type(value).__name__}"
    raise NotShown(f"{got} at {where} is no time of a heartbeat (ISO with zone, or seconds)")
