"""`rsp report` writes one record, or says what is wrong and writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli.main import app
from include.rsp import records as r
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import RedlineError
from include.rsp.results import SampleTable
from include.rsp.vocabulary import OccasionKind
from include.wiring import registration
from tests.support.factories import ADDITION, make_samples
from tests.support.world import World


def report(world: World, *arguments: str) -> str:
    done = CliRunner().invoke(
        app,
        ["report", *arguments, "--store", str(world.root / "store")],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    return done.output.strip()


def test_a_reported_incident_is_a_record_that_the_sweep_takes_up(world: World) -> None:
    world.gate()
    world.assess(1)
    world.now = datetime.now(UTC)  # the command reads the real clock
    digest = report(world, "incident", "--category", "jailbreak", "--what", "seen in the wild")
    world.notary.step()
    assert isinstance(world.state.records[digest], r.Incident)
    raised = registration.raise_due_occasions(world.desk)
    kinds = {world.state.occasion(key).occasion for key in raised}
    assert OccasionKind.INCIDENT in kinds


def test_a_restatement_names_a_counted_result_set_and_holds_samples(
    world: World, tmp_path: Path
) -> None:
    world.gate()
    world.assess(1)
    (assessed,) = world.state.assessments.values()
    counted = assessed.result_sets[ADDITION]
    table = tmp_path / "samples.json"
    asked = ("restatement", "--samples", str(table), "--reason", "wrong key", "--result-set")
    before = sorted((world.root / "store").rglob("*"))
    with pytest.raises(RedlineError, match="cannot be read"):
        report(world, *asked, counted)
    table.write_text('{"samples": [{"sample_id": "a", "epoch": 1}]}')
    with pytest.raises(RedlineError, match="expected exactly one of them"):
        report(world, *asked, counted)
    table.write_bytes(canonical_bytes(SampleTable(samples=make_samples(150))))
    with pytest.raises(RedlineError, match="records begin"):
        report(world, *asked, "sha256:" + "0" * 64)
    assert sorted((world.root / "store").rglob("*")) == before
    assert report(world, *asked, counted).startswith("sha256:")


def test_what_nobody_would_hear_is_refused(world: World, tmp_path: Path) -> None:
    world.gate()
    words = ("incident", "--category", "jailbreak", "--what", "weights are out")
    with pytest.raises(RedlineError, match=r"No training run 'nope' was announced .*run-1"):
        report(world, *words, "--run", "nope")
    nowhere = tmp_path / "nowhere"
    with pytest.raises(RedlineError, match="No ledger is in"):
        CliRunner().invoke(app, ["report", *words, "--store", str(nowhere)], catch_exceptions=False)
    assert not nowhere.exists()
    for wrong in (["nope", "weights-listed"], ["toy-asl-3", "nope"]):
        with pytest.raises(RedlineError, match="asks for no evidence"):
            CliRunner().invoke(
                app,
                [
                    "evidence", "add", "--standard", wrong[0], "--criterion", wrong[1],
                    "--type", "weight-inventory", "--statement", "x",
                    "--store", str(world.root / "store"),
                ],
                catch_exceptions=False,
            )  # fmt: skip
