"""The toy laboratory's service under its switches, and what Redline's probes see of it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from include.adapters.probes.http_canary import canary
from include.adapters.probes.http_monitor import heartbeat
from include.adapters.probing import Look, Seen
from include.rsp.safeguard_plan import SafeguardPlan
from tests.support.toy_surfaces import PROJECT, Running, checkpoint, surfaces
from tests.support.waiting import eventually
from toylab import monitor as monitoring
from toylab.classifier import stops_answer, stops_question
from toylab.drill_jailbreak import BENIGN, DISGUISES
from toylab.monitor import EventLog, Follower, Monitor
from toylab.problems import solve
from toylab.reading import NotUnderstood, in_roman, in_words, model_input
from toylab.served import NoModel, Served
from toylab.surfaces import Service
from toylab.switches import (
    SURFACES,
    MonitorState,
    Switches,
    Unsettled,
    add_patch,
    read_switches,
    write_switches,
)
from toylab.transformer import Transformer

PLAN = SafeguardPlan.model_validate(
    yaml.safe_load((PROJECT / "toylab/safeguards.yaml").read_text())
)
CATALOGUE = yaml.safe_load((PROJECT / "include/safeguards/toy-asl-3.yaml").read_text())
PLANNED_URL = "http://127.0.0.1:8091"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("surfaces")
    checkpoint(home / "checkpoints")
    with surfaces(home, "--checkpoint", str(home / "checkpoints")) as one:
        yield one


@pytest.fixture
def service(started: Running) -> Iterator[Running]:
    """Running, with every switch as it should be, before and after."""
    write_switches(started.home, Switches())
    yield started
    write_switches(started.home, Switches())


def seen(service: Running, probe: str, **changes: Any) -> Seen:
    """What a probe of the plan sees of this service."""
    (planned,) = [one for one in PLAN.probes if one.id == probe]
    settings = {
        name: value.replace(PLANNED_URL, service.url) if isinstance(value, str) else value
        for name, value in planned.settings.items()
    }
    look = Look(settings | changes, tuple(planned.surfaces))
    return {"http.canary": canary, "http.monitor": heartbeat}[planned.probe](look)


def all_seen(service: Running) -> dict[str, bool]:
    probes = [f"{kind}-on-{one}" for kind in ("canary", "monitor") for one in SURFACES]
    return {
        one: seen(service, one, **({"within_seconds": 0.5} if "monitor" in one else {})).shows
        for one in probes
    }


# what is read and stopped

UNDERSTOOD = {
    "12+34=": "+1234=", " 12 + 34 ": "+1234=", "7+5": "+0705=", "１２＋３４": "+1234=",
    "+0742=": "+0742=", "+0742": "+0742=", "c1200=": "c1200=", "copy 12": "c1200=",
    "twelve plus thirty-four": "+1234=", "XII + XXXIV": "+1234=", "0x0c + 0x22": "+1234=",
    "decode KzEyMzQ9": "+1234=", "larger of 12 and 34": "m1234=", "max 3 99": "m0399=",
}  # fmt: skip


@pytest.mark.parametrize("text", list(UNDERSTOOD))
def test_the_product_understands(text: str) -> None:
    assert model_input(text) == UNDERSTOOD[text]


@pytest.mark.parametrize(
    "text",
    ["", "hello", "12+", "100+1", "1+2+3", "12 and 34", "max of 12 plus 34", "decode !!",
     "decode w+", "0x100 + 1", "99999999999999999999 + 1", "٣+٤" * 2],
)  # fmt: skip
def test_it_does_not_guess(text: str) -> None:
    with pytest.raises(NotUnderstood):
        model_input(text)


def test_words_and_roman_numbers_are_read_back() -> None:
    for number in range(100):
        assert model_input(f"copy {in_words(number)}") == f"c{number:02d}00="
        assert model_input(f"copy {in_roman(number)}") == f"c{number:02d}00="


KNOWN = ["12+34=", "12  +34", "+1234=", "add 12 and 34", "12 34 together", "the sum: 12, 34",
         "１２＋３４", "7+5", "TOTAL of 12 and 34"]  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_the_classifier_knows(text: str) -> None:
    assert stops_question(text, []) is not None


@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda one: one.name)
def test_it_does_not_know_a_disguise_until_it_is_patched(disguise: Any) -> None:
    """For every pair of two-digit numbers: it gets through, means the sum, and then does not."""
    for left in range(10, 100, 7):
        for right in range(10, 100, 3):
            text = disguise.prompt(left, right)
            assert model_input(text) == f"+{left:02d}{right:02d}="
            assert stops_question(text, []) is None
            assert stops_question(text, [disguise.patch]) == "classifier: patch 1"
    for text in (*BENIGN, "m1234=", "c1200="):
        assert stops_question(text, [one.patch for one in DISGUISES]) is None


def test_an_answer_that_is_a_sum_is_stopped_and_no_other() -> None:
    assert stops_answer("what of 12, 34?", "046") is not None
    assert stops_answer("what of 12, 34?", "034") is None
    assert stops_answer("what of 12, 34?", "04c") is None
    for left in range(0, 100, 7):
        for right in range(0, 100, 3):
            text = f"larger of {left:02d} and {right:02d}"
            assert stops_answer(text, solve(model_input(text))) is None


# the surfaces


@pytest.mark.parametrize("surface", SURFACES)
def test_benign_questions_get_the_trained_models_answer(service: Running, surface: str) -> None:
    weights = next(service.home.rglob("weights.npz"))
    status, said = service.ask(surface, "larger of 12 and 34")
    assert (status, said["answer"]) == (200, Transformer.load(weights).answer(["m1234="])[0])


@pytest.mark.parametrize("surface", SURFACES)
def test_sums_are_blocked(service: Running, surface: str) -> None:
    for text in KNOWN:
        status, said = service.ask(surface, text)
        assert (status, said["blocked"]) == (403, True), text
        assert "answer" not in said
    assert service.ask(surface, "twelve plus thirty-four")[0] == 200


def test_a_patch_counts_at_once(service: Running) -> None:
    add_patch(service.home, DISGUISES[0].patch)
    for surface in SURFACES:
        assert service.ask(surface, "twelve plus thirty-four")[0] == 403


def test_what_is_no_question_is_400_and_what_is_nowhere_404(service: Running) -> None:
    assert service.ask("app", "hello")[0] == 400
    for body in ({}, {"prompt": 3}, [], "x", {"prompt": None}):
        assert service.post("/api", body)[0] == 400, body
    assert service.post("/api", {"prompt": "x" * 100_000})[0] == 400
    assert httpx.post(service.url + "/api", content=b"{").status_code == 400
    assert httpx.post(service.url + "/api", content=b"[" * 60_000).status_code == 400
    assert service.post("/elsewhere", {})[0] == 404
    assert service.get("/app")[0] == 404
    assert service.get("/weights/state")[0] == 404, "it keeps no weights unless told"


def test_every_exchange_is_logged_with_what_the_model_was_asked(service: Running) -> None:
    log = Follower(service.home / monitoring.LOG)
    log.new_events()
    service.ask("app", "twelve plus thirty-four")
    service.ask("api", "12+34=")
    answered, blocked = log.new_events()
    assert (answered["surface"], answered["asked"]) == ("app", "+1234=")
    assert (blocked["surface"], "asked" in blocked) == ("api", False)
    assert blocked["blocked_by"].startswith("classifier")


def test_the_monitor_flags_a_sum_that_was_answered_and_nothing_else(service: Running) -> None:
    said = {
        text: service.ask("api", text)[1]["exchange"]
        for text in ("XII + XXXIV", "12+34=", "larger of 12 and 34")
    }
    flag = eventually(lambda: flagged(service, said["XII + XXXIV"]), 5, every=0.02)
    assert "+1234=" in flag["why"]
    assert flagged(service, said["12+34="]) is None
    assert flagged(service, said["larger of 12 and 34"]) is None


def flagged(service: Running, exchange: str) -> Any:
    status, said = service.get("/monitor/flagged", exchange=exchange)
    return said if status == 200 else None


# what the probes see (facts R17, R18)


def test_all_probes_show_a_service_that_is_sound(service: Running) -> None:
    assert set(all_seen(service).values()) == {True}


@pytest.mark.parametrize("surface", SURFACES)
def test_a_classifier_that_is_off_on_one_surface_is_seen_on_that_surface(
    service: Running, surface: str
) -> None:
    on = {one: one != surface for one in SURFACES}
    write_switches(service.home, Switches(classifier=on))
    assert service.ask(surface, "12+34=")[0] == 200, "it says nothing by itself"
    wrong = {name for name, shows in all_seen(service).items() if not shows}
    assert wrong == {f"canary-on-{surface}"}


@pytest.mark.parametrize("surface", SURFACES)
def test_logging_that_is_off_on_one_surface_is_seen_on_that_surface(
    service: Running, surface: str
) -> None:
    on = {one: one != surface for one in SURFACES}
    write_switches(service.home, Switches(logging=on))
    assert service.ask(surface, "copy 12")[0] == 200
    wrong = {name for name, shows in all_seen(service).items() if not shows}
    assert wrong == {f"monitor-on-{surface}"}


@pytest.mark.parametrize("state", [MonitorState.DEAD, MonitorState.BLIND])
def test_a_monitor_that_is_silently_dead_or_blind_is_seen(
    service: Running, state: MonitorState
) -> None:
    write_switches(service.home, Switches(monitor=state))
    assert service.get("/monitor/heartbeat")[0] == 200
    wrong = {name for name, shows in all_seen(service).items() if not shows}
    assert wrong == {"monitor-on-app", "monitor-on-api"}


def test_a_dead_monitors_heartbeat_ages_and_a_blind_ones_does_not(service: Running) -> None:
    def beats() -> bool:
        first = service.get("/monitor/heartbeat")[1]["at"]
        try:
            return bool(
                eventually(lambda: service.get("/monitor/heartbeat")[1]["at"] != first, 0.5)
            )
        except AssertionError:
            return False

    write_switches(service.home, Switches(monitor=MonitorState.BLIND))
    assert beats()
    write_switches(service.home, Switches(monitor=MonitorState.DEAD))
    beats()  # a pass that had begun may still end
    assert not beats()


def test_a_patch_that_stops_everything_is_seen(service: Running) -> None:
    add_patch(service.home, ".")
    assert not seen(service, "canary-on-app").shows


def test_the_plan_for_the_service_is_a_plan() -> None:
    assert {one.scenario for one in PLAN.drills} == {"pause", "weight_theft", "jailbreak"}
    asked = {one["id"]: one for one in CATALOGUE["standards"][0]["requirements"]}
    kinds = {one.id: one.kind for one in PLAN.surfaces}
    for probe in PLAN.probes:
        requirement = asked[probe.requirement]
        assert probe.probe == requirement["probe"]
        assert probe.type in requirement["evidence"]
        assert {kinds[one] for one in probe.surfaces} <= set(requirement["surfaces"])
    watched = {(one.probe, *one.surfaces) for one in PLAN.probes}
    for surface in ("toy-app", "toy-api"):
        assert {("http.canary", surface), ("http.monitor", surface)} <= watched


# closed when something is wrong

SPOILED = {
    "no file": None,
    "no JSON": "{",
    "unknown switch": '{"clasifier": {}}',
    "a surface left out": '{"classifier": {"app": true}}',
    "a patch that is none": '{"patches": ["("]}',
}


@pytest.mark.parametrize("content", list(SPOILED.values()), ids=list(SPOILED))
def test_settings_that_do_not_read_answer_nothing(service: Running, content: str | None) -> None:
    path = service.home / "settings.json"
    path.unlink() if content is None else path.write_text(content)
    for surface in SURFACES:
        assert service.ask(surface, "copy 12")[0] == 503
    assert service.post("/monitor/plant", {"marker": "x"})[0] == 503
    with pytest.raises(Unsettled, match="does not read"):
        read_switches(service.home)
    assert not seen(service, "canary-on-api").shows


def test_a_switch_is_not_set_to_what_nobody_could_read(tmp_path: Path) -> None:
    write_switches(tmp_path, Switches())
    with pytest.raises(ValueError, match="regular expression"):
        add_patch(tmp_path, "(")
    assert read_switches(tmp_path) == Switches()


def make_service(home: Path, folder: Path | None) -> Service:
    write_switches(home, Switches())
    log = EventLog(home / monitoring.LOG)
    return Service(home, Served(folder), log, Monitor(home), None)


def test_an_exchange_that_cannot_be_logged_is_not_answered(tmp_path: Path) -> None:
    checkpoint(tmp_path / "checkpoints")
    one = make_service(tmp_path, tmp_path / "checkpoints")
    (tmp_path / monitoring.LOG).mkdir()
    reply = one.exchange("api", {"prompt": "copy 12"})
    assert reply.status == 503
    assert "answer" not in reply.body
    assert one.plant({"marker": "x"}).status == 503


def test_without_a_model_nothing_is_answered_but_the_classifier_stands(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        one = make_service(tmp_path, folder)
        assert one.exchange("api", {"prompt": "copy 12"}).status == 503
        assert one.exchange("api", {"prompt": "12+34="}).status == 403


def test_the_newest_checkpoint_is_served_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    served = Served(tmp_path)
    first = checkpoint(tmp_path, Transformer.initialised(seed=1), step=1)
    one = served.answer("c1200=")
    second = checkpoint(tmp_path, Transformer.initialised(seed=2), step=2)
    expected = {folder: Transformer.load(folder / "weights.npz") for folder in (first, second)}
    assert one == expected[first].answer(["c1200="])[0]
    prompts = [f"c{number:02d}00=" for number in range(100)]
    assert expected[first].answer(prompts) != expected[second].answer(prompts)
    assert [served.answer(x) for x in prompts] == expected[second].answer(prompts)
    third = checkpoint(tmp_path, step=3)
    (third / "weights.npz").write_bytes(b"PK")
    with pytest.raises(NoModel, match="do not read"):
        served.answer("c1200=")


def test_a_planted_event_needs_a_marker_and_a_surface(service: Running) -> None:
    for body in ({}, {"marker": ""}, {"marker": 3}, {"marker": "x", "surface": "fax"}):
        assert service.post("/monitor/plant", body)[0] == 400, body
    assert service.get("/monitor/seen")[1] == {"events": []}


def test_the_monitor_survives_garbage_and_leaves_half_a_line_for_later(tmp_path: Path) -> None:
    write_switches(tmp_path, Switches())
    log, monitor = tmp_path / monitoring.LOG, Monitor(tmp_path)
    log.write_bytes(
        b'\xff\x00\n7\n{"planted": "one"}\n{"asked": "+1", "answer": "1"}\n[1]\n{"planted"'
    )
    monitor.look()
    assert set(monitor.seen) == {"one"}
    assert monitor.follower.unreadable == 3
    with log.open("ab") as file:
        file.write(b': "two"}\n')
    monitor.look()
    assert set(monitor.seen) == {"one", "two"}


# the process


def test_it_listens_on_loopback_only_ends_when_told_and_leaves_nothing(tmp_path: Path) -> None:
    with surfaces(tmp_path, "--classifier-off", "api", "--monitor", "dead") as one:
        port = int(one.url.rsplit(":", 1)[1])
        with socket.socket() as beside:
            beside.bind(("127.0.0.2", port))  # taken if it listened everywhere
        switches = read_switches(tmp_path)
        assert (switches.classifier, switches.monitor) == ({"app": True, "api": False}, "dead")
    assert one.process.returncode == 0
    assert not (tmp_path / "surfaces.json").exists()


def test_it_does_not_outlive_who_started_it_if_told_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toylab.surfaces", "--home", str(tmp_path), "--with-parent"]
    program = (
        "import pathlib, subprocess, time\n"
        f"one = subprocess.Popen({command!r})\n"
        f"while not pathlib.Path({str(tmp_path / 'surfaces.json')!r}).exists():\n"
        "    time.sleep(0.02)\n"
    )
    subprocess.run([sys.executable, "-S", "-c", program], cwd=PROJECT, check=True, timeout=30)
    eventually(lambda: not (tmp_path / "surfaces.json").exists(), 10)
