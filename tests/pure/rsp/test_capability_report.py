"""What a signer reads of the forecast: a row for every red line, and never silence."""

from __future__ import annotations

from typing import Any

import pytest

from include.adapters.rederivation import derive_forecasts
from include.rsp import records as r
from include.rsp.capability_report import Subject, report_markdown
from include.rsp.forecast import FLAT_NOTE, Forecast
from include.rsp.report_tables import forecast_row
from include.rsp.rules import Rules
from include.rsp.vocabulary import Scope
from tests.support.factories import POLICY_BYTES, changed, toy_suite
from tests.support.world import World

EVALUATION = "addition-2: two-digit-addition"


def with_a_tracked_line(plain: dict[str, Any]) -> None:
    tracked = {"id": "sorting", "kind": "tracked", "combine": "judgement", "required_standards": []}
    plain["red_lines"].append(plain["red_lines"][0] | tracked)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(
        tmp_path_factory.mktemp("world"), policy=changed(POLICY_BYTES, with_a_tracked_line)
    )
    made.gate()
    return made


def rules_of(world: World) -> Rules:
    rules = world.desk.rulebook.in_force(world.state)
    assert rules is not None
    return rules


def written(world: World, verdict: str) -> str:
    about = Subject(
        verdict=verdict, judgement=None, hold=None, purpose=Scope.TRAINING, asked_by="a test",
        asked_because=None,
    )  # fmt: skip
    return report_markdown(world.state, rules_of(world), about)


def forecast_part(world: World, verdict: str) -> list[str]:
    text = written(world, verdict)
    part = text.partition("## Forecast")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("|")][2:]


def test_two_checkpoints_give_no_headroom_and_the_packet_says_so(world: World) -> None:
    world.assess(1)
    rows = forecast_part(world, world.assess(4, addition=9))
    said = "2 assessed checkpoints give no interval (at least 3 needed)"
    assert rows == [
        f"| {EVALUATION} | next milestone, 4.16e+10 FLOP | - | - | {said} |",
        f"| {EVALUATION} | ceiling, 6.24e+10 FLOP | - | - | {said} |",
        "| sorting | - | - | - | nothing to forecast from: no load-bearing evaluation speaks for "
        "it; this is no headroom |",
    ]


def test_three_checkpoints_give_headroom_with_its_interval_and_where_it_ends(world: World) -> None:
    for multiple, addition in ((1, 5), (4, 8)):
        world.assess(multiple, addition=addition)
    verdict = world.assess(16, addition=14)
    first, second, _ = forecast_part(world, verdict)
    made = world.state.expect(verdict, r.Verdict).forecasts[0]
    assert made.headroom_lower is not None
    assert "next milestone" in first
    assert "ceiling" in second
    assert f"{made.value:.3f} ({made.lower:.3f} to {made.upper:.3f}; 90%, 3 points)" in first
    bounds = f"({made.headroom_lower:.3f} to {made.headroom_upper:.3f})"
    assert f"**{made.headroom:.3f}** {bounds} under 0.400" in first
    assert f"upper bound at the limit from {made.upper_reached_at:.3g} FLOP" in first


def test_a_row_says_when_the_line_may_be_reached_and_keeps_its_whole_note() -> None:
    note = f"may be reached before the ceiling; {FLAT_NOTE}"
    found = Forecast(
        red_line="a", evaluation="b", where="ceiling", at_compute=1e10, value=0.3, lower=0.1,
        upper=0.6, limit=0.4, headroom=0.1, headroom_lower=-0.2, headroom_upper=0.3,
        reached_at=2e10, upper_reached_at=8e9, confidence=0.9, points=3, note=note,
    )  # fmt: skip
    assert forecast_row(found) == (
        "| a: b | ceiling, 1e+10 FLOP | 0.300 (0.100 to 0.600; 90%, 3 points) | "
        f"**0.100** (-0.200 to 0.300) under 0.400 | {note}; predicted at the limit from 2e+10 "
        "FLOP; upper bound at the limit from 8e+09 FLOP |"
    )


def test_scores_of_another_version_of_the_evaluation_are_no_points(world: World) -> None:
    def newer(plain: dict[str, Any]) -> None:
        plain["evaluations"][0]["version"] = "2"

    for multiple in (1, 4, 16):
        verdict = world.state.expect(world.assess(multiple), r.Verdict)
    rules = Rules(policy=rules_of(world).policy, suite=toy_suite(newer))
    found = derive_forecasts(world.state, rules, verdict.assessment_id, verdict.decision)
    assert [one.points for one in found] == [0, 0, 0]
    assert all(one.headroom is None for one in found)


def test_a_verdict_without_any_forecast_is_not_silent(world: World) -> None:
    digest = world.assess(1)
    bare = world.state.expect(digest, r.Verdict).model_copy(update={"forecasts": []})
    world.state.records[digest] = bare
    text = written(world, digest)
    assert "None was made, for no red line. That is no headroom." in text
