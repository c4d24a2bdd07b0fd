"""Every AWS probe against an AWS-shaped API over HTTP: as it should be, and as it should not.

moto answers; `tests/support/aws_gateway.py` answers for what moto lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.adapters.probes.aws_settings import COMMON_SETTINGS
from tests.support.aws_gateway import ACCOUNT, Answer, fault, in_json, of_iam
from tests.support.aws_lab import (
    BUCKET,
    BUCKET_ARN,
    ENDPOINT,
    KEEPER,
    KINDS,
    LET_IN,
    LOGS,
    OUTSIDE,
    READER,
    REGION,
    SETTINGS,
    STATEMENTS,
    STRANGERS,
    TLS,
    AwsLab,
    allow,
    aws_lab,
    deny,
    document,
    summary,
)

Change = Callable[[AwsLab], Any]


@pytest.fixture(scope="module")
def running() -> Iterator[AwsLab]:
    with aws_lab() as lab:
        yield lab


@pytest.fixture
def lab(running: AwsLab, monkeypatch: pytest.MonkeyPatch) -> AwsLab:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "probe")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-in-any-record")
    return running


def trail(name: str = "audit", **changes: Any) -> Change:
    return lambda lab: lab.trail.update_trail(Name=name, **changes)


def advanced(*more: dict[str, Any], kind: str = "Data") -> Change:
    fields = [
        {"Field": "eventCategory", "Equals": [kind]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        *more,
    ]
    one = {"Name": "weights", "FieldSelectors": fields}
    return lambda lab: lab.trail.put_event_selectors(
        TrailName="audit", AdvancedEventSelectors=[one]
    )


def objects(*values: str, kind: str = "All") -> Change:
    return lambda lab: lab.select({"Type": "AWS::S3::Object", "Values": list(values)}, kind)


def policy(*statements: dict[str, Any]) -> Change:
    return lambda lab: lab.policy(*statements)


def rotation(**answer: Any) -> Change:
    return lambda lab: lab.gateway.answers.update(GetKeyRotationStatus=in_json(answer))


def aws_owned_key(lab: AwsLab) -> None:
    """moto makes no key that AWS manages when S3 asks for one."""
    lab.encrypt("aws:kms", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3")
    whole = lab.kms.describe_key(KeyId=lab.key)["KeyMetadata"]
    described = {k: v for k, v in whole.items() if k != "CreationDate"} | {"KeyManager": "AWS"}
    lab.gateway.answers["DescribeKey"] = in_json({"KeyMetadata": described})


def foreign_key(lab: AwsLab) -> None:
    whole = lab.kms.describe_key(KeyId=lab.key)["KeyMetadata"]
    described = {k: v for k, v in whole.items() if k != "CreationDate"}
    described |= {"AWSAccountId": "999999999999", "Arn": "arn:aws:kms:eu-central-1:999999999999:k"}
    lab.gateway.answers["DescribeKey"] = in_json({"KeyMetadata": described})


def trail_that_cannot_deliver(lab: AwsLab) -> None:
    answer = {"IsLogging": True, "LatestDeliveryError": "NoSuchBucket"}
    lab.gateway.answers["GetTrailStatus"] = in_json(answer)


def digests_that_are_not_delivered(lab: AwsLab) -> None:
    answer = {"IsLogging": True, "LatestDigestDeliveryError": "AccessDenied"}
    lab.gateway.answers["GetTrailStatus"] = in_json(answer)


def trail_of_another_region(lab: AwsLab) -> None:
    (one,) = lab.trail.describe_trails()["trailList"]
    other = one | {"IsMultiRegionTrail": False, "HomeRegion": "us-east-1"}
    lab.gateway.answers["DescribeTrails"] = in_json({"trailList": [other]})


def second_default(lab: AwsLab) -> None:
    rule = (
        "<Rule><ApplyServerSideEncryptionByDefault>{}</ApplyServerSideEncryptionByDefault></Rule>"
    )
    kms = f"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{lab.key}</KMSMasterKeyID>"
    rules = rule.format(kms) + rule.format("<SSEAlgorithm>AES256</SSEAlgorithm>")
    body = f"<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>"
    lab.gateway.answers["GetBucketEncryption"] = Answer(200, body.encode())


def user_on_the_second_page(lab: AwsLab) -> None:
    lab.person("bob")

    def page(form: Any) -> Any:
        second = form.get("Marker") == "next"
        name = "bob" if second else "ada"
        user = (
            f"<UserName>{name}</UserName><Path>/</Path><UserId>AIDA{name.upper()}ABCDEFGHIJKL"
            f"</UserId><Arn>arn:aws:iam::{ACCOUNT}:user/{name}</Arn>"
            "<CreateDate>2026-01-01T00:00:00Z</CreateDate>"
        )
        more = "<IsTruncated>false</IsTruncated>"
        if not second:
            more = "<IsTruncated>true</IsTruncated><Marker>next</Marker>"
        return of_iam("ListUsers", f"<Users><member>{user}</member></Users>{more}")

    lab.gateway.answers["ListUsers"] = page


def second_reader(lab: AwsLab) -> None:
    lab.policy(*STATEMENTS[:1])
    lab.grant("weight-keeper", allow(["s3:Put*", "s3:*"], [BUCKET_ARN, f"{BUCKET_ARN}/*"]))


def reader_by_group(lab: AwsLab) -> None:
    lab.policy(*STATEMENTS[:1])
    lab.iam.create_group(GroupName="research")
    made = lab.iam.create_policy(
        PolicyName="all-but-iam",
        PolicyDocument=document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    )
    lab.iam.attach_group_policy(GroupName="research", PolicyArn=made["Policy"]["Arn"])
    lab.iam.add_user_to_group(GroupName="research", UserName="ada")


def no_ownership_rule(lab: AwsLab) -> None:
    lab.s3.delete_bucket_ownership_controls(Bucket=BUCKET)


def logging_elsewhere(lab: AwsLab) -> None:
    place = {"LocationConstraint": REGION}
    lab.s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration=place)
    lab.log_to("elsewhere")


BAD: list[tuple[str, str, Change, str]] = [
    ("aws.block-public-access", "none", lambda lab: lab.s3.delete_public_access_block(
        Bucket=BUCKET), "no such configuration"),
    ("aws.block-public-access", "one off", lambda lab: lab.blocks(RestrictPublicBuckets=False),
     "not on: ['RestrictPublicBuckets']"),
    ("aws.default-encryption", "none", lambda lab: lab.s3.delete_bucket_encryption(Bucket=BUCKET),
     "the default is none"),
    ("aws.default-encryption", "AES256", lambda lab: lab.encrypt("AES256"), "AES256, no KMS key"),
    ("aws.default-encryption", "no key named", lambda lab: lab.encrypt("aws:kms"), "aws/s3"),
    ("aws.default-encryption", "AWS's key", aws_owned_key, "is managed by AWS"),
    ("aws.default-encryption", "other account's key", foreign_key, "of another account"),
    ("aws.default-encryption", "two defaults", second_default, "the default is none"),
    ("aws.default-encryption", "disabled key", lambda lab: lab.kms.disable_key(KeyId=lab.key_id),
     "is Disabled"),
    ("aws.versioning", "suspended", lambda lab: lab.s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}), "Suspended"),
    ("aws.versioning", "never", lambda lab: (lab.s3.delete_bucket(Bucket=BUCKET),
        lab.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={
            "LocationConstraint": REGION})), "never enabled"),
    ("aws.object-lock", "governance", lambda lab: lab.lock({"Mode": "GOVERNANCE", "Days": 99}),
     "mode GOVERNANCE"),
    ("aws.object-lock", "no default", lambda lab: lab.lock(None), "no default retention"),
    ("aws.object-lock", "short", lambda lab: lab.lock({"Mode": "COMPLIANCE", "Days": 29}),
     "retention of 29 days"),
    ("aws.object-lock", "never", lambda lab: (lab.s3.delete_bucket(Bucket=BUCKET),
        lab.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={
            "LocationConstraint": REGION})), "not enabled"),
    ("aws.access-logging", "off", lambda lab: lab.s3.put_bucket_logging(
        Bucket=BUCKET, BucketLoggingStatus={}), "no access logging"),
    ("aws.access-logging", "other bucket", logging_elsewhere, "logs to 'elsewhere'"),
    ("aws.access-logging", "target gone", lambda lab: lab.gateway.answers.update(
        GetBucketLocation=fault("s3", "NoSuchBucket", 404)), "does not exist"),
    ("aws.bucket-policy", "none", lambda lab: lab.s3.delete_bucket_policy(Bucket=BUCKET),
     "no Deny of every request without TLS"),
    ("aws.bucket-policy", "TLS for some", policy(
        deny({**TLS, "StringLike": {"aws:UserAgent": "*"}}), deny(STRANGERS)), "without TLS"),
    ("aws.bucket-policy", "anyone", policy(*STATEMENTS, {**LET_IN, "Principal": "*"}),
     "allows ['*']"),
    ("aws.bucket-policy", "other root", policy(*STATEMENTS, {
        **LET_IN, "Principal": {"AWS": "999999999999"}}), "iam::999999999999:root"),
    ("aws.vpc-endpoint-only", "none", policy(deny(TLS)), "outside the endpoints"),
    ("aws.vpc-endpoint-only", "another", policy(
        deny({"StringNotEquals": {"aws:SourceVpce": [ENDPOINT, "vpce-0badbadbad0badbad"]}})),
     "outside the endpoints"),
    ("aws.vpc-endpoint-only", "objects only", policy(deny(OUTSIDE, Resource=f"{BUCKET_ARN}/*")),
     "outside the endpoints"),
    ("aws.weight-readers", "one too many", second_reader, KEEPER),
    ("aws.weight-readers", "by a group", reader_by_group, "user/ada"),
    ("aws.weight-readers", "ACLs", no_ownership_rule, "ACLs are in force"),
    ("aws.weight-readers", "public", policy(*STATEMENTS, {**LET_IN, "Principal": {"AWS": "*"}}),
     "unknown number"),
    ("aws.key-rotation", "off", rotation(KeyRotationEnabled=False), "is not rotated"),
    ("aws.key-rotation", "rare", rotation(KeyRotationEnabled=True, RotationPeriodInDays=2560),
     "every 2560 days"),
    ("aws.key-rotation", "unsaid", lambda lab: (lab.kms.enable_key_rotation(KeyId=lab.key),
        lab.gateway.answers.pop("GetKeyRotationStatus")), "does not say how often"),
    ("aws.key-rotation", "no key", lambda lab: lab.encrypt("AES256"), "names no KMS key"),
    ("aws.key-rotation", "deleted soon", lambda lab: lab.kms.schedule_key_deletion(
        KeyId=lab.key_id, PendingWindowInDays=7), "PendingDeletion"),
    ("aws.data-events", "no trail", lambda lab: lab.trail.delete_trail(Name="audit"),
     "no trail at all"),
    ("aws.data-events", "stopped", lambda lab: lab.trail.stop_logging(Name="audit"),
     "is not logging"),
    ("aws.data-events", "not delivered", trail_that_cannot_deliver, "cannot deliver"),
    ("aws.data-events", "digests not delivered", digests_that_are_not_delivered, "cannot deliver"),
    ("aws.data-events", "elsewhere", trail_of_another_region, "is of us-east-1 only"),
    ("aws.data-events", "no validation", trail(EnableLogFileValidation=False), "not validate"),
    ("aws.data-events", "into the weights", trail(S3BucketName=BUCKET), "bucket of the weights"),
    ("aws.data-events", "other prefix", objects(f"{BUCKET_ARN}/datasets/"), "no data events"),
    ("aws.data-events", "other bucket", objects("arn:aws:s3:::weights-2/"), "no data events"),
    ("aws.data-events", "writes only", objects(f"{BUCKET_ARN}/", kind="WriteOnly"), "['writes']"),
    ("aws.data-events", "management only", advanced(kind="Management"), "no data events"),
    ("aws.data-events", "one call only", advanced({"Field": "eventName", "Equals": ["PutObject"]}),
     "no data events"),
    ("aws.data-events", "but them", advanced(
        {"Field": "resources.ARN", "NotStartsWith": [f"{BUCKET_ARN}/"]}), "no data events"),
    ("aws.users-without-mfa", "one", lambda lab: lab.person("eve"), "1 without MFA: ['eve']"),
    ("aws.users-without-mfa", "on page two", user_on_the_second_page, "1 without MFA: ['bob']"),
    ("aws.users-without-mfa", "root", lambda lab: lab.gateway.answers.update(
        GetAccountSummary=summary(root_mfa=0)), "the root user"),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_up_as_it_should_be_is_shown(kind: str, lab: AwsLab) -> None:
    lab.build(kind)
    seen = lab.look(kind)
    assert seen.shows, seen.statement
    assert ACCOUNT in seen.statement
    assert "expected" in seen.statement
    assert len(seen.raw["calls"]) >= 2
    assert b"not-in-any-record" not in seen.as_bytes()


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [(kind, change, said) for kind, _, change, said in BAD],
    ids=[f"{kind} {name}" for kind, name, _, _ in BAD],
)
def test_a_set_up_as_it_should_not_be_is_not(
    kind: str, change: Change, said: str, lab: AwsLab
) -> None:
    lab.build(kind)
    change(lab)
    seen = lab.look(kind)
    assert not seen.shows, seen.statement
    assert said in seen.statement
    assert "Could not look" not in seen.statement


def test_each_probe_has_two_set_ups_that_it_refuses() -> None:
    assert {kind: sum(one[0] == kind for one in BAD) >= 2 for kind in KINDS} == dict.fromkeys(
        KINDS, True
    )


def test_logs_of_the_bucket_in_itself_are_no_logs(lab: AwsLab) -> None:
    lab.build("aws.access-logging")
    lab.gateway.answers["GetBucketLogging"] = logging_to(BUCKET)
    seen = lab.look("aws.access-logging", log_bucket=None)
    assert not seen.shows
    assert "to itself" in seen.statement


def logging_to(target: str) -> Any:
    text = f"<TargetBucket>{target}</TargetBucket><TargetPrefix>x/</TargetPrefix>"
    body = f"<BucketLoggingStatus><LoggingEnabled>{text}</LoggingEnabled></BucketLoggingStatus>"
    return Answer(200, body.encode())


OTHER_WAYS: list[tuple[str, Change, dict[str, Any]]] = [
    ("aws.data-events", objects("arn:aws:s3"), {}),
    ("aws.data-events", objects(f"{BUCKET_ARN}/models/"), {"prefix": "models/big/"}),
    ("aws.data-events", advanced(), {}),
    ("aws.data-events", advanced({"Field": "resources.ARN", "StartsWith": [f"{BUCKET_ARN}/"]}), {}),
    ("aws.default-encryption", lambda lab: lab.encrypt("aws:kms"), {"key_owner": "aws"}),
    ("aws.object-lock", lambda lab: lab.lock({"Mode": "COMPLIANCE", "Years": 1}),
     {"minimum_days": 365.0}),
    ("aws.access-logging", lambda lab: None, {"log_bucket": None}),
    ("aws.weight-readers", lambda lab: lab.grant("inference", allow("iam:*")), {"limit": 1.0}),
    ("aws.bucket-policy", policy(*STATEMENTS[:2]), {"principals": [KEEPER, READER]}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "settings"), OTHER_WAYS)
def test_another_way_to_have_it_is_shown(
    kind: str, change: Change, settings: dict[str, Any], lab: AwsLab
) -> None:
    lab.build(kind)
    change(lab)
    seen = lab.look(kind, **settings)
    assert seen.shows, seen.statement


def test_reads_of_one_trail_and_writes_of_another_are_all_of_it(lab: AwsLab) -> None:
    lab.build("aws.data-events")
    objects(f"{BUCKET_ARN}/", kind="ReadOnly")(lab)
    assert not lab.look("aws.data-events").shows
    lab.trail.create_trail(Name="second", S3BucketName=LOGS, EnableLogFileValidation=True)
    lab.trail.start_logging(Name="second")
    lab.select({"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::"]}, "WriteOnly", "second")
    assert lab.look("aws.data-events").shows


def test_a_key_that_is_not_the_named_one_does_not_do(lab: AwsLab) -> None:
    lab.build("aws.key-rotation")
    other = lab.kms.create_key()["KeyMetadata"]["Arn"]
    for kind in ("aws.default-encryption", "aws.key-rotation"):
        assert lab.look(kind, key=lab.key).shows
        seen = lab.look(kind, key=other)
        assert not seen.shows
        assert lab.key in seen.statement


def test_the_readers_are_told_with_the_reason(lab: AwsLab) -> None:
    lab.build("aws.weight-readers")
    seen = lab.look("aws.weight-readers", limit=0.0)
    assert not seen.shows
    assert f"{READER} (s3:GetObject by policy 'own'[0])" in seen.statement
    assert seen.raw["calls"][-1]["readers"] == {READER: "s3:GetObject by policy 'own'[0]"}


def test_the_docs_name_each_probe_and_each_setting() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/probes-aws.md").read_text()
    own = {name for settings in SETTINGS.values() for name in settings}
    for name in [*KINDS, *COMMON_SETTINGS, *own, "prefix", "key", "key_owner", "maximum_days"]:
        assert f"`{name}`" in text, name
