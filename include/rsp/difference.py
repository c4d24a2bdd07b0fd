"""What changed between two versions of a policy or a suite, field by field and in words."""

from __future__ import annotations

import re
from typing import Any

from include.rsp.canonical import Document

KEYS = ("id", "status")
"""The fields by which the items of a list are told apart, so that their order never matters."""

THINGS = {
    "red_lines": "red line",
    "standards": "standard",
    "criteria": "criterion",
    "evaluations": "evaluation",
    "outcomes": "outcome when",
    "responses": "response",
    "time_triggers": "assessment by time",
    "deadlines": "deadline",
    "documents": "document",
    "sections": "section",
    "notices": "notice",
    "publications": "publication",
    "retention": "retention of",
}
WORDS = {
    "rule_out": "rule-out limit",
    "rule_in": "rule-in limit",
    "due_ratio": "assessment due at x effective compute",
    "ceiling_ratio": "ceiling at x effective compute",
    "due_flop": "assessment due at FLOP",
    "ceiling_flop": "ceiling in FLOP",
    "max_age_days": "counts for days",
    "months": "months between assessments",
    "then": "leads to",
    "limits": "",
    "default": "",
}


class Change(Document):
    """One field that differs. `before` or `after` is None where the field is not there."""

    field: str
    before: str | None
    after: str | None

    def in_words(self) -> str:
        """One line for a person: `evaluation uplift, rule-out limit: 2.8 → 2.6`."""
        name = words_for(self.field)
        if self.before is None:
            return f"{name} is new: {self.after}"
        if self.after is None:
            return f"{name} is gone (was: {self.before})"
        return f"{name}: {self.before} → {self.after}"


def words_for(field: str) -> str:
    """The path of a field as a person would name it."""
    said = []
    for part in re.findall(r"[^.\[\]]+(?:\[[^\]]*\])?", field):
        name, _, key = part.rstrip("]").partition("[")
        if key:
            said.append(f"{THINGS.get(name, name.replace('_', ' '))} {key}")
        elif WORDS.get(name, name):
            said.append(WORDS.get(name, name.replace("_", " ")))
    return ", ".join(said)


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
        return {name: _said(value)}
    found: dict[str, str] = {}
    for place, inner in items.items():
        found |= _flat(place, inner)
    return found


def _said(value: Any) -> str:
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.12g}"
    return "none" if value is None else str(value)


def _key(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((str(item[key]) for key in KEYS if key in item), None)
