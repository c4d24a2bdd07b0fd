"""What changed between two versions of a policy or a suite, field by field and in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from include.rsp.canonical import Document

KEYS = ("id", "status")
"""The fields by which the items of a list are told apart, so that their order does not matter where
each has another one."""

TEXTS = ("text", "title", "what")
"""The fields that say in a sentence what an item is about."""

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
    """Every field that differs, in the order of its name; a rule that comes or goes is one line.

    What differs never looks the same.
    """
    old, new = (one.model_dump(mode="json") for one in (before, after))
    return sorted(_compare("", old, new), key=lambda one: one.field)


def _compare(name: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            place = f"{name}.{key}" if name else key
            yield from _compare(place, old.get(key), new.get(key))
    elif _is_keyed(old, new):
        olds, news = _by_key(old), _by_key(new)
        for key in olds | news:
            place = f"{name}[{key}]"
            if key in olds and key in news:
                yield from _compare(place, olds[key], news[key])
            elif key in olds:
                yield Change(field=place, before=_said(olds[key]), after=None)
            else:
                yield Change(field=place, before=None, after=_said(news[key]))
    elif _exact(old) != _exact(new):
        say = _exact if _said(old) == _said(new) else _said
        yield Change(field=name, before=say(old), after=say(new))


def _exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _is_keyed(old: Any, new: Any) -> bool:
    """Whether both are lists whose items have names."""
    sides = (old, new)
    named = all(isinstance(one, list) and all(_key(item) for item in one) for one in sides)
    return named and any(sides)


def _key(item: Any) -> str | None:
    """The name of the field that tells an item apart."""
    return next((one for one in KEYS if one in item), None) if isinstance(item, dict) else None


def _by_key(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Items by their key; where several have the same one, the first of them is number 1."""
    keys = [str(one[str(_key(one))]) for one in items]
    numbered = [
        key if keys.count(key) == 1 else f"{key} {keys[: index + 1].count(key)}"
        for index, key in enumerate(keys)
    ]
    rest = [{name: one for name, one in item.items() if name != _key(item)} for item in items]
    return dict(zip(numbered, rest, strict=True))


def _said(value: Any) -> str:
    if isinstance(value, dict):
        text = next((value[one] for one in TEXTS if value.get(one)), None)
        if text is None:
            kept = {key: one for key, one in value.items() if one not in (None, [])}
            text = ", ".join(f"{key.replace('_', ' ')} {_said(one)}" for key, one in kept.items())
            return text or "nothing"
        return f"{text} ({value['clause']})" if value.get("clause") else str(text)
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value) or "nothing"
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.12g}"
    return "none" if value is None else str(value)
