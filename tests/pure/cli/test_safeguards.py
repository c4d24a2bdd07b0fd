"""`rsp safeguards export` writes one document from records, or says what is wrong."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from click.testing import Result
from typer.testing import CliRunner

from include.adapters.catalogue_files import CATALOGUES, read_catalogue
from include.cli import safeguards
from include.rsp import records as r
from include.rsp.errors import InvalidDocument, RedlineError
from include.rsp.oscal_parts import control_id, itself_id
from include.wiring import safeguarding
from tests.support.factories import START
from tests.support.judged import DEPLOYMENT, catalogue
from tests.support.oscal_structure import nodes, problems_of
from tests.support.world import World

STANDARD = "toy-asl-3"
ABOUT_JUDGEMENTS = ("oscal-results", "oscal-poam", "vsa")

app = typer.Typer()
app.add_typer(safeguards.app, name="safeguards")


def export(*words: str) -> Result:
    return CliRunner().invoke(
        app, ["safeguards", "export", "--format", *words], catch_exceptions=False
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A crossed line whose standard was judged twice: without evidence, then with all of it."""
    made = World(tmp_path_factory.mktemp("world"))
    made.gate()
    verdict = made.assess(4, addition=190)
    safeguarding.judge(made.desk, verdict)
    made.pass_time(seconds=1)
    made.add_evidence()
    made.pass_time(seconds=1)
    safeguarding.judge(made.desk, verdict)
    return made


def store(world: World) -> tuple[str, str]:
    return "--store", str(world.root / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ours.yaml"
    path.write_text(yaml.safe_dump(catalogue().model_dump(mode="json")))
    os.utime(path, (START.timestamp(), START.timestamp()))
    return path


def written(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0
    return dict(json.loads(done.stdout))


def test_the_newest_judgement_is_exported_and_an_older_one_by_its_digest(world: World) -> None:
    first, second = world.state.judgements
    document = written(export("oscal-results", *store(world)))
    assert problems_of(document) == []
    assert document["assessment-results"]["metadata"]["version"] == second
    older = written(export("oscal-results", "--judgement", first[7:19], *store(world)))
    assert older["assessment-results"]["metadata"]["version"] == first
    assert problems_of(written(export("oscal-poam", "--judgement", first, *store(world)))) == []


def test_where_nothing_is_open_there_is_no_plan_of_action_and_no_file(
    world: World, tmp_path: Path
) -> None:
    out = tmp_path / "poam.json"
    done = export("oscal-poam", "--out", str(out), *store(world))
    assert (done.exit_code, done.stdout, out.exists()) == (1, "", False)
    assert "Nothing is open in the judgement" in done.stderr


def test_the_attestation_says_that_nobody_signed_it(world: World, tmp_path: Path) -> None:
    out = tmp_path / "vsa.json"
    done = export("vsa", "--out", str(out), *store(world))
    assert "not signed" in done.stderr
    predicate = json.loads(out.read_bytes())["predicate"]
    assert predicate["verifiedLevels"] == ["TOY-3_SIMULATED"]
    assert out.read_bytes() == (export("vsa", *store(world)).stdout).encode()


def test_the_catalog_of_a_store_is_the_policys_since_it_was_adopted(world: World) -> None:
    adopted = next(iter(world.state.adoptions.values()))
    document = written(export("oscal-catalog", *store(world)))
    assert problems_of(document) == []
    said = document["catalog"]["metadata"]["last-modified"]
    assert datetime.fromisoformat(said) == adopted.at
    again = written(export("oscal-catalog", "--judgement", newest(world), *store(world)))
    assert again == document


def newest(world: World) -> str:
    return next(reversed(world.state.judgements))


def test_a_catalogues_file_needs_no_store(file: Path, tmp_path: Path) -> None:
    nowhere = ("--store", str(tmp_path / "nowhere"))
    document = written(export("oscal-catalog", "--catalogue", str(file), *nowhere))
    assert problems_of(document) == []
    said = document["catalog"]["metadata"]["last-modified"]
    assert datetime.fromisoformat(said) == START
    selected = written(
        export(
            "oscal-profile", "--catalogue", str(file), "--standard", DEPLOYMENT,
            "--catalog-href", "https://lab.example/catalog.json", *nowhere,
        )
    )  # fmt: skip
    assert problems_of(selected) == []
    (imported,) = selected["profile"]["imports"]
    assert imported["href"] == "https://lab.example/catalog.json"


def test_every_catalogue_of_the_library_is_exported_whole() -> None:
    every = sorted(CATALOGUES.glob("*.yaml"))
    assert len(every) >= 4
    for path in every:
        made = read_catalogue(path.read_bytes(), where=str(path))
        document = written(export("oscal-catalog", "--catalogue", path.stem))
        assert problems_of(document) == []
        found = [node["id"] for name, node in nodes(document) if name == "controls"]
        wanted = [
            control_id(one.standard, each.id) for one in made.standards for each in one.requirements
        ]
        undefined = [itself_id(one.standard) for one in made.standards if not one.defined]
        assert sorted(found) == sorted([*wanted, *undefined])
        for one in made.standards:
            words = ("--catalogue", path.stem, "--standard", one.standard)
            (imported,) = written(export("oscal-profile", *words))["profile"]["imports"]
            assert set(imported["include-controls"][0]["with-ids"]) <= set(found)


@pytest.mark.parametrize("format", ["oscal-catalog", "oscal-profile", *ABOUT_JUDGEMENTS])
def test_without_a_ledger_nothing_is_written(format: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(InvalidDocument, match="No ledger is in"):
        export(format, "--out", str(out), "--store", str(tmp_path / "nowhere"))
    assert not out.exists()


@pytest.mark.parametrize("format", ABOUT_JUDGEMENTS)
def test_without_a_judgement_nothing_is_written(format: str, tmp_path: Path) -> None:
    empty = World(tmp_path)
    with pytest.raises(InvalidDocument, match=r"No safeguards were judged yet.*verify_safeguards"):
        export(format, *store(empty))


def test_what_does_not_go_together_is_refused(world: World, file: Path) -> None:
    verdict = next(
        digest for digest, one in world.state.records.items() if isinstance(one, r.Verdict)
    )
    for words, message in (
        (("vsa", "--standard", STANDARD), "of all that was judged"),
        (("oscal-catalog", "--standard", STANDARD), "export a profile"),
        (("oscal-profile",), r"Name one of \['toy-asl-3'\]"),
        (("oscal-profile", "--standard", "asl-9"), "says nothing of the standard"),
        (("oscal-results", "--standard", "asl-9"), "is not about the standard"),
        (("oscal-results", "--catalogue", str(file)), "--catalogue is not for"),
        (("oscal-catalog", "--catalogue", str(file), "--judgement", "x"), "leave one of them out"),
        (("vsa", "--judgement", verdict), "is a verdict"),
        (("vsa", "--judgement", "f" * 64), "records begin with"),
        (("oscal-catalog", "--catalogue", "/nowhere.yaml"), "cannot be read"),
        (("oscal-catalog", "--catalogue", "asl-9"), "No single file for .asl-9."),
    ):
        with pytest.raises(RedlineError, match=message):
            export(*words, *store(world))
