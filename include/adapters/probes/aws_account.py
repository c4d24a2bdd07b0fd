"""Probes of what surrounds the weights: the key, the record of who read them, people's log-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.adapters.probes.aws_bucket import encryption_of, key_faults, key_of, region_of_weights
from include.adapters.probes.aws_client import Aws, Judged, aws_probe
from include.adapters.probes.aws_settings import above_zero, optional
from include.adapters.probes.aws_trails import EVERYTHING, recorded_by

_ROTATION_DAYS = 365.0


@aws_probe("bucket", "key", "maximum_days")
def key_rotation(aws: Aws) -> Judged:
    """The key of the bucket's default encryption is replaced at least every `maximum_days`.

    1. The bucket has a KMS key, which is the one of the setting `key`, or of this account.
    2. It is enabled and its automatic rotation is on.
    3. KMS says how often, and that is often enough; a period that is not stated does not count.
    """
    most = above_zero(aws.look, "maximum_days", _ROTATION_DAYS)
    named = optional(aws.look, "key")
    used = encryption_of(aws).get("KMSMasterKeyID")
    faults, seen = [], ""
    if not used:  # (1)
        faults.append("the bucket's default encryption names no KMS key")
    else:
        key = key_of(aws, used)
        faults += key_faults(aws, key, named)
        rotation = aws.need("kms", "get_key_rotation_status", KeyId=key["Arn"])
        period = rotation.get("RotationPeriodInDays")
        seen = f"{key['Arn']} is rotated every {period} days"
        if rotation["KeyRotationEnabled"] is not True:  # (2)
            faults.append(f"the key {key['Arn']} is not rotated")
        elif period is None or period > most:  # (3)
            faults.append(f"{seen}" if period else f"{key['Arn']}: KMS does not say how often")
    return Judged(
        shows=not faults,
        looked_at=f"Rotation of the key of bucket {aws.bucket!r}",
        saw="; ".join(faults) or seen,
        expected=f"automatic rotation of an enabled key, every {most:g} days or sooner",
        next_step="Enable automatic rotation of that key, with a period within the limit.",
    )


@aws_probe("bucket", "prefix")
def data_events(aws: Aws) -> Judged:
    """CloudTrail records every read and write of the weights, now, in logs that cannot be changed.

    A trail counts if (1) it is multi-region or of the bucket's region, (2) validates its log
    files, (3) logs into another bucket, (4) is logging and delivers without error. What the
    trails that count record together must be reads and writes of all objects under `prefix`.
    """
    region = region_of_weights(aws)
    trails = aws.need("cloudtrail", "describe_trails", includeShadowTrails=True)["trailList"]
    recorded: frozenset[str] = frozenset()
    told = []
    for trail in trails:
        why = _why_not(aws, trail, region)
        if not why:
            selectors = aws.need("cloudtrail", "get_event_selectors", TrailName=trail["TrailARN"])
            found = recorded_by(selectors, f"{aws.bucket_arn}/{aws.prefix}")
            recorded |= found
            why = f"records {sorted(found) or 'no data events'} of all the weights"
        told.append(f"trail {trail['Name']!r} {why}")
    return Judged(
        shows=recorded == EVERYTHING,
        looked_at=f"CloudTrail data events of {aws.bucket_arn}/{aws.prefix}* in {region}",
        saw="; ".join(told) or "no trail at all",
        expected="reads and writes of all of them, recorded by a logging trail (multi-region or of "
        "that region) with log file validation and another bucket for its logs",
        next_step="Add S3 data events of the bucket (read and write, no further filter) to a trail "
        "and start it.",
    )


@aws_probe()
def users_without_mfa(aws: Aws) -> Judged:
    """Nobody signs in to the console without a second factor: no IAM user, nor the root user."""
    without, users, with_console = [], 0, 0
    for page in aws.pages("iam", "list_users"):
        for user in page["Users"]:
            users += 1
            name = user["UserName"]
            profile = aws.ask("iam", "get_login_profile", absent=["NoSuchEntity"], UserName=name)
            if profile is not None:
                with_console += 1
                devices = aws.need("iam", "list_mfa_devices", UserName=name)["MFADevices"]
                without += [] if devices else [name]
    summary = aws.need("iam", "get_account_summary")["SummaryMap"]
    if summary["AccountMFAEnabled"] != 1 and summary.get("AccountPasswordPresent") != 0:
        without.append("the root user")
    return Judged(
        shows=not without,
        looked_at="Console users",
        saw=f"{len(without)} without MFA: {without}; {users} IAM users, {with_console} with a "
        "console password",
        expected="none without MFA, the root user included",
        next_step="Enrol a device for each of them, or delete the console password.",
    )


def _why_not(aws: Aws, trail: Mapping[str, Any], region: str) -> str:
    """Why a trail does not count; empty: it does."""
    if not trail["IsMultiRegionTrail"] and trail["HomeRegion"] != region:  # (1)
        return f"is of {trail['HomeRegion']} only"
    if trail["LogFileValidationEnabled"] is not True:  # (2)
        return "does not validate its log files"
    if trail["S3BucketName"] == aws.bucket:  # (3)
        return "logs into the bucket of the weights"
    status = aws.need("cloudtrail", "get_trail_status", Name=trail["TrailARN"])  # (4)
    faults = [status.get("LatestDeliveryError"), status.get("LatestDigestDeliveryError")]
    if status["IsLogging"] is not True:
        return "is not logging"
    return f"cannot deliver: {faults}" if any(faults) else ""
