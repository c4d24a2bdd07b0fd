"""The store's promises, on a directory and on S3 (moto's server on loopback)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.adapters.store import DirectoryStore, Store, get_blob, open_store, put_blob
from include.adapters.store_s3 import S3Store
from include.rsp.errors import AlreadyExists, InvalidDocument, StoreUnavailable
from tests.support.racing import one_wins
from tests.support.s3_stores import IMPATIENT, make_bucket, store_at


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "directory":
        (tmp_path / "store").mkdir()
        return DirectoryStore(tmp_path / "store")
    endpoint = request.getfixturevalue("s3_endpoint")
    return store_at(endpoint, make_bucket(endpoint))


def test_what_was_put_comes_back(store: Store) -> None:
    store.put_new("records/plan/a.json", b"one")
    assert store.get("records/plan/a.json") == b"one"
    assert store.get("records/plan/b.json") is None


def test_the_same_content_again_is_no_error_and_other_content_is(store: Store) -> None:
    store.put_new("a/b", b"one")
    store.put_new("a/b", b"one")
    with pytest.raises(AlreadyExists):
        store.put_new("a/b", b"two")
    assert store.get("a/b") == b"one"


def test_of_many_writers_exactly_one_wins(store: Store) -> None:
    one_wins(store, "ledger/0")


def test_keys_are_listed_in_order_and_by_folder(store: Store) -> None:
    for key in ("ledger/2", "ledger/10", "ledger/1", "ledgers/3", "blobs/x"):
        store.put_new(key, b"x")
    assert list(store.list("ledger")) == ["ledger/1", "ledger/10", "ledger/2"]
    assert len(list(store.list(""))) == 5
    assert list(store.list("nothing")) == []


def test_a_blob_that_was_changed_is_not_given_out(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    ref = put_blob(store, b"evidence", name="e")
    assert get_blob(store, ref.blob) == b"evidence"
    (tmp_path / "blobs" / ref.blob.removeprefix("sha256:")).write_bytes(b"evidencE")
    with pytest.raises(InvalidDocument, match="was changed"):
        get_blob(store, ref.blob)
    with pytest.raises(InvalidDocument, match="not in the store"):
        get_blob(store, "sha256:" + "0" * 64)


def test_only_what_has_something_below_it_is_a_folder(store: Store) -> None:
    for key in ("runs/b/outbox/1", "runs/a/leases/1", "runs/a/outbox/2", "runs/loose", "other/c/d"):
        store.put_new(key, b"x")
    assert store.folders("runs") == ["a", "b"]
    assert store.folders("runs/a") == ["leases", "outbox"]
    assert store.folders("nothing") == []


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/x", "a//b", "", "."])
def test_a_key_never_leaves_the_directory(tmp_path: Path, key: str) -> None:
    store = DirectoryStore(tmp_path / "store")
    with pytest.raises(InvalidDocument):
        store.put_new(key, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_away_is_an_error_and_never_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        list(DirectoryStore(tmp_path / "gone").list("records"))
    gone = store_at("http://127.0.0.1:9", "bucket", IMPATIENT)
    calls: list[Callable[[], object]] = [
        lambda: gone.get("a"),
        lambda: gone.put_new("a", b""),
        lambda: list(gone.list("a")),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="Check the endpoint"):
            call()


def test_a_store_is_opened_by_its_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    opened = open_store("s3://bucket/some/prefix/")
    assert isinstance(opened, S3Store)
    assert opened.uri == "s3://bucket/some/prefix"
    assert open_store(str(tmp_path)).uri == str(tmp_path)
