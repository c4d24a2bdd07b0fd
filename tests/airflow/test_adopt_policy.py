"""`dag.test()` of each way that a proposal can end; the offices answer with `rsp approve`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from include.cli.main import app
from include.rsp import records as r
from tests.support.airflow_world import LoopingWorld, states
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed

pytestmark = pytest.mark.airflow


def next_version(plain: dict[str, Any]) -> None:
    plain["version"] = "1.1"
    plain["sign_off"]["answer_within_hours"] = 12


def laid_down(folder: Path, policy: bytes) -> Path:
    """A proposal as `rsp policy propose` lays it down, in the folder that the DAG drains."""
    (folder / "toylab-1.1.yaml").write_bytes(policy)
    (folder / "suite.yaml").write_bytes(SUITE_BYTES)
    (folder / "proposals").mkdir()
    done = CliRunner().invoke(
        app,
        [
            "policy", "propose", str(folder / "toylab-1.1.yaml"), "--suite",
            str(folder / "suite.yaml"), "--reason", "shorter", "--changelog", "12 hours to answer",
            "--to", str(folder / "proposals"), "--effective-at", "2026-11-01T00:00:00",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return Path(done.output.strip())


def adopt(bag: Any, proposal: str | None, offices: Callable[[], None] | None = None) -> Any:
    thread = threading.Thread(target=offices or (lambda: None), daemon=True)
    thread.start()
    run = bag.dags["adopt_policy"].test(run_conf={"proposal": proposal})
    thread.join(5)
    return run


def speaking(world: LoopingWorld, *words: tuple[str, str, str]) -> Callable[[], None]:
    """Offices that answer with their own keys as soon as there is a review."""

    def speak() -> None:
        review = world.wait(
            lambda: next(
                (key for key, one in world.state.records.items() if one.kind == "policy_review"),
                None,
            ),
            60,
        )
        for office, part, answer in words:
            done = CliRunner().invoke(
                app,
                [
                    "approve", "--review", review, "--part", part, "--reason", "a test",
                    f"--{answer}", "--key", str(world.folders.officer(office)),
                    "--store", str(world.root / "store"),
                ],
            )  # fmt: skip
            assert done.exit_code == 0, done.output
            digest = done.output.split()[0]
            world.wait(lambda one=digest: one in world.state.index_of, 30)

    return speak


def test_a_proposal_that_lands_is_reviewed_approved_published_and_put_into_force(
    bag: Any, looping: LoopingWorld
) -> None:
    proposal = laid_down(looping.root, changed(POLICY_BYTES, next_version))
    offices = speaking(looping, ("rso", "propose", "agree"), ("ceo", "approve", "agree"))
    run = adopt(bag, None, offices)
    assert run.state == "success", states(run)
    found = states(run)
    assert found["put_into_force"] == "success"
    assert found["proposal_rejected"] == "skipped"
    assert looping.state.adoption is not None
    rules = looping.desk.rulebook.in_force(looping.state)
    assert rules is not None
    assert rules.policy.version == "1.1"
    assert (looping.root / "public" / "toylab-1.1" / "CHANGELOG.md").is_file()
    assert proposal.is_file()
    again = adopt(bag, None)
    assert again.state == "success"
    assert set(states(again).values()) == {"skipped"}  # nothing new lies there


def test_an_objection_leaves_the_policy_in_force(bag: Any, looping: LoopingWorld) -> None:
    proposal = laid_down(looping.root, changed(POLICY_BYTES, next_version))
    before = looping.state.adoption
    offices = speaking(looping, ("rso", "propose", "agree"), ("ceo", "approve", "object"))
    run = adopt(bag, str(proposal), offices)
    found = states(run)
    assert (found["proposal_rejected"], found["put_into_force"]) == ("success", "skipped")
    assert looping.state.adoption == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("version: '1.1'", "version: '1.0'"), "never changes"),
        (lambda text: text.replace("levels:", "livels:"), "livels"),
    ],
    ids=["an adopted version that changed", "not a policy"],
)
def test_a_bad_proposal_is_refused_once_and_on_record(
    bag: Any, looping: LoopingWorld, change: Callable[[str], str], says: str
) -> None:
    proposal = laid_down(looping.root, changed(POLICY_BYTES, next_version))
    policy = next(proposal.parent.glob("toylab-1.1-*.policy.yaml"))
    policy.write_text(change(policy.read_text()))
    run = adopt(bag, None)
    assert run.state == "failed"
    assert states(run)["read_proposal"] == "failed"
    (refusal,) = [one for one in looping.of_kind(r.Refusal) if one.subject.startswith("proposal ")]
    assert says in refusal.message
    again = adopt(bag, None)
    assert set(states(again).values()) == {"skipped"}
    assert not looping.of_kind(r.PolicyReview)
    policy.write_text("corrected: no")
    assert states(adopt(bag, None))["read_proposal"] == "failed"  # looked at anew


def test_an_address_without_a_proposal_is_one_clear_error(bag: Any, looping: LoopingWorld) -> None:
    run = adopt(bag, str(looping.root / "nothing.proposal.yaml"))
    found = states(run)
    assert found.pop("read_proposal") == "failed"
    assert set(found.values()) == {"upstream_failed"}
