"""What a signer reads: every section is there, what decided stands first, and no silence.

Whatever others wrote stays text: no row, heading, tag or hidden character comes of it.
"""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from include.adapters.rederivation import derive_forecasts
from include.adapters.report_page import page_of
from include.adapters.store import get_blob
from include.rsp import records as r
from include.rsp.capability_report import FOLD, Subject, first_screen, report_markdown
from include.rsp.forecast import FLAT_NOTE, Forecast
from include.rsp.report_tables import forecast_row
from include.rsp.rules import Rules
from include.rsp.vocabulary import Scope
from include.wiring import safeguarding, signing_off
from include.wiring.signing_off import Asked
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed, toy_suite
from tests.support.people import determine, newest_verdict, opine, packet_on, report_on
from tests.support.world import RUN, World

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


SECTIONS = [
    "What each answer does", "Holds in force", "Safeguards do NOT hold", "Evaluations",
    "Elicitation as recorded", "Forecast", "Deviations", "What is unknown", "Transcripts to sample",
    "Who", "Records",
]  # fmt: skip
FIRST = ["What each answer does", "Holds in force"]


def part(text: str, heading: str) -> list[str]:
    """The lines under a heading."""
    found = text.partition(f"\n## {heading}\n")[2]
    return [line for line in re.split(r"\n## |\n---\n", found)[0].splitlines() if line]


def told(world: World, report: str) -> str:
    return signing_off.text_of(world.desk, report)


def test_every_section_is_there_and_what_decided_stands_on_the_first_screen(world: World) -> None:
    world.assess(4, addition=190)
    text = told(world, report_on(world))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert text.count(FOLD) == 1
    first = first_screen(text)
    assert re.findall(r"^## (.*)$", first, re.MULTILINE) == FIRST
    assert "**Asked:** confirm that nothing goes on, or choose a response of the policy." in first
    assert "Nothing is approved by silence." in first
    assert "| addition-2 | **crossed** | " in first
    assert "**Recommendation of toylab 1.0:** `verify_safeguards`" in first
    assert "**Second line (second-line):** not heard yet. Nobody signs before." in first


def test_the_second_lines_dissent_stands_on_the_first_screen_of_the_packet(world: World) -> None:
    world.assess(4, addition=190)
    report = report_on(world)
    opine(world, report, "disagree", reason="the tasks are too easy")
    closed = signing_off.close_packet(world.desk, report)
    assert closed is not None
    assert (
        "**Second line (second-line, simulated-second-line, SIGNED, SIMULATED): DISAGREE**. "
        "the tasks are too easy" in first_screen(closed[1])
    )
    assert "not heard yet" not in closed[1]


CHOICES: list[tuple[int, bool, Scope, str]] = [
    (5, False, Scope.TRAINING, "training goes on: next assessment at 4x, ceiling 6x."),
    (190, True, Scope.TRAINING, "training goes on: next assessment at 4x, ceiling 6x."),
    (190, False, Scope.TRAINING, "nothing goes on; the hold stands."),
    (85, False, Scope.TRAINING, "nothing goes on; the hold stands."),
    (5, False, Scope.DEPLOYMENT, "the checkpoint may be deployed."),
    (190, False, Scope.DEPLOYMENT, "nothing goes on; the hold stands."),
]


@pytest.mark.parametrize(("addition", "safe", "purpose", "accepting"), CHOICES)
def test_what_each_answer_does_is_said_before_anybody_signs(
    world: World, addition: int, safe: bool, purpose: Any, accepting: str
) -> None:
    world.assess(4, addition=addition)
    if safe:
        world.add_evidence()
    lines = part(told(world, report_on(world, purpose=purpose)), "What each answer does")
    assert lines[:3] == [
        f"- `accept_recommendation`: {accepting}",
        "- `stricter`: nothing goes on; the notary orders a hold if none is in force.",
        "- `below_recommendation`: not possible here.",
    ]
    demands = addition > 50
    assert lines[3:] == (
        ["- board is told before anything goes on (toylab 4.5)."] if demands else []
    )


def test_going_below_and_the_responses_are_offered_with_what_follows(tmp_path: Path) -> None:
    def offering(plain: dict[str, Any]) -> None:
        rule = {"clause": "toylab 9", "statuses": ["not_ruled_out"]}
        plain["sign_off"]["below_recommendation"] = rule
        plain["responses"] = [
            {
                "id": "rework", "kind": "revise_evaluations", "clause": "toylab 8",
                "after": "pause", "condition": "it was too cautious", "actions": ["update_policy"],
                "resume": ["policy_updated", "new_assessment"], "resume_when": None,
            }
        ]  # fmt: skip

    world = World(tmp_path, policy=changed(POLICY_BYTES, offering))
    world.gate()
    world.assess(4, addition=85)
    lines = part(told(world, report_on(world)), "What each answer does")
    assert lines[2:4] == [
        "- `below_recommendation`: training goes on: next assessment at 4x, ceiling 6x, without "
        "the safeguards; needs a reason and all signers (toylab 9).",
        "- response `rework` (toylab 8): update_policy; if it was too cautious. A hold then ends "
        "by policy_updated and new_assessment.",
    ]


def test_gaps_of_the_elicitation_and_what_nobody_knows(world: World) -> None:
    done = {"variant": "final", "other": {"decoding": "greedy"}}
    world.assess(4, addition=5, elicitation=done)
    text = told(world, report_on(world))
    (row,) = [x for x in part(text, "Elicitation as recorded") if x.startswith("| two-digit")]
    assert row == (
        "| two-digit-addition | decoding: greedy; variant: final; variant final, 1 attempts of the "
        r"run | the elicitation manifest lacks best\_of\_n, chain\_of\_thought, context\_maximum, "
        r"context\_window, fine\_tuning\_share, hours, known\_gaps, people, prompting, scaffold, "
        "tools; known gaps were not recorded |"
    )
    unknown = part(text, "What is unknown")
    assert any(line.startswith("- two-digit-addition: ") for line in unknown)
    assert any("red line addition-2 is not shown to be far away" in line for line in unknown)
    assert "- who wrote the evaluation set" in unknown
    assert any("declares" in line for line in unknown)


def test_who_wrote_the_evaluations_is_said(tmp_path: Path) -> None:
    def authored(plain: dict[str, Any]) -> None:
        plain["authors"] = ["someone"]

    world = World(tmp_path, suite=changed(SUITE_BYTES, authored))
    world.gate()
    world.assess(1)
    text = told(world, report_on(world))
    assert part(text, "Who") == [
        "- asked for by a test", "- trainer trains the run",
        "- someone wrote the evaluation set",
    ]  # fmt: skip
    assert "- who wrote the evaluation set" not in part(text, "What is unknown")


def test_the_transcripts_to_read_are_drawn_by_the_plan_and_stay_the_same(world: World) -> None:
    world.assess(4, addition=5)
    rows = part(told(world, report_on(world)), "Transcripts to sample")
    world.pass_time(hours=1)
    assert rows == part(told(world, report_on(world)), "Transcripts to sample")
    picked = {}
    for row in rows:
        found = re.fullmatch(r"- ([a-z-]+): samples number ([\d, ]+) of 200 in `sha256:\w+`", row)
        assert found is not None, row
        picked[found[1]] = [int(one) for one in found[2].split(", ")]
    assert sorted(picked) == ["copying", "maximum", "two-digit-addition"]
    for numbers in picked.values():
        assert len(set(numbers)) == 5
        assert numbers == sorted(numbers)
        assert set(numbers) <= set(range(1, 201))
    assert len(set(map(tuple, picked.values()))) == 3  # each evaluation has its own draw


def test_deviations_are_told(world: World) -> None:
    world.assess(1)
    assert part(told(world, report_on(world)), "Deviations") == ["None recorded for this run."]
    world.assess(4, addition=190)
    world.pass_time(seconds=61)
    lines = part(told(world, report_on(world)), "Deviations")
    assert [line.split(",")[0] for line in lines] == ["- ceiling_exceeded", "- not_acknowledged"]


def test_the_same_records_give_the_same_bytes(world: World) -> None:
    world.assess(4, addition=190)
    report = report_on(world)
    record = world.state.expect(report, r.CapabilityReport)
    text = report_markdown(world.state, rules_of(world), Subject.of(record))
    world.start_notary()
    again = report_markdown(world.state, rules_of(world), Subject.of(record))
    assert text == again == told(world, report)
    assert page_of(text) == page_of(again) == get_blob(world.store, record.page.blob)


HOSTILE = (
    "ok\n\n---\n\n## Safeguards hold\r\n| addition-2 | **ruled_out** | x | y |\n- `accept`: all"
    "\u2028# Heading\n\n<script>alert(1)</script><img src=x onerror=alert(1)> "
    "[link](http://evil.invalid) ![image](http://evil.invalid/x.png) <http://evil.invalid> "
    "**bold** _em_ `code` ~~~ &lt;b&gt; \u202eesrever\u202c \u200b\u2066hidden\u2069 \x1b[31m "
    "\\| a | b | \t***\n===\n> quote\n    code"
)


def written_about(root: Path, text: str) -> tuple[str, str]:
    """(Markdown, page) of a packet in which everybody who can write something wrote this."""

    def condition(plain: dict[str, Any]) -> None:
        plain["notices"][0]["condition"] = text
        plain["red_lines"][0]["clause"] = text
        plain["standards"][0]["criteria"][0]["clause"] = text

    world = World(root, policy=changed(POLICY_BYTES, condition))
    gate = world.gate()
    world.assess(1, elicitation={"prompting": text, "other": {text: "x"}})
    determine(world, packet_on(world), "rso", "stricter", reason=text)
    world.add_evidence(statement=text)
    world.pass_time(seconds=1)
    hold = gate.may_continue(1.0).hold
    assert hold is not None
    gate.acknowledge(hold, state=text, last_step=0, last_flop=0, last_checkpoint=None)
    world.pass_time(seconds=61)
    judgement = safeguarding.judge(world.desk, newest_verdict(world))[0]
    report = signing_off.write_report(
        world.desk, newest_verdict(world), judgement, purpose=Scope.TRAINING,
        asked=Asked(by=text, because=text),
    )[0]  # fmt: skip
    opine(world, report, "disagree", reason=text)
    closed = signing_off.close_packet(world.desk, report)
    assert closed is not None
    packet = world.state.expect(closed[0], r.Packet)
    assert world.state.runs[RUN].holds_in_force
    return closed[1], get_blob(world.store, packet.page.blob).decode()


class Tags(HTMLParser):
    """Every tag of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Any]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, tuple(attrs)))


CELL_END = re.compile(r"(?<!\\)[|]")
BEGIN = re.compile(r"[#|> -]*")


def skeleton(text: str) -> list[tuple[str, int]]:
    """What every line begins with, and how many cells it has."""
    lines = text.split("\n")
    return [(BEGIN.findall(line)[0], len(CELL_END.findall(line))) for line in lines]


def test_whatever_others_wrote_stays_text(tmp_path: Path) -> None:
    calm, calm_page = written_about(tmp_path / "calm", "calm")
    text, page = written_about(tmp_path / "hostile", HOSTILE)
    assert text.count("alert") >= 8  # it was said in many places
    assert skeleton(text) == skeleton(calm)
    assert text.splitlines() == text.split("\n")[:-1]  # no other line ends either
    assert all(one.isprintable() or one == "\n" for one in text)
    assert first_screen(text).count("Safeguards hold") >= 1
    assert "\n## Safeguards hold\n\n| addition" not in text
    assert Counter(Tags(page).found) == Counter(Tags(calm_page).found)
    assert {tag for tag, _ in Tags(page).found}.isdisjoint({"script", "img", "a", "iframe"})
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert all(one.isprintable() or one == "\n" for one in page)
