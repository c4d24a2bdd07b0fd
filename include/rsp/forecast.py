"""How far a red line's evaluations are heading from its limit (lifecycle step 3).

A straight line through the logits of the scores against log2 of effective compute, with the
usual prediction interval, never narrower than the sampling error of the scores alone. It is honest
about little data: below three points there is nothing but a sentence, and flat points are said to
tell little about a jump. Only `math` and exact sums, so that every processor gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context
from typing import Literal

from pydantic import Field
from scipy.special import ndtri, stdtrit

from include.rsp.canonical import Document, Identifier, round_down, round_up
from include.rsp.suite import RELATIVE, Evaluation

Where = Literal["next_milestone", "ceiling"]
FEWEST_POINTS = 3
HORIZON = 1000.0
"""How many times the last assessed compute the line is followed to see where it meets the limit."""
BEFORE: dict[Where, str] = {"next_milestone": "the next assessment", "ceiling": "the ceiling"}
FLAT_NOTE = (
    "the scores so far do not rise reliably with compute, so they say little about a sudden jump; "
    "do not read the interval as reassurance"
)
SATURATED_NOTE = "the suite calls it saturated: whatever the headroom, it cannot rule out"


class ForecastPoint(Document):
    """One assessed checkpoint: effective compute in FLOP, score and its number of samples."""

    effective_compute: float = Field(gt=0)
    value: float
    n: int = Field(gt=0)


class Forecast(Document):
    """The predicted score at one future compute, and what it leaves under the limit.

    Whatever cannot be given is None, and the note says why: None is never headroom.
    """

    method: Literal["logit_line@1"] = "logit_line@1"
    red_line: Identifier
    evaluation: Identifier | None = Field(description="null: none bears the load of this line")
    where: Where | None
    at_compute: float | None = Field(description="FLOP")
    value: float | None
    lower: float | None
    upper: float | None
    limit: float | None = Field(description="the rule-out limit less the buffer")
    headroom: float | None = Field(description="limit less predicted score; bounds go outward")
    headroom_lower: float | None
    headroom_upper: float | None
    reached_at: float | None = Field(description="FLOP at which the predicted score is at limit")
    upper_reached_at: float | None = Field(description="FLOP at which its upper bound is")
    confidence: float
    points: int
    note: str


def forecast(
    evaluation: Evaluation,
    points: Sequence[ForecastPoint],
    *,
    where: Where,
    at_compute: float,
    confidence: float = 0.9,
) -> Forecast:
    """The two-sided prediction interval for the score of a checkpoint at `at_compute` FLOP.

    Args:
        points: in the order of their verdicts; of several with one compute the last counts.
    """
    distinct = list({point.effective_compute: point for point in points}.values())
    limits = evaluation.limits
    limit = round_down(limits.rule_out - limits.buffer) if limits else None
    plain = _nothing(evaluation.red_line, confidence) | {
        "evaluation": evaluation.id, "where": where, "at_compute": at_compute, "limit": limit,
        "points": len(distinct),
    }  # fmt: skip
    problem = _problem(evaluation, distinct)
    if limit is None or problem:
        return Forecast.model_validate(plain | {"note": problem or "the evaluation has no limit"})
    line = _fit(distinct, confidence)
    start = max(point.effective_compute for point in distinct)
    reached = _first_at(line.score, limit, start), _first_at(line.upper, limit, start)
    numbers = _numbers(line, limit, math.log2(at_compute))
    notes = [
        f"may be reached before {BEFORE[where]}" if numbers["headroom_lower"] <= 0 else "",
        "" if line.rises else FLAT_NOTE,
        _not_reached(*reached),
        SATURATED_NOTE if evaluation.saturated else "",
    ]
    found = {"reached_at": reached[0], "upper_reached_at": reached[1]} | numbers
    note = "; ".join(one for one in notes if one)
    return Forecast.model_validate(plain | found | {"note": note})


def _numbers(line: _Line, limit: float, at: float) -> dict[str, float]:
    value = round(line.score(at), 6)
    lower, upper = round_down(line.lower(at)), round_up(line.upper(at))
    return {
        "value": value,
        "lower": lower,
        "upper": upper,
        "headroom": round(limit - value, 6),
        "headroom_lower": round_down(limit - upper),
        "headroom_upper": round_up(limit - lower),
    }


def nothing_to_forecast_from(red_line: str, *, confidence: float = 0.9) -> Forecast:
    """The row of a red line without a load-bearing evaluation, so that silence is no headroom."""
    note = "nothing to forecast from: no load-bearing evaluation speaks for it; this is no headroom"
    return Forecast.model_validate(_nothing(red_line, confidence) | {"note": note})


def _nothing(red_line: str, confidence: float) -> dict[str, object]:
    return dict.fromkeys(Forecast.model_fields.keys() - {"method"}) | {
        "red_line": red_line, "confidence": confidence, "points": 0,
    }  # fmt: skip


def _problem(evaluation: Evaluation, points: Sequence[ForecastPoint]) -> str:
    """Why there is no forecast; empty when there can be one."""
    if evaluation.method in RELATIVE:
        return f"scores of {evaluation.method} have no range from 0 to 1; they are not forecast"
    if len(points) < FEWEST_POINTS:
        plural = "checkpoint gives" if len(points) == 1 else "checkpoints give"
        return f"{len(points)} assessed {plural} no interval (at least {FEWEST_POINTS} needed)"
    if any(not 0 <= point.value <= 1 for point in points):
        return "scores outside 0 to 1 are not forecast by this method"
    return ""


@dataclass(frozen=True, slots=True)
class _Line:
    """The fitted line over log2 of compute; `margin` is the half width without the leverage."""

    count: int
    centre: float
    spread: float
    middle: float
    slope: float
    margin: float

    @property
    def rises(self) -> bool:
        """Whether the slope's own interval lies above 0."""
        return self.slope * math.sqrt(self.spread) > self.margin

    def score(self, at: float) -> float:
        return _expit(self._logit(at))

    def upper(self, at: float) -> float:
        return _expit(self._logit(at) + self._width(at))

    def lower(self, at: float) -> float:
        return _expit(self._logit(at) - self._width(at))

    def _logit(self, at: float) -> float:
        return self.middle + self.slope * (at - self.centre)

    def _width(self, at: float) -> float:
        away = at - self.centre
        return self.margin * math.sqrt(1 + 1 / self.count + away * away / self.spread)


def _fit(points: Sequence[ForecastPoint], confidence: float) -> _Line:
    """Least squares; shares are shrunk by half a sample, so that 0 and 1 have a logit."""
    count = len(points)
    x = [math.log2(point.effective_compute) for point in points]
    shares = [(point.value * point.n + 0.5) / (point.n + 1) for point in points]
    y = [math.log(share / (1 - share)) for share in shares]
    centre, middle = math.fsum(x) / count, math.fsum(y) / count
    spread = math.fsum((a - centre) * (a - centre) for a in x)
    slope = math.fsum((a - centre) * b for a, b in zip(x, y, strict=True)) / spread
    rest = [b - middle - slope * (a - centre) for a, b in zip(x, y, strict=True)]
    around = math.fsum(one * one for one in rest) / (count - 2)
    sampling = (
        math.fsum(
            1 / ((point.n + 1) * share * (1 - share))
            for point, share in zip(points, shares, strict=True)
        )
        / count
    )
    tail = 0.5 + confidence / 2
    margin = max(
        float(stdtrit(count - 2, tail)) * math.sqrt(around),
        float(ndtri(tail)) * math.sqrt(sampling),
    )
    return _Line(
        count=count, centre=centre, spread=spread, middle=middle, slope=slope, margin=margin
    )


def _expit(value: float) -> float:
    part = math.exp(-abs(value))
    return 1 / (1 + part) if value >= 0 else part / (1 + part)


def _first_at(curve: Callable[[float], float], limit: float, start: float) -> float | None:
    """The least compute from `start` on at which a curve is at the limit, to three digits.

    Never too late, never before `start`; None beyond the horizon. A logit's curve here is convex or
    straight, so one that begins under the limit meets it at most once.
    """
    low = math.log2(start)
    high = low + math.log2(HORIZON)
    if curve(low) >= limit:
        return start
    if curve(high) < limit:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if curve(middle) < limit else (low, middle)
    floor = Context(prec=3, rounding=ROUND_FLOOR)
    return max(start, float(floor.create_decimal_from_float(2.0**high * (1 + 1e-9))))


def _not_reached(central: float | None, upper: float | None) -> str:
    if central is not None:
        return ""
    where = f"the limit within {HORIZON:g}x of the last assessed compute"
    if upper is None:
        return f"neither the predicted score nor its upper bound reaches {where}"
    return f"the predicted score does not reach {where}"
