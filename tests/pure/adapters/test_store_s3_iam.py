"""The policies of docs/iam against what each component really writes, and asks of S3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, get_args

import boto3
import pytest

from include.adapters.s3_settings import S3Settings
from include.adapters.store import Store, blob_key
from include.notary.notary import Notary
from include.rsp import records as r
from include.rsp.vocabulary import Scope
from tests.support import world as world_module
from tests.support.evaluated import record_result
from tests.support.factories import POLICY_BYTES, SUITE_BYTES, changed
from tests.support.iam_policy import (
    BUCKET,
    FILLED,
    FOLDER,
    NOTARY_ARN,
    arn_of,
    is_allowed,
    template,
)
from tests.support.people import packet_on, permit_on, sign_all
from tests.support.s3_gateway import LOST_BEFORE, answers, s3_gateway
from tests.support.s3_stores import CREDENTIALS, IN_PARTS, make_bucket, store_at
from tests.support.safeguarded import (
    approve,
    drilled,
    measure,
    plan_measures,
    reported,
    with_a_drill,
    with_interim_measures,
)
from tests.support.scenes import next_version
from tests.support.world import World

ROLES = ("evaluation-worker", "task-worker", "notary", "trainer", "reader")
WRITERS = ROLES[:-1]
NOTARYS = frozenset({
    "trust_root", "training_run", "permit", "hold", "deviation", "escalation", "acknowledgement",
})  # fmt: skip
"""Kinds of records that the notary alone writes (docs/architecture.md, boundary sentence 1)."""


@dataclass
class Noted:
    """A store that notes who wrote what."""

    store: Store
    role: str
    written: dict[str, set[str]]

    @property
    def uri(self) -> str:
        return self.store.uri

    def put_new(self, key: str, content: bytes) -> None:
        self.store.put_new(key, content)
        self.written.setdefault(key, set()).add(self.role)

    def get(self, key: str) -> bytes | None:
        return self.store.get(key)

    def list(self, prefix: str) -> Iterator[str]:
        return self.store.list(prefix)

    def folders(self, prefix: str) -> Sequence[str]:
        return self.store.folders(prefix)


class NotedNotary(Notary):
    """A notary whose writes are noted."""

    written: ClassVar[dict[str, set[str]]] = {}

    def __post_init__(self) -> None:
        self.store = Noted(self.store, "notary", self.written)
        Notary.__post_init__(self)


class NotedWorld(World):
    """A World in which every part has a store of its own."""

    notary_type = NotedNotary


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By key, the roles that wrote it in a lifecycle with nearly everything in it."""
    NotedNotary.written.clear()
    noted = NotedNotary.written
    made = NotedWorld(
        tmp_path_factory.mktemp("noted"),
        policy=changed(POLICY_BYTES, with_interim_measures),
        suite=changed(SUITE_BYTES, with_a_drill),
    )
    tasks = Noted(made.store, "task-worker", noted)
    made.desk.store = tasks

    def evaluated(*given: Any) -> Any:
        tasks.role = "evaluation-worker"
        try:
            return record_result(*given)
        finally:
            tasks.role = "task-worker"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world_module, "record_result", evaluated)
        live(made)
    for key in made.store.list(""):
        by_trainer = "/outbox/" in key or "/heartbeats/" in key
        noted.setdefault(key, {"trainer" if by_trainer else "task-worker"})
    return dict(noted)


def live(world: World) -> None:
    """A crossed red line, a hold, people, safeguards, a release, a deployment, a new policy."""
    gate = world.gate()
    assert gate.heartbeat(state="training", step=1, flop=1.0)
    world.assess(2, addition=190)
    hold = gate.may_continue(1.0).hold
    assert hold is not None
    verdict = world.state.runs[world_module.RUN].newest_verdict
    assert verdict is not None
    world.pass_time(minutes=30)  # nobody acknowledges: a deviation, and who is told of it
    assert gate.acknowledge(hold, state="stopped", last_step=1, last_flop=1.0, last_checkpoint=None)
    world.notary.step()
    drilled(world)
    plan_measures(
        world,
        verdict[0],
        measure("m", "block_responses", ("classifiers", "toy-api")),
    )
    world.add_evidence()
    report, _ = reported(world, verdict[0])
    approve(world, report)
    packet = packet_on(world)
    sign_all(world, packet)
    permit_on(world, packet)
    deployment = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, deployment)
    permit_on(world, deployment)
    world.report_incident()
    world.adopt(next_version(world.policy))


def kind_of(key: str) -> str:
    return key.split("/")[1]


def context(role: str, key: str, **changes: str | None) -> dict[str, str]:
    """What S3 knows of a request that the store makes to create an object."""
    made: dict[str, str | None] = {
        "aws:PrincipalArn": NOTARY_ARN if role == "notary" else f"{NOTARY_ARN}-not",
        "aws:SecureTransport": "true",
        "s3:if-none-match": "*",
        "s3:ObjectCreationOperation": "true",
    }
    if key.startswith(("records/", "ledger/")):
        made |= {
            "s3:object-lock-mode": "GOVERNANCE",
            "s3:object-lock-remaining-retention-days": str(S3Settings().retention_days),
        }
    return {name: text for name, text in (made | changes).items() if text is not None}


def may(role: str, action: str, key: str, **changes: str | None) -> bool:
    """By the role's policy and the bucket's."""
    documents = (template(role), template("bucket-policy"))
    return is_allowed(documents, action, arn_of(key), context(role, key, **changes))


def may_create(role: str, key: str, **changes: str | None) -> bool:
    locked = key.startswith(("records/", "ledger/"))
    return may(role, "s3:PutObject", key, **changes) and (
        not locked or may(role, "s3:PutObjectRetention", key, **changes)
    )


def may_touch(role: str, key: str) -> bool:
    """Whether any part of a creation is allowed: a bucket without Object Lock asks only for one."""
    return any(may(role, action, key) for action in ("s3:PutObject", "s3:PutObjectRetention"))


def test_the_lifecycle_wrote_what_there_is_to_write(written: Mapping[str, set[str]]) -> None:
    """Or the tests below would show little."""
    folders = {"/".join(one for one in key.split("/")[:3:2]) for key in written if "runs" in key}
    assert folders == {
        "runs/orders", "runs/leases", "runs/attestations", "runs/outbox", "runs/heartbeats",
    }  # fmt: skip
    kinds = {kind_of(key) for key in written if key.startswith("records/")}
    assert kinds >= NOTARYS - {"escalation"} | {"result_set", "verdict", "packet", "adoption"}
    by = {role for roles in written.values() for role in roles}
    assert by == set(WRITERS)
    assert any(key.startswith("blobs/") for key, roles in written.items()
               if "evaluation-worker" in roles)  # fmt: skip


def test_everybody_may_write_what_they_write(written: Mapping[str, set[str]]) -> None:
    refused = [
        (role, key) for key, roles in written.items() for role in roles if not may_create(role, key)
    ]
    assert refused == []


def test_evaluation_workers_write_results_and_nothing_else(written: Mapping[str, set[str]]) -> None:
    results = {key for key in written if key.startswith(("records/result_set/", "blobs/"))}
    assert {key for key in written if may_create("evaluation-worker", key)} == results
    assert {key for key in written if may_touch("evaluation-worker", key)} == results


def test_only_the_notary_writes_what_decides(written: Mapping[str, set[str]]) -> None:
    decides = {
        key
        for key in written
        if key.startswith("ledger/")
        or (key.startswith("records/") and kind_of(key) in NOTARYS)
        or "/orders/" in key or "/leases/" in key or "/attestations/" in key
    }  # fmt: skip
    assert decides == {
        key for key, roles in written.items()
        if roles == {"notary"} and not key.startswith("records/refusal/")
    }  # fmt: skip
    for key in decides:
        assert [role for role in ROLES if may_touch(role, key)] == ["notary"]
        generous = {"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
        for action in ("s3:PutObject", "s3:PutObjectRetention"):  # also with too wide a policy
            given = (generous, template("bucket-policy"))
            assert not is_allowed(given, action, arn_of(key), context("task-worker", key))


def test_every_kind_of_record_has_one_writer() -> None:
    """Also those kinds that no lifecycle of a test has."""
    union = get_args(get_args(r.Record)[0]) or get_args(r.Record)
    kinds = {one.model_fields["kind"].default for one in union}
    assert NOTARYS | set(r.WRITTEN_BY_WORK) == kinds
    for kind in kinds:
        key = f"records/{kind}/ab.json"
        writers = {role for role in ROLES if may_create(role, key)}
        expected = {"notary"} if kind in NOTARYS else {"task-worker"}
        expected |= {"notary"} if kind == "refusal" else set()
        expected |= {"evaluation-worker"} if kind == "result_set" else set()
        assert writers == expected, kind
        assert {role for role in ROLES if may_touch(role, key)} == expected, kind
    for elsewhere in ("records/new_kind/ab.json", "other/x", "runs/r/other/x", "records/x"):
        assert [role for role in ROLES if may_touch(role, elsewhere)] == []


DELETES = (
    "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention",
    "s3:PutObjectLegalHold", "s3:PutObjectAcl",
)  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("alone", [True, False], ids=["own policy", "bucket policy, too wide own"])
def test_nobody_deletes_unlocks_or_writes_over(
    written: Mapping[str, set[str]], role: str, alone: bool
) -> None:
    """Each of the two documents denies it by itself."""
    everything = {"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
    documents = [everything, template(role if alone else "bucket-policy")]
    asked = partial(is_allowed, documents)
    for key in written:
        for action in DELETES:
            assert not asked(action, arn_of(key), context(role, key)), (action, key)
    own = [template(role)] if alone else documents
    for key in written:
        over = context(role, key, **{"s3:if-none-match": None})
        assert not is_allowed(own, "s3:PutObject", arn_of(key), over)
    for action in ("s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "s3:DeleteBucket",
                   "s3:PutBucketObjectLockConfiguration"):  # fmt: skip
        assert not is_allowed(own, action, BUCKET, context(role, ""))


@pytest.mark.parametrize(
    "lock",
    [
        {"s3:object-lock-remaining-retention-days": "1"},
        {"s3:object-lock-remaining-retention-days": "36500"},
        {"s3:object-lock-mode": "COMPLIANCE"},
        {"s3:object-lock-mode": None, "s3:object-lock-remaining-retention-days": None},
    ],
    ids=["shorter", "for ever", "other mode", "none"],
)
def test_nothing_is_locked_for_less_or_more_than_said(
    written: Mapping[str, set[str]], lock: dict[str, str | None]
) -> None:
    for key in written:
        if key.startswith(("records/", "ledger/")):
            assert [role for role in ROLES if may_create(role, key, **lock)] == []


def test_a_request_in_the_clear_is_denied(written: Mapping[str, set[str]]) -> None:
    key = next(iter(written))
    assert may("reader", "s3:GetObject", key)
    assert not may("reader", "s3:GetObject", key, **{"aws:SecureTransport": "false"})


NEEDED = {
    "PutObject": "s3:PutObject",
    "GetObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
}
PARTS = {"CreateMultipartUpload", "UploadPart"}


@pytest.fixture(scope="module")
def asked(s3_endpoint: str) -> frozenset[str]:
    """Every operation that the store asks of S3, in good times and bad."""
    host, port = s3_endpoint.removeprefix("http://").split(":")
    with s3_gateway(host, int(port)) as gateway, pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1024)
        store = store_at(gateway.url, make_bucket(gateway.url, locked=True), IN_PARTS)
        gateway.reset()
        store.put_new("records/plan/a.json", b"x")
        store.put_new("ledger/0", b"x")
        assert store.get("ledger/0") == b"x"
        store.put_new(blob_key("sha256:ab"), bytes(IN_PARTS.multipart_from))
        gateway.faults["UploadPart"] = [LOST_BEFORE, answers(403, "AccessDenied")]
        with pytest.raises(Exception, match="AccessDenied"):
            store.put_new("blobs/cd", bytes(IN_PARTS.multipart_from))
        assert (store.folders("records"), len(list(store.list("")))) == (["plan"], 3)
        assert list(store.rewritten()) == []
        return frozenset(gateway.asked)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_ask_what_the_store_asks(asked: frozenset[str], role: str) -> None:
    assert asked == set(NEEDED), "and NEEDED says which permission each needs"
    documents = (template(role), template("bucket-policy"))
    for operation in asked:
        action = NEEDED[operation]
        if action.startswith(("s3:PutObject", "s3:Abort")):
            continue
        on_bucket = action not in {"s3:GetObject"}
        where = BUCKET if on_bucket else arn_of("records/plan/a.json")
        assert is_allowed(documents, action, where, context(role, "")), (role, action)
    plain = {"s3:if-none-match": None, "s3:ObjectCreationOperation": "false"}
    sends_parts = role in {"evaluation-worker", "task-worker"}
    assert may(role, "s3:PutObject", "blobs/ab", **plain) == sends_parts
    assert may(role, "s3:AbortMultipartUpload", "blobs/ab") == sends_parts
    assert not may(role, "s3:PutObject", "records/result_set/ab.json", **plain)


def test_the_policies_are_ones_that_iam_takes(s3_endpoint: str) -> None:
    """By moto's check of the grammar; sizes by IAM's limits (managed 6,144, bucket 20,480)."""
    client = boto3.client("iam", endpoint_url=s3_endpoint, **CREDENTIALS)
    assert {one.stem for one in FOLDER.glob("*.json")} == {*ROLES, "bucket-policy"}
    for role in ROLES:
        text = json.dumps(template(role), separators=(",", ":"))
        assert len(text) < 6144
        client.create_policy(PolicyName=role, PolicyDocument=text)
    with pytest.raises(Exception, match="MalformedPolicyDocument"):
        client.create_policy(PolicyName="bad", PolicyDocument=text.replace("Allow", "Permit"))
    assert len(json.dumps(template("bucket-policy"))) < 20480


def test_every_word_to_fill_in_is_explained() -> None:
    page = (Path(__file__).parents[3] / "docs/store-s3.md").read_text()
    for word in FILLED:
        assert f"`{word}`" in page
    for role in (*ROLES, "bucket-policy"):
        assert f"iam/{role}.json" in page
    assert replace(S3Settings(), retention_days=365) == S3Settings(), "MIN_DAYS and MAX_DAYS fit"
