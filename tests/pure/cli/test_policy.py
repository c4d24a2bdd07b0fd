"""`rsp policy` says what a policy holds, what is wrong with it, and what a version changes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.adapters.policy_files import OVERLAYS, POLICIES
from include.cli.main import app
from include.rsp.errors import InvalidDocument

TOY = (POLICIES / "toylab-1.0.yaml").read_text()


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["policy", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def changed(folder: Path, old: str, new: str) -> str:
    assert old in TOY
    path = folder / "changed.yaml"
    path.write_text(TOY.replace(old, new))
    return str(path)


@pytest.mark.parametrize("name", [path.stem for path in sorted(POLICIES.glob("*.yaml"))])
def test_every_policy_of_the_project_is_right_and_can_be_shown(name: str) -> None:
    assert "nothing wrong" in said("check", name)
    assert "requires:" in said("show", name)
    assert json.loads(said("show", name, "--json"))["version"] == name.rsplit("-", 1)[1]


def test_the_toy_suite_fits_its_policy_and_no_other() -> None:
    assert "nothing wrong" in said("check", "toylab", "--suite", "toylab")
    with pytest.raises(InvalidDocument, match="is for policy 'toylab'"):
        said("check", "anthropic-rsp-2.2", "--suite", "toylab")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version:", "versoin:", "versoin"),
        ("[toy-asl-3]", "[toy-asl-9]", "toy-asl-9"),
        ("due_ratio: 4, ceiling_ratio: 6", "due_ratio: 4, ceiling_ratio: 3", "below due_ratio"),
        ("not_ruled_out, then: pause", "not_ruled_out, then: continue", "may not lead to"),
        ("red_lines:", "red_lines: [", "not YAML"),
    ],
)
def test_a_wrong_policy_is_one_clear_error(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(InvalidDocument, match=says) as caught:
        said("check", path)
    assert path in str(caught.value)


def test_a_diff_is_in_words_and_blind_to_order(tmp_path: Path) -> None:
    path = changed(tmp_path, "max_age_days: 7", "max_age_days: 14")
    lines = said("diff", "toylab", path).splitlines()
    assert lines == [
        "standard toy-asl-3, criterion answers-monitored, counts for days: 7 → 14",
        "1 fields differ.",
        "looser: standard toy-asl-3, answers-monitored: evidence may be 7.0 → 14.0 days old",
    ]
    one, other = (
        "  - {status: ruled_out, then: continue, clause: toylab 4.1}\n",
        "  - {status: not_ruled_out, then: pause, clause: toylab 4.2}\n",
    )
    assert said("diff", "toylab", changed(tmp_path, one + other, other + one)) == (
        "0 fields differ.\n"
    )


def test_what_is_new_and_what_is_gone_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, "id: weights-listed", "id: weights-counted")
    found = json.loads(said("diff", "toylab", path, "--json"))["changes"]
    assert {one["field"].split("[")[2].split("]")[0] for one in found} == {
        "weights-listed",
        "weights-counted",
    }
    assert any(one["before"] is None for one in found)
    assert any(one["after"] is None for one in found)


@pytest.mark.parametrize("overlays", [["sb-53"], ["eu-cop"], ["eu-cop", "sb-53"]])
@pytest.mark.parametrize("base", [path.stem for path in sorted(POLICIES.glob("*.yaml"))])
def test_overlays_add_duties_to_any_policy_and_take_nothing_away(
    tmp_path: Path, base: str, overlays: list[str]
) -> None:
    laid = tmp_path / "laid.yaml"
    laid.write_text(said("lay", base, *[word for one in overlays for word in ("--overlay", one)]))
    assert "nothing wrong" in said("check", str(laid))
    found = json.loads(said("diff", base, str(laid), "--json"))
    assert found["looser"] == []
    assert len(found["changes"]) > 10  # a rule that is added is one change
    for overlay in overlays:
        assert f"deadline {overlay}." in said("show", str(laid))


def test_an_overlay_is_laid_once() -> None:
    with pytest.raises(InvalidDocument, match=r"sb-53.* stand there more than once"):
        said("lay", "toylab", "--overlay", "sb-53", "--overlay", "sb-53")


def test_an_overlay_cannot_hold_what_decides(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text((OVERLAYS / "sb-53.yaml").read_text() + "lineage_floor: null\n")
    with pytest.raises(InvalidDocument, match="lineage_floor: Extra inputs"):
        said("lay", "toylab", "--overlay", str(path))


def test_the_schema_is_the_committed_one() -> None:
    assert said("schema") == (POLICIES / "policy.schema.json").read_text()
    assert said("schema", "overlay") == (OVERLAYS / "overlay.schema.json").read_text()
    with pytest.raises(InvalidDocument, match="No schema of 'nothing'"):
        said("schema", "nothing")


def test_bad_input_ends_with_3_and_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "include.cli.main", "policy", "check", str(tmp_path / "no.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
