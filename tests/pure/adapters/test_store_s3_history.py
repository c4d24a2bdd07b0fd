"""Deleted and rewritten keys, and Object Lock (moto behind a proxy that says what S3 says)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.adapters.ledger import LedgerReader
from include.adapters.s3_settings import Retention
from include.adapters.store import DirectoryStore, KeepsVersions, get_blob, put_blob
from include.adapters.store_s3 import S3Store
from include.adapters.verification import verify_store
from include.rsp.errors import AlreadyExists, InvalidDocument, StoreUnavailable
from tests.support.memory_store import MemoryStore
from tests.support.s3_gateway import BUSY, CONFLICT, LOST_AFTER, S3Gateway, answers, s3_gateway
from tests.support.s3_stores import QUICK, make_bucket, store_at, warnings_of
from tests.support.world import World

RECORD, ENTRY, BLOB = "records/plan/a.json", "ledger/000000000000.json", "blobs/ab"


@pytest.fixture(scope="module")
def gateways(s3_endpoint: str) -> Iterator[S3Gateway]:
    host, port = s3_endpoint.removeprefix("http://").split(":")
    with s3_gateway(host, int(port)) as gateway:
        yield gateway


@pytest.fixture(params=["as S3", "as SeaweedFS"])
def gateway(gateways: S3Gateway, request: pytest.FixtureRequest) -> S3Gateway:
    gateways.reset()
    gateways.hides_markers = request.param == "as SeaweedFS"
    return gateways


@pytest.fixture
def store(gateway: S3Gateway) -> S3Store:
    return store_at(gateway.url, make_bucket(gateway.url, versions=True))


def delete(store: S3Store, key: str) -> str:
    """As somebody with too many rights does; the marker's version."""
    gone = store.client.delete_object(Bucket=store.bucket, Key=f"redline/{key}")
    return gone["VersionId"]


def overwrite(store: S3Store, key: str, content: bytes) -> None:
    store.client.put_object(Bucket=store.bucket, Key=f"redline/{key}", Body=content)


@pytest.mark.parametrize("key", [RECORD, ENTRY, BLOB])
@pytest.mark.parametrize("content", [b"first", b"other"])
def test_over_a_delete_marker_nothing_is_created_unnoticed(
    store: S3Store, key: str, content: bytes
) -> None:
    store.put_new(key, b"first")
    delete(store, key)
    with pytest.raises(AlreadyExists, match=r"before.*Find who did it"):
        store.put_new(key, content)
    with pytest.raises(AlreadyExists, match=r"before|other content"):
        store.put_new(key, content)  # and trying again does not make it good


def test_no_entry_appears_over_a_deleted_one(gateway: S3Gateway, store: S3Store) -> None:
    """A ledger entry would be read at once, so it is looked before."""
    store.put_new(ENTRY, b"first")
    delete(store, ENTRY)
    gateway.asked.clear()
    with pytest.raises(AlreadyExists, match="was deleted"):
        store.put_new(ENTRY, b"fork")
    assert "PutObject" not in gateway.asked


@pytest.mark.parametrize("key", [RECORD, ENTRY, BLOB])
def test_what_was_deleted_reads_as_deleted_and_not_as_never_written(
    store: S3Store, key: str
) -> None:
    store.put_new(key, b"first")
    delete(store, key)
    with pytest.raises(InvalidDocument, match="was deleted"):
        store.get(key)
    assert store.get(key + "x") is None


def test_the_entry_to_come_is_asked_for_with_one_request(
    gateway: S3Gateway, store: S3Store
) -> None:
    assert store.get(ENTRY) is None
    gateway.asked.clear()
    assert [store.get(ENTRY) for _ in range(3)] == [None] * 3
    assert gateway.asked == ["GetObject"] * 3
    store.put_new(ENTRY, b"x")
    assert store.get(ENTRY) == b"x"


def test_what_is_created_while_somebody_asks_is_not_taken_for_deleted(
    gateway: S3Gateway, store: S3Store
) -> None:
    store.put_new(ENTRY, b"x")
    gateway.faults["GetObject"] = [answers(404, "NoSuchKey")]
    assert store.get(ENTRY) == b"x"


def test_two_writers_of_the_same_blob_may_meet(store: S3Store) -> None:
    """Harmless while all wrote the same, which a record never has twice."""
    for key in (BLOB, RECORD):
        store.put_new(key, b"x")
        overwrite(store, key, b"x")
    store.put_new(BLOB, b"x")
    assert [one.key for one in store.rewritten()] == [RECORD]
    overwrite(store, BLOB, b"y")
    overwrite(store, BLOB, b"x")
    assert [one.key for one in store.rewritten()] == [BLOB, RECORD]
    with pytest.raises(AlreadyExists, match="4 versions"):
        store.put_new(BLOB, b"x")


def test_a_deleted_tail_is_no_shorter_ledger(store: S3Store, world: World) -> None:
    copied = copy(world, store)
    length = LedgerReader(copied).refresh().length
    delete(copied, f"ledger/{length - 1:012d}.json")
    with pytest.raises(InvalidDocument, match="was deleted"):
        LedgerReader(copied).refresh()
    found = {one.where: one.what for one in verify_store(copied).problems}
    assert "deleted" in found[f"ledger/{length - 1:012d}.json"]


def test_when_the_marker_is_removed_all_is_as_before(store: S3Store) -> None:
    store.put_new(ENTRY, b"first")
    marker = delete(store, ENTRY)
    store.client.delete_object(Bucket=store.bucket, Key=f"redline/{ENTRY}", VersionId=marker)
    store.put_new(ENTRY, b"first")
    assert store.get(ENTRY) == b"first"


@pytest.mark.parametrize("key", [RECORD, ENTRY, BLOB])
def test_the_same_content_over_a_rewritten_key_is_no_success(store: S3Store, key: str) -> None:
    """Somebody wrote other content and then the first again: the newest one looks right."""
    store.put_new(key, b"first")
    overwrite(store, key, b"other")
    overwrite(store, key, b"first")
    with pytest.raises(AlreadyExists, match=r"2 versions|3 versions"):
        store.put_new(key, b"first")


@pytest.mark.parametrize("fault", [BUSY, LOST_AFTER])
def test_the_past_is_looked_at_until_it_is_known(
    gateway: S3Gateway, store: S3Store, fault: Any
) -> None:
    gateway.faults = {"ListObjectVersions": [fault, fault], "PutObject": [LOST_AFTER, CONFLICT]}
    store.put_new(RECORD, b"first")
    gateway.always["ListObjectVersions"] = answers(403, "AccessDenied")
    with pytest.raises(StoreUnavailable, match=r"list the versions.*docs/iam"):
        store.put_new(RECORD, b"first")
    with pytest.raises(StoreUnavailable, match="list the versions"):
        store.put_new("records/plan/b.json", b"first")
    with pytest.raises(StoreUnavailable, match="list the versions"):
        list(store.rewritten())


def test_versions_that_are_not_listed_are_not_taken_for_none(
    gateway: S3Gateway, store: S3Store
) -> None:
    empty = b"<ListVersionsResult></ListVersionsResult>"
    gateway.always["ListObjectVersions"] = answers(200, "")
    gateway.bodies["ListObjectVersions"] = empty
    with pytest.raises(StoreUnavailable, match="nobody knows"):
        store.put_new(RECORD, b"first")
    gateway.bodies["ListObjectVersions"] = (
        b"<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>"
    )
    with pytest.raises(StoreUnavailable, match="more versions"):
        list(store.rewritten())
    gateway.always["ListObjectsV2"] = answers(200, "")
    gateway.bodies["ListObjectsV2"] = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    )
    with pytest.raises(StoreUnavailable, match="there is more"):
        list(store.list(""))


def test_leases_and_messages_cost_one_request(gateway: S3Gateway, store: S3Store) -> None:
    gateway.asked.clear()
    store.put_new("runs/r/leases/1.json", b"x")
    assert gateway.asked == ["PutObject"]
    gateway.asked.clear()
    store.put_new(RECORD, b"x")
    store.put_new(ENTRY, b"x")
    assert gateway.asked == [
        "GetObjectLockConfiguration", "PutObject", "ListObjectVersions",
        "ListObjectVersions", "PutObject", "ListObjectVersions",
    ]  # fmt: skip


def copy(world: World, store: S3Store) -> S3Store:
    for key in world.store.list(""):
        store.put_new(key, world.store.get(key) or b"")
    return store


def test_verify_names_what_was_deleted_or_written_again(
    gateway: S3Gateway, store: S3Store, world: World
) -> None:
    copy(world, store)
    gateway.page = 3
    gateway.asked.clear()
    assert verify_store(store).problems == []
    assert gateway.asked.count("ListObjectVersions") > 3, "one for the entry to come, then pages"

    keys = list(store.list(""))
    deleted, restored = keys[0], keys[-1]
    rewritten = next(key for key in keys if key.startswith("records/"))
    delete(store, deleted)
    overwrite(store, rewritten, store.get(rewritten) or b"")
    content = store.get(restored) or b""
    delete(store, restored)
    overwrite(store, restored, content)
    found = {one.where: one.what for one in verify_store(store).problems if "again" in one.what}
    assert found == {
        deleted: "it was deleted or written again: 1 versions and 1 delete markers "
        "(expected 1 and 0)",
        rewritten: "it was deleted or written again: 2 versions and 0 delete markers "
        "(expected 1 and 0)",
        restored: "it was deleted or written again: 2 versions and 1 delete markers "
        "(expected 1 and 0)",
    }


def test_only_s3_keeps_versions(store: S3Store, world: World) -> None:
    assert isinstance(store, KeepsVersions)
    assert not isinstance(DirectoryStore(world.root), KeepsVersions)
    assert not isinstance(MemoryStore(), KeepsVersions)


@pytest.mark.parametrize("versions", [True, False])
def test_verify_says_where_deletions_cannot_be_seen(gateway: S3Gateway, versions: bool) -> None:
    made = store_at(gateway.url, make_bucket(gateway.url, versions=versions))
    made.put_new("runs/r/leases/1.json", b"x")
    with warnings_of("redline.store") as seen:
        assert list(made.rewritten()) == []
    assert ["KEEPS NO VERSIONS" in one for one in seen] == ([] if versions else [True])


def lock_of(store: S3Store, key: str) -> tuple[str, datetime]:
    found = store.client.head_object(Bucket=store.bucket, Key=f"redline/{key}")
    return found["ObjectLockMode"], found["ObjectLockRetainUntilDate"]


@pytest.mark.parametrize("mode", list(Retention))
def test_records_and_ledger_are_locked_where_the_bucket_can(
    gateway: S3Gateway, mode: Retention
) -> None:
    settings = replace(QUICK, retention=mode, retention_days=90)
    bucket = make_bucket(gateway.url, locked=True)
    later = datetime.now(UTC)
    store = store_at(gateway.url, bucket, settings, clock=lambda: later)
    with warnings_of("redline.store") as seen:
        for key in (RECORD, ENTRY, BLOB):
            store.put_new(key, b"x")
            store.put_new(key, b"x")
    for key in (RECORD, ENTRY):
        found, until = lock_of(store, key)
        assert found == mode.value
        assert abs(until - later - timedelta(days=90)) < timedelta(seconds=1)
    with pytest.raises(KeyError):
        lock_of(store, BLOB)
    assert seen == []
    assert gateway.asked.count("GetObjectLockConfiguration") == 1


@pytest.mark.parametrize("fault", [None, (501, "NotImplemented"), (405, "MethodNotAllowed")])
def test_a_bucket_without_object_lock_is_warned_of_once_and_loudly(
    gateway: S3Gateway, store: S3Store, fault: tuple[int, str] | None
) -> None:
    if fault:
        gateway.always["GetObjectLockConfiguration"] = answers(*fault)
    with warnings_of("redline.store") as seen:
        for key in (RECORD, ENTRY, BLOB, "records/x/y"):
            store.put_new(key, b"x")
    assert [("HAS NO OBJECT LOCK" in one, store.uri in one) for one in seen] == [(True, True)]


def test_nothing_is_written_while_nobody_knows_of_object_lock(
    gateway: S3Gateway, store: S3Store
) -> None:
    gateway.always["GetObjectLockConfiguration"] = answers(403, "AccessDenied")
    for key in (RECORD, ENTRY):
        with pytest.raises(StoreUnavailable, match=r"Object Lock.*docs/iam"):
            store.put_new(key, b"x")
    gateway.always.clear()
    gateway.faults["GetObjectLockConfiguration"] = [BUSY, LOST_AFTER]
    store.put_new(RECORD, b"x")
    assert store.get(RECORD) == b"x"
    assert store.get(ENTRY) is None


def test_blobs_are_still_checked_by_their_digest(store: S3Store) -> None:
    ref = put_blob(store, b"evidence", name="e")
    overwrite(store, "blobs/" + ref.blob.removeprefix("sha256:"), b"evidencE")
    with pytest.raises(InvalidDocument, match="was changed"):
        get_blob(store, ref.blob)
