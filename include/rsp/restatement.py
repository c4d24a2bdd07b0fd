"""Values that a lab printed twice, differently: what a validator says to each (R11, R13).

A restated value never replaces the first one. It is a new record; where it changes on which side
of a limit the model stands, the case reopens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from include.rsp.canonical import Document
from include.rsp.printed import numbers_in, read_cell
from include.rsp.published import PublishedResult, PublishedRules, name_key
from include.rsp.replay import NO_BUFFER, place
from include.rsp.units import scale_of
from include.rsp.vocabulary import Finding

TOLERATED = 0.10
"""Share of the first value by which a restated one may move without a flag (R13)."""


class Restatement(Document):
    """Two printings of one value, as they stand on the page; `kind` is what was declared of it."""

    model: str
    evaluation: str
    value_a: str
    source_a: str
    value_b: str
    source_b: str
    kind: str = ""


class Flag(StrEnum):
    """What is noticed, the gravest first; all but `within` and `not_a_number` need a reason."""

    DECISION_CHANGING = "decision_changing"
    ANOTHER_MODELS_VALUE = "another_models_value"
    SUMMARY_DIFFERS_FROM_DETAIL = "summary_differs_from_detail"
    LIMIT_MOVED = "limit_moved"
    RULE_KIND_CHANGED = "rule_kind_changed"
    LIMIT_NOT_THE_RULES = "limit_not_the_rules"
    UNIT_DOES_NOT_FIT = "unit_does_not_fit"
    DOMAIN_DOES_NOT_FIT = "domain_does_not_fit"
    NAME_DIFFERS = "name_differs"
    UNCOUNTED = "uncounted"
    OVER_TOLERANCE = "over_tolerance"
    ORDER_REVERSED = "order_reversed"
    REGRADED = "regraded"
    RUBRIC_CHANGED = "rubric_changed"
    DENOMINATOR_CHANGED = "denominator_changed"
    UNIT_CHANGED = "unit_changed"
    SNAPSHOTS_DIFFER = "snapshots_differ"
    UNDER_ELICITED = "under_elicited"
    WITHIN = "within"
    NOT_A_NUMBER = "not_a_number"
    ERRATUM = "erratum"


NEXT_STEP = {
    Flag.DECISION_CHANGING: "reopen the case: the value moves across a limit",
    Flag.ANOTHER_MODELS_VALUE: "ask for the source: another model has just this value",
    Flag.SUMMARY_DIFFERS_FROM_DETAIL: "refuse the report: one document prints two values",
    Flag.LIMIT_MOVED: "record it as a change of policy; results from before keep their limit",
    Flag.RULE_KIND_CHANGED: "record it as a change of policy: ruling in is not ruling out",
    Flag.LIMIT_NOT_THE_RULES: "check which limit holds before anybody relies on the answer",
    Flag.UNIT_DOES_NOT_FIT: "print the value in the unit of the limit, then replay again",
    Flag.DOMAIN_DOES_NOT_FIT: "correct the domain, or give the evaluation a rule of its domain",
    Flag.NAME_DIFFERS: "check that it is the evaluation that the rule means; else give it its own",
    Flag.UNCOUNTED: "assign the evaluation to a red line, or say why it decides nothing",
    Flag.OVER_TOLERANCE: "ask for the reason: more than a tenth of the first value",
    Flag.ORDER_REVERSED: "ask for the source: the values may have changed places",
    Flag.REGRADED: "ask for the reason: a count of the same problems does not move by itself",
    Flag.RUBRIC_CHANGED: "keep both under their own rubric versions: never compare across",
    Flag.DENOMINATOR_CHANGED: "another version of the evaluation: never compare across",
    Flag.UNIT_CHANGED: "another unit, another version of the evaluation: never compare across",
    Flag.SNAPSHOTS_DIFFER: "record the snapshot of each value; the most capable one counts",
    Flag.UNDER_ELICITED: "the elicitation manifest must list helpful_only=true; else run it again",
    Flag.WITHIN: "accept and log",
    Flag.NOT_A_NUMBER: "keep the first value; link what was printed later to it",
    Flag.ERRATUM: "write an erratum record that is linked to the first row",
}

DECLARED = {
    r"rubric": Flag.RUBRIC_CHANGED,
    r"re-?grad": Flag.REGRADED,
    r"snapshot": Flag.SNAPSHOTS_DIFFER,
    r"summary": Flag.SUMMARY_DIFFERS_FROM_DETAIL,
    r"denominator": Flag.DENOMINATOR_CHANGED,
    r"\bunit": Flag.UNIT_CHANGED,
    r"limit|threshold": Flag.LIMIT_MOVED,
    r"elicit": Flag.UNDER_ELICITED,
    r"erratum|published error|misprint": Flag.ERRATUM,
}
"""What a declared kind of difference asks for. It adds a flag and never takes one away."""


def check_restatement(
    rules: PublishedRules, one: Restatement, results: Sequence[PublishedResult]
) -> list[Flag]:
    """What is noticed about a restatement, the gravest first; never empty."""
    before, after = numbers_in(one.value_a), numbers_in(one.value_b)
    found = {flag for words, flag in DECLARED.items() if re.search(words, one.kind.lower())}
    if not before or not after:
        return _gravest_first({*found, Flag.NOT_A_NUMBER})
    paired = len(before) == len(after)
    pairs = (
        list(zip(before, after, strict=True))
        if paired
        else [(x, y) for x in before for y in after]
    )  # fmt: skip
    found |= compare_values(rules, one.evaluation, pairs)
    others = {
        each.score / scale_of(each.unit)
        for each in results
        if name_key(each.model) != name_key(one.model)
        and each.score is not None
        and _same(rules, each.evaluation, one.evaluation)
    }
    if any(y in others and x not in others for x, y in pairs):
        found.add(Flag.ANOTHER_MODELS_VALUE)
    if document_of(one.source_a) == document_of(one.source_b) and before != after:
        found.add(Flag.SUMMARY_DIFFERS_FROM_DETAIL)
    if paired and _is_reversed(pairs):
        found.add(Flag.ORDER_REVERSED)
    found |= _compare_cells(one)
    return _gravest_first(found or {Flag.WITHIN})


def _compare_cells(one: Restatement) -> set[Flag]:
    """Whether the unit or the count of problems is another one."""
    before, after = read_cell(one.value_a), read_cell(one.value_b)
    found = set()
    if any(x.unit and y.unit and x.unit != y.unit for x in before for y in after):
        found.add(Flag.UNIT_CHANGED)
    first, then = before[0], after[0]
    if first.of and then.of and (first.of, first.value) != (then.of, then.value):
        found.add(Flag.REGRADED if first.of == then.of else Flag.DENOMINATOR_CHANGED)
    return found


def compare_values(
    rules: PublishedRules, evaluation: str, pairs: Sequence[tuple[float, float]]
) -> set[Flag]:
    """Whether a value moved across a limit, or by more than is tolerated (R13)."""
    found = set()
    if any(_side(rules, evaluation, x) != _side(rules, evaluation, y) for x, y in pairs):
        found.add(Flag.DECISION_CHANGING)
    if any(abs(y - x) > TOLERATED * abs(x) for x, y in pairs):
        found.add(Flag.OVER_TOLERANCE)
    return found


def _gravest_first(found: set[Flag]) -> list[Flag]:
    return [flag for flag in Flag if flag in found]


def _is_reversed(pairs: Sequence[tuple[float, float]]) -> bool:
    """Two values of one cell, of which the smaller became the larger (R11, a swap)."""
    return any((x - u) * (y - v) < 0 for x, y in pairs for u, v in pairs)


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


def document_of(source: str) -> str:
    """The document that a citation names, without its page."""
    return re.sub(r"[\s,]+(?:p|sec\.?|§)\s*\d.*$", "", source.strip())
