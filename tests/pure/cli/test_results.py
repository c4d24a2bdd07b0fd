"""`rsp results`: sign, check and deliver, as an institute does it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.adapters.signing import KeyFile
from include.cli import main as command
from include.rsp.canonical import iso
from include.rsp.reading import parse_record
from include.rsp.records import TrustRoot
from include.rsp.vocabulary import KeyRole
from include.wiring.delivering import Waiting, collect_delivered
from tests.support.deliveries import (
    HOLDER,
    TRIAL,
    as_uplift_trial,
    stated_plain,
    study_world,
    trial_csv,
    waiting_run,
)
from tests.support.world import World

Rsp = Callable[..., tuple[int, str]]


@pytest.fixture
def rsp(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Rsp:
    """The command line; (exit code, what it said)."""

    def run(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rsp", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            command.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    return run


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A trial's folder as its people fill it in: a draft of the statement and the table."""
    folder = tmp_path / "trial-1"
    folder.mkdir()
    (folder / "trial.csv").write_bytes(trial_csv())
    write_draft(folder, datetime.now(UTC))
    return folder


def write_draft(folder: Path, at: datetime, **more: Any) -> None:
    plain = stated_plain({}, columns=TRIAL, started_at=iso(at), finished_at=iso(at), **more)
    plain["files"] = [{"name": "trial.csv", "kind": "csv"}]
    (folder / "delivery.json").write_text(json.dumps(plain, indent=1))


def keys_and_store(tmp_path: Path, rsp: Rsp) -> tuple[Path, Path]:
    """An institute's key, and the trust root of a lab that knows it."""
    key, public = tmp_path / "institute.pem", tmp_path / "institute.pub.pem"
    code, said = rsp("results", "key", key)
    assert code == 0
    public.write_text(said)
    code, said = rsp(
        "init", "--store", tmp_path / "store", "--keys", tmp_path / "keys",
        "--evaluator", f"{HOLDER}={public}",
    )  # fmt: skip
    assert code == 0, said
    return key, tmp_path / "keys" / "notary" / "trust_root.json"


def test_a_lab_knows_the_evaluators_that_it_was_begun_with(tmp_path: Path, rsp: Rsp) -> None:
    key, path = keys_and_store(tmp_path, rsp)
    root = parse_record(path.read_bytes(), where="root")
    assert isinstance(root, TrustRoot)
    (entry,) = [one for one in root.keys if one.role is KeyRole.EVALUATOR]
    assert (entry.holder, entry.keyid) == (HOLDER, KeyFile(key).keyid)
    assert key.stat().st_mode & 0o077 == 0
    assert "PRIVATE" not in (tmp_path / "institute.pub.pem").read_text()


@pytest.mark.parametrize("given", ["institute-a", "institute-a=", "Institute A=public.pem"])
def test_an_evaluator_that_is_none_begins_no_lab(tmp_path: Path, rsp: Rsp, given: str) -> None:
    (tmp_path / "public.pem").write_text("no key")
    named = given.replace("public.pem", str(tmp_path / "public.pem"))
    code, said = rsp("init", "--store", tmp_path / "s", "--keys", tmp_path / "k",
                     "--evaluator", named)  # fmt: skip
    assert code == 3, said
    assert not (tmp_path / "k" / "notary" / "trust_root.json").exists()


def test_a_draft_is_signed_and_checked(tmp_path: Path, draft: Path, rsp: Rsp) -> None:
    key, root = keys_and_store(tmp_path, rsp)
    code, said = rsp("results", "sign", draft, "--key", key)
    assert code == 0, said
    assert "institute-a signs sha256:" in said
    code, said = rsp("results", "check", draft, "--trust-root", root)
    assert code == 0, said
    for part in ("40, 0 with errors", "csv form 1", "institute-a of Institute A",
                 "control: 20, treatment: 20", "47 to 52"):  # fmt: skip
        assert part in said, said


def test_signing_again_keeps_what_was_said_and_takes_a_changed_file(
    tmp_path: Path, draft: Path, rsp: Rsp
) -> None:
    key, root = keys_and_store(tmp_path, rsp)
    rsp("results", "sign", draft, "--key", key)
    (draft / "trial.csv").write_bytes(trial_csv(treatment=60.0))
    code, said = rsp("results", "check", draft, "--trust-root", root)
    assert code == 3
    assert "Copy it again, or sign anew" in said
    code, said = rsp("results", "sign", draft, "--key", key)
    assert code == 3
    assert "leave sha256 and bytes out" in said
    write_draft(draft, datetime.now(UTC))
    rsp("results", "sign", draft, "--key", key)
    assert rsp("results", "check", draft, "--trust-root", root)[0] == 0


def test_an_unknown_key_is_refused(tmp_path: Path, draft: Path, rsp: Rsp) -> None:
    _, root = keys_and_store(tmp_path, rsp)
    rsp("results", "key", tmp_path / "stranger.pem")
    rsp("results", "sign", draft, "--key", tmp_path / "stranger.pem")
    code, said = rsp("results", "check", draft, "--trust-root", root)
    assert code == 3
    assert "may not sign this" in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "trial.csv").unlink(), "trial.csv is not there"),
        (lambda folder: (folder / "x").write_text("x"), "'x' lies in the folder"),
        (lambda folder: (folder / "delivery.json").write_text("{}"), "no draft of a statement"),
        (lambda folder: (folder / "delivery.json").unlink(), "cannot be used"),
        (lambda folder: write_draft(folder, datetime.now(UTC), engine="excel"), "engine"),
    ],
)
def test_a_draft_that_is_none_is_not_signed(
    tmp_path: Path, draft: Path, rsp: Rsp, spoil: Callable[[Path], object], said: str
) -> None:
    KeyFile.create(tmp_path / "institute.pem")
    spoil(draft)
    code, got = rsp("results", "sign", draft, "--key", tmp_path / "institute.pem")
    assert code == 3
    assert said in got
    assert not (draft / "delivery.dsse.json").exists()


@pytest.fixture
def waiting(tmp_path: Path) -> tuple[World, Path, str]:
    """A lab that waits for a trial: the inbox, and the digest of the checkpoint."""
    begun = datetime.now(UTC) - timedelta(minutes=5)
    world = study_world(tmp_path / "lab", as_uplift_trial, now=begun)
    key, request = waiting_run(world)
    asked = collect_delivered(world.desk, key, request, folder=world.root / "inbox")
    assert isinstance(asked, Waiting)
    return world, Path(asked.folder), request.checkpoint


def test_a_signed_delivery_is_checked_against_the_request_and_delivered(
    waiting: tuple[World, Path, str], draft: Path, rsp: Rsp
) -> None:
    world, inbox, checkpoint = waiting
    write_draft(draft, datetime.now(UTC), checkpoint=checkpoint)
    key = world.root / "keys" / f"{HOLDER}.pem"
    assert rsp("results", "deliver", draft, "--to", inbox)[0] == 3  # not signed
    rsp("results", "sign", draft, "--key", key)
    wanted = ["--wanted", inbox / "wanted.json", "--store", world.root / "store"]
    code, said = rsp("results", "check", draft, *wanted)
    assert code == 0, said
    code, said = rsp("results", "deliver", draft, "--to", inbox)
    assert code == 0, said
    assert (inbox / "trial-1" / "delivery.dsse.json").exists()
    assert rsp("results", "deliver", draft, "--to", inbox)[0] == 3  # there already
    assert rsp("results", "deliver", draft, "--to", inbox.parent)[0] == 3  # no inbox


def test_results_that_are_not_wanted_are_said_to_be(
    waiting: tuple[World, Path, str], draft: Path, rsp: Rsp
) -> None:
    world, inbox, _ = waiting
    rsp("results", "sign", draft, "--key", world.root / "keys" / f"{HOLDER}.pem")
    code, said = rsp("results", "check", draft, "--wanted", inbox / "wanted.json",
                     "--store", world.root / "store")  # fmt: skip
    assert code == 1
    assert "NOT WANTED: results of checkpoint" in said


def test_the_example_in_the_docs_is_signed_and_checked(tmp_path: Path, rsp: Rsp) -> None:
    key, root = keys_and_store(tmp_path, rsp)
    text = (Path(__file__).resolve().parents[3] / "docs" / "importing-results.md").read_text()
    table, said = (text.split(f"```{kind}\n")[1].split("```")[0] for kind in ("csv", "json"))
    folder = tmp_path / "example"
    folder.mkdir()
    (folder / "trial.csv").write_text(table)
    (folder / "protocol.pdf").write_bytes(b"protocol")
    (folder / "delivery.json").write_text(said)
    assert rsp("results", "sign", folder, "--key", key)[0] == 0
    code, got = rsp("results", "check", folder, "--trust-root", root)
    assert code == 0, got
    assert "3, 1 with errors" in got
    assert "control: 2, treatment: 1" in got
