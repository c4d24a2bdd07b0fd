"""Why the replay's answer is what it is, and why a lab's was another (ADR 0010).

A diagnosis: it tries what else would have given the published level, in a stated order. It may read
what was determined; the decision never does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from include.rsp.canonical import Document
from include.rsp.policy import Policy
from include.rsp.published import (
    Determination,
    ModelReplay,
    PublishedFinding,
    PublishedResult,
    PublishedRules,
    Reading,
    name_key,
)
from include.rsp.published_level import published_level
from include.rsp.replay import NO_BUFFER, replay_model
from include.rsp.units import quantity_of, scale_of
from include.rsp.vocabulary import Finding, RedLineStatus

LEAST_SHARED = 2
"""One evaluation that two models share is a number, not a comparison of models."""


class Kind(StrEnum):
    """What an answer rests on, or what explains that another one was published."""

    NUMBERS = "numbers"
    SATURATION = "saturation"
    BUFFER = "buffer"
    RELATIVE_COMPARISON = "relative_comparison"
    JUDGEMENT = "judgement"


class Explanation(Document):
    """One kind, and what it rests on in a sentence."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that was published, by model (`name_key`)."""

    policy: Policy
    rules: PublishedRules
    results: Mapping[str, Sequence[PublishedResult]]
    determinations: Mapping[str, Determination]

    @classmethod
    def of(
        cls,
        policy: Policy,
        rules: PublishedRules,
        results: Sequence[PublishedResult],
        determinations: Sequence[Determination],
    ) -> Record:
        """From rows in any order; a model is one however its name is spelled."""
        models: dict[str, list[PublishedResult]] = defaultdict(list)
        for one in sorted(results, key=lambda one: (one.row, one.model_dump_json())):
            models[name_key(one.model)].append(one)
        determined = {name_key(one.model): one for one in determinations}
        return cls(policy=policy, rules=rules, results=models, determinations=determined)

    def level(self, model: str) -> str | None:
        """The level that was determined; None where none was, or none that the policy knows."""
        said = self.determinations.get(model)
        level = published_level(said.required_standard) if said else None
        return level if level in self.policy.levels else None

    def replay(self, model: str, **settings: float | Reading) -> ModelReplay:
        """The engine's answer, or with settings what it would have been."""
        return replay_model(self.policy, self.rules, self.results[model], **settings)  # type: ignore[arg-type]


def what_decided(record: Record, model: str) -> Kind:
    """What the engine's own answer rests on; no determination is read."""
    found, bare = record.replay(model), record.replay(model, buffer=NO_BUFFER)
    if not found.decided:
        return Kind.JUDGEMENT
    return Kind.NUMBERS if (bare.level, bare.decided) == (found.level, True) else Kind.BUFFER


def explain(record: Record, model: str) -> Explanation:
    """What explains the answer; where another was published or none decided, the difference.

    The first of these that gives the published level: (1) no buffer, (2) saturated evaluations as
    live ones, (3) a comparison with another model of that level, (4) another reading of the same
    numbers. If none does, (5) judgement.
    """
    found, level = record.replay(model), record.level(model)
    if level is None or (found.decided and level == found.level):
        return _of_the_answer(record, model, found)
    return (
        _by_buffer(record, model, level)  # (1)
        or _by_saturation(record, model, level)  # (2)
        or _by_comparison(record, model, level)  # (3)
        or _by_reading(record, model, level)  # (4)
        or Explanation(  # (5)
            kind=Kind.JUDGEMENT,
            sentence=f"Nothing tried here gives {level}: people weighed what these rules do not "
            f"hold. {_open_lines(found)}".strip(),
        )
    )


def _of_the_answer(record: Record, model: str, found: ModelReplay) -> Explanation:
    kind = what_decided(record, model)
    if kind is Kind.JUDGEMENT:
        return Explanation(kind=kind, sentence=_open_lines(found))
    bare = record.replay(model, buffer=NO_BUFFER)
    if kind is Kind.BUFFER:
        what = bare.level if bare.decided else "left to judgement"
        return Explanation(
            kind=kind,
            sentence=f"Only the buffer of {record.rules.buffer:.0%} gives {found.level}; against "
            f"the bare limits it would be {what}.",
        )
    said = [f"The numbers give {found.level} with the buffer and without it."]
    close = _close(found, bare)
    if close:
        said.append(f"Under its limit, but not by the buffer: {_name(close)}.")
    live = _with_live(record, model)
    if (live.level, live.decided) != (found.level, True):
        worn = _over([one for one in found.findings if one.saturated])
        said.append(f"Saturated and not counted: {_name(worn)}; live, they would change the level.")
    return Explanation(kind=kind, sentence=" ".join(said))


def _close(found: ModelReplay, bare: ModelReplay) -> list[PublishedFinding]:
    """Under the limit of an entry line that is not ruled out, but not by the buffer."""
    open_ones = {
        one.red_line
        for one in found.lines
        if one.entry and one.status is not RedLineStatus.RULED_OUT
    }
    return [
        one
        for one, without in zip(found.findings, bare.findings, strict=True)
        if one.red_line in open_ones and one.load_bearing
        if one.finding is Finding.NEAR and without.finding is Finding.BELOW
    ]


def _by_buffer(record: Record, model: str, level: str) -> Explanation | None:
    bare = record.replay(model, buffer=NO_BUFFER)
    if (bare.level, bare.decided) != (level, True):
        return None
    return Explanation(
        kind=Kind.BUFFER, sentence=f"Against the bare limits, without the buffer, it is {level}."
    )


def _by_saturation(record: Record, model: str, level: str) -> Explanation | None:
    live = _with_live(record, model)
    if (live.level, live.decided) != (level, True):
        return None
    worn = [one for one in record.replay(model).findings if one.saturated]
    return Explanation(
        kind=Kind.SATURATION,
        sentence=f"With its saturated evaluations counted as live ({_name(worn)}) it is {level}.",
    )


def _with_live(record: Record, model: str) -> ModelReplay:
    """The answer if the saturated evaluations of this model still ruled in and out."""
    printed = {
        rule.id for one in record.results[model] if (rule := record.rules.rule_for(one.evaluation))
    }
    rules = [
        one.model_copy(update={"saturated": False, "load_bearing": one.role == "rule_out"})
        if one.saturated and one.id in printed
        else one
        for one in record.rules.evaluations
    ]
    live = record.rules.model_copy(update={"evaluations": rules})
    return replay_model(record.policy, live, record.results[model])


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model stands to another on the evaluations that both were given."""

    other: str
    holds: int
    shared: int

    @property
    def rank(self) -> tuple[float, int]:
        """The larger, the better it explains."""
        return self.holds / self.shared, self.shared


def _by_comparison(record: Record, model: str, level: str) -> Explanation | None:
    """At least half of what is shared with a model of the published level points to that level."""
    levels = record.policy.levels
    lower = levels.index(level) < levels.index(record.replay(model).level)
    found = [
        _compare(record, model, other, lower=lower)
        for other in sorted(record.results)
        if other != model and record.level(other) == level and not _later(record, other, model)
    ]
    fitting = [one for one in found if one.shared >= LEAST_SHARED and 2 * one.holds >= one.shared]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: one.rank)
    worn = _over([one for one in record.replay(model).findings if one.saturated])
    return Explanation(
        kind=Kind.RELATIVE_COMPARISON,
        sentence=f"It is {'no more' if lower else 'at least as'} capable "
        f"{'than' if lower else 'as'} {best.other} ({level}) on {best.holds} of the {best.shared} "
        "evaluations that both were given; these rules compare with limits, not with models."
        + (f" Saturated, so they decide nothing: {_name(worn)}." if worn else ""),
    )


def _compare(record: Record, model: str, other: str, *, lower: bool) -> Comparison:
    mine, theirs = _values(record, model), _values(record, other)
    shared = sorted(mine.keys() & theirs.keys())
    holds = [mine[key] <= theirs[key] if lower else mine[key] >= theirs[key] for key in shared]
    return Comparison(other=record.results[other][0].model, holds=sum(holds), shared=len(shared))


def _values(record: Record, model: str) -> dict[tuple[str, str, bool], float]:
    """The most capable value by evaluation, unit and direction; larger is more capable."""
    found: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for one in record.results[model]:
        rule = record.rules.rule_for(one.evaluation)
        low = rule.capability == "low" if rule else one.lower_is_capable
        if one.score is not None:
            value = one.score / scale_of(one.unit)
            key = name_key(one.evaluation), quantity_of(one.unit), low
            found[key].append(-value if low else value)
    return {key: max(values) for key, values in found.items()}


def _later(record: Record, other: str, model: str) -> bool:
    """Whether the other was determined after this one; no if a date is missing."""
    dates = record.determinations[other].date, record.determinations[model].date
    size = min(len(one) for one in dates)
    return size > 0 and dates[0][:size] > dates[1][:size]


def _by_reading(record: Record, model: str, level: str) -> Explanation | None:
    for reading in (Reading.LITERAL, Reading.ANY_CROSSED):
        read = record.replay(model, reading=reading)
        if (read.level, read.decided) == (level, True):
            return Explanation(
                kind=Kind.NUMBERS,
                sentence=f"The same numbers give {level} when they are read by the rule {reading}.",
            )
    return None


def _open_lines(found: ModelReplay) -> str:
    """The entry lines that are left to people, and why."""
    why: dict[str, list[str]] = defaultdict(list)
    for one in found.lines:
        if one.entry and not one.decided:
            why[one.because.removeprefix("judgement: ")].append(one.red_line)
    said = [f"Left to people: {', '.join(names)} ({text})." for text, names in why.items()]
    worn = _over([one for one in found.findings if one.saturated])
    if said and worn:
        said.append(f"Saturated, so they decide nothing: {_name(worn)}.")
    return " ".join(said)


def _over(found: Sequence[PublishedFinding]) -> list[PublishedFinding]:
    return [one for one in found if one.finding not in (Finding.BELOW, None)]


def _name(found: Sequence[PublishedFinding]) -> str:
    return ", ".join(f"row {one.row} {one.evaluation}" for one in found)
