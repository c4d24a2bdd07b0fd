"""What IAM decides from policy documents: an explicit denial, else an allowance, else a denial.

Only what docs/iam uses; a document that uses more is an error, not a guess.
Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs/iam"
NOTARY_ARN = "arn:aws:iam::123456789012:role/redline-notary"
FILLED = {
    "BUCKET": "evidence",
    "PREFIX": "redline",
    "NOTARY_ROLE_ARN": NOTARY_ARN,
    "MODE": "GOVERNANCE",
    "MIN_DAYS": "364",
    "MAX_DAYS": "366",
}
BUCKET = "arn:aws:s3:::evidence"


def arn_of(key: str) -> str:
    """An object of the store."""
    return f"{BUCKET}/redline/{key}"


@cache
def template(name: str) -> dict[str, Any]:
    """A policy of docs/iam with its capital words filled in."""
    text = (FOLDER / f"{name}.json").read_text()
    for word in sorted(FILLED, key=len, reverse=True):
        text = re.sub(rf"\b{word}\b", FILLED[word], text)
    read: dict[str, Any] = json.loads(text)
    return read


def is_allowed(
    documents: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Mapping[str, str],
) -> bool:
    """Whether all the documents together let a request pass."""
    fitting = {
        statement["Effect"]
        for document in documents
        for statement in document["Statement"]
        if _fits(statement, action, resource, context)
    }
    assert fitting <= {"Allow", "Deny"}
    return fitting == {"Allow"}


def _fits(
    statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert set(statement) <= known, set(statement) - known
    assert statement.get("Principal", "*") == "*"
    return (
        any(_like(one, action, fold=True) for one in statement["Action"])
        and any(_like(one, resource) for one in statement["Resource"])
        and all(
            _HOLDS[operator](context.get(name), wanted)
            for operator, each in statement.get("Condition", {}).items()
            for name, wanted in each.items()
        )
    )


@cache
def _like(pattern: str, text: str, *, fold: bool = False) -> bool:
    parts = (re.escape(one) for one in pattern.split("*"))
    return bool(re.fullmatch(".*".join(parts), text, re.IGNORECASE if fold else 0))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str | None, str], bool]:
    return lambda found, wanted: found is not None and compare(float(found), float(wanted))


_HOLDS: dict[str, Callable[[str | None, str], bool]] = {
    "Null": lambda found, wanted: (found is None) == (wanted == "true"),
    "Bool": lambda found, wanted: found == wanted,
    "StringEquals": lambda found, wanted: found == wanted,
    "StringNotEquals": lambda found, wanted: found != wanted,
    "ArnNotEquals": lambda found, wanted: found is None or not _like(wanted, found),
    "NumericLessThan": _number(lambda a, b: a < b),
    "NumericLessThanEquals": _number(lambda a, b: a <= b),
    "NumericGreaterThan": _number(lambda a, b: a > b),
    "NumericGreaterThanEquals": _number(lambda a, b: a >= b),
}
