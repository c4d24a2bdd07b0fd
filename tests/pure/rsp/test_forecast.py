from __future__ import annotations

import pytest

from include.rsp.forecast import FLAT_NOTE, ForecastPoint, forecast


def points(*values: float) -> list[ForecastPoint]:
    return [
        ForecastPoint(effective_compute=1e9 * 4**index, value=value, n=200)
        for index, value in enumerate(values)
    ]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_points_give_no_interval_and_say_so(count: int) -> None:
    found = forecast("e", points(*[0.1] * count), at_compute=1e12)
    assert (found.value, found.lower, found.upper) == (None, None, None)
    assert f"{count} assessed checkpoints" in found.note


def test_two_checkpoints_of_the_same_compute_are_no_two_points() -> None:
    same = [*points(0.1, 0.2), points(0.1)[0]]
    assert forecast("e", same, at_compute=1e12).value is None


def test_flat_points_are_said_to_tell_little() -> None:
    found = forecast("e", points(0.02, 0.025, 0.02), at_compute=1e12)
    assert found.note == FLAT_NOTE
    assert found.lower is not None
    assert found.upper is not None


def test_a_steady_rise_is_carried_on() -> None:
    found = forecast("e", points(0.05, 0.12, 0.27, 0.5), at_compute=1e9 * 4**4)
    assert found.note == ""
    assert found.value == pytest.approx(0.73, abs=0.05)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.value < found.upper
