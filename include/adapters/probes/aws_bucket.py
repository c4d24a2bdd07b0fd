"""Probes of how the bucket that holds the weights is set up (one call or two each).

They see the configuration, not what becomes of single objects: docs/probes-aws.md says for each
what it does not show.
"""

from __future__ import annotations

import re
from typing import Any

from include.adapters.probes.aws_client import REGION, Aws, Judged, aws_probe
from include.adapters.probes.aws_failures import NotLooked
from include.adapters.probes.aws_settings import above_zero, matching, optional

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_KMS = {"aws:kms", "aws:kms:dsse"}
DAYS_OF_A_YEAR = 365


@aws_probe("bucket")
def block_public_access(aws: Aws) -> Judged:
    """All four blocks of public access are on, at the bucket itself."""
    answer = aws.s3("get_public_access_block", absent=["NoSuchPublicAccessBlockConfiguration"])
    blocks = answer["PublicAccessBlockConfiguration"] if answer else {}
    off = [name for name in _BLOCKS if blocks.get(name) is not True]
    return Judged(
        shows=not off,
        looked_at=f"Block Public Access of bucket {aws.bucket!r}",
        saw=_either(off, f"not on: {off}" if answer else "it has no such configuration", "all on"),
        expected=f"all four on: {list(_BLOCKS)}",
        next_step="Put a public access block with all four on the bucket.",
    )


@aws_probe("bucket", "key", "key_owner")
def default_encryption(aws: Aws) -> Judged:
    """New objects are encrypted with an enabled KMS key, by default one that the customer manages.

    1. The only default is KMS (one layer or two), not AES256.
    2. The key is the one of the setting `key` (a key's ARN); without it, one of this account.
    3. It is enabled, and managed by the customer, unless `key_owner` is `aws`.
    """
    owner = matching(
        aws.look, "key_owner", pattern="customer|aws", expected="one of them", default="customer"
    )
    named = optional(aws.look, "key")
    faults, seen = [], "no default encryption"
    default = encryption_of(aws)
    if default.get("SSEAlgorithm") not in _KMS:  # (1)
        faults.append(f"the default is {default.get('SSEAlgorithm', 'none')}, no KMS key")
    elif not default.get("KMSMasterKeyID"):
        seen = "KMS with AWS's own key aws/s3"
        faults += [] if owner == "aws" and not named else [f"{seen}, as no key is named"]
    else:
        key = key_of(aws, default["KMSMasterKeyID"])
        seen = f"{default['SSEAlgorithm']} with {key['Arn']}"
        faults += key_faults(aws, key, named)  # (2)
        if owner == "customer" and key["KeyManager"] != "CUSTOMER":  # (3)
            faults.append(f"the key {key['Arn']} is managed by {key['KeyManager']}")
    return Judged(
        shows=not faults,
        looked_at=f"Default encryption of bucket {aws.bucket!r}",
        saw=_either(faults, "; ".join(faults), seen),
        expected=f"KMS with the enabled {'customer' if owner == 'customer' else 'KMS'} key "
        f"{named or 'of this account'}",
        next_step="Make a customer-managed KMS key the bucket's default encryption.",
    )


@aws_probe("bucket")
def versioning(aws: Aws) -> Judged:
    """Versioning is enabled, neither suspended nor never begun."""
    status = (aws.s3("get_bucket_versioning") or {}).get("Status", "never enabled")
    return Judged(
        shows=status == "Enabled",
        looked_at=f"Versioning of bucket {aws.bucket!r}",
        saw=str(status),
        expected="Enabled",
        next_step="Enable versioning on the bucket.",
    )


@aws_probe("bucket", "minimum_days")
def object_lock(aws: Aws) -> Judged:
    """New objects are locked by default, in COMPLIANCE mode, for at least `minimum_days`."""
    least = above_zero(aws.look, "minimum_days")
    answer = aws.s3(
        "get_object_lock_configuration", absent=["ObjectLockConfigurationNotFoundError"]
    )
    lock = answer["ObjectLockConfiguration"] if answer else {}
    retention = (lock.get("Rule") or {}).get("DefaultRetention") or {}
    days = (retention.get("Days") or 0) + DAYS_OF_A_YEAR * (retention.get("Years") or 0)
    faults = []
    if lock.get("ObjectLockEnabled") != "Enabled":
        faults.append("Object Lock is not enabled")
    elif not retention:
        faults.append("no default retention, so that an object is locked only if its writer asks")
    else:
        if retention.get("Mode") != "COMPLIANCE":
            faults.append(f"mode {retention.get('Mode')}, which a permission can bypass")
        if days < least:
            faults.append(f"retention of {days} days")
    return Judged(
        shows=not faults,
        looked_at=f"Object Lock of bucket {aws.bucket!r}",
        saw=_either(faults, "; ".join(faults), f"COMPLIANCE for {days} days"),
        expected=f"default retention in COMPLIANCE mode for at least {least:g} days",
        next_step="Set a default retention on the bucket (Object Lock needs versioning).",
    )


@aws_probe("bucket", "log_bucket")
def access_logging(aws: Aws) -> Judged:
    """Server access logs go to another bucket of the account that exists.

    1. Logging is on.
    2. Its target is another bucket, the one of the setting `log_bucket` if that is given.
    3. The target exists, in this account and region; S3 says nothing when it drops logs.
    """
    named = optional(aws.look, "log_bucket")
    logging = (aws.s3("get_bucket_logging") or {}).get("LoggingEnabled") or {}
    target = logging.get("TargetBucket")
    faults = []
    if not target:  # (1)
        faults.append("no access logging")
    elif target == aws.bucket or (named and target != named):  # (2)
        faults.append(f"it logs to {target!r}" + (", to itself" * (target == aws.bucket)))
    elif region_of(aws, target) != aws.region:  # (3)
        faults.append(f"it logs to {target!r}, which does not exist in {aws.region}")
    return Judged(
        shows=not faults,
        looked_at=f"Access logging of bucket {aws.bucket!r}",
        saw=_either(faults, "; ".join(faults), f"it logs to {target!r}"),
        expected=f"logs to {named!r}" if named else "logs to another bucket of this account",
        next_step="Turn on server access logging with a target bucket that readers of the weights "
        "cannot change.",
    )


def encryption_of(aws: Aws) -> dict[str, Any]:
    """The bucket's one default encryption; empty when it has none, or several rules."""
    answer = aws.s3(
        "get_bucket_encryption", absent=["ServerSideEncryptionConfigurationNotFoundError"]
    )
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
    return dict(rules[0]["ApplyServerSideEncryptionByDefault"]) if len(rules) == 1 else {}


def key_of(aws: Aws, key: str) -> dict[str, Any]:
    """What KMS says of a key."""
    return dict(aws.need("kms", "describe_key", KeyId=key)["KeyMetadata"])


def key_faults(aws: Aws, key: dict[str, Any], named: str | None) -> list[str]:
    """Whether it is the key that was meant, and in use."""
    faults = []
    if named and key["Arn"] != named:
        faults.append(f"the key is {key['Arn']}")
    if not named and key["AWSAccountId"] != aws.account:
        faults.append(f"the key {key['Arn']} is of another account")
    if key["KeyState"] != "Enabled":
        faults.append(f"the key {key['Arn']} is {key['KeyState']}")
    return faults


def region_of(aws: Aws, bucket: str) -> str | None:
    """Where a bucket of the account is; None: there is none of that name.

    Raises:
        NotLooked: the answer names no region.
    """
    answer = aws.ask(
        "s3", "get_bucket_location", absent=["NoSuchBucket"],
        Bucket=bucket, ExpectedBucketOwner=aws.account,
    )  # fmt: skip
    if answer is None:
        return None
    place = answer["LocationConstraint"]
    region = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}.get(place, str(place))
    if not re.fullmatch(REGION, region):
        raise NotLooked(f"s3.get_bucket_location({bucket!r}) answered {region!r}, no region")
    return region


def region_of_weights(aws: Aws) -> str:
    """The region of the bucket, which has to be the setting `region`: what is regional is there.

    Raises:
        NotLooked: it is in another one, or not there.
    """
    region = region_of(aws, aws.bucket)
    if region != aws.region:
        raise NotLooked(
            f"the bucket {aws.bucket!r} is in {region or 'no region: there is no such bucket'}, "
            f"and `region` is {aws.region}. Correct `region` or `bucket` in the suite"
        )
    return region


def _either(fault: object, bad: str, good: str) -> str:
    return bad if fault else good
