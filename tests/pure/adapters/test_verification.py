"""`rsp verify`: whoever changes one byte of a store is found, and every verdict is recomputed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.adapters.ledger import entry_key
from include.adapters.store import DirectoryStore
from include.adapters.verification import Report, verify_store
from include.cli.main import app
from include.rsp import records as r
from include.rsp.canonical import digest_of
from include.wiring import assessment, holding, telling
from include.wiring.notifying import Delivery
from tests.support.factories import (
    POLICY_BYTES,
    SUITE_BYTES,
    X,
    changed,
    with_a_screening_test,
    with_deletion,
    with_preliminary,
)
from tests.support.people import determine, packet_on, permit_on, say, sign_all
from tests.support.reviewing import asked, evaluated, read, with_review
from tests.support.safeguarded import (
    approve,
    drilled,
    exempt,
    measure,
    plan_measures,
    reported,
    with_a_drill,
    with_interim_measures,
)
from tests.support.world import World


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which everything has happened once: continue, hold, acknowledgement, release, a
    model that is not notably more capable, another policy.
    """
    world = World(
        tmp_path_factory.mktemp("story"),
        policy=changed(POLICY_BYTES, with_preliminary, with_deletion, with_interim_measures),
        suite=changed(SUITE_BYTES, with_a_screening_test, with_review(2), with_a_drill),
    )
    gate = world.gate()
    key = evaluated(world)
    read(world, asked(world, key, "copying"), invalid=["1: the sandbox was down"])
    assessment.reach_verdict(world.desk, key)
    assessment.request_permit(world.desk, next(iter(world.state.assessments)))
    verdict = world.assess(4, addition=190)
    hold = gate.may_continue(X).hold
    assert hold is not None
    world.pass_time(seconds=61)
    gate.acknowledge(hold, state="saved", last_step=70, last_flop=1, last_checkpoint=None)
    world.pass_time(seconds=5)
    holding.verify_stop(world.desk, hold.digest)
    world.add_evidence()
    exempt(world, "monitor-alive", "toy-app")
    drilled(world)
    plan_measures(world, verdict, measure("m", "isolate_weights", ("weights-listed", "x")))
    report, judged = reported(world, verdict)
    assert judged.holds
    approve(world, report)
    stricter = packet_on(world, verdict)
    determine(world, stricter, "rso", "stricter", response="delete")
    say(world, "deletion_answer", stricter, "ceo", "keep")
    packet = packet_on(world, verdict)
    sign_all(world, packet)
    telling.record_delivery(
        world.desk, telling.notices_on(world.desk, packet)[0],
        [Delivery("none", "redline_notify_board", delivered=False, problem="no connection")],
    )  # fmt: skip
    permit = permit_on(world, packet)
    say(world, "revocation", digest_of(permit), "rso", "revoke")
    world.restate(100)
    world.publish(4.5).joinpath("weights.npz").unlink()
    from include.wiring import registration

    registration.register_new(world.desk)
    world.gate("run-2")
    world.publish(5, run_id="run-2")
    registration.register_new(world.desk)
    (key,) = [
        one
        for one in registration.raise_due_occasions(world.desk)
        if world.state.occasion(one).run_id == "run-2"
    ]
    world.evaluate(key)
    assert assessment.reach_verdict(world.desk, key)[1].inherits is not None
    world.report_incident()
    world.pass_time(seconds=30)
    world.adopt(changed(world.policy, lambda plain: plain.update(version="1.1")))
    return world.root / "store"


@pytest.fixture
def copied(story: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(story, tmp_path / "copy"))


def verified(store: Path, **options: str) -> Report:
    return verify_store(DirectoryStore(store), **options)


def every_file(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file())


def test_an_untouched_store_is_sound_and_every_kind_of_record_is_in_it(story: Path) -> None:
    report = verified(story)
    assert report.problems == []
    assert report.unchained == []
    kinds = {one.kind for one in report.state.records.values()}
    expected = {*r.WRITTEN_BY_WORK, *r.NOTARY_ONLY}
    assert kinds == expected


def some_of_each(story: Path) -> list[Path]:
    """Two files of every folder, so of every kind, and every sixth entry and blob."""
    files = every_file(story)
    folders = {path.parent: [x for x in files if x.parent == path.parent] for path in files}
    return [
        path
        for folder, found in folders.items()
        for path in (found[::6] if folder.name in ("ledger", "blobs") else found[:2])
    ]


def test_one_changed_byte_in_a_file_of_any_kind_is_found_and_the_file_is_named(
    story: Path,
) -> None:
    files = some_of_each(story)
    assert len(files) > 60
    for number, path in enumerate(files):
        name = path.relative_to(story)
        original = path.read_bytes()
        place = (number * 7919) % len(original)
        changed = original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :]
        path.write_bytes(changed)
        try:
            problems = verified(story).problems
        finally:
            path.write_bytes(original)
        assert any(str(name) in f"{one.where} {one.what}" for one in problems), (name, place)


@pytest.mark.parametrize("where", [0, 5, 20])
def test_an_entry_taken_out_of_the_ledger_is_found(copied: Path, where: int) -> None:
    (copied / entry_key(where)).unlink()
    assert verified(copied).problems


def test_two_entries_that_change_places_are_found(copied: Path) -> None:
    one, other = copied / entry_key(10), copied / entry_key(11)
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)
    assert verified(copied).problems


def test_a_tail_rolled_back_is_found_against_orders_and_leases(copied: Path) -> None:
    last = max((copied / "ledger").glob("*.json"))
    for _ in range(12):
        max((copied / "ledger").glob("*.json")).unlink()
    assert not last.exists()
    report = verified(copied)
    assert any("rolled back" in one.what for one in report.problems)


def test_a_tail_rolled_back_with_all_its_anchors_is_found_only_by_an_expected_head(
    copied: Path,
) -> None:
    head = verified(copied).entries[-1]
    for path in (copied / "ledger").glob("*.json"):
        if int(path.stem) > 4:
            path.unlink()
    for run in (copied / "runs").iterdir():
        shutil.rmtree(run / "orders")
        shutil.rmtree(run / "leases", ignore_errors=True)
        shutil.rmtree(run / "attestations", ignore_errors=True)
    assert verified(copied).problems == []
    assert any(head in one.what for one in verified(copied, expect_head=head).problems)


def test_a_file_that_belongs_nowhere_is_named(copied: Path) -> None:
    (copied / "notes.txt").write_text("hello")
    assert [one.where for one in verified(copied).problems] == ["notes.txt"]


def test_an_empty_store_is_not_sound(tmp_path: Path) -> None:
    assert verified(tmp_path).problems


def test_the_command_names_the_file_and_exits_with_1(copied: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["verify", str(copied)]).exit_code == 0
    victim = next((copied / "records/verdict").glob("*.json"))
    victim.write_bytes(victim.read_bytes().replace(b"early_warning", b"early_warming"))
    found = runner.invoke(app, ["verify", str(copied)])
    assert found.exit_code == 1
    assert victim.name in found.output
    assert "UNSOUND" in found.output
