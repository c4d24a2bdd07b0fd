"""Great Expectations' answers in words: what, got and expected, where, next step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def told(result: dict[str, Any], *, where: str) -> str:
    """One expectation that failed: what, got and expected, where, next step."""
    said = result["expectation_config"]["meta"]
    return (
        f"{said['what']}: got {got(result)} (expected {said['expected']}), in {where}. "
        f"{said['next']}"
    )


def got(result: dict[str, Any]) -> str:
    """What was there instead, and in which sample first."""
    seen = result["result"]
    if not seen:
        return f"an error: {next(_messages(result['exception_info']), 'no answer')}"
    if "unexpected_count" not in seen:
        missing = seen.get("details", {}).get("mismatched", {}).get("missing")
        return f"no {', '.join(missing)}" if missing else f"{seen.get('observed_value')}"
    if not seen.get("partial_unexpected_list"):
        return f"{seen['unexpected_count']} of {seen['element_count']}"
    first, places = seen["partial_unexpected_list"][0], seen.get("partial_unexpected_index_list")
    place = places[0] if places else None
    if isinstance(place, dict):
        shown = "" if isinstance(first, dict) else f"{first!r} in "  # a dict: the key itself
        at = f"sample {place.get('sample_id')!r} in epoch {place.get('epoch')}"
        return f"{seen['unexpected_count']} of {seen['element_count']}, first {shown}{at}"
    return f"{first!r}"


def _messages(info: Any) -> Iterator[str]:
    """The messages of exceptions, however deep Great Expectations put them."""
    if not isinstance(info, dict):
        return
    if info.get("exception_message"):
        yield str(info["exception_message"])
    for inner in info.values():
        yield from _messages(inner)
