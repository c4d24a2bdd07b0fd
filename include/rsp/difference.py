"""What changed between two versions of a policy or a suite, field by field and in words."""

from __future__ import annotations

import json
from typing import Any

from include.rsp.canonical import Document

KEYS = ("id", "status")
"""The fields by which the items of a list are told apart, so that their order does not matter where
each has another one."""


class Change(Document):
    """One field that differs. `before` or `after` is None where the field is not there."""

    field: str
    before: str | None
    after: str | None

    def in_words(self) -> str:
        """One line for a person."""
        if self.before is None:
            return f"{self.field} is new: {self.after}"
        if self.after is None:
            return f"{self.field} is gone (was: {self.before})"
        return f"{self.field}: {self.before} → {self.after}"


def differences(before: Document, after: Document) -> list[Change]:
    """Every field that differs, in the order of its name. What differs never looks the same."""
    old, new = (_flat("", one.model_dump(mode="json")) for one in (before, after))
    return [
        _change(name, old, new)
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or _exact(old[name]) != _exact(new[name])
    ]


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> Change:
    alike = name in old and name in new and _words(old[name]) == _words(new[name])
    say = _exact if alike else _words
    return Change(
        field=name,
        before=say(old[name]) if name in old else None,
        after=say(new[name]) if name in new else None,
    )


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "nothing"
    return "none" if value is None else str(value)


def _exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _flat(name: str, value: Any) -> dict[str, Any]:
    """The values that are no mappings, by their place."""
    if isinstance(value, dict) and (value or not name):
        items = {f"{name}.{key}" if name else key: inner for key, inner in value.items()}
    elif isinstance(value, list) and value and all(_key(one) for one in value):
        items = _by_key(name, value)
    else:
        return {name: value}
    found: dict[str, Any] = {}
    for place, inner in items.items():
        found |= _flat(place, inner)
    return found


def _by_key(name: str, items: list[Any]) -> dict[str, Any]:
    """Items by their key; where several have the same one, the first of them is number 1."""
    keys = [str(_key(one)) for one in items]
    numbered = [
        key if keys.count(key) == 1 else f"{key} {keys[: index + 1].count(key)}"
        for index, key in enumerate(keys)
    ]
    return {f"{name}[{key}]": one for key, one in zip(numbered, items, strict=True)}


def _key(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((str(item[key]) for key in KEYS if key in item), None)
