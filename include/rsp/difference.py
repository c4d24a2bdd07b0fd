"""What changed between two versions of a policy or a suite, field by field and in words."""

from __future__ import annotations

from typing import Any

from include.rsp.canonical import Document

KEYS = ("id", "status")
"""The fields by which the items of a list are told apart, so that their order never matters."""


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
    """Every field that differs, in the order of its name."""
    old, new = (_flat("", one.model_dump(mode="json")) for one in (before, after))
    return [
        Change(field=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _flat(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        items = {f"{name}.{key}" if name else key: inner for key, inner in value.items()}
    elif isinstance(value, list) and value and all(_key(one) for one in value):
        items = {f"{name}[{_key(one)}]": one for one in value}
    elif isinstance(value, list):
        return {name: ", ".join(str(one) for one in value) or "nothing"}
    else:
        return {name: "none" if value is None else str(value)}
    found: dict[str, str] = {}
    for place, inner in items.items():
        found |= _flat(place, inner)
    return found


def _key(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((str(item[key]) for key in KEYS if key in item), None)
