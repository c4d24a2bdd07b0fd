"""The affirmative case: a red line that asks for a document is not released without it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from include.adapters.store import put_blob
from include.adapters.verification import verify_store
from include.cli.main import app
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.safeguards import SafeguardEvidence
from include.rsp.vocabulary import CriterionOutcome
from include.wiring import safeguarding, signing_off
from tests.support.begun import assessed
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.world import RUN, World

SECTIONS = ("risks", "mitigations")


def with_a_case(plain: dict[str, Any]) -> None:
    plain["red_lines"][0]["required_documents"] = ["affirmative-case"]
    plain["documents"] = [
        {
            "id": "affirmative-case", "clause": "toylab 1.2", "required": "red_line",
            "text": "why the model is no danger", "max_age_days": 30,
            "sections": [{"id": one, "text": one} for one in SECTIONS],
        }
    ]  # fmt: skip


@pytest.fixture
def crossed(tmp_path_factory: pytest.TempPathFactory) -> World:
    return assessed(tmp_path_factory.mktemp("world"), with_a_case)


def file_case(world: World, *, leave_out: str = "", **changes: Any) -> None:
    (checkpoint,) = world.state.runs[RUN].checkpoints.values()
    for section in SECTIONS:
        plain = {
            "standard": "affirmative-case", "criterion": section, "type": "affirmative-case",
            "shows": True, "statement": "written", "collected_at": world.now, "collector": "test",
            "checkpoint": checkpoint.digest, "simulated": True,
            "attachments": [put_blob(world.store, b"the text", name="case.md")],
        } | changes  # fmt: skip
        if section != leave_out:
            piece = SafeguardEvidence.model_validate(plain)
            world.desk.submit(
                r.Evidence(at=world.now, by="test", stamp=world.desk.stamp, evidence=piece)
            )


def judged(world: World) -> tuple[str, r.SafeguardsJudgement]:
    (verdict,) = world.state.runs[RUN].verdicts
    return safeguarding.judge(world.desk, verdict)


def test_the_standard_alone_is_not_enough(crossed: World) -> None:
    _, judgement = judged(crossed)
    assert not judgement.holds
    held = {one.standard: one.holds for one in judgement.standards}
    assert held == {"toy-asl-3": True, "affirmative-case": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"leave_out": "risks"},
        {"checkpoint": "sha256:" + "e" * 64},
        {"checkpoint": None},
        {"attachments": []},
        {"shows": False},
    ],
    ids=["a section less", "another checkpoint", "no checkpoint", "no text", "it says the reverse"],
)
def test_a_case_that_lacks_anything_holds_nothing(crossed: World, changes: dict[str, Any]) -> None:
    file_case(crossed, **changes)
    assert not judged(crossed)[1].holds


def test_an_old_case_is_stale(crossed: World) -> None:
    file_case(crossed)
    crossed.now += timedelta(days=31)
    rows = [row for one in judged(crossed)[1].standards for row in one.criteria]
    assert {row.outcome for row in rows if row.part == "document"} == {CriterionOutcome.STALE}


def test_with_the_case_two_officers_release_the_hold(crossed: World) -> None:
    file_case(crossed)
    _, judgement = judged(crossed)
    assert judgement.holds
    packet = packet_on(crossed)
    assert "affirmative-case" in signing_off.text_of(crossed.desk, packet)
    sign_all(crossed, packet)
    permit_on(crossed, packet)
    assert not crossed.state.runs[RUN].holds_in_force
    assert verify_store(crossed.store).problems == []


def test_a_case_that_was_taken_back_ends_the_release(crossed: World) -> None:
    file_case(crossed)
    packet = packet_on(crossed)
    crossed.pass_time(seconds=1)
    file_case(crossed, shows=False)
    sign_all(crossed, packet)
    with pytest.raises(Refused) as caught:
        permit_on(crossed, packet)
    assert caught.value.code == "safeguards_stale"


def test_a_section_is_filed_on_the_command_line(crossed: World, tmp_path: Path) -> None:
    text = tmp_path / "case.md"
    text.write_text("why")
    (checkpoint,) = crossed.state.runs[RUN].checkpoints.values()
    for section in SECTIONS:
        done = CliRunner().invoke(
            app,
            [
                "evidence", "add", "--standard", "affirmative-case", "--criterion", section,
                "--type", "affirmative-case", "--statement", "written", "--attachment", str(text),
                "--checkpoint", checkpoint.digest, "--store", str(crossed.root / "store"),
            ],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    (piece,) = {
        one.evidence.checkpoint
        for one in map(_record, (crossed.root / "store/records/evidence").glob("*.json"))
        if one.evidence.standard == "affirmative-case"
    }
    assert piece == checkpoint.digest


def _record(path: Path) -> r.Evidence:
    return r.Evidence.model_validate_json(path.read_bytes())
