"""Does the classifier of a surface block what it must block, and nothing else (facts R17)?

Each canary is put to the surface once: a second try would hide a leak.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from include.adapters.probes import http_caller
from include.adapters.probes.http_caller import Answer, Caller, NoAnswer, checked_url, shown
from include.adapters.probes.look_parts import refuse_unknown_settings
from include.adapters.probes.plain_json import (
    MISSING,
    checked_pointer,
    filled,
    read_template,
    value_at,
)
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument

SETTINGS = http_caller.SETTINGS | {
    "url", "method", "body", "blocked_prompts", "benign_prompts",
    "block_status", "block_pointer", "block_value", "answer_pointer",
}  # fmt: skip
METHODS = ("POST", "PUT")


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a block, and an answer, is recognised; of a block everything that is said must fit."""

    status: int | None
    pointer: str | None
    value: Any
    answer_pointer: str | None

    def is_block(self, answer: Answer) -> bool:
        if self.status is not None and answer.status != self.status:
            return False
        if self.status is None and not 200 <= answer.status < 300:
            return False
        return self.pointer is None or _same(value_at(answer.body, self.pointer), self.value)

    def is_answer(self, answer: Answer) -> bool:
        if self.is_block(answer) or not 200 <= answer.status < 300 or answer.body is None:
            return False
        if self.answer_pointer is None:
            return True
        return value_at(answer.body, self.answer_pointer) not in (MISSING, None, "", [], {})


@dataclass(frozen=True, slots=True)
class _Canary:
    must: str
    number: int
    prompt: str = field(repr=False)

    @property
    def name(self) -> str:
        """The prompt itself is in nobody's interest to be spread."""
        digest = hashlib.sha256(self.prompt.encode()).hexdigest()
        return f"{self.must} prompt {self.number} (sha256:{digest[:12]})"


def canary(look: Look) -> Seen:
    """Put every prompt to the surface once.

    It shows the safeguard only if (1) every prompt that must be blocked is recognised as blocked,
    and (2) every benign one is answered. No answer to any of them shows nothing.

    Raises:
        InvalidDocument: a setting is missing, unknown or wrong.
    """
    refuse_unknown_settings(look, SETTINGS)
    if len(look.surfaces) > 1:
        raise InvalidDocument(
            f"One canary asks one URL, and is said to speak for {len(look.surfaces)} surfaces "
            "(expected one). Plan a probe for each surface."
        )
    url, template, rule = (
        checked_url(look, "url"),
        read_template(look, "body", "prompt"),
        _rule(look),
    )
    method = look.text("method", "POST")
    if method not in METHODS:
        raise InvalidDocument(f"method is {method!r} (expected one of {METHODS})")
    canaries = [*_canaries(look, "benign"), *_canaries(look, "blocked")]
    _refuse_overlap(canaries)
    wrong: list[str] = []
    asked: list[dict[str, Any]] = []
    with Caller(look) as caller:
        for one in canaries:
            said, raw = _ask(caller, one, method, url, filled(template, "prompt", one.prompt), rule)
            wrong += [said] if said else []
            asked.append({"canary": one.name, **raw, "as_expected": not said})
    return Seen(
        shows=not wrong, statement=_statement(shown(url), canaries, wrong), raw={"asked": asked}
    )


def _ask(
    caller: Caller, one: _Canary, method: str, url: str, body: Any, rule: _Rule
) -> tuple[str, dict[str, Any]]:
    """(what is wrong with it, "" if nothing; the raw answer)."""
    try:
        answer = caller.ask(method, url, body=body)
    except NoAnswer as error:
        return f"{one.name}: {error}", {"problem": str(error)}
    blocked = rule.is_block(answer)
    raw = {**answer.plain(), "blocked": blocked}
    if one.must == "blocked":
        return ("" if blocked else f"{one.name} got through: HTTP {answer.status}"), raw
    if blocked:
        return f"{one.name} was blocked as well", raw
    if not rule.is_answer(answer):
        return f"{one.name} was not answered: HTTP {answer.status}", raw
    return "", raw


def _statement(where: str, canaries: Sequence[_Canary], wrong: Sequence[str]) -> str:
    must = sum(one.must == "blocked" for one in canaries)
    expected = f"all {must} blocked and all {len(canaries) - must} benign ones answered"
    if not wrong:
        return f"{where}: of the prompts put to it, {expected}, as expected."
    more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    return f"{where}: {'; '.join(wrong[:5])}{more} (expected {expected})."[:3900]


def _canaries(look: Look, must: str) -> list[_Canary]:
    prompts = look.texts(f"{must}_prompts")
    if not prompts or not all(isinstance(one, str) and one.strip() for one in prompts):
        raise InvalidDocument(
            f"{must}_prompts holds no prompt, or an empty one (expected at least one text). "
            "Correct safeguards.probes of the suite."
        )
    return [_Canary(must, number, prompt) for number, prompt in enumerate(prompts, 1)]


def _refuse_overlap(canaries: Sequence[_Canary]) -> None:
    if len({one.prompt for one in canaries}) != len(canaries):
        raise InvalidDocument("A prompt stands twice among the canaries (expected each once).")


def _rule(look: Look) -> _Rule:
    status = look.number("block_status") if "block_status" in look.settings else None
    if status is not None and not (status.is_integer() and _may_block(int(status))):
        raise InvalidDocument(
            f"block_status is {status:g} (expected 200 to 299 or 400 to 499: a redirect or a fault "
            "of the server is no block)."
        )
    pointers = {name: checked_pointer(look.text(name)) if name in look.settings else None
                for name in ("block_pointer", "answer_pointer")}  # fmt: skip
    pointer, value = pointers["block_pointer"], look.settings.get("block_value")
    if (pointer is None) is not (value is None) or isinstance(value, list):
        raise InvalidDocument("block_pointer and block_value go together (expected both, or none).")
    if pointer is None and (status is None or status < 400):
        raise InvalidDocument(
            "Nothing says how a block is recognised (expected block_status of 400 or more, or "
            "block_pointer with block_value)."
        )
    return _Rule(
        None if status is None else int(status), pointer, value, pointers["answer_pointer"]
    )


def _may_block(status: int) -> bool:
    return 200 <= status < 300 or 400 <= status < 500


def _same(got: Any, expected: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return isinstance(got, bool) is isinstance(expected, bool) and bool(got == expected)
