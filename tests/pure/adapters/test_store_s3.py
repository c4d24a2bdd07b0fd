"""The store's promises over a network that fails and an S3 that is busy (moto behind a proxy)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from include.adapters.s3_settings import MIB, Retention, S3Settings
from include.adapters.store_s3 import S3Store
from include.rsp.errors import AlreadyExists, InvalidDocument, StoreUnavailable
from tests.support.racing import one_wins
from tests.support.s3_gateway import (
    BUSY,
    CONFLICT,
    CUT_SHORT,
    LOST_AFTER,
    LOST_BEFORE,
    SILENT,
    Fault,
    S3Gateway,
    answers,
    s3_gateway,
)
from tests.support.s3_stores import IMPATIENT, QUICK, make_bucket, store_at

RECORD = "records/plan/a.json"


@pytest.fixture(scope="module")
def gateways(s3_endpoint: str) -> Iterator[S3Gateway]:
    host, port = s3_endpoint.removeprefix("http://").split(":")
    with s3_gateway(host, int(port)) as gateway:
        yield gateway


@pytest.fixture
def gateway(gateways: S3Gateway) -> S3Gateway:
    gateways.reset()
    return gateways


@pytest.fixture
def store(gateway: S3Gateway) -> S3Store:
    made = store_at(gateway.url, make_bucket(gateway.url, versions=True))
    gateway.asked.clear()
    return made


PASSING = [
    BUSY,
    CONFLICT,
    answers(500, "InternalError"),
    answers(503, ""),
    answers(429, "TooManyRequests"),
    answers(400, "RequestTimeout"),
    LOST_BEFORE,
    LOST_AFTER,
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda one: f"{one.way}-{one.status}-{one.code}")
def test_a_write_gets_over_what_passes(gateway: S3Gateway, store: S3Store, fault: Fault) -> None:
    gateway.faults["PutObject"] = [fault, fault]
    store.put_new(RECORD, b"mine")
    assert store.get(RECORD) == b"mine"
    assert gateway.asked.count("PutObject") >= 2
    assert len(list(store.rewritten())) == 0


@pytest.mark.parametrize("fault", [BUSY, LOST_BEFORE, LOST_AFTER, CUT_SHORT])
def test_a_read_gets_over_what_passes(gateway: S3Gateway, store: S3Store, fault: Fault) -> None:
    store.put_new(RECORD, b"whole")
    gateway.faults = {"GetObject": [fault, fault], "ListObjectsV2": [fault]}
    assert store.get(RECORD) == b"whole"
    assert list(store.list("records")) == [RECORD]
    gateway.faults = {"ListObjectsV2": [fault]}
    assert store.folders("records") == ["plan"]


def test_who_has_won_is_decided_by_what_is_there(gateway: S3Gateway, store: S3Store) -> None:
    """The reply to the first try was lost: 412 on the second is this writer's own object."""
    gateway.faults["PutObject"] = [LOST_AFTER]
    store.put_new("ledger/0", b"mine")
    assert gateway.asked.count("PutObject") == 2

    gateway.faults["PutObject"] = [LOST_BEFORE, CONFLICT, BUSY]
    with pytest.raises(AlreadyExists, match="other content"):
        store_at(gateway.url, store.bucket).put_new("ledger/0", b"theirs")
    assert store.get("ledger/0") == b"mine"


def test_a_412_for_something_that_is_not_there_is_no_success(
    gateway: S3Gateway, store: S3Store
) -> None:
    gateway.faults["PutObject"] = [answers(412, "PreconditionFailed")]
    with pytest.raises(StoreUnavailable, match="nothing is there"):
        store.put_new(RECORD, b"mine")


def test_of_many_writers_on_a_bad_network_exactly_one_wins(
    gateway: S3Gateway, store: S3Store
) -> None:
    gateway.faults["PutObject"] = [LOST_AFTER, BUSY, CONFLICT, LOST_BEFORE] * 3
    gateway.faults["GetObject"] = [BUSY, LOST_AFTER] * 3

    one_wins(store, "records/x/0")


@pytest.mark.parametrize("fault", [BUSY, CONFLICT, LOST_BEFORE, LOST_AFTER])
def test_what_does_not_pass_ends_in_bounded_time_and_says_so(
    gateway: S3Gateway, store: S3Store, fault: Fault
) -> None:
    """Also when the object may be there by now: nobody may take that for written."""
    impatient = store_at(gateway.url, store.bucket, IMPATIENT)
    gateway.always = {"PutObject": fault, "GetObject": BUSY, "ListObjectsV2": BUSY}
    began = monotonic()
    with pytest.raises(StoreUnavailable, match=r"Could not write records/\S+ in s3://\S+ \(\d+ tr"):
        impatient.put_new("records/plan/b.json", b"x")
    with pytest.raises(StoreUnavailable, match=r"SlowDown.*busy or away"):
        impatient.get(RECORD)
    with pytest.raises(StoreUnavailable, match="Could not list"):
        list(impatient.list("records"))
    with pytest.raises(StoreUnavailable, match="Could not list"):
        impatient.folders("records")
    assert monotonic() - began < 5


def test_a_server_that_says_nothing_is_not_waited_for(gateway: S3Gateway, store: S3Store) -> None:
    hasty = store_at(gateway.url, store.bucket, replace(IMPATIENT, read=0.2))
    gateway.always["GetObject"] = SILENT
    began = monotonic()
    with pytest.raises(StoreUnavailable, match="Read timeout"):
        hasty.get(RECORD)
    assert monotonic() - began < 3


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("PutObject", lambda store: store.put_new("a/b", b"x")),
        ("GetObject", lambda store: store.get("a/b")),
        ("ListObjectsV2", lambda store: list(store.list("a"))),
        ("GetObjectLockConfiguration", lambda store: store.put_new(RECORD, b"x")),
    ],
)
def test_a_denial_is_an_error_at_once_and_names_the_policies(
    gateway: S3Gateway, store: S3Store, operation: str, call: object
) -> None:
    gateway.always[operation] = answers(403, "AccessDenied")
    with pytest.raises(StoreUnavailable, match=r"AccessDenied.*docs/iam"):
        call(store)  # type: ignore[operator]
    assert gateway.asked.count(operation) == 1
    gateway.reset()
    assert list(store.list("")) == []


def test_a_bucket_that_is_not_there_is_never_an_empty_one(gateway: S3Gateway) -> None:
    nowhere = store_at(gateway.url, "no-such-bucket")
    for call in (
        lambda: nowhere.get("a"),
        lambda: list(nowhere.list("")),
        lambda: nowhere.folders("a"),
        lambda: nowhere.put_new("a", b""),
        lambda: list(nowhere.rewritten()),
    ):
        with pytest.raises(StoreUnavailable, match=r"NoSuchBucket.*the bucket exists"):
            call()


def test_a_long_list_comes_whole(gateway: S3Gateway, store: S3Store) -> None:
    """Three pages, and the second one only at the third try."""
    keys = [f"x/{number}/a" for number in range(5)]
    for key in keys:
        store.put_new(key, b"")
    gateway.page = 2
    found = store.list("x")
    first = next(found)
    gateway.faults["ListObjectsV2"] = [BUSY, LOST_AFTER]
    assert [first, *found] == keys
    assert gateway.asked.count("ListObjectsV2") == 5
    assert store.folders("x") == ["0", "1", "2", "3", "4"]


def test_settings_come_from_the_environment() -> None:
    given = {
        "REDLINE_S3_SECONDS": "7",
        "REDLINE_S3_MULTIPART_MIB": "8",
        "REDLINE_S3_RETENTION": "COMPLIANCE",
        "REDLINE_S3_RETENTION_DAYS": "3650",
        "OTHER": "x",
    }
    read = S3Settings.from_environment(given)
    assert read == S3Settings(
        total=7, multipart_from=8 * MIB, retention=Retention.COMPLIANCE, retention_days=3650
    )
    assert S3Settings.from_environment({}) == S3Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REDLINE_S3_RETENTION", "governance"),
        ("REDLINE_S3_RETENTION", "NONE"),
        ("REDLINE_S3_RETENTION_DAYS", "0"),
        ("REDLINE_S3_RETENTION_DAYS", "-1"),
        ("REDLINE_S3_RETENTION_DAYS", "1e3"),
        ("REDLINE_S3_RETENTION_DAYS", "²"),
        ("REDLINE_S3_SECONDS", "0"),
        ("REDLINE_S3_MULTIPART_MIB", "4"),
        ("REDLINE_S3_RETENTON", "COMPLIANCE"),
    ],
)
def test_a_setting_that_does_not_read_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidDocument, match=name):
        S3Settings.from_environment({name: text})


def test_the_client_tries_once_and_has_strict_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("REDLINE_S3_SECONDS", "7")
    store = S3Store.from_uri("s3://bucket/prefix")
    config: Any = store.client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries["total_max_attempts"] == 1
    assert store.settings.total == 7
    assert QUICK.retention is Retention.GOVERNANCE
