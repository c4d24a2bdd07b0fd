"""What does not fit together in published rows: values, units and limits that moved (R11-R13).

It says what a validator would ask about. No decision reads it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from include.rsp.canonical import Document
from include.rsp.published import HeldRules, PublishedEvaluation, PublishedResult, name_key
from include.rsp.replay import NO_BUFFER, find_published
from include.rsp.restatement import NEXT_STEP, Flag, compare_values, document_of
from include.rsp.units import UNITED, is_unfit, quantity_of, scale_of
from include.rsp.vocabulary import Finding

COPIED_DIGITS = 3
"""Two models with one value of so many significant digits: a copy, or worth asking (R11)."""
SAME = 1e-4
"""Relative difference below which two limits are one limit: 27 of 33 is 0.818182."""


DOUBTS = (
    Flag.LIMIT_NOT_THE_RULES,
    Flag.UNIT_DOES_NOT_FIT,
    Flag.DOMAIN_DOES_NOT_FIT,
    Flag.NAME_DIFFERS,
    Flag.UNCOUNTED,
)
"""What puts the answer itself in doubt, because a row was perhaps held to the wrong limit."""


class Inconsistency(Document):
    """Rows that do not fit together, and what to do about it."""

    evaluation: str
    rows: list[int]
    what: str
    flags: list[Flag]

    @property
    def next_steps(self) -> list[str]:
        """One step for each flag."""
        return [NEXT_STEP[flag] for flag in self.flags]


Found = Iterator[Inconsistency]


def find_inconsistencies(
    rules: HeldRules, results: Sequence[PublishedResult]
) -> list[Inconsistency]:
    """All that a validator would ask about, by the first row it concerns. Row order is the time."""
    groups: dict[str, list[PublishedResult]] = defaultdict(list)
    for one in sorted(results, key=lambda one: (one.row, one.model_dump_json())):
        groups[name_key(one.evaluation)].append(one)
    found = [each for rows in groups.values() for check in _CHECKS for each in check(rules, rows)]
    found += _names(rules, [one for rows in groups.values() for one in rows])
    return sorted(found, key=lambda one: (min(one.rows), list(Flag).index(one.flags[0]), one.what))


def find_doubts(
    found: Sequence[Inconsistency], results: Sequence[PublishedResult]
) -> dict[int, list[Flag]]:
    """By row, what puts the answer of these results in doubt."""
    own = {one.row for one in results}
    doubts: dict[int, list[Flag]] = defaultdict(list)
    for one in found:
        for row in own.intersection(one.rows):
            doubts[row] += [flag for flag in one.flags if flag in DOUBTS]
    return {row: flags for row, flags in sorted(doubts.items()) if flags}


def _limits(_: HeldRules, rows: list[PublishedResult]) -> Found:
    """A limit that moved after others had been held to it. Limits of two kinds are two limits."""
    for kind in sorted({one.threshold_kind for one in rows}):
        held = [one for one in rows if one.threshold_kind == kind and one.threshold is not None]
        for scale in sorted({_scale(one) for one in held}):
            own = [one for one in held if _scale(one) == scale]
            named = _by_label(own, lambda one: f"{one.direction} {_limit(one):.6g}")
            if len(named) > 1:
                yield _inconsistency(Flag.LIMIT_MOVED, own, f"limit {_then(named)}")


def _kinds(_: HeldRules, rows: list[PublishedResult]) -> Found:
    """A limit that once ruled in and once ruled out, say."""
    own = [one for one in rows if one.threshold_kind not in ("", "none")]
    named = _by_label(own, lambda one: one.threshold_kind)
    if len(named) > 1:
        yield _inconsistency(Flag.RULE_KIND_CHANGED, own, _then(named))


def _units(_: HeldRules, rows: list[PublishedResult]) -> Found:
    """A unit, or the number of problems, that changed under one name."""
    own = [one for one in rows if one.unit and one.score is not None]
    named = _by_label(own, lambda one: quantity_of(one.unit))
    if len(named) > 1:
        counts = all(label.startswith("of_") for label in named)
        flag = Flag.DENOMINATOR_CHANGED if counts else Flag.UNIT_CHANGED
        yield _inconsistency(flag, own, f"unit {_then(named)}")


def _copies(_: HeldRules, rows: list[PublishedResult]) -> Found:
    """The same long number for two models."""
    own = [one for one in rows if one.score is not None and _is_telling(one)]
    for label, same in _by_label(own, lambda one: f"{one.score:.12g} {one.unit}").items():
        models = dict.fromkeys(one.model for one in same)
        if len({name_key(one) for one in models}) > 1:
            what = f"{label} for {', '.join(models)}"
            yield _inconsistency(Flag.ANOTHER_MODELS_VALUE, same, what)


def _twice(rules: HeldRules, rows: list[PublishedResult]) -> Found:
    """Two rows of one model with different values; another aggregation is another number."""
    groups = defaultdict(list)
    for one in rows:
        if one.score is not None:
            groups[name_key(one.model), quantity_of(one.unit), one.aggregation].append(one)
    for own in groups.values():
        moves = [(_value(x), _value(y)) for x, y in pairwise(own) if _value(x) != _value(y)]
        if moves:
            flags = compare_values(rules, own[0].evaluation, moves)
            if len({document_of(one.source) for one in own}) < len(own):
                flags.add(Flag.SNAPSHOTS_DIFFER)
            what = f"{own[0].model}: {_then(_by_label(own, lambda one: f'{_value(one):.6g}'))}"
            yield _inconsistencies(flags or {Flag.WITHIN}, own, what)


def _against_rules(rules: HeldRules, rows: list[PublishedResult]) -> Found:
    """A row whose printed limit, direction or unit is not the one of the rule it is held to."""
    rule = rules.rule_for(rows[0].evaluation)
    if rule is None:
        return
    foreign = [one for one in rows if not rules.is_of_domain(rule, one.domain)]
    if foreign:
        domains = ", ".join(dict.fromkeys(one.domain or "no domain" for one in foreign))
        what = f"in {domains}, held to {rule.red_line}"
        yield _inconsistency(Flag.DOMAIN_DOES_NOT_FIT, foreign, what)
    limits = rule.limits
    if not limits:
        return
    strange = [one for one in rows if _strange_limit(rule, limits, one)]
    if strange:
        printed = _by_label(strange, lambda one: f"{one.direction} {_limit(one):.6g}")
        held = " and ".join(f"{one:g}" for one in limits)
        what = f"prints the limit {_then(printed)}; the rules hold {held} ({rule.capability})"
        yield _inconsistency(Flag.LIMIT_NOT_THE_RULES, strange, what)
    unfit = [one for one in rows if is_unfit(one.unit, one.score, limits)]
    if unfit:
        units = ", ".join(dict.fromkeys(one.unit for one in unfit))
        what = f"in {units}, held to the limit {' and '.join(f'{one:g}' for one in limits)}"
        yield _inconsistency(Flag.UNIT_DOES_NOT_FIT, unfit, what)


def _names(rules: HeldRules, rows: list[PublishedResult]) -> Found:
    """One load-bearing rule that takes evaluations of several names: perhaps not one evaluation.

    The name that most models have is taken for the evaluation that was meant; of two that are as
    common, neither is. Numbers, and words in parentheses, make no other name.
    """
    for rule in rules.evaluations:
        own = [one for one in rows if rule.load_bearing and rules.rule_for(one.evaluation) == rule]
        named = _by_label(own, lambda one: stem_of(one.evaluation))
        models = {label: len({name_key(one.model) for one in of}) for label, of in named.items()}
        top = max(models.values(), default=0)
        usual = [label for label, count in models.items() if count == top]
        strange = [one for one in own if usual != [stem_of(one.evaluation)]]
        if strange:
            what = f"{rule.id} takes {_then(named)}"
            yield _inconsistency(Flag.NAME_DIFFERS, strange, what)


def stem_of(name: str) -> str:
    """A printed name without its numbers and without what stands in parentheses."""
    return name_key(re.sub(r"\([^)]*\)|\d+", " ", name))


def _uncounted(rules: HeldRules, rows: list[PublishedResult]) -> Found:
    """A value at or over the limit that its row prints, which no rule and no red line counts."""
    own = [one for one in rows if _is_uncounted(rules, one)]
    if own:
        domains = ", ".join(dict.fromkeys(one.domain or "no domain" for one in own))
        what = f"reaches the limit that is printed beside it ({domains})"
        yield _inconsistency(Flag.UNCOUNTED, own, what)


_CHECKS = (_limits, _kinds, _units, _copies, _twice, _against_rules, _uncounted)


def _is_uncounted(rules: HeldRules, one: PublishedResult) -> bool:
    if rules.rule_for(one.evaluation):
        return False
    (found,) = find_published(rules, one, buffer=NO_BUFFER)
    counts = found.finding is Finding.CROSSED and found.red_line is not None
    return found.finding in (Finding.CROSSED, Finding.NEAR) and not counts


def _strange_limit(rule: PublishedEvaluation, limits: list[float], one: PublishedResult) -> bool:
    if one.threshold is None:
        return False
    known = any(math.isclose(_limit(one), limit, rel_tol=SAME) for limit in limits)
    return not known or one.lower_is_capable != (rule.capability == "low")


def _is_telling(one: PublishedResult) -> bool:
    digits = f"{one.score:.12g}".partition("e")[0].replace(".", "").strip("-0")
    return len(digits) >= COPIED_DIGITS and _value(one) not in (0, 1)


def _value(one: PublishedResult) -> float:
    return math.nan if one.score is None else one.score / scale_of(one.unit)


def _limit(one: PublishedResult) -> float:
    return math.nan if one.threshold is None else one.threshold / scale_of(one.unit)


def _scale(one: PublishedResult) -> str:
    """Shares and counts of N have one scale; any other unit has its own."""
    quantity = quantity_of(one.unit)
    return "share" if quantity.startswith(UNITED) else quantity


def _by_label(
    rows: Iterable[PublishedResult], label: Callable[[PublishedResult], str]
) -> dict[str, list[PublishedResult]]:
    found: dict[str, list[PublishedResult]] = {}
    for one in rows:
        found.setdefault(label(one), []).append(one)
    return found


def _then(named: dict[str, list[PublishedResult]]) -> str:
    """`of_42 (rows 8, 28), then of_45 (row 85)`."""
    return ", then ".join(f"{label} ({name_rows(rows)})" for label, rows in named.items())


def name_rows(rows: Sequence[PublishedResult]) -> str:
    """`row 4`, or `rows 4, 5`."""
    numbers = sorted({one.row for one in rows})
    return f"row{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _inconsistency(flag: Flag, rows: Sequence[PublishedResult], what: str) -> Inconsistency:
    return _inconsistencies({flag}, rows, what)


def _inconsistencies(flags: set[Flag], rows: Sequence[PublishedResult], what: str) -> Inconsistency:
    return Inconsistency(
        evaluation=rows[0].evaluation,
        rows=sorted({one.row for one in rows}),
        what=what,
        flags=[flag for flag in Flag if flag in flags],
    )
