"""`rsp evidence` and `rsp safeguards interim`: missing, added, shown, exempted, replaced."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from include.cli import main as command
from include.cli.main import app
from include.rsp import records as r
from tests.support.factories import POLICY_BYTES, changed
from tests.support.safeguarded import with_interim_measures
from tests.support.world import RUN, World


@pytest.fixture
def now_world(tmp_path: Path) -> World:
    """A world whose time is the real one, as the command's is; the red line is crossed."""
    world = World(
        tmp_path, policy=changed(POLICY_BYTES, with_interim_measures), now=datetime.now(UTC)
    )
    world.gate()
    world.assess(2, addition=190)
    return world


def run(world: World, *arguments: str) -> Any:
    found = CliRunner().invoke(app, [*arguments, "--store", str(world.root / "store")])
    world.now = datetime.now(UTC)
    world.notary.step()
    return found


def missing(world: World) -> set[tuple[str, str]]:
    found = run(world, "evidence", "missing", "--json")
    rows = json.loads(found.output)
    assert (found.exit_code == 0) is (rows == [])
    return {(one["requirement"], one["surface"]) for one in rows}


def add(world: World, requirement: str, kind: str, *more: str, key: str = "second-line") -> Any:
    return run(
        world, "evidence", "add", "--standard", "toy-asl-3", "--criterion", requirement,
        "--type", kind, "--statement", "seen", "--key", str(world.folders.officer(key)), *more,
    )  # fmt: skip


def failing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *said: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["rsp", *said, "--store", str(world.root / "store")])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == 3
    return str(capsys.readouterr().err)


def test_what_is_missing_is_listed_until_all_is_there(now_world: World, tmp_path: Path) -> None:
    world = now_world
    assert len(missing(world)) == 6
    said = run(world, "evidence", "missing", "--standard", "toy-asl-3").output
    assert "does NOT hold: 6 of 6" in said
    assert "api-team" in said
    assert add(world, "weights-listed", "weight-inventory").exit_code == 0
    assert (
        add(
            world, "weights-access-two-person", "access-review", "--surface", "toy-weights"
        ).exit_code
        == 0
    )
    for surface in ("toy-app", "toy-api"):
        add(world, "answers-monitored", "canary-probe", "--surface", surface)
    note = tmp_path / "monitor.txt"
    note.write_text("the marker showed up")
    add(
        world, "monitor-alive", "monitor-probe", "--surface", "toy-app", "--surface", "toy-api",
        "--attachment", str(note), "--expires-in-days", "2",
    )  # fmt: skip
    assert missing(world) == set()
    assert "toy-asl-3: holds" in run(world, "evidence", "missing").output
    (shown, *_) = json.loads(run(world, "evidence", "list", "--json").output)
    assert shown["verified_by"] == "simulated-second-line"
    assert shown["surfaces"] == ["toy-app", "toy-api"]
    out = tmp_path / "out"
    found = run(world, "evidence", "show", shown["record"][:20], "--out", str(out))
    assert (out / "monitor.txt").read_text() == "the marker showed up"
    assert '"simulated": true' in found.output
    refuted = add(
        world, "monitor-alive", "monitor-probe", "--surface", "toy-app", "--surface", "toy-api",
        "--refutes", "--supersedes", shown["record"],
    )  # fmt: skip
    assert refuted.exit_code == 0
    assert missing(world) == {("monitor-alive", "toy-app"), ("monitor-alive", "toy-api")}
    listed = run(world, "evidence", "list", "--criterion", "monitor-alive").output
    assert "superseded" in listed


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["--standard", "toy-asl-9", "--criterion", "x"], "asks for no evidence"),
        (["--standard", "toy-asl-3", "--criterion", "monitor-alive"], "accepts no evidence"),
        (["--standard", "toy-asl-3", "--criterion", "weights-listed", "--surface", "toy-api"],
         "is shown on ['organisation'], not on ['toy-api']"),
    ],
)  # fmt: skip
def test_evidence_that_nobody_asks_for_is_refused_before_it_is_written(
    now_world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    said: list[str], message: str,
) -> None:  # fmt: skip
    error = failing(
        now_world, monkeypatch, capsys, "evidence", "add", *said,
        "--type", "weight-inventory", "--statement", "seen",
    )  # fmt: skip
    assert message in error
    assert now_world.state.evidence == {}


def test_a_key_that_nobody_knows_signs_nothing(
    now_world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failing(
        now_world, monkeypatch, capsys, "evidence", "add", "--standard", "toy-asl-3",
        "--criterion", "weights-listed", "--type", "weight-inventory", "--statement", "seen",
        "--key", str(now_world.folders.trainer),
    )  # fmt: skip
    assert "may not sign evidence" in error


def test_two_people_exempt(now_world: World, tmp_path: Path) -> None:
    world, claim = now_world, str(tmp_path / "claim.json")
    keys = {one: str(world.folders.officer(one)) for one in ("ceo", "rso")}
    claimed = run(
        world, "evidence", "exempt", "--standard", "toy-asl-3", "--criterion",
        "weights-access-two-person", "--surface", "toy-weights", "--because", "nobody reads them",
        "--days", "30", "--claim", claim, "--key", keys["ceo"],
    )  # fmt: skip
    assert claimed.exit_code == 0, claimed.output
    run(world, "evidence", "exempt", "--accept", "--claim", claim, "--key", keys["ceo"])
    assert not world.state.exemptions  # the same person twice
    run(world, "evidence", "exempt", "--accept", "--claim", claim, "--key", keys["rso"])
    assert len(world.state.exemptions) == 1
    assert ("weights-access-two-person", "toy-weights") not in missing(world)


def plan_file(folder: Path, surfaces: list[str]) -> Path:
    replaced = "".join(
        f"    - {{standard: toy-asl-3, requirement: {one}, surface: {surface}}}\n"
        for one in ("answers-monitored", "monitor-alive")
        for surface in surfaces
    )
    path = folder / "plan.yaml"
    path.write_text(
        "because: nothing is answered at all\n"
        f"until: {(datetime.now(UTC) + timedelta(days=3)).isoformat()}\n"
        "measures:\n"
        "- id: all-blocked\n  kind: block_responses\n  text: every answer is blocked\n"
        f"  evidence: block-check\n  max_age_days: 2\n  replaces:\n{replaced}"
    )
    return path


def test_interim_measures_are_proposed_only_if_they_leave_nothing_open(
    now_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    world = now_world
    add(world, "weights-listed", "weight-inventory")
    add(world, "weights-access-two-person", "access-review", "--surface", "toy-weights")
    fewer = plan_file(tmp_path, ["toy-app"])
    error = failing(world, monkeypatch, capsys, "safeguards", "interim", str(fewer), "--run", RUN)
    assert "answers-monitored on toy-api is missing, and no measure stands in for it" in error
    whole = plan_file(tmp_path, ["toy-app", "toy-api"])
    found = run(world, "safeguards", "interim", str(whole), "--run", RUN)
    assert found.exit_code == 0, found.output
    (plan,) = [one for one in world.state.records.values() if isinstance(one, r.InterimPlan)]
    assert plan.plan.measures[0].id == "all-blocked"
    error = failing(world, monkeypatch, capsys, "safeguards", "interim", str(whole), "--run", "x")
    assert "has no verdict" in error
