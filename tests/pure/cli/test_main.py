"""`rsp`: what a stranger types first, and the one clear line when something is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli import main as command
from include.cli.main import app
from include.rsp.errors import InvalidDocument
from include.wiring import signing_off
from tests.support.people import packet_on
from tests.support.world import World

run = CliRunner().invoke


def test_init_begins_a_store_once(tmp_path: Path) -> None:
    options = ["init", "--store", str(tmp_path / "store"), "--keys", str(tmp_path / "keys")]
    first = run(app, options)
    assert first.exit_code == 0
    assert "SIMULATED" in first.output
    assert (tmp_path / "keys/notary/ledger.pem").stat().st_mode & 0o077 == 0
    before = sorted(path.name for path in tmp_path.rglob("*"))
    again = run(app, options)
    assert "nothing was changed" in again.output
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["init", "--policy", "nobody"], "No single file for 'nobody'"),
        (["verify", "/nowhere/at/all"], "is not there"),
        (["packet", "sha256:" + "0" * 64], "No ledger is in"),
        (["log", "--store", "/nowhere/at/all"], "No ledger is in /nowhere/at/all"),
    ],
)
def test_an_error_is_one_clear_line_and_exit_code_3(
    tmp_path: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rsp", *arguments])
    with pytest.raises(SystemExit) as caught:
        command.main()
    error = capsys.readouterr().err
    assert caught.value.code == 3
    assert message in error
    assert error.startswith("rsp: ")
    assert "Traceback" not in error


def test_what_rsp_sign_prints_is_what_the_human_task_takes(world: World) -> None:
    world.gate()
    verdict = world.assess(4, addition=190)
    world.add_evidence()
    packet = packet_on(world, verdict)
    text = signing_off.text_of(world.desk, packet)
    store = str(world.root / "store")
    shown = run(app, ["packet", packet, "--store", store])
    assert text.strip() in shown.output
    key = str(world.folders.officer("rso"))
    printed = run(
        app,
        ["sign", "--about", packet, "--key", key, "--office", "rso", "--reason", "it holds"]
        + ["--answer", "accept_recommendation"],
    )
    assert printed.exit_code == 0
    assert json.loads(printed.output)["payloadType"] == "application/vnd.in-toto+json"
    wrong = run(
        app,
        ["sign", "--about", packet, "--key", key, "--office", "rso", "--reason", "x"]
        + ["--answer", "maybe"],
    )
    assert isinstance(wrong.exception, InvalidDocument)
    assert "accept_recommendation" in str(wrong.exception)


def test_log_and_show_find_a_record(world: World) -> None:
    world.gate()
    store = str(world.root / "store")
    listed = run(app, ["log", "--store", store])
    assert "trust_root" in listed.output
    digest = next(iter(world.state.records))
    rows = json.loads(run(app, ["log", "--store", store, "--json", "--last", "2"]).output)
    assert len(rows) == 2
    assert set(rows[0]) == {"index", "record", "kind", "at", "by"}
    plain = json.loads(run(app, ["show", rows[0]["record"], "--store", store, "--json"]).output)
    assert plain["kind"] == rows[0]["kind"]
    shown = run(app, ["show", digest[:20], "--store", store])
    assert '"kind": "trust_root"' in shown.output
    none = run(app, ["show", "sha256:", "--store", store])
    assert "begin with ''" in str(none.exception)


def test_evidence_is_added_and_counts_once_chained(world: World, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("drill report")
    added = run(
        app,
        ["evidence", "add", "--standard", "toy-asl-3", "--criterion", "weights-listed"]
        + ["--type", "weight-inventory", "--statement", "listed", "--simulated"]
        + ["--attachment", str(tmp_path / "report.txt"), "--store", str(world.root / "store")],
    )
    assert added.exit_code == 0, added.output
    from datetime import UTC, datetime

    world.now = datetime.now(UTC)
    world.notary.step()
    (piece,) = world.state.evidence.values()
    assert piece.attachments
    assert piece.simulated


def test_verify_prints_json(world: World) -> None:
    world.gate()
    found = run(app, ["verify", str(world.root / "store"), "--json"])
    report = json.loads(found.output)
    assert report["sound"] is True
    assert report["entries"] == len(world.state.records)
