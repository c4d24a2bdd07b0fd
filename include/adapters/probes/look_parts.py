"""What probes share: how they refuse settings, and how they say that nothing is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable

from include.adapters.probing import Look
from include.rsp.errors import InvalidDocument


class NotShown(Exception):  # noqa: N818 - an outcome on its way to the probe that tells it
    """What was looked at does not show the safeguard; says why."""


def refuse_unknown_settings(look: Look, known: Iterable[str]) -> None:
    """A misspelt setting would be one that nobody checks.

    Raises:
        InvalidDocument: there is a setting that the probe does not know.
    """
    unknown = sorted(set(look.settings) - set(known))
    if unknown:
        raise InvalidDocument(
            f"The probe does not know the settings {unknown} (expected some of {sorted(known)}; "
            "docs/probes.md). Correct safeguards.probes of the suite."
        )


def positive(look: Look, name: str, default: float | None = None) -> float:
    """A setting that is a number above zero, and finite.

    Raises:
        InvalidDocument: it is not.
    """
    value = look.number(name, default)
    if not (math.isfinite(value) and value > 0):
        raise InvalidDocument(
            f"The probe's setting {name!r} is {value} (expected a number above 0). Correct "
            "safeguards.probes of the suite."
        )
    return value
