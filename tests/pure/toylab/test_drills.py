"""The toy laboratory's drills, played against a real service, a real notary and a real trainer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.adapters.drill_runner import Played, play
from include.adapters.drilling import DrillCall, DrillFailed, PlannedSteps, Setting, Step
from include.rsp import records as r
from include.rsp.safeguard_plan import PlannedDrill
from include.rsp.vocabulary import Scenario
from tests.support.toy_lab import ToyLab, begin, running
from tests.support.toy_surfaces import Running, checkpoint, surfaces
from toylab import drills
from toylab.drill_jailbreak import DISGUISES
from toylab.drill_parts import Lab, chained_at, reader_of
from toylab.switches import MonitorState, Switches, write_switches
from toylab.weights import HONEYPOTS, LOCK
from toylab.weights_client import main as weights_client


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToyLab]:
    """A store, keys and a notary at work."""
    made, notary = begin(tmp_path_factory.mktemp("lab"))
    with running(notary):
        yield made


@pytest.fixture(scope="module")
def service(lab: ToyLab) -> Iterator[Running]:
    """Both surfaces, with a model and the keeper of the weights."""
    checkpoint(lab.root / "checkpoints")
    with surfaces(
        lab.root / "surfaces",
        *("--checkpoint", str(lab.root / "checkpoints")),
        *("--weights", str(lab.root / "checkpoints")),
        *("--trust-root", str(lab.folders.trust_root)),
    ) as one:
        yield one


@pytest.fixture
def settled(service: Running) -> Iterator[Running]:
    """The service with every switch as it should be, before and after."""
    write_switches(service.home, Switches())
    yield service
    write_switches(service.home, Switches())


def played(lab: ToyLab, scenario: Scenario, **settings: Setting) -> Played:
    """In a process of its own, as the DAG does it."""
    plan = PlannedDrill(
        scenario=scenario, run=f"toylab.drills:{scenario.value}", timeout_seconds=60,
        settings=settings,
    )  # fmt: skip
    return play(plan, store=str(lab.root / "store"), keys=lab.root / "keys")


def call(lab: ToyLab, *, seconds: float = 20.0, **settings: Setting) -> DrillCall:
    store, keys = str(lab.root / "store"), lab.root / "keys"
    return DrillCall(settings, store, keys, datetime.now(UTC), seconds)


def fails(drill: PlannedSteps, given: DrillCall, because: str) -> list[str]:
    """The steps that a drill came to, in this process, before it failed for that reason."""
    done: list[Step] = []
    with pytest.raises(DrillFailed, match=because):
        done.extend(_collected(drill, given, done))
    return [one.name for one in done]


def _collected(drill: PlannedSteps, given: DrillCall, into: list[Step]) -> list[Step]:
    for step in drill.play(given):
        into.append(step)
    return []


def told(one: Played) -> dict[str, str]:
    """By step, its note; the drill went as planned."""
    assert one.gaps == []
    assert all(step.done for step in one.steps)
    return {step.name: step.note for step in one.steps}


def at_surfaces(service: Running) -> str:
    return str(service.home / "surfaces.json")


# pause


def test_a_run_is_paused_by_one_officer_and_each_step_is_timed(lab: ToyLab) -> None:
    one = played(lab, Scenario.PAUSE)
    notes = told(one)
    assert list(notes) == list(drills.pause.names)
    assert all(step.seconds < 10 for step in one.steps)
    run_id = notes["announced"].split()[1].rstrip(",")
    run = lab.state.runs[run_id]
    (permit,) = run.permits
    order = lab.state.expect(run.revoked[permit], r.Revocation)
    assert order.simulated
    assert chained_at(reader_of(call(lab)), run.revoked[permit]) == one.steps[4].at
    after = int(notes["last-step"].split(", ")[1].split()[0])
    assert after <= 4, "it stops at its next boundary, which is at most 4 steps away"
    beats = sorted(lab.store.list(f"runs/{run_id}/heartbeats"))
    assert beats
    assert "no acknowledgement" in notes["stands-still"]


def test_a_pause_without_a_notary_is_a_gap(tmp_path: Path) -> None:
    made, _ = begin(tmp_path)
    assert fails(drills.pause, call(made, seconds=0.5), "the genesis permit") == ["announced"]


def test_an_order_that_the_notary_refuses_stops_nothing_and_is_a_gap(lab: ToyLab) -> None:
    given = call(lab, office="board", steps_before=1, seconds_per_step=0.02)
    done = fails(drills.pause, given, "wrong_office")
    assert done == ["announced", "permitted", "training", "order-written"]


def test_a_trainer_that_stops_by_itself_is_no_pause(lab: ToyLab) -> None:
    done = fails(drills.pause, call(lab, steps_before=1000, seconds_per_step=0.0), "by itself")
    assert done == ["announced", "permitted"]


def test_no_drill_signs_with_a_real_persons_key(tmp_path: Path) -> None:
    made, _ = begin(tmp_path, simulated=False)
    assert fails(drills.pause, call(made), "never signs as a person") == []


@pytest.mark.parametrize("spoiled", ["missing", "another's", "no folder"])
def test_without_the_officers_key_there_is_a_gap(tmp_path: Path, spoiled: str) -> None:
    made, _ = begin(tmp_path)
    rso = made.folders.officer("rso")
    given = call(made)
    if spoiled == "missing":
        rso.unlink()
    elif spoiled == "another's":
        rso.write_bytes(made.folders.officer("ceo").read_bytes())
    else:
        given = DrillCall({}, given.store, Path("/dev/null"), given.started_at, 5.0)
    assert fails(drills.pause, given, "key") == []


def test_without_a_ledger_there_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    assert fails(drills.pause, call(ToyLab(tmp_path)), "No ledger") == []


def test_a_setting_that_a_drill_does_not_know_is_a_gap(lab: ToyLab) -> None:
    for drill in (drills.pause, drills.weight_theft, drills.jailbreak):
        assert fails(drill, call(lab, colour="red"), "colour") == []


# weight theft


def test_a_theft_is_detected_locked_and_reported(lab: ToyLab, settled: Running) -> None:
    one = played(lab, Scenario.WEIGHT_THEFT, surfaces=at_surfaces(settled))
    notes = told(one)
    assert list(notes) == list(drills.weight_theft.names)
    incidents = [x for x in lab.state.records.values() if isinstance(x, r.Incident)]
    assert [x.category for x in incidents] == ["theft"]
    assert "SIMULATED" in incidents[0].what
    assert incidents[0].run_id not in lab.state.runs, "no run is assessed because of a drill"
    assert settled.get("/weights/state")[1]["locked"] is None
    assert json.loads((settled.home / HONEYPOTS).read_text()) == []
    left = {path.name for path in (lab.root / "checkpoints").iterdir()}
    assert left == {"run-1"}, "the fake weights are gone"


def test_a_theft_while_locked_is_a_gap_and_two_people_open_the_lock(
    lab: ToyLab, settled: Running
) -> None:
    (settled.home / LOCK).write_text('{"why": "an earlier theft"}')
    given = call(lab, surfaces=at_surfaces(settled))
    assert fails(drills.weight_theft, given, "locked already") == []
    keys = [str(lab.folders.officer(one)) for one in ("rso", "ceo")]
    assert unlock(settled, keys[:1]) == 1
    assert unlock(settled, keys) == 0
    assert not (settled.home / LOCK).exists()


def unlock(service: Running, keys: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        words = ["x", "unlock", "--url", service.url, *(w for k in keys for w in ("--key", k))]
        patch.setattr("sys.argv", words)
        return weights_client()


def test_a_theft_that_nobody_detects_is_a_gap_and_leaves_no_bait(
    lab: ToyLab, settled: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher does not know the honeypot: the drill's note of it goes elsewhere."""
    monkeypatch.setattr("toylab.drill_theft.HONEYPOTS", "elsewhere.json")
    given = call(lab, surfaces=at_surfaces(settled), detect_seconds=0.3)
    done = fails(drills.weight_theft, given, "an alert of the honeypot")
    assert done == ["planted", "one-person-refused", "read-by-intruder"]
    assert {path.name for path in (lab.root / "checkpoints").iterdir()} == {"run-1"}


def test_officers_that_are_not_two_are_a_gap(lab: ToyLab, settled: Running) -> None:
    given = call(lab, surfaces=at_surfaces(settled), officers=["rso", "rso"])
    assert fails(drills.weight_theft, given, "two offices") == []


# jailbreak


def test_a_jailbreak_is_detected_patched_and_blocked_on_every_surface(
    lab: ToyLab, settled: Running
) -> None:
    one = played(lab, Scenario.JAILBREAK, surfaces=at_surfaces(settled))
    notes = told(one)
    assert list(notes) == list(drills.jailbreak.names)
    assert DISGUISES[0].name in notes["sent"]
    assert settled.ask("app", "twelve plus thirty-four")[0] == 403


def test_each_drill_needs_a_new_disguise_and_without_one_there_is_a_gap(
    lab: ToyLab, settled: Running
) -> None:
    given = call(lab, surfaces=at_surfaces(settled))
    for disguise in DISGUISES:
        first, *rest = drills.jailbreak.play(given)
        assert disguise.name in first.note
        assert all(one.done for one in rest)
    assert fails(drills.jailbreak, given, "knows every disguise") == []


BROKEN = {
    "dead monitor": (Switches(monitor=MonitorState.DEAD), ["sent"], "monitor's flag"),
    "blind monitor": (Switches(monitor=MonitorState.BLIND), ["sent"], "monitor's flag"),
    "nothing logged": (Switches(logging={"app": True, "api": False}), ["sent"], "monitor's flag"),
    "classifier off": (
        Switches(classifier={"app": False, "api": True}), [], "is not blocked on app",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BROKEN))
def test_a_safeguard_that_is_off_is_a_gap(lab: ToyLab, settled: Running, what: str) -> None:
    switches, expected, because = BROKEN[what]
    write_switches(settled.home, switches)
    given = call(lab, surfaces=at_surfaces(settled), detect_seconds=0.4)
    assert fails(drills.jailbreak, given, because) == expected


def test_a_patch_that_blocks_everything_is_not_done(
    lab: ToyLab, settled: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = DISGUISES[0].__class__("anything", DISGUISES[0].prompt, ".")
    monkeypatch.setattr("toylab.drill_jailbreak.DISGUISES", (everything,))
    *_, last = drills.jailbreak.play(call(lab, surfaces=at_surfaces(settled)))
    assert (last.name, last.done) == ("benign-answered", False)


# what is not there


@pytest.mark.parametrize("drill", [drills.weight_theft, drills.jailbreak])
def test_without_a_service_there_is_a_gap(lab: ToyLab, tmp_path: Path, drill: PlannedSteps) -> None:
    nowhere = str(tmp_path / "surfaces.json")
    assert fails(drill, call(lab, surfaces=nowhere), "No running service") == []
    address = {"url": "http://127.0.0.1:9", "home": str(tmp_path)}
    Path(nowhere).write_text(json.dumps(address))
    assert fails(drill, call(lab, surfaces=nowhere), "was not answered") == []


def test_the_environment_may_name_the_service(
    lab: ToyLab, settled: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOYLAB_SURFACES", at_surfaces(settled))
    assert Lab.of(call(lab)).url == settled.url
    monkeypatch.delenv("TOYLAB_SURFACES")
    assert fails(drills.jailbreak, call(lab), "'surfaces' is None") == []


@pytest.mark.parametrize("what", ["none", "damaged"])
def test_a_store_that_does_not_read_is_a_gap(tmp_path: Path, what: str) -> None:
    if what == "damaged":
        (tmp_path / "ledger").mkdir()
        (tmp_path / "ledger/000000000000.json").write_text("{")
    given = DrillCall({}, str(tmp_path), tmp_path, datetime.now(UTC), 5.0)
    with pytest.raises(DrillFailed) as failed:
        reader_of(given)
    assert ("No ledger" if what == "none" else "does not read") in str(failed.value)
