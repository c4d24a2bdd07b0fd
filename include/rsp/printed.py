"""The numbers in a printed cell, each with its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.rsp.units import RATIO_UNITS

NUMBER = re.compile(
    r"[~≈<>≤≥]*\s*(?P<number>-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"(?:\s*(?:/|out of|of)\s*(?P<of>\d+))?\s*(?P<unit>%|×|[A-Za-z]+)?"
    r"(?:\s*(?:\+/?-|±)\s*\d+(?:\.\d+)?\s*(?:%|×|[A-Za-z]+)?)?(?P<rest>.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Printed:
    """One value; `unit` is empty where none is printed, `of` None where it is no count."""

    value: float
    unit: str = ""
    of: int | None = None


def read_cell(text: str) -> list[Printed]:
    """The values in a printed cell: `17/33`, `17 of 33` and `53%` are shares, `a / b` two values.

    Nothing at all where a part of the cell is left over with digits in it: half a number is none.
    """
    found = []
    for part in re.split(r"\s/\s", text):
        match = NUMBER.fullmatch(part.strip())
        if (match and re.search(r"\d", match["rest"])) or (not match and re.search(r"\d", part)):
            return []
        if match and match["of"] is None:
            found.append(_plain(match))
        elif match and int(match["of"]):
            share = _number(match) / int(match["of"])
            found.append(Printed(value=share, unit="share", of=int(match["of"])))
    return found


def numbers_in(text: str) -> list[float]:
    """The values in a printed cell, without their units."""
    return [one.value for one in read_cell(text)]


def _plain(match: re.Match[str]) -> Printed:
    unit = (match["unit"] or "").lower()
    if unit in ("%", "percent"):
        return Printed(value=_number(match) / 100, unit="share")
    is_ratio = unit == "×" or unit in RATIO_UNITS
    return Printed(value=_number(match), unit="ratio" if is_ratio else unit)


def _number(match: re.Match[str]) -> float:
    return float(match["number"].replace(",", ""))
