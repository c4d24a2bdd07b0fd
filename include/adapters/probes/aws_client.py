"""One look at one AWS account through boto3: settings, calls that are kept, and why one failed.

Every AWS probe runs inside `aws_probe`. Whatever keeps it from looking (a wrong setting, another
account, a denied or throttled call, no answer in time, an answer of an unknown shape) becomes an
answer that does not show the safeguard and names the call and the permission that it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError

from include.adapters.probes.aws_failures import NotLooked, reason_of
from include.adapters.probes.aws_record import clipped, fitted, plain
from include.adapters.probes.aws_settings import (
    COMMON_SETTINGS,
    above_zero,
    endpoint_of,
    matching,
    optional,
    refuse_unknown,
    told,
)
from include.adapters.probing import Look, Probe, Seen
from include.rsp.errors import InvalidDocument

PERMISSIONS: Mapping[str, str | None] = {
    "sts.get_caller_identity": None,  # AWS answers it to anybody who has valid credentials
    "s3.get_public_access_block": "s3:GetBucketPublicAccessBlock",
    "s3.get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "s3.get_bucket_versioning": "s3:GetBucketVersioning",
    "s3.get_object_lock_configuration": "s3:GetBucketObjectLockConfiguration",
    "s3.get_bucket_logging": "s3:GetBucketLogging",
    "s3.get_bucket_location": "s3:GetBucketLocation",
    "s3.get_bucket_policy": "s3:GetBucketPolicy",
    "s3.get_bucket_ownership_controls": "s3:GetBucketOwnershipControls",
    "kms.describe_key": "kms:DescribeKey",
    "kms.get_key_rotation_status": "kms:GetKeyRotationStatus",
    "cloudtrail.describe_trails": "cloudtrail:DescribeTrails",
    "cloudtrail.get_trail_status": "cloudtrail:GetTrailStatus",
    "cloudtrail.get_event_selectors": "cloudtrail:GetEventSelectors",
    "iam.get_account_authorization_details": "iam:GetAccountAuthorizationDetails",
    "iam.get_account_summary": "iam:GetAccountSummary",
    "iam.list_users": "iam:ListUsers",
    "iam.get_login_profile": "iam:GetLoginProfile",
    "iam.list_mfa_devices": "iam:ListMFADevices",
}
"""Every call that an AWS probe makes, with the IAM action that allows it. No other call is made."""
_TIMEOUT_SECONDS, _ATTEMPTS = 5.0, 3.0
_ACCOUNT, REGION = r"\d{12}", r"[a-z]{2}(-[a-z]+)+-\d"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_UNREADABLE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
_MODELS = Loader()  # the descriptions of the services are read once in a process


@dataclass(frozen=True, slots=True)
class Judged:
    """What a probe makes of the answers.

    Args:
        shows: whether they show the safeguard.
        looked_at: what was looked at; `aws_probe` adds account and region.
        saw: what was seen there.
        expected: what would have shown it.
        next_step: what to do when it does not.
    """

    shows: bool
    looked_at: str
    saw: str
    expected: str
    next_step: str


@dataclass(slots=True)
class Aws:
    """One account, region and set of credentials, with a record of every call.

    Args:
        look: what the probe was given.
        calls: what was asked and answered so far, in order; the raw answer of the probe.
    """

    look: Look
    calls: list[dict[str, Any]] = field(default_factory=list)
    partition: str = "aws"
    _session: Any = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The twelve digits of the account that is looked at."""
        return matching(self.look, "account", pattern=_ACCOUNT, expected="twelve digits, in quotes")

    @property
    def region(self) -> str:
        """The region that regional services are asked in."""
        return matching(self.look, "region", pattern=REGION, expected="one such as eu-central-1")

    @property
    def bucket(self) -> str:
        """The bucket that holds the weights."""
        return matching(self.look, "bucket", pattern=_BUCKET, expected="a bucket's plain name")

    @property
    def prefix(self) -> str:
        """What the keys of the weights begin with; empty: every object of the bucket."""
        expected = "the beginning of a key, without a wildcard"
        return matching(self.look, "prefix", pattern=r"[^*?$]*", expected=expected, default="")

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN in the account's partition (aws, aws-cn, aws-us-gov)."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def s3(self, operation: str, absent: Collection[str] = ()) -> dict[str, Any] | None:
        """Ask S3 about the bucket, and refuse a bucket of that name in another account."""
        return self.ask(
            "s3", operation, absent=absent, Bucket=self.bucket, ExpectedBucketOwner=self.account
        )

    def ask(
        self, service: str, operation: str, *, absent: Collection[str] = (), **parameters: Any
    ) -> dict[str, Any] | None:
        """One call; None when AWS says, by a code in `absent`, that there is no such thing.

        Raises:
            NotLooked: the call was denied, throttled, not answered or made no sense.
        """
        permission = PERMISSIONS[f"{service}.{operation}"]
        asked = {"call": f"{service}.{operation}", "parameters": parameters}
        try:
            answer = getattr(self._client(service), operation)(**parameters)
        except ClientError as error:
            fault = dict(error.response.get("Error", {}))
            kept = {name: fault.get(name) for name in ("Code", "Message")}
            self.calls.append(asked | {"error": kept})
            if kept["Code"] in absent:
                return None
            raise NotLooked(reason_of(error, asked, permission)) from error
        except (BotoCoreError, ResponseParserError, SyntaxError) as error:  # the last is XML's
            self.calls.append(asked | {"error": str(error)})
            raise NotLooked(reason_of(error, asked, permission)) from error
        told_us = plain(answer)
        self.calls.append(asked | {"answer": told_us})
        return told_us

    def need(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One call that always has an answer; raises like `ask`."""
        return self.ask(service, operation, **parameters) or {}

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every page of a list of IAM; raises like `ask`, and if the list breaks off."""
        seen: set[str] = set()
        page = self.need(service, operation, **parameters)
        yield page
        while page.get("IsTruncated"):
            marker = str(page.get("Marker") or "")
            if not marker or marker in seen:
                raise NotLooked(f"{service}.{operation} broke off: a page says that there is more")
            seen.add(marker)
            page = self.need(service, operation, Marker=marker, **parameters)
            yield page

    def recognise_account(self) -> None:
        """Make sure that the credentials are of the account that the suite names.

        Raises:
            NotLooked: they are of another one, whose state would say nothing of the weights.
        """
        caller = self.need("sts", "get_caller_identity")
        if caller["Account"] != self.account:
            raise NotLooked(
                f"the credentials are of account {caller['Account']} (expected {self.account}). "
                "Give the probe's machine a role in that account, or correct `account`"
            )
        self.partition = str(caller["Arn"]).split(":")[1]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            seconds = above_zero(self.look, "timeout_seconds", _TIMEOUT_SECONDS, most=60)
            attempts = above_zero(self.look, "attempts", _ATTEMPTS, most=10)
            config = Config(  # type: ignore[call-arg] # the stubs lack the last one
                connect_timeout=seconds,
                read_timeout=seconds,
                retries={"mode": "standard", "total_max_attempts": max(1, int(attempts))},
                ignore_configured_endpoint_urls=True,  # only the signed suite says where to look
            )
            self._clients[service] = self._opened().client(
                service, config=config, endpoint_url=endpoint_of(self.look)
            )
        return self._clients[service]

    def _opened(self) -> Any:
        if self._session is None:
            core = botocore.session.Session()
            core.register_component("data_loader", _MODELS)
            self._session = boto3.Session(
                botocore_session=core,
                region_name=self.region,
                profile_name=optional(self.look, "profile"),
            )
        return self._session


def aws_probe(*settings: str) -> Callable[[Callable[[Aws], Judged]], Probe]:
    """Make a probe of a function that judges what AWS answers.

    Args:
        settings: the names of its settings, beside COMMON_SETTINGS; others are refused.
    """
    known = COMMON_SETTINGS | set(settings)

    def of(judge: Callable[[Aws], Judged]) -> Probe:
        @functools.wraps(judge)
        def probe(look: Look) -> Seen:
            aws = Aws(look)
            try:
                refuse_unknown(look, known)
                aws.recognise_account()
                judged = judge(aws)
            except (NotLooked, InvalidDocument, BotoCoreError) as error:
                return _seen(aws, known, f"Could not look: {str(error).rstrip('.')}.")
            except _UNREADABLE as error:
                return _seen(aws, known, _unreadable(aws, error))
            return _seen(aws, known, _sentence(aws, judged), shows=judged.shows)

        return probe

    return of


def _sentence(aws: Aws, judged: Judged) -> str:
    where = f"account {aws.account}, {aws.look.settings.get('endpoint_url', aws.region)}"
    text = f"{judged.looked_at} ({where}): {judged.saw}; expected {judged.expected}."
    return text if judged.shows else f"{text} {judged.next_step}"


def _unreadable(aws: Aws, error: Exception) -> str:
    last = aws.calls[-1]["call"] if aws.calls else "none"
    return (
        f"Could not look: an answer has an unexpected shape ({type(error).__name__}: {error}; last "
        f"call: {last}). The raw answers are attached; report them with the name of the probe."
    )


def _seen(aws: Aws, known: Collection[str], statement: str, *, shows: bool = False) -> Seen:
    raw = {
        "at": aws.look.at,
        "settings": dict(told(aws.look, known)),
        "calls": fitted(aws.calls),
    }
    return Seen(shows, clipped(statement), raw)
