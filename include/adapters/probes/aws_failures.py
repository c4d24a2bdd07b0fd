"""Why a call to AWS told a probe nothing, in words that say what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

POLICY = "docs/probes-aws.policy.json"
_DENIED = {
    "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation",
    "NotAuthorized", "403", "Forbidden",
}  # fmt: skip
_THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
    "LimitExceededException", "429", "503",
}  # fmt: skip
_CREDENTIALS = {
    "InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken",
    "ExpiredTokenException", "UnrecognizedClientException", "InvalidToken", "RequestExpired",
    "AuthFailure", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "RequestTimeTooSkewed", "OptInRequired",
}  # fmt: skip


class NotLooked(Exception):  # noqa: N818 - named for what it means
    """A probe could not look; it never leaves the AWS probes (`aws_probe` answers for it)."""


def reason_of(error: Exception, asked: Mapping[str, Any], permission: str | None) -> str:
    """What failed, in which call, and the next step."""
    call = f"{asked['call']}({_named(asked['parameters'])})"
    if isinstance(error, ClientError):
        return f"{call} {_refused(error, permission)}"
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        return (
            f"{call} had no answer in time ({error}). Check the network path from the probe's "
            "machine, or raise `timeout_seconds`"
        )
    if isinstance(error, (EndpointConnectionError, ConnectionError)):
        return (
            f"{call} found its endpoint unreachable ({error}). Check `region`, `endpoint_url` and "
            "the network path from the probe's machine"
        )
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return f"{call} has no credentials ({error}). Give the probe's machine a role ({POLICY})"
    return f"{call} failed, or its answer does not parse ({type(error).__name__}: {error})"


def _refused(error: ClientError, permission: str | None) -> str:
    fault: dict[str, Any] = dict(error.response.get("Error", {}))
    code, text = str(fault.get("Code", "")), str(fault.get("Message", ""))
    if code in _DENIED:
        needs = f"Allow {permission} to" if permission else "Give valid credentials to"
        return (
            f"was denied ({code}: {text}). {needs} the probe's role ({POLICY}), and check that the "
            "account owns what the settings name"
        )
    if code in _THROTTLED:
        return f"was throttled ({code}: {text}) on every attempt. Run the verification again later"
    if code in _CREDENTIALS:
        return f"had its credentials refused ({code}: {text}). Renew those of the probe's machine"
    if code == "NoSuchBucket":
        return f"says that there is no such bucket ({text}). Correct `bucket` in the suite"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    needs = f" It needs {permission}." if permission else ""
    return f"answered {code or 'an error without a code'} (HTTP {status}: {text}).{needs}"


def _named(parameters: Mapping[str, Any]) -> str:
    shown = {k: v for k, v in parameters.items() if k not in {"ExpectedBucketOwner", "Marker"}}
    return ", ".join(f"{name}={value!r}" for name, value in shown.items())
