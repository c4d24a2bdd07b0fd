"""What the settings of an AWS probe may be. Credentials are never among them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from include.adapters.probing import Look, Setting
from include.rsp.errors import InvalidDocument

COMMON_SETTINGS = frozenset(
    {"account", "region", "endpoint_url", "profile", "timeout_seconds", "attempts"}
)
_USER = re.compile(r"//[^/@]*@")


def wrong(name: str, value: object, expected: str) -> InvalidDocument:
    """The refusal of a setting."""
    return InvalidDocument(
        f"The probe's setting {name!r} is {value!r} (expected {expected}). Correct "
        "safeguards.probes of the suite."
    )


def refuse_unknown(look: Look, known: Collection[str]) -> None:
    """Raises InvalidDocument on a setting that the probe does not know; its value is not told."""
    unknown = sorted(set(look.settings) - set(known))
    if unknown:
        raise InvalidDocument(
            f"The probe does not know the settings {unknown} (expected some of {sorted(known)}). "
            "Correct safeguards.probes of the suite."
        )


def matching(
    look: Look, name: str, *, pattern: str, expected: str, default: str | None = None
) -> str:
    """A text of a form; raises InvalidDocument."""
    value = look.text(name, default)
    if not re.fullmatch(pattern, value):
        raise wrong(name, value, expected)
    return value


def named(look: Look, name: str, *, pattern: str, expected: str) -> frozenset[str]:
    """One or more texts of a form; raises InvalidDocument."""
    texts = look.texts(name)
    bad = [one for one in texts if not re.fullmatch(pattern, str(one))]
    if bad or not texts:
        raise wrong(name, bad or texts, f"one or more {expected}")
    return frozenset(texts)


def optional(look: Look, name: str) -> str | None:
    """A text, or None when it is not set; raises InvalidDocument."""
    return look.text(name) if name in look.settings else None


def above_zero(look: Look, name: str, default: float | None = None, *, most: float = 1e6) -> float:
    """A number above 0 and at most `most`; raises InvalidDocument."""
    value = look.number(name, default)
    if not 0 < value <= most:
        raise wrong(name, value, f"above 0, at most {most:g}")
    return value


def whole(look: Look, name: str) -> int:
    """A whole number from 0; raises InvalidDocument."""
    value = look.number(name)
    if not 0 <= value <= 1e6 or value != int(value):
        raise wrong(name, value, "a whole number from 0")
    return int(value)


def endpoint_of(look: Look) -> str | None:
    """The address to ask instead of AWS's own; raises InvalidDocument, which does not tell it."""
    url = optional(look, "endpoint_url")
    if url is not None and not re.fullmatch(r"https?://[^@?#\s]+", url):
        raise wrong(
            "endpoint_url", "something else", "an http(s) address without user, password or query"
        )
    return url


def told(look: Look, known: Collection[str]) -> Mapping[str, Setting]:
    """The settings as a record may have them.

    One that nobody knows may be a secret in the wrong place; an address may hold a password.
    """
    kept = {name: value for name, value in look.settings.items() if name in known}
    return {name: _told(value) for name, value in kept.items()}


def _told(value: Setting) -> Setting:
    if isinstance(value, str):
        return _USER.sub("//…@", value)
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)
