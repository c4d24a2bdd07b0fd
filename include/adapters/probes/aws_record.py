"""What is kept of the answers of AWS, within what a probe may hand back (`probe_process`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

MOST_BYTES = 600_000
"""Of the raw answers as JSON; the process of a probe may write 1 MB in all."""
MOST_TEXT = 3000
"""Of a statement, in characters; the runner takes 4000."""
_LEFT_OUT = {"AssumeRolePolicyDocument", "InstanceProfileList", "RoleLastUsed", "Tags"}
"""Trust policies hold external ids, tags hold anything; no probe reads them."""


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of boto3 as plain JSON, without what no probe reads."""
    text = json.dumps(answer, default=str)
    kept: dict[str, Any] = json.loads(text, object_hook=_without)
    kept.pop("ResponseMetadata", None)
    return kept


def fitted(calls: Sequence[Mapping[str, Any]], most: int = MOST_BYTES) -> list[Mapping[str, Any]]:
    """The calls, within `most` bytes: of the longest answers only size and digest are kept."""
    kept = list(calls)
    sizes = [len(json.dumps(one, default=str)) for one in kept]
    total = sum(sizes)
    for at in sorted(range(len(kept)), key=lambda one: -sizes[one]):
        if total <= most:
            return kept
        kept[at] = _in_short(calls[at])
        short = len(json.dumps(kept[at], default=str))
        total, sizes[at] = total + short - sizes[at], short
    while total > most:
        total -= sizes.pop()
        kept.pop()
    left_out = len(calls) - len(kept)
    return [*kept, {"calls_left_out": left_out}] if left_out else kept


def clipped(statement: str) -> str:
    """A statement that a person can read; the rest is in the raw answers."""
    if len(statement) <= MOST_TEXT:
        return statement
    return statement[:MOST_TEXT] + " … (cut; the raw answers have the rest)"


def _in_short(call: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(call, default=str, sort_keys=True).encode()
    short = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    named = {name: call[name] for name in ("call", "parameters") if name in call}
    return {**named, "left_out": short}


def _without(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in _LEFT_OUT}
