"""In which ways one suite is looser than another (DESIGN I7; adoption)."""

from __future__ import annotations

from collections.abc import Iterator

from include.rsp.comparison import screening
from include.rsp.quality import Quality, SecondGrader
from include.rsp.review_strictness import review_loosenings
from include.rsp.safeguard_plan_strictness import plan_loosenings
from include.rsp.suite import Evaluation, Suite
from include.rsp.suite_parts import Control, Limits

TO_COMPARE = (
    "red_line", "role", "method", "k", "version", "unit", "metric", "title", "dataset_samples",
    "score_min", "score_max",
)  # fmt: skip
"""What has no looser and no stricter side: any change may be either."""
HOW_LONG = ("time_limit_seconds", "attempts", "parallel_samples")
"""How long an evaluation may take loosens nothing: out of time is not ruled out."""
LESS_IS_LOOSER = ("minimum_samples", "confidence")
MORE_IS_LOOSER = ("max_error_rate", "max_age_days")
RATES = ("max_limit_rate", "max_refusal_rate", "max_format_failure_rate", "regression_tolerance")
"""Of the quality of result data: more is looser."""


def suite_loosenings(before: Suite, after: Suite) -> list[str]:
    """Every way in which `after` is looser than `before`, in words."""
    return [
        *_evaluations(before, after),
        *_spacings(before, after),
        *plan_loosenings(before.safeguards, after.safeguards),
    ]


def _evaluations(before: Suite, after: Suite) -> Iterator[str]:
    now = {one.id: one for one in after.evaluations}
    for old in before.evaluations:
        if old.id not in now:
            yield f"evaluation {old.id} is gone"
        else:
            yield from _evaluation(old, now[old.id])
    if screening(after) and not screening(before):
        yield "a preliminary assessment, which could never end in a no, now has tests"


def _evaluation(old: Evaluation, new: Evaluation) -> Iterator[str]:
    where = f"evaluation {old.id}"
    if old.load_bearing and not new.load_bearing:
        yield f"{where} no longer bears a load"
    if old.saturated and not new.saturated:
        yield f"{where} no longer counts as saturated"
    yield from _to_compare(where, old, new)
    for field in (*LESS_IS_LOOSER, *MORE_IS_LOOSER):
        was, now = getattr(old, field), getattr(new, field)
        if now < was if field in LESS_IS_LOOSER else now > was:
            yield f"{where}: {field} {was:g} → {now:g}"
    yield from _limits(where, old.limits, new.limits)
    yield from _notable(where, old.notable_gain, new.notable_gain)
    yield from _demands(where, old, new)
    yield from _quality(f"{where}: quality", old.quality, new.quality)
    yield from review_loosenings(f"{where}: review", old.review, new.review)
    for name in ("positive_control", "null_control"):
        yield from _control(f"{where}: {name}", getattr(old, name), getattr(new, name))


def _to_compare(where: str, old: Evaluation, new: Evaluation) -> Iterator[str]:
    for field in TO_COMPARE:
        if getattr(old, field) != getattr(new, field):
            yield (
                f"{where}: {field} {getattr(old, field)} → {getattr(new, field)}: people must "
                "compare"
            )
    if old.study != new.study:
        yield f"{where}: study is another one: people must compare"
    if old.inspect is None or new.inspect is None:
        if old.inspect != new.inspect:
            yield f"{where}: an automated evaluation and a study stand for each other"
        return
    for field in type(new.inspect).model_fields:
        if field in HOW_LONG:
            continue
        if getattr(old.inspect, field) != getattr(new.inspect, field):
            yield f"{where}: inspect.{field} is another one: people must compare"


def _demands(where: str, old: Evaluation, new: Evaluation) -> Iterator[str]:
    """What the suite asked of elicitation, variants and instrument, and asks no more."""
    for field in ("elicitation_required", "elicitation_methods"):
        gone = sorted(set(getattr(old, field)) - set(getattr(new, field)))
        if gone:
            yield f"{where}: {field} no longer has {', '.join(gone)}"
    if set(old.variants) - set(new.variants) or (new.variants and not old.variants):
        yield f"{where}: variants {old.variants or 'all'} → {new.variants or 'all'}"
    if set(new.runs_after) - set(old.runs_after):
        yield f"{where}: runs_after {old.runs_after} → {new.runs_after}: it may not be run"
    elif old.runs_after and len(new.runs_after) < len(old.runs_after) and new.runs_after:
        yield f"{where}: runs_after lost a trigger: fewer make it run"
    for name, value in old.environment.items():
        if new.environment.get(name) != value:
            yield f"{where}: environment.{name} {value} → {new.environment.get(name)}"
    if old.dataset is not None and new.dataset != old.dataset:
        yield f"{where}: dataset {old.dataset} → {new.dataset}: people must compare"


def _quality(where: str, old: Quality, new: Quality) -> Iterator[str]:
    """What the suite asked of result data, and asks no more."""
    for field in RATES:
        was, now = getattr(old, field), getattr(new, field)
        if was is not None and (now is None or now > was):
            yield f"{where}.{field} {was:g} → {now}"
    if new.rerun_once and not old.rerun_once:
        yield f"{where}.rerun_once: results that fail may be made once more"
    gone = sorted(set(old.canaries) - set(new.canaries))
    if gone:
        yield f"{where}.canaries lost {len(gone)}"
    if old.sample_ids is not None and new.sample_ids != old.sample_ids:
        yield f"{where}.sample_ids {old.sample_ids} → {new.sample_ids}: people must compare"
    if new.epochs != old.epochs:
        yield f"{where}.epochs {old.epochs} → {new.epochs}: people must compare"
    yield from _second_grader(f"{where}.second_grader", old.second_grader, new.second_grader)


def _second_grader(where: str, old: SecondGrader | None, new: SecondGrader | None) -> Iterator[str]:
    if old is None:
        return
    if new is None:
        yield f"{where} is gone"
        return
    if new.scorer != old.scorer:
        yield f"{where} is another one: {old.scorer} → {new.scorer}"
    if new.min_agreement < old.min_agreement:
        yield f"{where}: min_agreement {old.min_agreement:g} → {new.min_agreement:g}"
    if new.within > old.within:
        yield f"{where}: within {old.within:g} → {new.within:g}"


def _limits(where: str, old: Limits | None, new: Limits | None) -> Iterator[str]:
    if old is None:
        return
    if new is None:
        yield f"{where} has no limits any more"
        return
    for field in ("rule_out", "rule_in"):
        was, now = getattr(old, field), getattr(new, field)
        if now > was:
            yield f"{where}: {field} {was:g} → {now:g}"
    if new.buffer < old.buffer:
        yield f"{where}: buffer {old.buffer:g} → {new.buffer:g}"


def _notable(where: str, old: float | None, new: float | None) -> Iterator[str]:
    """A test that is left out, or asks for a larger gain, answers more easily with no."""
    if old is not None and new is None:
        yield f"{where} is no test of the preliminary assessment any more"
    elif old is not None and new is not None and new > old:
        yield f"{where}: notable_gain {old:g} → {new:g}"


def _control(where: str, old: Control | None, new: Control | None) -> Iterator[str]:
    if old is None:
        return
    if new is None:
        yield f"{where} is gone"
        return
    if old.model != new.model:
        yield f"{where} is another model: {old.model} → {new.model}"
    if new.samples < old.samples:
        yield f"{where}: samples {old.samples} → {new.samples}"
    if old.at_least is not None and (new.at_least is None or new.at_least < old.at_least):
        yield f"{where}: at_least {old.at_least:g} → {new.at_least}"
    if old.at_most is not None and (new.at_most is None or new.at_most > old.at_most):
        yield f"{where}: at_most {old.at_most:g} → {new.at_most}"


def _spacings(before: Suite, after: Suite) -> Iterator[str]:
    for field in ("due_flop", "ceiling_flop"):
        was, now = getattr(before.genesis, field), getattr(after.genesis, field)
        if now > was:
            yield f"genesis.{field}: {was:g} → {now:g}"
    for name in ("due_ratios", "ceilings"):
        old, new = getattr(before, name), getattr(after, name)
        for key, was in old.items():
            now = new.get(key)
            if now is None or now > was:
                yield f"{name}.{key}: {was:g} → {now}"
    filled = sorted(set(after.combine) - set(before.combine))
    if filled:
        yield f"combine now lets evidence rule out {', '.join(filled)}"
