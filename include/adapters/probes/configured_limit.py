"""Is a limit on outgoing bandwidth configured, and low enough? (facts §4, egress bandwidth limits)

Weights are large: what leaves slowly is seen before it has left. The configuration is a file, JSON
or YAML; what `tc -json qdisc show` prints, saved, is one.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from include.adapters.probes.look_parts import NotShown, positive, refuse_unknown_settings
from include.adapters.probes.plain_json import (
    MISSING,
    checked_pointer,
    read_json,
    value_at,
    values_at,
)
from include.adapters.probing import Look, Seen
from include.adapters.yaml_source import load
from include.rsp.errors import InvalidDocument

SETTINGS = frozenset({"path", "pointer", "unit", "unit_pointer", "at_most", "max_age_seconds"})
UNITS = frozenset(
    f"{prefix}{unit}"
    for prefix in ("", "k", "M", "G", "Ki", "Mi", "Gi")
    for unit in ("bit/s", "B/s")
)
MOST_BYTES = 1_000_000
HIGHEST = 1e18
"""What is above it in any unit is no bandwidth."""
WITH_UNIT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+/s)\s*")


def egress_limit(look: Look) -> Seen:
    """Read the limit and compare.

    It shows the safeguard only if every value that the pointer finds (and there is one) is a number
    above zero, in the unit that is expected, and at most as high as allowed. Zero is no limit:
    most tools take it for "unlimited".

    Raises:
        InvalidDocument: a setting is missing, unknown or wrong.
    """
    refuse_unknown_settings(look, SETTINGS)
    unit, at_most = look.text("unit"), positive(look, "at_most")
    if unit not in UNITS:
        raise InvalidDocument(f"unit is {unit!r} (expected one of {sorted(UNITS)})")
    path, pointer = Path(look.text("path")), checked_pointer(look.text("pointer"))
    expected = f"expected a limit of at most {at_most:g} {unit} at {pointer!r} of {path}"
    raw: dict[str, Any] = {"path": str(path), "pointer": pointer}
    try:
        document = _document(look, path)
        _check_unit(look, document, unit)
        found = list(values_at(document, pointer))
        raw["found"] = [repr(one)[:200] for one in found[:20]]
        limits = [_limit(one, unit) for one in found]
        high = [one for one in limits if one > at_most]
        if high:
            raise NotShown(f"the limit is {max(high):g} {unit}")
    except NotShown as problem:
        raw["problem"] = str(problem)
        said = f"No sufficient egress limit is configured: {problem} ({expected})."
        return Seen(shows=False, statement=said, raw=raw)
    many = f", the highest of {len(limits)}" if len(limits) > 1 else ""
    said = f"The configured egress limit is {max(limits):g} {unit}{many} ({expected})."
    return Seen(shows=True, statement=said, raw=raw)


def _document(look: Look, path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        age = time.time() - path.stat().st_mtime
    except OSError as error:
        raise NotShown(f"the file cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise NotShown(f"the file holds more than {MOST_BYTES} bytes")
    if "max_age_seconds" in look.settings and age > positive(look, "max_age_seconds"):
        raise NotShown(f"the file was written {age:.0f} s ago, longer than max_age_seconds")
    try:
        return read_json(content) if path.suffix == ".json" else load(content)
    except ValueError as error:
        raise NotShown(f"the file does not read: {str(error)[:300]}") from error


def _check_unit(look: Look, document: Any, unit: str) -> None:
    """What the file itself says of its unit, if it does."""
    if "unit_pointer" in look.settings:
        pointer = checked_pointer(look.text("unit_pointer"))
        said = value_at(document, pointer)
        if said != unit:
            raise NotShown(f"the unit at {pointer!r} is {said!r}, not {unit!r}")


def _limit(value: Any, unit: str) -> float:
    """A number, or a text of a number and the unit."""
    if value is MISSING or value is None:
        raise NotShown("there is none")
    number: object = value
    if isinstance(value, str):
        read = WITH_UNIT.fullmatch(value)
        if read is None:
            raise NotShown(f"{value[:100]!r} is no number with a unit such as {unit!r}")
        if read[2] != unit:
            raise NotShown(f"it stands in {read[2]}, not in {unit}")
        number = float(read[1])
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise NotShown(f"a {type(value).__name__} is no number")
    if not 0 <= number <= HIGHEST:  # NaN neither
        raise NotShown(f"{str(number)[:100]} is no limit")
    if number == 0:
        raise NotShown("0 means unlimited")
    return float(number)
