"""The folder of a delivery: each way in which it is not what was signed is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from include.adapters import delivery_folder
from include.adapters.delivery_folder import (
    copy_whole,
    fingerprint,
    is_ready,
    measured,
    read_delivery,
)
from include.adapters.delivery_signature import sign_statement
from include.adapters.signing import KeyFile
from include.rsp.canonical import canonical_bytes
from include.rsp.delivered import SIGNATURE, STATEMENT
from include.rsp.errors import DomainError, InvalidDocument, Refused
from include.rsp.records import TrustRoot
from tests.support.deliveries import (
    HOLDER,
    evaluator_key,
    shares_csv,
    stated_plain,
    trust_with,
    write_delivery,
)
from tests.support.factories import START

SIGNED_AT = START + timedelta(minutes=3)


@pytest.fixture
def trust(tmp_path: Path) -> TrustRoot:
    """A trust root that knows one evaluator."""
    return trust_with(tmp_path / "keys", HOLDER)


@pytest.fixture
def folder(tmp_path: Path, trust: TrustRoot) -> Path:
    """A good delivery of two files."""
    made = tmp_path / "first"
    files = {"trial.csv": ("csv", shares_csv()), "protocol.txt": ("attachment", b"asked 200")}
    write_delivery(made, evaluator_key(tmp_path / "keys"), files, signed_at=SIGNED_AT)
    return made


def test_a_good_delivery_is_read_with_who_signed_it_and_when(
    folder: Path, trust: TrustRoot
) -> None:
    found = read_delivery(folder, trust)
    assert found.signed.key.holder == HOLDER
    assert found.signed.signed_at == SIGNED_AT
    assert found.files == {"trial.csv": shares_csv(), "protocol.txt": b"asked 200"}
    assert is_ready(folder)


def sign_again(folder: Path, key: KeyFile) -> None:
    envelope = sign_statement(key, (folder / STATEMENT).read_bytes(), at=SIGNED_AT)
    (folder / SIGNATURE).write_bytes(canonical_bytes(envelope))


def by_key(place: str) -> Callable[[Path], None]:
    return lambda folder: sign_again(folder, KeyFile.create(folder.parent / "keys" / place))


def edit_statement(folder: Path) -> None:
    path = folder / STATEMENT
    path.write_bytes(path.read_bytes().replace(b'"Institute A"', b'"Institute B"'))


def edit_signature(folder: Path) -> None:
    plain = json.loads((folder / SIGNATURE).read_bytes())
    plain["signatures"][0]["sig"] = "A" * 86 + "=="
    (folder / SIGNATURE).write_text(json.dumps(plain))


def link_file(folder: Path) -> None:
    (folder / "trial.csv").rename(folder.parent / "elsewhere.csv")
    (folder / "trial.csv").symlink_to(folder.parent / "elsewhere.csv")


def make_pipe(folder: Path) -> None:
    (folder / "protocol.txt").unlink()
    os.mkfifo(folder / "protocol.txt")


def make_folder(folder: Path) -> None:
    (folder / "protocol.txt").unlink()
    (folder / "protocol.txt").mkdir()


def take_away(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (take_away(STATEMENT), "missing_file"),
        (take_away(SIGNATURE), "missing_file"),
        (take_away("trial.csv"), "missing_file"),
        (take_away("protocol.txt"), "missing_file"),
        (write("trial.csv", shares_csv(6)), "wrong_digest"),
        (write("trial.csv", shares_csv() + b"\n"), "wrong_digest"),
        (write("trial.csv", b""), "wrong_digest"),
        (write("more.csv", b"x"), "unlisted_file"),
        (write(".hidden", b"x"), "unlisted_file"),
        (link_file, "odd_file"),
        (make_pipe, "odd_file"),
        (make_folder, "odd_file"),
        (edit_statement, "other_statement"),
        (edit_signature, "bad_signature"),
        (by_key("stranger.pem"), "bad_signature"),
        (by_key("trainer/trainer.pem"), "bad_signature"),
        (by_key("officers/rso.pem"), "bad_signature"),
        (by_key("notary/ledger.pem"), "bad_signature"),
        (write(SIGNATURE, b"{}"), "InvalidDocument"),
        (write(SIGNATURE, b"\xff"), "InvalidDocument"),
        (write(STATEMENT, b"{}"), "other_statement"),
    ],
)
def test_a_delivery_that_is_not_what_was_signed_is_refused(
    folder: Path, trust: TrustRoot, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(folder)
    with pytest.raises(DomainError) as caught:
        read_delivery(folder, trust)
    assert getattr(caught.value, "code", type(caught.value).__name__) == code


def test_a_signed_statement_that_is_none_is_refused(folder: Path, trust: TrustRoot) -> None:
    (folder / STATEMENT).write_bytes(b'{"format": "redline/delivered-results@1"}')
    sign_again(folder, evaluator_key(folder.parent / "keys"))
    with pytest.raises(InvalidDocument, match="no statement of delivered results"):
        read_delivery(folder, trust)


def test_a_key_that_the_trust_root_no_longer_has_does_not_count(
    folder: Path, trust: TrustRoot
) -> None:
    without = [one for one in trust.keys if one.holder != HOLDER]
    for root in (trust.model_copy(update={"keys": without}), None):
        with pytest.raises(Refused, match="may not sign this"):
            read_delivery(folder, root)


def test_a_folder_behind_a_link_is_refused(folder: Path, trust: TrustRoot) -> None:
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(Refused, match="expected a folder"):
        read_delivery(folder.parent / "link", trust)


def test_more_than_anybody_delivers_is_refused(
    folder: Path, trust: TrustRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_folder, "MOST_FILE_BYTES", 1000)
    with pytest.raises(Refused, match="more than 1000 bytes"):
        read_delivery(folder, trust)
    monkeypatch.setattr(delivery_folder, "MOST_BYTES", 1000)
    with pytest.raises(Refused, match="at most 1000 in all"):
        read_delivery(folder, trust)


def test_a_delivery_is_ready_once_all_is_there_by_size(folder: Path) -> None:
    content = (folder / "trial.csv").read_bytes()
    for part in (content[:10], b""):
        (folder / "trial.csv").write_bytes(part)
        assert not is_ready(folder)
    (folder / "trial.csv").unlink()
    assert not is_ready(folder)
    (folder / "trial.csv").write_bytes(content)
    assert is_ready(folder)
    signature = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).unlink()
    assert not is_ready(folder)
    (folder / SIGNATURE).write_bytes(signature)
    (folder / STATEMENT).write_bytes(b"no statement")
    assert is_ready(folder)  # to be refused, with the reason


def test_a_changed_folder_has_another_fingerprint(folder: Path) -> None:
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "trial.csv").write_bytes(b"longer than before" * 1000)
    assert fingerprint(folder) != before


def test_a_draft_gets_the_sizes_and_digests_that_it_lacks(folder: Path) -> None:
    plain = stated_plain({"trial.csv": ("csv", b""), "protocol.txt": ("attachment", b"")})
    for one in plain["files"]:
        del one["sha256"], one["bytes"]
    found = measured(folder, json.dumps(plain).encode())
    assert found["files"] == json.loads((folder / STATEMENT).read_bytes())["files"]


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        (b"", "no draft"),
        (b"{}", "no draft"),
        (b'{"files": [{}]}', "no draft"),
        (b'{"files": [{"name": "../x"}]}', "expected at most"),
        (b'{"files": [{"name": "trial.csv"}]}', "'protocol.txt' lies in the folder"),
    ],
)
def test_a_draft_that_is_none_is_refused(folder: Path, draft: bytes, said: str) -> None:
    with pytest.raises(DomainError) as caught:
        measured(folder, draft)
    assert said in str(caught.value)


def test_a_delivery_is_copied_whole_and_never_over_another(folder: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    assert copy_whole(folder, inbox) == inbox / "first"
    assert sorted(os.listdir(inbox)) == ["first"]
    with pytest.raises(Refused, match="is there already"):
        copy_whole(folder, inbox)
