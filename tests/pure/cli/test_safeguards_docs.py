"""docs/safeguards.md and its runbook: examples read, commands and codes exist; links lead on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from include.adapters.yaml_source import load
from include.cli.main import app
from include.rsp.interim import PART_OF, InterimMeasures
from include.rsp.safeguard_plan import SafeguardPlan
from include.rsp.vocabulary import CriterionOutcome, Measure

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "safeguards.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbooks" / "verify_safeguards.md").read_text()
DEPLOYMENT, SECURITY = load((ROOT / "include/safeguards/asl-3.yaml").read_bytes())["standards"]
COMMANDS = re.findall(r"^\$ (?:\.venv/bin/)?rsp ((?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def example(key: str) -> Any:
    """The one YAML block of the page with that key at its top."""
    (found,) = (
        one
        for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        if key in (one := load(block.encode()))
    )
    return found


def required(standard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in standard["requirements"]}


def test_the_example_of_a_suite_is_one() -> None:
    plan = SafeguardPlan.model_validate_json(json.dumps(example("safeguards")["safeguards"]))
    assert plan.surfaces
    assert plan.absent
    known = {*required(DEPLOYMENT), *required(SECURITY), "asl-3-deployment", "asl-3-security"}
    assert set(plan.owners) <= known


def test_the_example_of_a_plan_of_measures_stands_in_for_what_the_catalogue_has() -> None:
    plan = InterimMeasures.model_validate_json(json.dumps(example("measures"), default=str))
    kinds = {
        one.id: one.kind
        for one in SafeguardPlan.model_validate_json(
            json.dumps(example("safeguards")["safeguards"])
        ).surfaces
    }
    for measure in plan.measures:
        for place in measure.replaces:
            standard = {"deployment": DEPLOYMENT, "security": SECURITY}[PART_OF[measure.kind]]
            assert standard["standard"] == place.standard
            assert kinds[place.surface] in required(standard)[place.requirement]["surfaces"]
    assert all(kind in PAGE for kind in Measure)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_and_option_that_is_shown_exists(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split("#", maxsplit=1)[0].replace("\\\n", " ").split()
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {one for each in command.params for one in [*each.opts, *each.secondary_opts]}
    assert {one for one in words if one.startswith("--")} <= known


def test_commands_are_shown() -> None:
    assert len(COMMANDS) >= 8


def test_each_outcome_has_its_row() -> None:
    assert all(f"\n| `{one}` | " in PAGE for one in CriterionOutcome)


def test_each_code_in_the_runbook_is_one_that_the_code_refuses_with() -> None:
    source = "".join(path.read_text() for path in (ROOT / "include").rglob("*.py"))
    named = {
        *re.findall(r"`\[([a-z_]+)\]`", RUNBOOK),
        *re.findall(r"`([a-z_]+)`", RUNBOOK.split("| code |")[1].split("##")[0]),
    }
    assert len(named) > 15
    assert {one for one in named if f'"{one}"' not in source} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_within_the_documents_leads_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert lost == []


def anchors(path: Path) -> set[str]:
    """What the headings of a page are called in links."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in heads}
