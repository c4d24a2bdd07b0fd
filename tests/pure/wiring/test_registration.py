"""Bad input: one clear message each, and nothing recorded but the refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.adapters.checkpoint_files import find
from include.adapters.waiting_job import say_waited
from include.rsp import records as r
from include.rsp.errors import Refused
from include.wiring import assessment, evaluating, registration
from tests.support.factories import X
from tests.support.world import RUN, World


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def drop(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        plain = json.loads(path.read_text())
        del plain[name]
        path.write_text(json.dumps(plain))

    return change


def set_field(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, **changes)


def truncate(folder: Path) -> None:
    (folder / "weights.npz").write_bytes(b"ab")


def replace(folder: Path) -> None:
    (folder / "weights.npz").write_bytes(b"xyz")


def remove(folder: Path) -> None:
    (folder / "weights.npz").unlink()


def garble(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def escape(folder: Path) -> None:
    file = {"path": "../../secret", "sha256": "sha256:" + "0" * 64, "bytes": 1}
    edit(folder, files=[file], variants=[{"name": "final", "file": "../../secret"}])


BAD: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no run_id": (drop("run_id"), "bad_manifest", "run_id"),
    "no effective_compute": (drop("effective_compute"), "bad_manifest", "effective_compute"),
    "no files": (set_field(files=[]), "bad_manifest", "files"),
    "another format": (set_field(format="other@2"), "bad_manifest", "format"),
    "unknown field": (set_field(more=1), "bad_manifest", "more"),
    "no zone": (set_field(created_at="2026-11-01T12:00:00"), "bad_manifest", "created_at"),
    "compute that does not add up": (set_field(effective_compute=1e30), "bad_manifest", "not"),
    "negative compute": (set_field(training_flop=-1), "bad_manifest", "training_flop"),
    "another checkpoint's manifest": (set_field(checkpoint_id="x99"), "bad_manifest", "x99"),
    "not JSON": (garble, "bad_manifest", "JSON"),
    "a path out of the folder": (escape, "bad_manifest", r"\.\."),
    "weights truncated": (truncate, "truncated", "expected 3"),
    "weights replaced": (replace, "wrong_digest", "digest"),
    "weights missing": (remove, "missing_file", "not there"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_a_bad_checkpoint_leaves_only_its_refusal(world: World, what: str) -> None:
    change, code, message = BAD[what]
    world.gate()
    change(world.publish(1))
    before = set(world.state.records)
    drained = registration.register_new(world.desk)
    new = [world.state.records[one] for one in world.state.records if one not in before]
    (refusal,) = new
    assert isinstance(refusal, r.Refusal)
    assert refusal.code == code
    assert re.search(message, refusal.message)
    assert list(drained.refused) == ["run-1/x1"]
    registration.register_new(world.desk)
    assert len(world.state.records) == len(before) + 1
    assert registration.raise_due_occasions(world.desk) == []


def test_a_checkpoint_still_being_written_is_looked_at_again(world: World) -> None:
    world.gate()
    folder = world.publish(1)
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    drained = registration.register_new(world.desk)
    assert "still being written" in drained.refused["run-1/x1"]
    (folder / "manifest.json").write_bytes(manifest)
    assert registration.register_new(world.desk).registered == ["run-1/x1"]


def test_a_checkpoint_still_being_written_cannot_be_assessed_by_hand(world: World) -> None:
    world.gate()
    (world.publish(1) / "manifest.json").unlink()
    asked = {"run_id": RUN, "checkpoint_id": "x1", "reason": "look"}
    with pytest.raises(Refused) as caught:
        assessment.resolve(world.desk, None, asked)
    assert caught.value.code == "still_being_written"
    assert isinstance(list(world.state.records.values())[-1], r.Refusal)


def test_compute_that_goes_down_is_refused(world: World) -> None:
    world.gate()
    world.publish(4)
    registration.register_new(world.desk)
    folder = world.publish(1)
    edit(folder, step=9999)
    refused = registration.register_new(world.desk).refused
    assert "expected compute to grow" in refused["run-1/x1"]


def test_the_same_id_with_other_content_is_refused(world: World) -> None:
    world.gate()
    folder = world.publish(1)
    registration.register_new(world.desk)
    edit(folder, training_flop=2 * X, effective_compute=2 * X, step=32)
    refused = registration.register_new(world.desk).refused
    assert "registered with other content" in refused["run-1/x1"]


def test_a_checkpoint_that_changed_after_registration_is_not_evaluated(world: World) -> None:
    world.gate()
    folder = world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    replace(folder)
    with pytest.raises(Refused) as caught:
        assessment.pre_flight(world.desk, key)
    assert caught.value.code == "wrong_digest"


def test_a_run_that_nobody_announced_is_refused(world: World) -> None:
    world.publish(1)
    assert "never announced" in registration.register_new(world.desk).refused["run-1/x1"]


@pytest.mark.parametrize("name", ["../run-1", "x1/../..", "", "X1", "/etc"])
def test_a_name_never_leaves_the_folder(world: World, name: str) -> None:
    world.publish(1)
    for run_id, checkpoint_id in ((name, "x1"), (RUN, name)):
        with pytest.raises(Refused) as caught:
            find(world.desk.checkpoints, run_id, checkpoint_id)
        assert caught.value.code == "bad_id"


@pytest.mark.parametrize(
    "conf",
    [{}, {"run_id": RUN}, {"run_id": RUN, "checkpoint_id": "x1"}, {"reason": "why"}],
)
def test_a_run_for_nothing_is_refused(world: World, conf: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        assessment.resolve(world.desk, None, conf)
    assert caught.value.code == "no_assessment"


def test_an_unknown_checkpoint_is_refused_and_recorded(world: World) -> None:
    world.gate()
    asked = {"run_id": RUN, "checkpoint_id": "x99", "reason": "look"}
    for _ in range(2):
        with pytest.raises(Refused, match="No checkpoint"):
            assessment.resolve(world.desk, None, asked)
    refusals = [one for one in world.state.records.values() if isinstance(one, r.Refusal)]
    assert [one.code for one in refusals] == ["unknown_checkpoint"]


def test_registering_twice_changes_nothing(world: World) -> None:
    world.gate()
    world.publish(1)
    assert registration.register_new(world.desk).registered == ["run-1/x1"]
    length = world.state.length
    assert registration.register_new(world.desk).registered == []
    assert world.state.length == length


def test_a_due_occasion_is_raised_once(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    assert registration.raise_due_occasions(world.desk) == []
    assert list(world.state.assessments) == [key]


def test_an_assessment_that_stands_still_is_offered_again(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    world.pass_time(seconds=600)
    assert registration.raise_due_occasions(world.desk) == [key]


def test_one_whose_evaluation_somebody_waits_for_does_not_stand_still(world: World) -> None:
    world.gate()
    world.publish(1)
    key = world.due()
    assessment.plan(world.desk, key)
    job = evaluating.job_request(world.desk, key, "maximum").job
    world.pass_time(days=3)
    say_waited(world.desk.jobs.folder / job, world.now.timestamp() + 60)
    assert registration.raise_due_occasions(world.desk) == []
    world.pass_time(seconds=61)
    assert registration.raise_due_occasions(world.desk) == [key]


def test_nothing_is_due_before_the_milestone(world: World) -> None:
    world.gate()
    world.assess(1)
    world.publish(3.9)
    registration.register_new(world.desk)
    assert registration.raise_due_occasions(world.desk) == []
    world.publish(4.1)
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    assert "due at 1.04e+10 FLOP" in world.state.occasion(key).reason


def test_an_early_warning_brings_the_next_one_forward(world: World) -> None:
    world.gate()
    world.assess(1, maximum=190)
    world.publish(2.1)
    registration.register_new(world.desk)
    (key,) = registration.raise_due_occasions(world.desk)
    assert "early warning" in world.state.occasion(key).reason


def test_without_a_policy_nothing_is_due(world: World) -> None:
    world.gate()
    world.publish(1)
    registration.register_new(world.desk)
    world.state.adoptions.clear()
    assert registration.raise_due_occasions(world.desk) == []
