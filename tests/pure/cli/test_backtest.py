"""`rsp backtest` tells what another policy and suite would have decided, or that nothing can be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from include.cli.main import app
from include.rsp.errors import InvalidDocument
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.world import World


def run_backtest(world: World, folder: Path, *more: str) -> str:
    def stricter(plain: dict[str, Any]) -> None:
        plain["evaluations"][0]["limits"] |= {"rule_out": 0.2, "rule_in": 0.2}

    policy, suite = folder / "policy.yaml", folder / "suite.yaml"
    policy.write_bytes(POLICY_BYTES)
    suite.write_bytes(changed(SUITE_BYTES, stricter))
    done = CliRunner().invoke(
        app,
        ["backtest", "--policy", str(policy), "--suite", str(suite),
         "--store", str(world.root / "store"), *more],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0
    return done.output


def test_a_store_without_verdicts_cannot_be_tested(world: World, tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"No assessment in .* has a verdict"):
        run_backtest(world, tmp_path)


def test_what_changes_is_printed_in_words_and_as_json(world: World, tmp_path: Path) -> None:
    world.gate()
    world.assess(1)
    world.assess(4, addition=30)
    said = run_backtest(world, tmp_path)
    assert "run-1/x4: continue → pause" in said
    assert (
        "2 past decisions under toylab 1.0 and toylab 1.0: 1 change, 0 of them get looser." in said
    )
    plain = json.loads(run_backtest(world, tmp_path, "--json"))
    assert (plain["decisions"], plain["loosened"], len(plain["changed"])) == (2, 0, 1)
