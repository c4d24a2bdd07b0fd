"""Whatever a drill does, its record says what was done, what was not, and why."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.adapters.drill_runner import MAXIMUM_BYTES, PROJECT, Played, play
from include.adapters.drilling import DrillCall, DrillFailed, refuse_unsimulated, steps
from include.rsp.safeguard_plan import PlannedDrill, Setting
from include.rsp.vocabulary import Scenario
from tests.support.waiting import eventually

HERE = "tests.pure.adapters.played_drills"


def played(run: str, *, seconds: float = 20.0, **settings: Setting) -> Played:
    plan = PlannedDrill(
        scenario=Scenario.PAUSE, run=f"{HERE}:{run}", timeout_seconds=seconds, settings=settings
    )
    return play(plan, store="/a/store", keys=Path("/some/keys"))


def said(lines: str, *, then: str = "") -> Played:
    """What becomes of a process that says these lines instead of a drill's."""
    program = f"import sys; sys.stdout.write({lines!r}); {then}"
    plan = PlannedDrill(scenario=Scenario.PAUSE, run="no.module:none", timeout_seconds=20)
    return play(
        plan, store="", keys=Path("/none"), interpreter=[sys.executable, "-S", "-c", program]
    )


def shown(one: Played) -> list[tuple[str, bool]]:
    return [(step.name, step.done) for step in one.steps]


def test_a_drill_that_works_has_timed_steps_and_no_gaps() -> None:
    before = datetime.now(UTC)
    one = played("good", word="hello")
    assert shown(one) == [("first", True), ("second", True)]
    assert one.gaps == []
    assert one.steps[0].note == "store /a/store, keys keys, hello"
    times = [before, one.started_at, *(step.at for step in one.steps), datetime.now(UTC)]
    assert times == sorted(times)
    first, second = one.steps
    assert first.seconds == pytest.approx((first.at - one.started_at).total_seconds())
    assert second.seconds == pytest.approx((second.at - first.at).total_seconds())


WRONG = {
    "failing": ([("first", False), ("second", True)], "'first' did not work: the alarm did not"),
    "half": ([("first", True), ("second", False)], "'second' was not reached"),
    "crashing": ([("first", True), ("second", False)], "RuntimeError('the roof fell in')"),
    "killed": ([("first", True), ("second", False)], "exit code -9"),
    "leaving": ([("first", True), ("second", False)], "did not come to its end"),
    "yielding_garbage": ([("first", True), ("second", False)], "expected a Step"),
    "backwards": ([("first", True), ("second", False)], "before the one before it"),
    "ahead": ([("first", False), ("second", False)], "in the future"),
    "unplanned": ([("first", True), ("first", False), ("applause", False)], "not planned"),
    "impatient": ([("first", False)], "Not within 0.1 s: the sun to rise twice"),
    "not_announced": ([("begin", False)], "names its steps"),
    "nowhere": ([("begin", False)], "does not load"),
}


@pytest.mark.parametrize("run", sorted(WRONG))
def test_what_goes_wrong_is_a_gap_and_never_done(run: str) -> None:
    expected, because = WRONG[run]
    one = played(run)
    assert shown(one) == expected
    assert any(because in gap for gap in one.gaps), one.gaps
    assert all(step.seconds >= 0 for step in one.steps)
    missing = [name for name, done in expected if not done]
    assert all(any(f"{name!r}" in gap for gap in one.gaps) for name in missing)


def test_a_hanging_drill_is_ended_in_time_with_all_that_it_started(tmp_path: Path) -> None:
    tell = tmp_path / "child"
    before = datetime.now(UTC)
    one = played("hanging", seconds=1.0, tell=str(tell))
    assert (datetime.now(UTC) - before).total_seconds() < 4
    assert shown(one) == [("first", True), ("second", False)]
    assert any("time limit of 1 s" in gap for gap in one.gaps)
    assert (tmp_path / "cleaned").exists(), "SIGTERM came first, and was heard"
    eventually(lambda: not alive(int(tell.read_text())), 2.0)


def test_a_drill_that_ends_leaves_no_child_behind(tmp_path: Path) -> None:
    tell = tmp_path / "child"
    assert played("leaving_a_child", tell=str(tell)).gaps == []
    eventually(lambda: not alive(int(tell.read_text())), 2.0)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"  # nobody here reaps a grandchild; it runs no more


PLANNED = json.dumps({"planned": ["first"]}) + "\n"
GOOD = {"step": "first", "at": "2020-01-01T00:00:00Z", "done": True, "note": ""}
GARBAGE = {
    "nothing": "",
    "no JSON": PLANNED + "\x00\xff!\n",
    "a step before the plan": json.dumps(GOOD) + "\n",
    "a step without a time": PLANNED + json.dumps(GOOD | {"at": "yesterday"}) + "\n",
    "a step without a zone": PLANNED + json.dumps(GOOD | {"at": "2020-01-01T00:00:00"}) + "\n",
    "a step that is no text": PLANNED + json.dumps(GOOD | {"step": [1]}) + "\n",
    "done in words": PLANNED + json.dumps(GOOD | {"done": "yes", "at": "2999-01-01T00:00Z"}) + "\n",
    "half a line": PLANNED + json.dumps(GOOD)[:-5],
    "a number": PLANNED + "7\n",
    "a plan that is no list": json.dumps({"planned": 1}) + "\n" + json.dumps({"ended": True}),
    "an end without a plan": json.dumps({"ended": True}) + "\n",
    "deep": "[" * 100_000 + "\n",
}


@pytest.mark.parametrize("lines", list(GARBAGE.values()), ids=list(GARBAGE))
def test_garbage_is_a_gap_and_still_a_record(lines: str) -> None:
    one = said(lines)
    assert one.steps
    assert not any(step.done for step in one.steps)
    assert any("not reached" in gap or "dated" in gap for gap in one.gaps)


def test_a_flood_is_cut_off_and_said(tmp_path: Path) -> None:
    one = said("", then=f"sys.stdout.write('x' * {MAXIMUM_BYTES + 5})")
    assert any("more than" in gap for gap in one.gaps)
    assert shown(one) == [("begin", False)]


def test_an_interpreter_that_is_not_there_is_a_gap() -> None:
    plan = PlannedDrill(scenario=Scenario.PAUSE, run="a:b", timeout_seconds=5)
    one = play(plan, store="", keys=Path("/none"), interpreter=["/no/such/python"])
    assert shown(one) == [("begin", False)]
    assert any("could not be started" in gap for gap in one.gaps)


def test_airflows_secrets_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("A_SETTING_OF_THE_MACHINE", "given")
    names = "sorted(x for x in os.environ if x.startswith(('A_S', 'AIRFLOW')))"
    one = said("", then=f"import os; sys.exit(' '.join({names}))")
    (ending,) = [gap for gap in one.gaps if "exit code" in gap]
    assert ending.endswith("exit code 1: A_SETTING_OF_THE_MACHINE.")


def test_a_drill_names_some_steps_each_once() -> None:
    for names in ((), ("a", "a")):
        with pytest.raises(ValueError, match="each once"):
            steps(*names)


def test_a_call_survives_the_way_to_the_process() -> None:
    call = DrillCall({"a": ["b"], "n": 1.5}, "s", Path("k"), datetime.now(UTC), 3.0)
    again = DrillCall.from_json(json.loads(json.dumps(call.as_json())))
    assert again.as_json() == call.as_json()


@pytest.mark.parametrize("value", [None, True, ["x"]])
def test_a_setting_of_another_kind_is_refused(value: Setting | None) -> None:
    given = {} if value is None else {"one": value}
    call = DrillCall(given, "", Path(), datetime.now(UTC), 1.0)
    with pytest.raises(DrillFailed, match="expected a text"):
        call.text("one")
    with pytest.raises(DrillFailed, match="expected a number"):
        call.number("one")
    assert (call.text("other", "x"), call.number("other", 2)) == ("x", 2.0)


def test_an_unknown_setting_is_refused() -> None:
    call = DrillCall({"speling": "x"}, "", Path(), datetime.now(UTC), 1.0)
    with pytest.raises(DrillFailed, match="speling"):
        call.check({"spelling"})


def test_a_persons_own_key_is_not_used() -> None:
    refuse_unsimulated(True, "the rso")
    with pytest.raises(DrillFailed, match="never signs as a person"):
        refuse_unsimulated(False, "the rso")


def test_the_process_is_this_projects() -> None:
    assert (PROJECT / "include/adapters/drill_process.py").exists()
