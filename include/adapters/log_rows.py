"""From one logged sample to its rows: what counts as a score, and what only as an error.

A score is a finite number, a truth value, `C` or `I`. Everything else (NaN, partial credit, text, a
list) has no score: whoever wants it to count lets the scorer say a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.adapters.log_schema import LoggedSample, Score, Usage
from include.adapters.sample_table import ERROR_CHARACTERS, Row
from include.rsp.errors import InvalidDocument

REFUSALS = frozenset({"content_filter", "refusal"})
LETTERS = {"C": 1.0, "I": 0.0}
UNREADABLE_FLAGS = "unreadable-flags"
UNREADABLE_FORMAT = "unreadable-format-failure"
EDITED = "score-edited"
MORE_FLAGS = "more-flags"
MOST_TOKENS = 2**62
MOST_SCORES, MOST_FLAGS, MOST_CHARACTERS = 1000, 50, 1000  # every row repeats the longest of them


@dataclass(frozen=True, slots=True)
class Context:
    """What holds for every row of a log; `cluster_key` is the metadata key of the family."""

    where: str
    model: str
    variant: str
    cluster_key: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The usage of all models of a sample together; cost in US dollars."""

    read: int
    written: int
    reasoning: int | None
    total: int
    cost: float | None


def number(value: Any) -> float | None:
    """The score as a number, or null if it is none that is finite."""
    if isinstance(value, bool | int | float):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return LETTERS.get(value) if isinstance(value, str) else None


def rows(sample: LoggedSample, context: Context, *, earlier: int = 0) -> list[Row]:
    """One row per scorer, or one without a scorer; `earlier` counts its other runs in this log.

    Inspect may also list those runs among the sample's retries, so the larger number counts.

    Raises:
        InvalidDocument: two scores have one name, there are too many, or the tokens are no count.
    """
    cluster, no_cluster = _cluster(sample, context)
    problem = _problem(sample) or no_cluster
    base = _base(sample, context, cluster, earlier)
    named = _named(sample, context)
    if not named:
        return [base._replace(error=_cut(problem or "no score"))]
    return [_scored(base, name, value, score, problem) for name, value, score in named]


def _named(sample: LoggedSample, context: Context) -> list[tuple[str, Any, Score]]:
    named = list(_values(sample.scores or {}))
    names = {name for name, _, _ in named}
    what = None
    if len(names) < len(named):
        what = "two scores of one name"
    elif len(named) > MOST_SCORES or any(len(name) > MOST_CHARACTERS for name in names):
        what = f"{len(named)} scores, or a long name (expected at most {MOST_SCORES} of both)"
    if what is not None:
        raise InvalidDocument(
            f"{context.where}: sample {sample.id!r}, epoch {sample.epoch} has {what}. Change its "
            "scorers, and run the evaluation again."
        )
    return named


def _values(scores: dict[str, Score]) -> Iterator[tuple[str, Any, Score]]:
    """Each value with its name; a mapping gives one for each of its keys."""
    for name, score in scores.items():
        if isinstance(score.value, dict) and score.value:
            for key, value in score.value.items():
                yield f"{name}.{key}", value, score
        else:
            yield name, score.value, score


def _problem(sample: LoggedSample) -> str | None:
    """Why no score of the sample counts, whatever its scorers say."""
    if sample.error is not None:
        return sample.error.message or "an error without a message"
    if sample.limit is not None:
        return f"stopped by the {sample.limit.type} limit"
    if sample.invalidation is not None:
        return f"invalidated by {sample.invalidation.author}: {sample.invalidation.reason}"
    return None


def _cluster(sample: LoggedSample, context: Context) -> tuple[str | None, str | None]:
    """The family, or why there is none: without it, samples would count as independent."""
    if context.cluster_key is None:
        return None, None
    found = None if sample.metadata is None else sample.metadata.cluster
    if isinstance(found, str | int) and 0 < len(str(found)) <= MOST_CHARACTERS:
        return str(found), None
    return None, f"no cluster in the metadata key {context.cluster_key!r}"


def _scored(base: Row, name: str, value: Any, score: Score, problem: str | None) -> Row:
    found = number(value)
    if problem is None and found is None:
        reason = f" (reason: {score.reason})" if score.reason else ""
        shown = repr(value)[:100] if not isinstance(value, dict | list) else type(value).__name__
        problem = f"the score {shown} is no finite number{reason}"
    failure, flags = base.format_failure, base.flags
    if score.reason == "invalid_response_format":
        failure = True
    if score.metadata is not None:
        flags = [*flags, *_flags(score.metadata.flags)]
        said = score.metadata.format_failure
        if isinstance(said, bool):
            failure = said or bool(failure)
        elif said is not None:
            flags.append(UNREADABLE_FORMAT)
    if score.history:
        flags = [*flags, EDITED]
    return base._replace(
        scorer=name,
        score=found if problem is None else None,
        error=_cut(problem),
        answer_characters=None if score.answer is None else len(score.answer),
        refusals=int(bool(base.refusals) or score.reason == "refusal"),
        format_failure=failure,
        flags=list(dict.fromkeys(flags)),
    )


def _base(sample: LoggedSample, context: Context, cluster: str | None, earlier: int) -> Row:
    """What all rows of a sample share."""
    tokens = _tokens(sample.model_usage, context.where)
    choices = sample.output.choices if sample.output is not None else []
    return Row(
        sample_id=str(sample.id),
        epoch=sample.epoch,
        scorer=None,
        cluster=cluster,
        score=None,
        error=None,
        answer_characters=None,
        attempts=1 + max(len(sample.error_retries or []), earlier),
        limit=None if sample.limit is None else sample.limit.type,
        refusals=int(bool(choices) and choices[0].stop_reason in REFUSALS),
        format_failure=None,
        flags=_flags(sample.metadata.flags) if sample.metadata is not None else [],
        input_tokens=tokens.read,
        output_tokens=tokens.written,
        reasoning_tokens=tokens.reasoning,
        total_tokens=tokens.total,
        cost=tokens.cost,
        started_at=_moment(sample.started_at),
        completed_at=_moment(sample.completed_at),
        total_time=sample.total_time,
        working_time=sample.working_time,
        model=context.model,
        variant=context.variant,
        uuid=sample.uuid,
    )


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:ERROR_CHARACTERS]


def _flags(found: Any) -> list[str]:
    """A text or a list of texts; anything else is itself something for a person to see."""
    if found is None:
        return []
    flags = [found] if isinstance(found, str) else found
    if not isinstance(flags, list) or not all(isinstance(one, str) for one in flags):
        return [UNREADABLE_FLAGS]
    cut = [one[:MOST_CHARACTERS] for one in flags[:MOST_FLAGS]]
    return cut if len(flags) <= MOST_FLAGS else [*cut, MORE_FLAGS]


def _moment(found: datetime | None) -> datetime | None:
    """A time without a zone is UTC, as Inspect has it."""
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _tokens(usage: dict[str, Usage], where: str) -> Tokens:
    """The sum over all models; a cost only if every model has one.

    Raises:
        InvalidDocument: more tokens than can be counted.
    """
    read = written = reasoning = total = 0
    said = False
    costs: list[float] = []
    for one in usage.values():
        read += one.input_tokens + (one.input_tokens_cache_read or 0)
        read += one.input_tokens_cache_write or 0
        written += one.output_tokens
        total += one.total_tokens
        if one.reasoning_tokens is not None:
            said, reasoning = True, reasoning + one.reasoning_tokens
        if one.total_cost is not None:
            costs.append(one.total_cost)
    if max(read, written, reasoning, total) > MOST_TOKENS:
        raise InvalidDocument(
            f"{where}: a sample with {max(read, total)} tokens (expected a count)"
        )
    whole = bool(usage) and len(costs) == len(usage)
    return Tokens(
        read, written, reasoning if said else None, total, math.fsum(costs) if whole else None
    )
