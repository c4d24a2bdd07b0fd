"""IAM policy documents: what a statement can reach at most, and what it certainly covers.

Two readings of one text. An Allow is read as wide as it can be (conditions are ignored, variables
match anything), a Deny as narrow as it can be (any condition that is not understood, and any
variable, makes it count for nothing). So an error of this module makes a safeguard look weaker
than it is, never stronger. Source: AWS IAM User Guide, "IAM JSON policy element reference".
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_KEYS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{[^}]*\}?")
_NOT_EQUAL = {"stringnotequals", "stringnotlike", "arnnotequals", "arnnotlike"}
"""Negated operators are true when the key is absent, so that an anonymous caller is denied too."""
_IF_EXISTS = "ifexists"


class Unreadable(ValueError):  # noqa: N818 - named for what it means
    """A policy document that is not of AWS's grammar; whoever reads it assumes the worst."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """`Action` or `NotAction`, `Resource` or `NotResource`: what they list, or all but it."""

    listed: tuple[str, ...]
    inverted: bool

    def may_touch(self, target: str) -> bool:
        """Whether something that `target` stands for may be meant (`target` may have wildcards)."""
        if self.inverted:
            return not any(covers(one, target) for one in self.listed)
        return any(overlaps(_VARIABLE.sub("*", one), target) for one in self.listed)

    def covers(self, target: str) -> bool:
        """Whether everything that `target` stands for is certainly meant."""
        if self.inverted:
            return not any(overlaps(_VARIABLE.sub("*", one), target) for one in self.listed)
        return any(covers(one, target) for one in self.listed)


@dataclass(frozen=True, slots=True)
class Demand:
    """One line of a `Condition`: operator and key in lower case, values as text."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Args:
        principals: `kind:name` pairs as written; empty in an identity's policy.
        inverted_principals: it says `NotPrincipal`.
        demands: all of them have to be met for the statement to count.
    """

    label: str
    allows: bool
    actions: Patterns
    resources: Patterns
    principals: tuple[tuple[str, str], ...]
    inverted_principals: bool
    demands: tuple[Demand, ...]

    @property
    def of_everyone(self) -> bool:
        """Whether it is for every principal, anonymous ones included."""
        return not self.inverted_principals and ("AWS", "*") in self.principals

    def names(self, part: str) -> bool:
        """Whether it lists resources with some text in them."""
        return not self.resources.inverted and any(part in one for one in self.resources.listed)

    def may_allow(self, action: str, target: str) -> bool:
        """Whether, at the widest, it allows an action on something of the target."""
        return (
            self.allows and self.actions.may_touch(action.lower())
        ) and self.resources.may_touch(target)

    def surely_denies(self, action: str, target: str) -> bool:
        """Whether, if it applies, it denies the action on everything of the target."""
        return (not self.allows and self.actions.covers(action.lower())) and self.resources.covers(
            target
        )

    def demands_only_plain_http(self) -> bool:
        """Whether it applies to every request without TLS."""
        if not self.demands:
            return True
        only = self.demands[0]
        return (
            len(self.demands) == 1
            and only.operator in {"bool", "bool" + _IF_EXISTS}
            and only.key == "aws:securetransport"
            and "false" in {value.lower() for value in only.values}
        )

    def applies_unless(self, key: str) -> tuple[str, ...] | None:
        """The values that are let off, if that is its only condition; None: it has another one.

        An empty answer: it applies to everybody.
        """
        if not self.demands:
            return ()
        only = self.demands[0]
        understood = (
            len(self.demands) == 1
            and only.key == key.lower()
            and only.operator.removesuffix(_IF_EXISTS) in _NOT_EQUAL
            and only.values
        )
        return only.values if understood else None


def statements_of(document: str | Mapping[str, Any], name: str = "policy") -> list[Statement]:
    """The statements of a policy document, as text or as parsed JSON.

    Raises:
        Unreadable: it is no policy, or has an element that this module does not know.
    """
    try:
        plain = json.loads(document) if isinstance(document, str) else document
        listed = plain["Statement"]
        rows = [listed] if isinstance(listed, Mapping) else list(listed)
        return [_statement(row, f"{name}[{at}]") for at, row in enumerate(rows)]
    except Unreadable:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreadable(f"{name} is no policy document ({error})") from error


def covers(pattern: str, target: str) -> bool:
    """Whether a pattern matches all that `target` stands for.

    A variable is taken as it is written, which no target is: it covers nothing.
    """
    # A wildcard of the target is matched by `*` only: nothing narrower is sure to contain it.
    parts = {"*": ".*", "?": "[^*]"}
    text = "".join(parts.get(sign, re.escape(sign)) for sign in re.sub(r"\*+", "*", pattern))
    return re.fullmatch(text, target, re.DOTALL) is not None


def overlaps(one: str, other: str) -> bool:
    """Whether some text is matched by both patterns."""
    open_pairs, done = [(0, 0)], set()
    while open_pairs:
        pair = open_pairs.pop()
        if pair in done:
            continue
        done.add(pair)
        left, right = one[pair[0] :][:1], other[pair[1] :][:1]
        if not left and not right:
            return True
        open_pairs += _steps(pair, left, right)
    return False


def _steps(pair: tuple[int, int], left: str, right: str) -> list[tuple[int, int]]:
    """Where two patterns can go on from a pair of places: a `*` ends, or signs are eaten."""
    at, to = pair
    steps = []
    if left == "*":
        steps += [(at + 1, to)] + ([(at, to + 1)] if right else [])
    if right == "*":
        steps += [(at, to + 1)] + ([(at + 1, to)] if left else [])
    if left and right and (left == right or "?" in (left, right)):
        steps.append((at + 1, to + 1))
    return steps


def _statement(row: Mapping[str, Any], label: str) -> Statement:
    unknown = sorted(set(row) - _KEYS)
    if unknown or row["Effect"] not in {"Allow", "Deny"}:
        raise Unreadable(f"{label} has {unknown or row['Effect']!r}, which is not understood")
    actions = _patterns(row, "Action", label)
    return Statement(
        label=f"{label} {row['Sid']}" if row.get("Sid") else label,
        allows=row["Effect"] == "Allow",
        actions=Patterns(tuple(one.lower() for one in actions.listed), actions.inverted),
        resources=_patterns(row, "Resource", label),
        principals=_principals(row.get("Principal", row.get("NotPrincipal", {}))),
        inverted_principals="NotPrincipal" in row,
        demands=_demands(row.get("Condition", {}), label),
    )


def _patterns(row: Mapping[str, Any], name: str, label: str) -> Patterns:
    present = [one for one in (name, f"Not{name}") if one in row]
    if len(present) != 1:
        raise Unreadable(f"{label} has {present} (expected one of {name}, Not{name})")
    listed = tuple(_texts(row[present[0]]))
    if not listed or not all(listed):
        raise Unreadable(f"{label} has an empty {present[0]}")
    return Patterns(listed, inverted=present[0] != name)


def _principals(written: Any) -> tuple[tuple[str, str], ...]:
    if written == "*":
        return (("AWS", "*"),)
    return tuple((str(kind), one) for kind, names in written.items() for one in _texts(names))


def _demands(written: Mapping[str, Mapping[str, Any]], label: str) -> tuple[Demand, ...]:
    if not all(written.values()):
        raise Unreadable(f"{label} has a condition that demands nothing")
    return tuple(
        Demand(operator.lower(), key.lower(), tuple(_texts(values)))
        for operator, keys in written.items()
        for key, values in keys.items()
    )


def _texts(value: Any) -> Collection[str]:
    """One text, truth value or number, or a list of them, as texts."""
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, (str, bool, int, float)) for one in listed):
        raise TypeError(f"{value!r} is no text")
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in listed]
