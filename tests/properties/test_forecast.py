"""Invariants of the forecast, over thousands of series of scores."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.rsp.forecast import Forecast, ForecastPoint, forecast
from tests.support.factories import toy_suite

CASES = settings(max_examples=2_000, deadline=None)
EVALUATION = toy_suite().evaluations[0]
shares = st.floats(0, 1)
series = st.lists(st.tuples(st.floats(1.05, 10), shares), min_size=3, max_size=8)
further = st.floats(1, 100)


def made(rows: list[tuple[float, float]]) -> list[ForecastPoint]:
    points, compute = [], 1e9
    for ratio, value in rows:
        compute *= ratio
        points.append(ForecastPoint(effective_compute=compute, value=value, n=200))
    return points


def ahead(points: list[ForecastPoint], ratio: float) -> Forecast:
    at = max(point.effective_compute for point in points) * ratio
    return forecast(EVALUATION, points, where="ceiling", at_compute=at)


@CASES
@given(series, further)
@example([(2.0, 0.7890625), (1.8984375, 0.0), (3.109375, 0.7882419110411651)], 1.0)  # rounding
def test_the_headroom_lies_within_its_bounds(rows: list[tuple[float, float]], far: float) -> None:
    found = ahead(made(rows), far)
    assert found.headroom_lower <= found.headroom <= found.headroom_upper  # type: ignore[operator]
    assert ("may be reached" in found.note) == (found.headroom_lower <= 0)  # type: ignore[operator]
    if found.reached_at is not None:
        assert found.upper_reached_at is not None
        assert found.upper_reached_at <= found.reached_at


@CASES
@given(series, further, st.randoms(use_true_random=False))
def test_the_order_of_the_points_never_matters(
    rows: list[tuple[float, float]], far: float, random: object
) -> None:
    mixed = made(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert ahead(mixed, far) == ahead(made(rows), far)


@CASES
@given(series, further, shares)
def test_a_higher_score_at_the_last_checkpoint_never_adds_headroom(
    rows: list[tuple[float, float]], far: float, more: float
) -> None:
    (ratio, value), before = rows[-1], rows[:-1]
    higher = [*before, (ratio, max(value, more))]
    was, now = ahead(made(rows), far).headroom, ahead(made(higher), far).headroom
    assert now <= was + 1e-6  # type: ignore[operator]


@CASES
@given(series)
def test_the_limit_is_reached_where_the_forecast_says(
    rows: list[tuple[float, float]],
) -> None:
    points = made(rows)
    last = max(point.effective_compute for point in points)
    at = ahead(points, 1).reached_at
    if at is None or at <= last:
        return
    assert ahead(points, 0.98 * at / last).headroom >= 0  # type: ignore[operator]
    assert ahead(points, 1.02 * at / last).headroom <= 0  # type: ignore[operator]
