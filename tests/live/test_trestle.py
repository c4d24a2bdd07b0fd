"""compliance-trestle reads every OSCAL export, and refuses what is wrong with one.

It runs in an environment of its own (`requirements-oscal.lock`): REDLINE_TRESTLE names its Python,
else `.venv-oscal` is looked for. Without one these tests are skipped, and say how to make it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.rsp.oscal_catalogue import catalog, profile
from include.rsp.oscal_parts import OSCAL_VERSION, Json, written
from include.rsp.oscal_results import assessment_results, plan_of_action
from include.rsp.policy_catalogue import policy_catalogue
from tests.support.factories import START
from tests.support.judged import (
    DEPLOYMENT,
    FILE,
    NEXT,
    POLICY,
    SECURITY,
    catalogue,
    interim_lab,
    measures,
    rules,
    troubled,
    whole,
)
from tests.support.oscal_structure import nodes

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "catalog": "catalogs",
    "profile": "profiles",
    "assessment-results": "assessment-results",
    "plan-of-action-and-milestones": "plan-of-action-and-milestones",
}
MAKE_ONE = (
    "python3.11 -m venv .venv-oscal && .venv-oscal/bin/pip install --require-hashes "
    "-r requirements-oscal.lock"
)
HREF = "trestle://catalogs/safeguards/catalog.json"


class Workspace:
    """A trestle workspace with documents in it."""

    def __init__(self, python: str, root: Path) -> None:
        self.python, self.root = python, root

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One trestle command."""
        return subprocess.run(
            [self.python, "-m", "trestle", *words],
            cwd=self.root, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def put(self, name: str, document: Json) -> None:
        """Write a document where trestle looks for it."""
        (kind,) = document
        path = self.root / FOLDERS[kind] / name / f"{kind}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(document), encoding="utf-8")

    def validate(self, name: str, document: Json) -> subprocess.CompletedProcess[str]:
        """What trestle says of a document."""
        self.put(name, document)
        (kind,) = document
        return self.run("validate", "-t", kind, "-n", name)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    python = os.environ.get("REDLINE_TRESTLE", str(ROOT / ".venv-oscal/bin/python"))
    if not Path(python).exists():
        pytest.skip(f"OSCAL EXPORTS ARE NOT VALIDATED: no compliance-trestle. {MAKE_ONE}")
    made = Workspace(python, tmp_path)
    done = made.run("init")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def documents() -> dict[str, Json]:
    """One of every kind, of every situation."""
    of_file = {"digest": FILE, "modified": START}
    found = {
        "safeguards": catalog(catalogue(), digest=FILE, modified=START),
        "policy": catalog(policy_catalogue(rules()), digest=POLICY, modified=START),
        **{
            one: profile(catalogue(), one, href=HREF, **of_file)  # type: ignore[arg-type]
            for one in (DEPLOYMENT, SECURITY, NEXT)
        },
    }
    judged = {
        "whole": whole().judged(),
        "troubled": troubled().judged(DEPLOYMENT, SECURITY, NEXT, days=8, papers=True),
        "next": whole().judged(NEXT),
        "interim": interim_lab().judged(interim=measures()),
    }
    for name, one in judged.items():
        found[f"results-{name}"] = assessment_results(one)
        plan = plan_of_action(one)
        if plan is not None:
            found[f"open-{name}"] = plan
    return found


def test_trestle_knows_the_version_that_we_write(workspace: Workspace) -> None:
    assert f"OSCAL version {OSCAL_VERSION}" in workspace.run("version").stdout


def test_every_export_is_valid(workspace: Workspace) -> None:
    every = documents()
    assert len(every) == 12
    for name, document in every.items():
        workspace.put(name, document)
    done = workspace.run("validate", "-a")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("VALID: ") == len(every), done.stdout + done.stderr
    assert "INVALID" not in done.stdout


@pytest.mark.parametrize("standard", [DEPLOYMENT, SECURITY, NEXT])
def test_a_profile_resolves_to_just_its_standards_controls(
    workspace: Workspace, standard: str
) -> None:
    every = documents()
    workspace.put("safeguards", every["safeguards"])
    workspace.put(standard, every[standard])
    done = workspace.run("author", "profile-resolve", "-n", standard, "-o", "resolved")
    assert done.returncode == 0, done.stdout + done.stderr
    resolved = json.loads((workspace.root / "catalogs/resolved/catalog.json").read_text())
    found = {one["id"] for name, one in nodes(resolved) if name == "controls"}
    (imported,) = every[standard]["profile"]["imports"]
    assert found == set(imported["include-controls"][0]["with-ids"])
    assert found


def _no_metadata(plain: Any) -> None:
    del plain["metadata"]


def _twice(plain: Any) -> None:
    plain["results"][0]["findings"][0]["uuid"] = plain["results"][0]["findings"][1]["uuid"]


def _unknown_field(plain: Any) -> None:
    plain["results"][0]["holds"] = True


def _unknown_state(plain: Any) -> None:
    plain["results"][0]["findings"][0]["target"]["status"]["state"] = "not-applicable"


def _no_time(plain: Any) -> None:
    plain["results"][0]["observations"][0]["collected"] = "2026-11-01"


@pytest.mark.parametrize("harm", [_no_metadata, _twice, _unknown_field, _unknown_state, _no_time])
def test_trestle_refuses_what_is_wrong(workspace: Workspace, harm: Callable[[Any], None]) -> None:
    document = documents()["results-troubled"]
    harm(document["assessment-results"])
    done = workspace.validate("bad", document)
    assert done.returncode != 0
