"""Values that a lab printed twice, differently: what a validator says to each (R11, R13).

A restated value never replaces the first one. It is a new record; where it changes on which side
of a limit the model stands, the case reopens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from include.rsp.canonical import Document
from include.rsp.published import PublishedResult, PublishedRules
from include.rsp.replay import NO_BUFFER, place, scale_of
from include.rsp.vocabulary import Finding

TOLERATED = 0.10
"""Share of the first value by which a restated one may move without a flag (R13)."""


class Restatement(Document):
    """Two printings of one value, as they stand on the page."""

    model: str
    evaluation: str
    value_a: str
    source_a: str
    value_b: str
    source_b: str


class Flag(StrEnum):
    """What is noticed; all but `within` and `not_a_number` need a written reason."""

    DECISION_CHANGING = "decision_changing"
    ANOTHER_MODELS_VALUE = "another_models_value"
    SUMMARY_DIFFERS_FROM_DETAIL = "summary_differs_from_detail"
    OVER_TOLERANCE = "over_tolerance"
    REGRADED = "regraded"
    DENOMINATOR_CHANGED = "denominator_changed"
    WITHIN = "within"
    NOT_A_NUMBER = "not_a_number"


NEXT_STEP = {
    Flag.DECISION_CHANGING: "reopen the case: the value moves across a limit",
    Flag.ANOTHER_MODELS_VALUE: "ask for the source: another model has just this value",
    Flag.SUMMARY_DIFFERS_FROM_DETAIL: "refuse the report: one document prints two values",
    Flag.OVER_TOLERANCE: "ask for the reason: more than a tenth of the first value",
    Flag.REGRADED: "ask for the reason: a count of the same problems does not move by itself",
    Flag.DENOMINATOR_CHANGED: "another version of the evaluation: never compare across",
    Flag.WITHIN: "accept and log",
    Flag.NOT_A_NUMBER: "keep the first value; link what was printed later to it",
}


def check_restatement(
    rules: PublishedRules, one: Restatement, results: Sequence[PublishedResult]
) -> list[Flag]:
    """What is noticed about a restatement, the gravest first; never empty."""
    before, after = numbers_in(one.value_a), numbers_in(one.value_b)
    if not before or not after:
        return [Flag.NOT_A_NUMBER]
    paired = len(before) == len(after)
    pairs = (
        list(zip(before, after, strict=True))
        if paired
        else [(x, y) for x in before for y in after]
    )  # fmt: skip
    found = []
    if any(_side(rules, one.evaluation, x) != _side(rules, one.evaluation, y) for x, y in pairs):
        found.append(Flag.DECISION_CHANGING)
    others = {
        each.score / scale_of(each.unit)
        for each in results
        if each.model != one.model
        and each.score is not None
        and _same(rules, each.evaluation, one.evaluation)
    }
    if any(y in others and x not in others for x, y in pairs):
        found.append(Flag.ANOTHER_MODELS_VALUE)
    if _document(one.source_a) == _document(one.source_b) and before != after:
        found.append(Flag.SUMMARY_DIFFERS_FROM_DETAIL)
    if any(abs(y - x) > TOLERATED * abs(x) for x, y in pairs):
        found.append(Flag.OVER_TOLERANCE)
    counts = [re.match(r"\d+(?:\.\d+)?/(\d+)", text) for text in (one.value_a, one.value_b)]
    if counts[0] and counts[1] and counts[0][0] != counts[1][0]:
        same = counts[0][1] == counts[1][1]
        found.append(Flag.REGRADED if same else Flag.DENOMINATOR_CHANGED)
    return found or [Flag.WITHIN]


def numbers_in(text: str) -> list[float]:
    """The values in a printed cell: `17/33` is a share, `53%` a share, `a / b` two values."""
    found = []
    for part in re.split(r"\s/\s", text):
        match = re.match(r"~?\s*(-?\d+(?:\.\d+)?)(?:/(\d+))?\s*(%?)", part.strip())
        if match and (match[2] is None or int(match[2])):
            share = int(match[2]) if match[2] else 100 if match[3] else 1
            found.append(float(match[1]) / share)
    return found


def _same(rules: PublishedRules, one: str, other: str) -> bool:
    rule = rules.rule_for(one)
    if rule is None or rule != rules.rule_for(other):
        return False
    return re.findall(r"\d|basic|advanced", one.lower()) == re.findall(
        r"\d|basic|advanced", other.lower()
    ) or not re.search(r"task \d|compiler|virology \d", one.lower())


def _side(rules: PublishedRules, evaluation: str, value: float) -> Finding | None:
    rule = rules.rule_for(evaluation)
    if rule is None:
        return None
    return place(
        value, rule.rule_out, rule.rule_in, low=rule.capability == "low", buffer=NO_BUFFER
    )  # fmt: skip


def _document(source: str) -> str:
    """The document that a citation names, without its page."""
    return re.sub(r"[\s,]+(?:p|sec\.?|§)\s*\d.*$", "", source.strip())
