"""JSON as probes read it, and RFC 6901 pointers into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from include.adapters.probing import Look
from include.rsp.errors import InvalidDocument


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = _Missing()
"""What a pointer finds where there is nothing; null is something."""
EVERY = "*"


def read_json(content: bytes) -> Any:
    """The value in JSON bytes.

    Raises:
        ValueError: not JSON, a key twice, NaN, or nested too deeply.
    """
    try:
        return json.loads(content, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def checked_pointer(text: str) -> str:
    """The pointer, if it is one (RFC 6901): empty, or each step behind a `/`.

    Raises:
        InvalidDocument: it is none.
    """
    if (text and not text.startswith("/")) or re.search(r"~(?![01])", text):
        raise InvalidDocument(
            f"{text!r} is no JSON pointer (expected '' or '/step/step', RFC 6901). Correct "
            "safeguards.probes of the suite."
        )
    return text


def value_at(document: Any, pointer: str) -> Any:
    """What stands at a pointer, or MISSING."""
    return next(values_at(document, pointer, wild=False))


def values_at(document: Any, pointer: str, *, wild: bool = True) -> Iterator[Any]:
    """What stands at a pointer; a step `*` stands for every element of a list or object.

    There is a MISSING for every place where the path ends early, and one for an empty `*`.
    """
    steps = [one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:]]
    yield from _walk(document, steps, wild=wild)


def _walk(value: Any, steps: list[str], *, wild: bool) -> Iterator[Any]:
    if not steps:
        yield value
        return
    first, *rest = steps
    if wild and first == EVERY and isinstance(value, dict | list):
        inner = list(value.values() if isinstance(value, dict) else value) or [MISSING]
        for one in inner:
            yield from _walk(one, rest, wild=wild)
        return
    yield from _walk(_step(value, first), rest, wild=wild)


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", step):
        return value[int(step)] if int(step) < len(value) else MISSING
    return MISSING


def texts_in(value: Any) -> Iterator[str]:
    """Every text in plain data, keys not."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)


def filled(template: Any, name: str, text: str) -> Any:
    """A template with `{name}` replaced in every text of it; the text cannot break out of one."""
    if isinstance(template, str):
        return template.replace("{" + name + "}", text)
    if isinstance(template, dict):
        return {key: filled(one, name, text) for key, one in template.items()}
    if isinstance(template, list):
        return [filled(one, name, text) for one in template]
    return template


def read_template(look: Look, setting: str, name: str) -> Any:
    """The JSON template of a setting, which has to hold `{name}`.

    Raises:
        InvalidDocument: it is not JSON, or `{name}` stands nowhere in its values.
    """
    try:
        template = read_json(look.text(setting).encode())
    except ValueError as error:
        raise InvalidDocument(
            f"The probe's setting {setting!r} is not JSON: {error}. Correct safeguards.probes of "
            "the suite."
        ) from error
    if not any("{" + name + "}" in one for one in texts_in(template)):
        raise InvalidDocument(
            f"The probe's setting {setting!r} holds no {{{name}}} (expected it in one of its "
            "texts). Correct safeguards.probes of the suite."
        )
    return template
