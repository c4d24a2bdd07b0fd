"""Whatever keeps an AWS probe from looking does not show the safeguard, and says why."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore import xform_name

from include.adapters.probe_runner import run_probes
from include.adapters.probes.aws_client import PERMISSIONS
from include.adapters.probes.aws_record import fitted
from include.adapters.probing import Look, Seen, Setting, kinds, probe_of
from include.rsp.safeguard_plan import PlannedProbe
from tests.support.aws_gateway import ACCOUNT, Answer, fault, in_json, of_iam
from tests.support.aws_lab import BUCKET, KINDS, REGION, SETTINGS, AwsLab, allow, aws_lab, document

POLICY = Path(__file__).resolve().parents[3] / "docs/probes-aws.policy.json"
FREE = "GetCallerIdentity"  # needs no permission


@pytest.fixture(scope="module")
def running() -> Iterator[AwsLab]:
    with aws_lab() as lab:
        lab.build()
        yield lab


@pytest.fixture
def lab(running: AwsLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsLab]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "probe")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-in-any-record")
    kept = dict(running.gateway.answers)
    running.gateway.asked.clear()
    running.gateway.owners.clear()
    yield running
    running.gateway.only = None
    running.gateway.answers.clear()
    running.gateway.answers.update(kept)


def calls_of(seen: Seen) -> list[str]:
    return [one["call"] for one in seen.raw["calls"] if "call" in one]


def refused(seen: Seen, *said: str) -> None:
    assert not seen.shows
    assert seen.statement.startswith("Could not look: ")
    for one in said:
        assert one in seen.statement
    assert json.loads(seen.as_bytes())["calls"] == seen.raw["calls"]


def operations_of(lab: AwsLab, kind: str) -> list[tuple[str, str, str]]:
    """(service, operation as AWS writes it, call) of each call of a probe that shows.

    That of the account, which all begin with, is left to one of them.
    """
    seen = lab.look(kind)
    assert seen.shows, seen.statement
    names = {xform_name(one): one for one in lab.gateway.asked}
    found = [(one.partition(".")[0], names[one.partition(".")[2]], one) for one in calls_of(seen)]
    every = list(dict.fromkeys(found))
    assert every[0][1] == FREE
    return every if kind == KINDS[0] else every[1:]


def test_there_is_a_setting_for_each_aws_probe() -> None:
    assert [one for one in sorted(kinds()) if one.startswith("aws.")] == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_that_may_do_nothing_says_what_it_needs(kind: str, lab: AwsLab) -> None:
    """moto enforces IAM here: a user without any policy signs the calls."""
    lab.iam.create_user(UserName=f"nobody-{kind}")
    key = lab.iam.create_access_key(UserName=f"nobody-{kind}")["AccessKey"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        without = {one for one in lab.gateway.answers if one != FREE}
        kept = {one: lab.gateway.answers.pop(one) for one in without}
        enforce(lab, "0")
        try:
            seen = lab.look(kind)
        finally:
            enforce(lab, "inf")
            lab.gateway.answers.update(kept)
            lab.iam.delete_access_key(UserName=f"nobody-{kind}", AccessKeyId=key["AccessKeyId"])
            lab.iam.delete_user(UserName=f"nobody-{kind}")
    last = calls_of(seen)[-1]
    refused(seen, "was denied (AccessDenied", last, f"Allow {PERMISSIONS[last]} to")


def enforce(lab: AwsLab, after: str) -> None:
    connection = HTTPConnection(*lab.gateway.upstream)
    connection.request("POST", "/moto-api/reset-auth", after)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("kind", KINDS)
def test_each_single_call_that_is_denied_is_named_with_its_permission(
    kind: str, lab: AwsLab
) -> None:
    for service, operation, call in operations_of(lab, kind):
        denied = "AccessDeniedException" if service in {"kms", "cloudtrail"} else "AccessDenied"
        before = lab.gateway.answers.get(operation)
        lab.gateway.answers[operation] = fault(service, denied, 400 if "Exc" in denied else 403)
        permission = PERMISSIONS[call]
        needs = f"Allow {permission} to" if permission else "Give valid credentials to"
        refused(lab.look(kind), call, f"was denied ({denied}: because)", needs)
        lab.gateway.answers.pop(operation)
        if before is not None:
            lab.gateway.answers[operation] = before


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_in_time_is_a_failed_criterion(kind: str, lab: AwsLab) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        seen = lab.look(kind, endpoint_url=address, timeout_seconds=0.05)
    refused(seen, "sts.get_caller_identity", "no answer in time", "raise `timeout_seconds`")


def test_no_answer_in_time_after_a_first_one_is_too(lab: AwsLab) -> None:
    """All at once, so that the time-out can be long enough for a busy machine's first answer."""
    lab.gateway.only = FREE
    with ThreadPoolExecutor(len(KINDS)) as pool:
        every = dict(
            zip(
                KINDS,
                pool.map(lambda kind: lab.look(kind, timeout_seconds=1.5), KINDS),
                strict=True,
            )
        )
    assert len(every) == len(KINDS)
    for seen in every.values():
        first, second = calls_of(seen)
        assert first == "sts.get_caller_identity"
        refused(seen, second, "no answer in time", "raise `timeout_seconds`")


@pytest.mark.parametrize("kind", KINDS)
def test_an_endpoint_that_nobody_listens_on_is_too(
    kind: str, lab: AwsLab, unused_port: int
) -> None:
    seen = lab.look(kind, endpoint_url=f"http://127.0.0.1:{unused_port}")
    refused(seen, "endpoint unreachable", "Check `region`")


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_another_shape_never_shows_anything(kind: str, lab: AwsLab) -> None:
    """200 with nothing in it, HTML of a proxy, or broken text, in the place of each call."""
    for service, operation, call in operations_of(lab, kind):
        empty = in_json({}) if service in {"kms", "cloudtrail"} else of_iam(operation, "")
        before = lab.gateway.answers.get(operation)
        for wrong in (empty, Answer(200, b"<html>Log in</html>"), Answer(200, b"{<broken")):
            lab.gateway.answers[operation] = wrong
            seen = lab.look(kind)
            # Where a call only says that there is something, another one says what it is.
            assert not seen.shows, (call, wrong, seen.statement)
        lab.gateway.answers.pop(operation)
        if before is not None:
            lab.gateway.answers[operation] = before


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("ThrottlingException", 400, "was throttled"),
        ("SlowDown", 503, "was throttled"),
        ("NoSuchBucket", 404, "Correct `bucket`"),
        ("ExpiredToken", 400, "credentials refused"),
        ("InternalError", 500, "answered InternalError (HTTP 500"),
        ("NotImplemented", 501, "answered NotImplemented"),
    ],
)
def test_other_errors_say_what_to_do(code: str, status: int, said: str, lab: AwsLab) -> None:
    lab.gateway.answers["GetBucketVersioning"] = fault("s3", code, status)
    refused(lab.look("aws.versioning"), "s3.get_bucket_versioning(Bucket='weights')", said)


def test_throttled_calls_are_tried_again(lab: AwsLab) -> None:
    left = [fault("s3", "SlowDown", 503)]
    good = Answer(
        200, b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    )
    lab.gateway.answers["GetBucketVersioning"] = lambda form: left.pop() if left else good
    assert lab.look("aws.versioning", attempts=2.0).shows
    assert lab.gateway.asked.count("GetBucketVersioning") == 2


def test_a_bucket_that_is_not_there_says_so(lab: AwsLab) -> None:
    for kind in (one for one in KINDS if "bucket" in SETTINGS[one]):
        seen = lab.look(kind, bucket="not-there-at-all")
        refused(seen, "no such bucket", "Correct `")


def test_a_bucket_of_another_account_is_not_looked_at(lab: AwsLab) -> None:
    for kind in KINDS:
        lab.look(kind)
    assert set(lab.gateway.owners) == {ACCOUNT}


def test_what_is_regional_is_looked_at_in_the_region_of_the_bucket(lab: AwsLab) -> None:
    for kind in ("aws.data-events", "aws.weight-readers"):
        refused(lab.look(kind, region="us-east-1"), "is in eu-central-1", "Correct `region`")


def test_credentials_of_another_account_say_nothing_of_the_weights(lab: AwsLab) -> None:
    for kind in KINDS:
        refused(lab.look(kind, account="999999999999"), f"are of account {ACCOUNT}")


def test_no_credentials_is_a_failed_criterion(
    lab: AwsLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    refused(lab.look("aws.versioning"), "has no credentials", "docs/probes-aws.policy.json")
    refused(lab.look("aws.versioning", profile="absent"), "absent")


def test_the_environment_cannot_send_a_probe_elsewhere(
    lab: AwsLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.adapters.probes.aws_client import Aws

    monkeypatch.setenv("AWS_ENDPOINT_URL", lab.gateway.url)
    aws = Aws(Look(settings={"account": ACCOUNT, "region": REGION, "bucket": BUCKET}))
    assert aws._client("s3").meta.endpoint_url == f"https://s3.{REGION}.amazonaws.com"


def test_a_list_of_users_that_breaks_off_is_no_whole_list(lab: AwsLab) -> None:
    body = "<Users/><IsTruncated>true</IsTruncated>"
    lab.gateway.answers["ListUsers"] = of_iam("ListUsers", body)
    refused(lab.look("aws.users-without-mfa"), "iam.list_users broke off")
    lab.gateway.answers["ListUsers"] = of_iam("ListUsers", f"{body}<Marker>same</Marker>")
    refused(lab.look("aws.users-without-mfa"), "iam.list_users broke off")


WRONG: list[tuple[str, dict[str, Setting | None], str]] = [
    ("aws.versioning", {"account": 123456789012.0}, "'account'"),
    ("aws.versioning", {"account": "12345"}, "twelve digits"),
    ("aws.versioning", {"region": "the moon"}, "'region'"),
    ("aws.versioning", {"bucket": "*"}, "'bucket'"),
    ("aws.versioning", {"bucket": None}, "'bucket'"),
    ("aws.versioning", {"timeout_seconds": 0.0}, "'timeout_seconds'"),
    ("aws.versioning", {"timeout_seconds": float("nan")}, "'timeout_seconds'"),
    ("aws.versioning", {"attempts": 11.0}, "'attempts'"),
    ("aws.versioning", {"endpoint_url": "http://me:hunter2@127.0.0.1"}, "'endpoint_url'"),
    ("aws.versioning", {"endpoint_url": "file:///etc/passwd"}, "'endpoint_url'"),
    ("aws.object-lock", {"minimum_days": None}, "'minimum_days'"),
    ("aws.object-lock", {"minimum_days": 0.0}, "'minimum_days'"),
    ("aws.object-lock", {"minimum_days": True}, "'minimum_days'"),
    ("aws.default-encryption", {"key_owner": "anyone"}, "'key_owner'"),
    ("aws.key-rotation", {"maximum_days": float("nan")}, "'maximum_days'"),
    ("aws.weight-readers", {"limit": None}, "'limit'"),
    ("aws.weight-readers", {"limit": 1.5}, "'limit'"),
    ("aws.weight-readers", {"limit": float("inf")}, "'limit'"),
    ("aws.weight-readers", {"prefix": "models/*"}, "'prefix'"),
    ("aws.bucket-policy", {"principals": []}, "'principals'"),
    ("aws.bucket-policy", {"principals": ["*"]}, "'principals'"),
    ("aws.bucket-policy", {"principals": ["arn:aws:iam::123456789012:role/*"]}, "'principals'"),
    ("aws.vpc-endpoint-only", {"endpoints": ["vpce-*"]}, "'endpoints'"),
    ("aws.vpc-endpoint-only", {"endpoints": None}, "'endpoints'"),
]


UNKNOWN: dict[str, Setting | None] = {"secret_access_key": "hunter2"}
NAMELESS: dict[str, Setting | None] = {"account": None}
WRONG += [(kind, UNKNOWN, "does not know") for kind in KINDS]
WRONG += [(kind, NAMELESS, "'account'") for kind in KINDS]


@pytest.mark.parametrize(("kind", "settings", "said"), WRONG)
def test_settings_that_do_not_do_are_refused(
    kind: str, settings: dict[str, Any], said: str, lab: AwsLab
) -> None:
    seen = lab.look(kind, **settings)
    refused(seen, said, "Correct")
    assert b"hunter2" not in seen.as_bytes()
    assert "hunter2" not in seen.statement


def test_the_roles_policy_names_what_the_probes_call_and_no_more(lab: AwsLab) -> None:
    called: set[str] = set()
    for kind in KINDS:
        lab.gateway.asked.clear()
        seen = lab.look(kind)
        assert seen.shows, seen.statement
        asked = [xform_name(one) for one in lab.gateway.asked]
        assert asked == [one.partition(".")[2] for one in calls_of(seen)]  # no call goes unrecorded
        called |= set(calls_of(seen))
    assert called == set(PERMISSIONS)
    statements = json.loads(POLICY.read_text())["Statement"]
    allowed = [action for one in statements for action in one["Action"]]
    assert all(one["Effect"] == "Allow" for one in statements)
    assert sorted(allowed) == sorted(one for one in PERMISSIONS.values() if one)
    for one in statements:
        assert one["Resource"] != "*" or all(
            action.startswith(("iam:", "cloudtrail:DescribeTrails")) for action in one["Action"]
        )


def test_what_is_handed_back_fits_however_large_the_account(lab: AwsLab) -> None:
    """The runner takes 1 MB and a statement of 4000 characters; a probe stays below both."""

    def role(at: int) -> str:
        text = quote(document(allow("s3:*", Condition={"StringLike": {"aws:x": "y" * 300}})))
        inline = f"<PolicyName>p</PolicyName><PolicyDocument>{text}</PolicyDocument>"
        return (
            f"<member><Arn>arn:aws:iam::{ACCOUNT}:role/r{at:06d}</Arn><RoleName>r</RoleName>"
            f"<AssumeRolePolicyDocument>{quote(document(allow('sts:external-id')))}"
            "</AssumeRolePolicyDocument>"
            f"<RolePolicyList><member>{inline}</member></RolePolicyList></member>"
        )

    roles = "".join(role(at) for at in range(3000))
    empty = "<UserDetailList/><GroupDetailList/><Policies/><IsTruncated>false</IsTruncated>"
    operation = "GetAccountAuthorizationDetails"
    lab.gateway.answers[operation] = of_iam(
        operation, f"{empty}<RoleDetailList>{roles}</RoleDetailList>"
    )
    lab.gateway.answers["GetBucketPolicy"] = fault("s3", "NoSuchBucketPolicy", 404)
    seen = lab.look("aws.weight-readers")
    assert not seen.shows
    assert "3000 of 3000" in seen.statement
    assert len(seen.statement) < 4000
    assert len(json.dumps(dict(seen.raw))) < 800_000
    assert b"external-id" not in seen.as_bytes()
    assert any("left_out" in one for one in seen.raw["calls"])


def test_many_short_calls_are_cut_as_well() -> None:
    calls = [{"call": f"iam.get_login_profile{at:05d}"} for at in range(1000)]
    kept = fitted(calls, most=5000)
    assert len(json.dumps(kept)) < 6000
    assert kept[-1] == {"calls_left_out": 1000 - (len(kept) - 1)}
    assert fitted(calls[:3]) == calls[:3]


def test_the_runner_gets_an_answer_from_a_process(lab: AwsLab) -> None:
    def planned(name: str, **changes: Setting) -> PlannedProbe:
        own: dict[str, Setting] = {"account": ACCOUNT, "region": REGION, "bucket": BUCKET}
        return PlannedProbe(
            id=name,
            probe="aws.versioning",
            standard="s",
            requirement="r",
            type="t",
            timeout_seconds=30,
            settings=own | {"endpoint_url": lab.gateway.url} | changes,
        )

    good, bad = run_probes([planned("good"), planned("bad", bucket="not-there")])
    assert good.seen.shows, good.seen.statement
    assert not bad.seen.shows
    assert "no such bucket" in bad.seen.statement


def test_the_docs_name_each_permission() -> None:
    text = (POLICY.parent / "probes-aws.md").read_text()
    for permission in filter(None, PERMISSIONS.values()):
        assert f"`{permission}`" in text, permission


def test_a_probe_of_ours_is_what_its_kind_names() -> None:
    for kind in KINDS:
        module, _, name = kinds()[kind].partition(":")
        assert probe_of(kind).__name__ == name
        assert probe_of(kind).__module__ == module
