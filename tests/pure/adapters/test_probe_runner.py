"""A probe that does not answer properly has shown nothing, and costs the others nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.adapters import probe_entry
from include.adapters.probe_process import MARK, environment_of
from include.adapters.probe_runner import Ran, run_probes
from include.adapters.probing import Look, Seen
from include.rsp.errors import InvalidDocument
from tests.support.probing import ODD, planned

NO_ANSWERS = {
    "nothing": "0 bytes of output are no answer: not JSON",
    "garbage": "no answer: not JSON",
    "garbage_before": "no answer: not JSON",
    "two_answers": "no answer: not JSON",
    "shows_is_text": "1 fields are wrong",
    "shows_is_one": "1 fields are wrong",
    "shows_twice": "no answer",
    "no_statement": "1 fields are wrong",
    "long_statement": "1 fields are wrong",
    "more_keys": "1 fields are wrong",
    "raw_is_list": "1 fields are wrong",
    "not_a_number": "no answer",
    "deep": "no answer",
    "flood": "more than 1000000 bytes",
    "killed": "code -9",
    "fails": "code 3",
    "leaves_a_child": "left 1 processes behind",
    "leaves_a_hidden_child": "left 1 processes behind",
}


def all_dead(note: Path) -> bool:
    pids = [int(one) for one in note.read_text().split()]
    assert pids
    return all(
        not psutil.pid_exists(one) or psutil.Process(one).status() == psutil.STATUS_ZOMBIE
        for one in pids
    )


def odd(*ways: str, **settings: Any) -> list[Ran]:
    return run_probes([planned(way=way, **settings) for way in ways], entry=ODD)


def test_good_answers_come_back_in_order_with_their_times() -> None:
    before = datetime.now(UTC)
    ran = odd("echo", "good", "slow_errors", "late_child")
    assert [one.seen.shows for one in ran] == [True] * 4
    assert ran[1].seen == Seen(shows=True, statement="seen", raw={"a": 1})
    asked = ran[0].seen.raw
    assert (asked["kind"], asked["surfaces"]) == ("test.odd", ["api"])
    assert asked["at"] == ran[0].started_at.isoformat()
    for one in ran:
        assert before <= one.started_at <= datetime.now(UTC)
        assert 0 < one.seconds < 30


def test_every_way_of_not_answering_shows_nothing_and_says_why() -> None:
    ran = dict(zip(NO_ANSWERS, odd(*NO_ANSWERS), strict=True))
    for way, problem in NO_ANSWERS.items():
        seen = ran[way].seen
        assert not seen.shows, way
        assert problem in seen.statement, way
        assert seen.raw.keys() == {"runner"}
        assert way.replace("_", "-") in seen.statement


def test_one_that_hangs_is_ended_with_all_it_started_and_delays_nobody(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    hanging, *others = run_probes(
        [planned(way="hang_with_child", seconds=2.0, note=str(note)), *[planned(way="good")] * 5],
        entry=ODD,
        at_once=2,
    )
    assert hanging.seen.statement.count("did not answer within 2 s") == 1
    assert not hanging.seen.shows
    assert 2.0 <= hanging.seconds < 4.0
    assert all(one.seen.shows for one in others)
    ends = [one.started_at.timestamp() + one.seconds for one in others]
    assert max(ends) < hanging.started_at.timestamp() + hanging.seconds  # none waited for it
    assert all_dead(note)


@pytest.mark.parametrize("way", ["leaves_a_child", "leaves_a_hidden_child"])
def test_what_is_left_behind_is_ended(tmp_path: Path, way: str) -> None:
    odd(way, note=str(tmp_path / "pids"))
    assert all_dead(tmp_path / "pids")


def test_no_more_run_at_once_than_was_said() -> None:
    ran = run_probes([planned(way="good")] * 3, entry=ODD, at_once=1)
    ends = [one.started_at.timestamp() + one.seconds for one in ran]
    assert ran[1].started_at.timestamp() >= ends[0] - 0.05
    assert ran[2].started_at.timestamp() >= ends[1] - 0.05


def test_no_probe_is_no_answer() -> None:
    assert run_probes([]) == []


def test_a_process_that_does_not_start_shows_nothing() -> None:
    (ran,) = run_probes([planned(way="good")], entry=["/nowhere/python"])
    assert not ran.seen.shows
    assert "does not start: No such file" in ran.seen.statement


def test_a_runner_that_is_interrupted_takes_its_probes_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pids"

    def interrupt(*_: Any) -> None:
        if note.exists() and len(note.read_text().split()) == 2:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_probes([planned(way="hang_with_child", note=str(note))], entry=ODD)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all_dead(note)


def test_a_probe_gets_nothing_of_redline_and_leads_its_own_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REDLINE_STORE", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_X", "AWS_PROFILE"):
        monkeypatch.setenv(name, "x")
    (ran,) = odd("environment")
    names = ran.seen.raw["names"]
    assert "AWS_PROFILE" in names
    assert MARK in names
    assert not [one for one in names if one.startswith(("REDLINE", "AIRFLOW"))]
    assert ran.seen.raw["own"] is True


def test_the_environment_is_kept_but_for_our_own() -> None:
    assert environment_of({"_AIRFLOW_X": "1", "__AIRFLOW_X": "1", "HOME": "/h"}) == {"HOME": "/h"}


class TestEntry:
    """The real process of a probe."""

    @pytest.fixture(autouse=True)
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A package of a laboratory whose probes misbehave."""
        (tmp_path / "lab_probes.py").write_text(
            "import os, subprocess\n"
            "from include.adapters.probing import Seen\n"
            "def noisy(look):\n"
            "    print('x'); subprocess.run(['echo', 'y'])\n"
            "    return Seen(True, look.text('word'), {'drills': list(look.drills)})\n"
            "def crashes(look): raise RuntimeError('token hunter2')\n"
            "def odd(look): return True\n"
            "def leaves(look): os._exit(0)\n"
            "def exits(look): raise SystemExit(0)\n"
            "def unsound(look): return Seen(True, 's', {'a': float('nan')})\n"
        )
        meta = tmp_path / "lab_probes-1.dist-info"
        meta.mkdir()
        (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-probes\nVersion: 1\n")
        names = ("noisy", "crashes", "odd", "leaves", "exits", "unsound")
        lines = [f"lab.{one} = lab_probes:{one}" for one in names]
        lines += ["lab.absent = lab_probes:absent", "http.canary = lab_probes:noisy"]
        (meta / "entry_points.txt").write_text("\n".join(["[redline.probes]", *lines]))
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(probe_entry.__file__).parents[2]}")

    def test_plugins_run_and_their_faults_show_nothing(self) -> None:
        kinds = ("noisy", "crashes", "odd", "leaves", "exits", "unsound", "absent", "nobody")
        asked = [planned(f"lab.{kind}", word="w") for kind in kinds]
        ran = dict(zip(kinds, run_probes(asked, drills=[{"a": 1}]), strict=True))
        assert ran["noisy"].seen == Seen(shows=True, statement="w", raw={"drills": [{"a": 1}]})
        said = {kind: one.seen.statement for kind, one in ran.items() if not one.seen.shows}
        assert said.keys() == set(kinds) - {"noisy"}
        assert "crashed: RuntimeError" in said["crashes"]
        assert "hunter2" not in json.dumps([one.seen.raw for one in ran.values()] + [said])
        assert "gave a bool (expected a Seen)" in said["odd"]
        assert "0 bytes of output" in said["leaves"]
        assert "0 bytes of output" in said["exits"]
        assert "code 1" in said["unsound"]
        assert "does not load" in said["absent"]
        assert "No probe is called 'lab.nobody'" in said["nobody"]

    def test_a_missing_setting_and_a_plugin_in_our_place_show_nothing(self) -> None:
        missing, ours = run_probes([planned("lab.noisy"), planned("http.canary", word="w")])
        assert "setting 'word' is None" in missing.seen.statement
        assert not missing.seen.shows
        assert not ours.seen.shows
        assert "'word'" in ours.seen.statement


def test_the_entry_ends_itself_when_its_runner_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe_entry.SPARE_SECONDS > 0
    asked = {"kind": "x", "settings": {}, "surfaces": [], "drills": [], "at": ""}

    code = (
        "import time\nfrom include.adapters import probe_entry as e\n"
        "e.SPARE_SECONDS = 0.1\ne.look = lambda asked: time.sleep(600)\ne.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        input=json.dumps({**asked, "timeout_seconds": 0.1}).encode(),
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == -14
    assert done.stdout == b""


def test_a_setting_of_another_type_is_refused() -> None:
    look = Look(settings={"a": True, "b": 1.0, "c": ["x"]})
    for wrong in (lambda: look.number("a"), lambda: look.text("b"), lambda: look.texts("a")):
        with pytest.raises(InvalidDocument, match="Correct safeguards"):
            wrong()
