"""A lab's AWS account in which every AWS probe shows its safeguard, and the settings for it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from include.adapters.probing import Look, Seen, Setting, probe_of
from tests.support.aws_gateway import ACCOUNT, AwsGateway, aws_gateway, in_json, of_iam

REGION, BUCKET, LOGS = "eu-central-1", "weights", "weights-logs"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
READER = f"arn:aws:iam::{ACCOUNT}:role/inference"
KEEPER = f"arn:aws:iam::{ACCOUNT}:role/weight-keeper"
ENDPOINT = "vpce-0123456789abcdef0"
SETTINGS: dict[str, dict[str, Setting]] = {
    "aws.block-public-access": {"bucket": BUCKET},
    "aws.default-encryption": {"bucket": BUCKET},
    "aws.versioning": {"bucket": BUCKET},
    "aws.object-lock": {"bucket": BUCKET, "minimum_days": 30.0},
    "aws.access-logging": {"bucket": BUCKET, "log_bucket": LOGS},
    "aws.bucket-policy": {"bucket": BUCKET, "principals": [READER, KEEPER]},
    "aws.vpc-endpoint-only": {"bucket": BUCKET, "endpoints": [ENDPOINT]},
    "aws.weight-readers": {"bucket": BUCKET, "limit": 1.0},
    "aws.key-rotation": {"bucket": BUCKET},
    "aws.data-events": {"bucket": BUCKET},
    "aws.users-without-mfa": {},
}
KINDS = sorted(SETTINGS)
found = functools.cache(probe_of)  # reading the entry points of every package takes a while


def deny(condition: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """A Deny of everything for everyone under one condition, with what is changed of it."""
    whole = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/*"],
        "Condition": condition,
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


TLS = {"Bool": {"aws:SecureTransport": "false"}}
STRANGERS = {"StringNotEquals": {"aws:PrincipalArn": [READER, KEEPER]}}
OUTSIDE = {"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}
LET_IN = {
    "Effect": "Allow",
    "Principal": {"AWS": READER},
    "Action": "s3:GetObject",
    "Resource": f"{BUCKET_ARN}/*",
}
STATEMENTS = [deny(TLS), deny(STRANGERS), deny(OUTSIDE), LET_IN]


def document(*statements: dict[str, Any]) -> str:
    """A policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement of an identity's policy."""
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


class AwsLab:
    """The account, through boto3, behind a gateway."""

    def __init__(self, gateway: AwsGateway) -> None:
        self.gateway = gateway
        session = boto3.Session(
            aws_access_key_id="lab", aws_secret_access_key="lab", region_name=REGION
        )
        make: Any = session.client
        moto = "http://{}:{}".format(*gateway.upstream)
        self.s3, self.kms, self.iam, self.trail = (
            make(name, endpoint_url=moto) for name in ("s3", "kms", "iam", "cloudtrail")
        )
        self.key = ""

    @property
    def key_id(self) -> str:
        """The key without the beginning of its ARN: moto wants that to disable it."""
        return self.key.rpartition("/")[2]

    def look(self, kind: str, **changes: Setting | None) -> Seen:
        """What a probe sees, with changed settings (None: without that one)."""
        settings = {
            "account": ACCOUNT,
            "region": REGION,
            "endpoint_url": self.gateway.url,
            "attempts": 1.0,
            **SETTINGS[kind],
            **changes,
        }
        given = {key: value for key, value in settings.items() if value is not None}
        return found(kind)(Look(settings=given, at="2026-11-25T12:00:00Z"))

    def build(self, *kinds: str) -> None:
        """What the kinds of probes look at (none: all of them), as it should be."""
        self.gateway.reset()
        place = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=LOGS, CreateBucketConfiguration=place)
        self.s3.create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration=place,
            ObjectLockEnabledForBucket=True,
            ObjectOwnership="BucketOwnerEnforced",
        )
        parts: dict[str, list[Callable[[], None]]] = {
            "aws.block-public-access": [self.blocks],
            "aws.default-encryption": [self._key],
            "aws.object-lock": [lambda: self.lock({"Mode": "COMPLIANCE", "Days": 30})],
            "aws.access-logging": [lambda: self.log_to(LOGS)],
            "aws.bucket-policy": [self._policy],
            "aws.vpc-endpoint-only": [self._policy],
            "aws.weight-readers": [self._policy, self._roles, self._people],
            "aws.key-rotation": [self._key],
            "aws.data-events": [self._trail],
            "aws.users-without-mfa": [self._people],
        }
        wanted = [part for kind in kinds or parts for part in parts.get(kind, [])]
        for part in dict.fromkeys(wanted):
            part()
        self.gateway.asked.clear()

    def _key(self) -> None:
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.encrypt("aws:kms", self.key)
        status = {"KeyRotationEnabled": True, "RotationPeriodInDays": 365, "KeyId": self.key}
        self.gateway.answers["GetKeyRotationStatus"] = in_json(status)

    def _policy(self) -> None:
        self.policy(*STATEMENTS)

    def _roles(self) -> None:
        self.iam.create_role(RoleName="inference", AssumeRolePolicyDocument=document())
        self.iam.create_role(RoleName="weight-keeper", AssumeRolePolicyDocument=document())
        self.grant("inference", allow(resource=f"{BUCKET_ARN}/*"))

    def _trail(self) -> None:
        self.trail.create_trail(
            Name="audit", S3BucketName=LOGS, IsMultiRegionTrail=True, EnableLogFileValidation=True
        )
        self.select({"Type": "AWS::S3::Object", "Values": [f"{BUCKET_ARN}/"]})
        self.trail.start_logging(Name="audit")

    def _people(self) -> None:
        self.iam.create_user(UserName="robot")
        self.person("ada")
        serial = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="ada")
        self.iam.enable_mfa_device(
            UserName="ada",
            SerialNumber=serial["VirtualMFADevice"]["SerialNumber"],
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        )
        self.gateway.answers["GetAccountSummary"] = summary(root_mfa=1)

    def person(self, name: str) -> None:
        """A user who can sign in to the console, without a device yet."""
        self.iam.create_user(UserName=name)
        self.iam.create_login_profile(UserName=name, Password="correct-Horse-7")

    def blocks(self, **changes: bool) -> None:
        """The four blocks of public access."""
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        self.s3.put_public_access_block(
            Bucket=BUCKET,
            PublicAccessBlockConfiguration=dict.fromkeys(names, True) | changes,
        )

    def encrypt(self, algorithm: str, key: str | None = None) -> None:
        """The default encryption."""
        default = {"SSEAlgorithm": algorithm} | ({"KMSMasterKeyID": key} if key else {})
        self.s3.put_bucket_encryption(
            Bucket=BUCKET,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
            },
        )

    def lock(self, retention: dict[str, Any] | None) -> None:
        """The default retention."""
        rule = {"Rule": {"DefaultRetention": retention}} if retention else {}
        self.s3.put_object_lock_configuration(
            Bucket=BUCKET, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
        )

    def log_to(self, target: str) -> None:
        """Access logging."""
        permission = {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/s3/"
                                  "LogDelivery"}}  # fmt: skip
        owner = self.s3.get_bucket_acl(Bucket=target)["Owner"]
        self.s3.put_bucket_acl(
            Bucket=target,
            AccessControlPolicy={
                "Owner": owner,
                "Grants": [permission | {"Permission": one} for one in ("WRITE", "READ_ACP")],
            },
        )
        self.s3.put_bucket_logging(
            Bucket=BUCKET,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "w/"}},
        )

    def policy(self, *statements: dict[str, Any]) -> None:
        """The bucket's policy."""
        self.s3.put_bucket_policy(Bucket=BUCKET, Policy=document(*statements))

    def grant(self, role: str, *statements: dict[str, Any]) -> None:
        """A role's inline policy."""
        self.iam.put_role_policy(
            RoleName=role, PolicyName="own", PolicyDocument=document(*statements)
        )

    def select(self, resource: dict[str, Any], kind: str = "All", trail: str = "audit") -> None:
        """A trail's data events."""
        one = {"ReadWriteType": kind, "DataResources": [resource]}
        self.trail.put_event_selectors(TrailName=trail, EventSelectors=[one])


def summary(*, root_mfa: int) -> Any:
    """GetAccountSummary; in moto the root user never has a device."""
    row = f"<entry><key>AccountMFAEnabled</key><value>{root_mfa}</value></entry>"
    return of_iam("GetAccountSummary", f"<SummaryMap>{row}</SummaryMap>")


@contextmanager
def aws_lab() -> Iterator[AwsLab]:
    """A running account; `build` makes it anew."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with aws_gateway(host, port) as gateway:
            yield AwsLab(gateway)
    finally:
        server.stop()
