"""Large files go in parts and still fail when the key exists."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from include.adapters.store import get_blob, put_blob
from include.adapters.store_s3 import S3Store
from include.rsp.errors import AlreadyExists, StoreUnavailable
from tests.support.s3_gateway import (
    BUSY,
    CONFLICT,
    LOST_AFTER,
    LOST_BEFORE,
    Fault,
    S3Gateway,
    answers,
    s3_gateway,
)
from tests.support.s3_stores import IN_PARTS, make_bucket, store_at

LARGE = bytes(range(256)) * 36 + b"end"
OTHER = LARGE[:-1] + b"!"
LOG = "blobs/ab"


@pytest.fixture(scope="module")
def gateways(s3_endpoint: str) -> Iterator[S3Gateway]:
    host, port = s3_endpoint.removeprefix("http://").split(":")
    with s3_gateway(host, int(port)) as gateway:
        yield gateway


@pytest.fixture
def gateway(gateways: S3Gateway, monkeypatch: pytest.MonkeyPatch) -> S3Gateway:
    gateways.reset()
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1024)
    return gateways


@pytest.fixture(params=[False, True], ids=["plain", "versions"])
def store(gateway: S3Gateway, request: pytest.FixtureRequest) -> S3Store:
    made = make_bucket(gateway.url, versions=request.param)
    gateway.asked.clear()
    return store_at(gateway.url, made, IN_PARTS)


def sees_nothing(gateway: S3Gateway) -> None:
    """The next look is before the other writer was there."""
    gateway.faults["ListObjectVersions"] = [answers(200, "")]
    gateway.bodies["ListObjectVersions"] = b"<ListVersionsResult></ListVersionsResult>"


def unfinished(store: S3Store) -> int:
    return len(store.client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", []))


def test_a_large_file_goes_in_parts_and_comes_back(gateway: S3Gateway, store: S3Store) -> None:
    ref = put_blob(store, LARGE, name="log.eval")
    assert get_blob(store, ref.blob) == LARGE
    assert gateway.asked.count("UploadPart") == 3
    assert "PutObject" not in gateway.asked
    gateway.asked.clear()
    put_blob(store, LARGE, name="log.eval")  # the same again sends nothing
    assert not {"CreateMultipartUpload", "UploadPart"} & set(gateway.asked)
    with pytest.raises(AlreadyExists, match="other content"):
        store.put_new("blobs/" + ref.blob.removeprefix("sha256:"), OTHER)
    assert unfinished(store) == 0


def test_below_the_threshold_and_elsewhere_it_goes_whole(
    gateway: S3Gateway, store: S3Store
) -> None:
    store.put_new(LOG, LARGE[: IN_PARTS.multipart_from - 1])
    store.put_new("job/attempt-1/log.eval", LARGE)  # nor what its content does not name
    assert "PutObject" in gateway.asked
    assert "UploadPart" not in gateway.asked


@pytest.mark.parametrize("fault", [BUSY, LOST_BEFORE, LOST_AFTER, answers(500, "InternalError")])
def test_every_step_gets_over_what_passes(gateway: S3Gateway, store: S3Store, fault: Fault) -> None:
    steps = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "GetObject")
    gateway.faults = {step: [fault] for step in steps}
    store.put_new(LOG, LARGE)
    assert store.get(LOG) == LARGE


def test_after_a_conflict_all_parts_are_sent_again(gateway: S3Gateway, store: S3Store) -> None:
    gateway.faults["CompleteMultipartUpload"] = [CONFLICT, CONFLICT]
    store.put_new(LOG, LARGE)
    assert store.get(LOG) == LARGE
    assert gateway.asked.count("CreateMultipartUpload") == 3
    assert unfinished(store) == 0
    gateway.always["CompleteMultipartUpload"] = CONFLICT
    with pytest.raises(StoreUnavailable, match="conflict"):
        store.put_new(LOG + "2", LARGE)
    assert unfinished(store) == 0


def test_an_upload_that_is_over_is_judged_by_what_is_there(
    gateway: S3Gateway, store: S3Store
) -> None:
    """The reply to the first completion was lost, and S3 has forgotten the upload by now."""
    gateway.faults["CompleteMultipartUpload"] = [LOST_AFTER, answers(404, "NoSuchUpload")]
    store.put_new(LOG, LARGE)
    assert store.get(LOG) == LARGE

    gateway.faults["CompleteMultipartUpload"] = [answers(404, "NoSuchUpload")]
    with pytest.raises(StoreUnavailable, match="nothing is there"):
        store.put_new(LOG + "2", LARGE)


def test_who_completes_second_does_not_write_over_the_first(
    gateway: S3Gateway, store: S3Store
) -> None:
    """Both saw that nothing is there; completion is where it is decided."""
    store.put_new(LOG, LARGE)
    for content, wins in ((LARGE, True), (OTHER, False)):
        sees_nothing(gateway)
        if wins:
            store.put_new(LOG, content)
        else:
            with pytest.raises(AlreadyExists, match="other content"):
                store.put_new(LOG, content)
    assert store.get(LOG) == LARGE
    assert unfinished(store) == 0


def test_of_many_writers_of_large_files_exactly_one_wins(store: S3Store) -> None:
    def write(number: int) -> bool:
        try:
            store.put_new(LOG, LARGE + bytes([number]))
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(write, range(4)))
    assert sum(won) == 1
    assert store.get(LOG) == LARGE + bytes([won.index(True)])


def test_a_server_that_ignores_the_condition_is_found_out(gateway: S3Gateway) -> None:
    """Where versions are kept. What it cannot do is harm a blob: its name is its digest."""
    store = store_at(gateway.url, make_bucket(gateway.url, versions=True), IN_PARTS)
    store.put_new(LOG, LARGE)
    gateway.ignores_condition.add("CompleteMultipartUpload")
    sees_nothing(gateway)
    with pytest.raises(AlreadyExists, match="2 versions"):
        store.put_new(LOG, OTHER)
    assert [one.key for one in store.rewritten()] == [LOG]


def test_a_part_that_cannot_be_sent_leaves_nothing(gateway: S3Gateway, store: S3Store) -> None:
    impatient = store_at(gateway.url, store.bucket, replace(IN_PARTS, total=0.1))
    gateway.always["UploadPart"] = BUSY
    with pytest.raises(StoreUnavailable, match=r"send part \d"):
        impatient.put_new(LOG, LARGE)
    gateway.reset()
    assert store.get(LOG) is None
    assert unfinished(store) == 0
