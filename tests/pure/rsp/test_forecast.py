"""Headroom to a red line, and honesty about few, flat and foreign points."""

from __future__ import annotations

from typing import Any

import pytest

from include.rsp.forecast import (
    FLAT_NOTE,
    HORIZON,
    Forecast,
    ForecastPoint,
    forecast,
    nothing_to_forecast_from,
)
from include.rsp.suite import Evaluation
from tests.support.factories import toy_suite

NEXT = 1e9 * 4**4
RISING = (0.05, 0.12, 0.27, 0.5)
SLOW = (0.02, 0.035, 0.055, 0.09)
FLAT = (0.02, 0.025, 0.02)


def points(*values: float, n: int = 200) -> list[ForecastPoint]:
    return [
        ForecastPoint(effective_compute=1e9 * 4**index, value=value, n=n)
        for index, value in enumerate(values)
    ]


def evaluation(**changes: Any) -> Evaluation:
    def change(plain: dict[str, Any]) -> None:
        plain["evaluations"][0] |= changes

    return toy_suite(change if changes else None).evaluations[0]


def ahead(found: list[ForecastPoint], at: float = NEXT, **changes: Any) -> Forecast:
    return forecast(evaluation(**changes), found, where="next_milestone", at_compute=at)


def numbers(found: Forecast) -> list[float | None]:
    return [
        found.value, found.lower, found.upper, found.headroom, found.headroom_lower,
        found.headroom_upper, found.reached_at, found.upper_reached_at,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 assessed checkpoints give no interval (at least 3 needed)"),
        (1, "1 assessed checkpoint gives no interval (at least 3 needed)"),
        (2, "2 assessed checkpoints give no interval (at least 3 needed)"),
    ],
)
def test_few_points_give_no_number_and_say_so(count: int, said: str) -> None:
    found = ahead(points(*[0.1] * count))
    assert numbers(found) == [None] * 8
    assert (found.note, found.points, found.limit) == (said, count, 0.4)


def test_two_checkpoints_of_the_same_compute_are_no_two_points() -> None:
    found = ahead([*points(0.1, 0.2), points(0.1)[0]])
    assert numbers(found) == [None] * 8
    assert found.note.startswith("2 assessed checkpoints")


def test_of_several_results_for_one_compute_the_last_counts() -> None:
    again = ahead([points(0.4)[0], *points(*RISING)])
    assert again == ahead(points(*RISING))
    assert again.points == 4


@pytest.mark.parametrize("method", ["ratio_of_means@1", "paired_difference@1"])
def test_a_method_without_a_range_of_scores_is_not_forecast(method: str) -> None:
    found = ahead(points(0.1, 0.2, 0.3), method=method)
    assert numbers(found) == [None] * 8
    assert method in found.note


def test_scores_out_of_range_are_not_forecast() -> None:
    assert numbers(ahead(points(0.1, 0.2, 1.3))) == [None] * 8


def test_a_line_that_nothing_speaks_for_has_a_row_that_says_so() -> None:
    found = nothing_to_forecast_from("cyber-operations")
    assert numbers(found) == [None] * 8
    assert (found.red_line, found.evaluation, found.at_compute) == ("cyber-operations", None, None)
    assert "no headroom" in found.note


def test_a_steady_rise_is_carried_on() -> None:
    found = ahead(points(*RISING))
    assert found.value == pytest.approx(0.73, abs=0.05)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.value < found.upper
    assert found.note == "may be reached before the next assessment"


def test_headroom_is_the_limit_less_the_buffer_less_the_score_and_its_bounds_go_outward() -> None:
    found = ahead(points(*SLOW))
    assert None not in (found.value, found.lower, found.upper, found.limit)
    assert found.headroom == pytest.approx(0.4 - found.value, abs=1e-9)  # type: ignore[operator]
    assert found.headroom_lower == pytest.approx(0.4 - found.upper, abs=1e-9)  # type: ignore[operator]
    assert found.headroom_upper == pytest.approx(0.4 - found.lower, abs=1e-9)  # type: ignore[operator]
    assert 0 < found.headroom_lower < found.headroom < found.headroom_upper  # type: ignore[operator]
    assert "may be reached" not in found.note


def test_the_ceiling_is_named_as_what_the_line_may_be_reached_before() -> None:
    found = forecast(evaluation(), points(*RISING), where="ceiling", at_compute=NEXT)
    assert found.where == "ceiling"
    assert found.note == "may be reached before the ceiling"


def test_where_the_line_is_reached_the_predicted_score_is_at_the_limit() -> None:
    found = ahead(points(*SLOW))
    assert found.reached_at is not None
    assert found.upper_reached_at is not None
    assert found.upper_reached_at < found.reached_at < HORIZON * 6.4e10
    there = ahead(points(*SLOW), found.reached_at)
    assert there.headroom == pytest.approx(0, abs=0.005)
    assert there.headroom >= 0  # three digits, never too late
    bound = ahead(points(*SLOW), found.upper_reached_at)
    assert bound.headroom_lower == pytest.approx(0, abs=0.005)
    assert bound.headroom_lower >= 0  # type: ignore[operator]


def test_what_is_reached_already_is_reached_at_the_last_checkpoint() -> None:
    found = ahead(points(*RISING))
    assert (found.reached_at, found.upper_reached_at) == (6.4e10, 6.4e10)


def test_what_is_not_reached_within_the_horizon_is_said() -> None:
    falling = ahead(points(0.3, 0.2, 0.13, 0.08, n=2000))
    assert (falling.reached_at, falling.upper_reached_at) == (None, None)
    assert "neither the predicted score nor its upper bound reaches" in falling.note
    flat = ahead(points(*FLAT))
    assert flat.reached_at is None
    assert flat.upper_reached_at is not None
    assert "the predicted score does not reach the limit within 1000x" in flat.note


def test_flat_points_are_said_to_tell_little() -> None:
    found = ahead(points(*FLAT))
    assert FLAT_NOTE in found.note
    assert found.lower is not None
    assert found.upper is not None


@pytest.mark.parametrize("value", [0.0, 0.02, 1.0])
def test_equal_scores_still_have_the_width_of_their_sampling_error(value: float) -> None:
    found = ahead(points(value, value, value))
    assert found.lower < found.value < found.upper  # type: ignore[operator]
    assert FLAT_NOTE in found.note
    less = ahead(points(value, value, value, n=20))
    assert less.upper - less.lower > found.upper - found.lower  # type: ignore[operator]


def test_a_limit_under_every_score_is_reached_now() -> None:
    found = ahead(points(*SLOW), limits={"rule_out": 0.5, "rule_in": 0.5, "buffer": 0.499})
    assert found.limit == 0.001
    assert found.reached_at == 6.4e10
    assert found.headroom < 0  # type: ignore[operator]


def test_a_saturated_evaluation_is_said_not_to_rule_out() -> None:
    assert "cannot rule out" in ahead(points(*SLOW), saturated=True).note
