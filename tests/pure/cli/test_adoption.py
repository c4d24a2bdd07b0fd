"""`rsp backtest`, `rsp approve`, `rsp policy propose`, and what an adopted version refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from include.adapters.proposal_files import read_proposal, waiting_proposals
from include.cli.main import app
from include.rsp.errors import InvalidDocument, Refused
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.world import World


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def files(folder: Path, change: Any = None, limits: Any = None) -> tuple[str, str]:
    policy, suite = folder / "policy.yaml", folder / "suite.yaml"
    policy.write_bytes(changed(POLICY_BYTES, change))
    suite.write_bytes(changed(SUITE_BYTES, limits))
    return str(policy), str(suite)


def stricter(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"
    plain["evaluations"][0]["limits"] |= {"rule_out": 0.15, "rule_in": 0.15}


@pytest.fixture
def assessed(tmp_path: Path) -> World:
    world = World(tmp_path / "world")
    world.gate()
    world.assess(1, addition=10)
    return world


def test_a_backtest_prints_what_would_change(assessed: World, tmp_path: Path) -> None:
    store = str(assessed.root / "store")
    policy, suite = files(tmp_path, None, stricter)
    words = said("backtest", "--policy", policy, "--suite", suite, "--store", store)
    assert "run-1/x1: continue → pause" in words
    assert "1 change, 0 of them get looser" in words
    same = said("backtest", "--policy", "toylab", "--suite", "toylab", "--store", store, "--json")
    assert json.loads(same) == {"decisions": 1, "changed": [], "loosened": 0}


def test_nothing_to_test_is_no_clean_backtest(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    with pytest.raises(InvalidDocument, match="nothing can be tested"):
        said(
            "backtest", "--policy", "toylab", "--suite", "toylab",
            "--store", str(world.root / "store"),
        )  # fmt: skip


def test_a_proposal_is_laid_down_checked_and_once(tmp_path: Path) -> None:
    policy, suite = files(tmp_path, lambda plain: plain.update(version="1.1"))
    words = ["policy", "propose", policy, "--suite", suite, "--reason", "why", "--changelog", "a"]
    words += ["--effective-at", "2026-12-01T00:00:00"]
    with pytest.raises(InvalidDocument, match="is not there"):
        said(*words, "--to", str(tmp_path / "proposals"))
    (tmp_path / "proposals").mkdir()
    path = said(*words, "--to", str(tmp_path / "proposals")).strip()
    assert waiting_proposals(tmp_path / "proposals") == [path]
    found = read_proposal(path)
    assert found.policy == Path(policy).read_bytes()
    assert found.file.effective_at.tzinfo is not None
    with pytest.raises(InvalidDocument, match="is there already"):
        said(*words, "--to", str(tmp_path / "proposals"))
    later = said(*words[:-1], "2026-12-02T00:00:00", "--to", str(tmp_path / "proposals")).strip()
    assert waiting_proposals(tmp_path / "proposals") == sorted([path, later])
    with pytest.raises(ValidationError, match="reason"):
        said(*words, "--reason", "", "--to", str(tmp_path / "proposals"))
    Path(policy).write_text("levels: []")
    with pytest.raises(InvalidDocument):
        said(*words, "--to", str(tmp_path / "proposals"))
    assert waiting_proposals(tmp_path / "proposals") == sorted([path, later])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("policy: a.yaml", "suite: Field required"),
        ("policy: a\nsuite: b\nreason: c\nchangelog: d\neffective_at: 2026-11-01", "effective_at"),
        (
            "policy: no.yaml\nsuite: b\nreason: c\nchangelog: d\n"
            "effective_at: 2026-11-01T00:00:00Z",
            "no.yaml cannot be read",
        ),
        (
            "policy: ftp://x/y\nsuite: b\nreason: c\nchangelog: d\n"
            "effective_at: 2026-11-01T00:00:00Z",
            "name of a file beside it",
        ),
    ],
)
def test_a_proposal_that_does_not_read_says_why(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "x.proposal.yaml"
    path.write_text(content)
    with pytest.raises(InvalidDocument, match=says):
        read_proposal(str(path))


def test_a_review_is_printed_and_signed_for(assessed: World, tmp_path: Path) -> None:
    store = str(assessed.root / "store")
    review = assessed.propose(changed(POLICY_BYTES, lambda plain: plain.update(version="1.1")))
    text = said("packet", review, "--store", store)
    assert text.startswith("# toylab 1.1 instead of toylab 1.0")
    assert "keep until" in text
    digest = said(
        "approve", "--review", review, "--part", "propose", "--reason", "good",
        "--key", str(assessed.folders.officer("rso")), "--store", store,
    ).split()[0]  # fmt: skip
    assert digest.startswith("sha256:")
    before = sorted((assessed.root / "store").rglob("*"))
    with pytest.raises(Refused, match="rso has to propose first"):  # not chained yet
        said(
            "approve", "--review", review[:20], "--part", "approve", "--reason", "good",
            "--key", str(assessed.folders.officer("ceo")), "--store", store,
        )  # fmt: skip
    with pytest.raises(Refused, match=r"rso has no say as approve .*ceo as approve"):
        said(
            "approve", "--review", review, "--part", "approve", "--reason", "good",
            "--key", str(assessed.folders.officer("rso")), "--store", store,
        )  # fmt: skip
    assert sorted((assessed.root / "store").rglob("*")) == before
    with pytest.raises(InvalidDocument, match="no officer's"):
        said(
            "approve", "--review", review, "--part", "propose", "--reason", "good",
            "--key", str(assessed.folders.trainer), "--store", store,
        )  # fmt: skip


def test_an_adopted_file_that_changed_is_refused_with_the_difference(
    assessed: World, tmp_path: Path
) -> None:
    store = str(assessed.root / "store")
    policy, suite = files(tmp_path, lambda plain: plain["authority"].update(permit_days=90))
    for words in (
        ["policy", "check", policy, "--suite", suite, "--store", store],
        ["init", "--policy", policy, "--suite", suite, "--store", store],
    ):
        with pytest.raises(Refused, match="authority, permit days: 7 → 90") as caught:
            said(*words)
        assert caught.value.code == "version_changed"
    assert "nothing wrong" in said(
        "policy", "check", "toylab", "--suite", "toylab", "--store", store
    )


def test_a_suite_that_loosens_says_how(tmp_path: Path) -> None:
    def looser(plain: dict[str, Any]) -> None:
        plain["version"] = "1.1"
        plain["evaluations"][0]["limits"]["buffer"] = 0.05

    _, suite = files(tmp_path, None, looser)
    words = said("policy", "diff", "toylab", suite, "--suite")
    assert "evaluation two-digit-addition, buffer: 0.1 → 0.05" in words
    assert "looser: evaluation two-digit-addition: buffer 0.1 → 0.05" in words
