"""Heartbeats: signed, in order of time, seldom, and never in the way of a step."""

from __future__ import annotations

import hashlib
import resource

from client.mailbox import HEARTBEAT
from tests.pure.client.mirror import RUN, Mirror


def beats(mirror: Mirror) -> list[tuple[str, int]]:
    return [(one["state"], one["step"]) for one in mirror.sent("heartbeats", HEARTBEAT)]


def test_a_heartbeat_says_what_the_run_does(mirror: Mirror) -> None:
    assert mirror.gate().heartbeat(state="training", step=3, flop=4.5)
    (beat,) = mirror.sent("heartbeats", HEARTBEAT)
    assert beat == {
        "subject": "sha256:" + hashlib.sha256(RUN.encode()).hexdigest(),
        "file": "20261124T120000000000Z.json",
        "run_id": RUN,
        "at": "2026-11-24T12:00:00.000000Z",
        "state": "training",
        "step": 3,
        "flop": 4.5,
    }


def test_one_in_two_seconds_unless_the_state_changes(mirror: Mirror) -> None:
    gate = mirror.gate()
    for step in range(5):
        assert gate.heartbeat(state="training", step=step, flop=0.0)
        mirror.passes(1)
    assert gate.heartbeat(state="stopped", step=5, flop=0.0)
    assert beats(mirror) == [("training", 0), ("training", 2), ("training", 4), ("stopped", 5)]


def test_names_stay_in_order_when_the_clock_is_set_back(mirror: Mirror) -> None:
    gate = mirror.gate()
    gate.heartbeat(state="training", step=1, flop=0.0)
    mirror.passes(-3600)
    gate.heartbeat(state="idle", step=2, flop=0.0)
    gate.heartbeat(state="stopped", step=3, flop=0.0)
    names = sorted(path.name for path in (mirror.folder / "heartbeats").iterdir())
    assert names == [f"20261124T12000000000{n}Z.json" for n in range(3)]
    assert [step for _, step in beats(mirror)] == [1, 2, 3]


def test_a_heartbeat_that_cannot_be_written_says_why_and_does_not_raise(mirror: Mirror) -> None:
    mirror.put("heartbeats", b"a file where a folder should be")
    gate = mirror.gate()
    assert not gate.heartbeat(state="training", step=1, flop=0.0)
    assert "heartbeat" in gate.last_problem
    assert "heartbeats" in gate.last_problem
    (mirror.folder / "heartbeats").unlink()
    assert not gate.heartbeat(state="training", step=1, flop=0.0), "not tried again so soon"
    mirror.passes(2)
    assert gate.heartbeat(state="training", step=1, flop=0.0)
    assert gate.last_problem == ""


def test_a_write_that_breaks_off_leaves_no_half_file(mirror: Mirror) -> None:
    gate = mirror.gate()
    (mirror.folder / "heartbeats").mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # as a full disk: the write fails
    try:
        assert not gate.heartbeat(state="training", step=1, flop=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in gate.last_problem
    assert list((mirror.folder / "heartbeats").iterdir()) == []


def test_what_is_there_is_never_overwritten(mirror: Mirror) -> None:
    path = mirror.put("heartbeats/20261124T120000000000Z.json", b"first")
    gate = mirror.gate()
    assert not gate.heartbeat(state="training", step=1, flop=0.0)
    assert "is there already" in gate.last_problem
    assert path.read_bytes() == b"first"
