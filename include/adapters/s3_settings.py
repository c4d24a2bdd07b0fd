"""How the store on S3 is used: what a deployment sets, with defaults that are safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from include.rsp.errors import InvalidDocument

MIB = 1 << 20
PREFIX = "REDLINE_S3_"


class Retention(StrEnum):
    """Who may end a retention early: with GOVERNANCE a special permission, else nobody."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Times in seconds, sizes in bytes; one operation ends `total` + `connect` + `read` at worst.

    Attributes:
        total: how long one operation is tried again.
        first_wait: the bound of the first random wait between two tries; it doubles.
        multipart_from: from this size on a file is sent in parts.
        part: size of a part (AWS: at least 5 MiB, at most 10,000 parts).
        retention: of `records/` and `ledger/`, where the bucket has Object Lock.
    """

    total: float = 60.0
    connect: float = 3.0
    read: float = 10.0
    first_wait: float = 0.1
    longest_wait: float = 5.0
    multipart_from: int = 64 * MIB
    part: int = 16 * MIB
    retention: Retention = Retention.GOVERNANCE
    retention_days: int = 365

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> S3Settings:
        """What REDLINE_S3_* say (docs/store-s3.md).

        Raises:
            InvalidDocument: a value does not read, or a name is none of ours: a setting that was
                misspelt would otherwise be a retention that nobody has.
        """
        given = {
            name.removeprefix(PREFIX): text
            for name, text in environment.items()
            if name.startswith(PREFIX) and text
        }
        known = {"SECONDS", "MULTIPART_MIB", "RETENTION", "RETENTION_DAYS"}
        if unknown := sorted(set(given) - known):
            raise InvalidDocument(
                f"{PREFIX}{unknown[0]} is no setting (expected one of "
                f"{sorted(PREFIX + one for one in known)}). Correct the environment."
            )
        mode = given.get("RETENTION", Retention.GOVERNANCE.value)
        if mode not in {one.value for one in Retention}:
            raise InvalidDocument(
                f"{PREFIX}RETENTION is {mode!r} (expected GOVERNANCE or COMPLIANCE). Correct it."
            )
        return cls(
            total=_number(given, "SECONDS", default=60, lowest=1),
            multipart_from=_number(given, "MULTIPART_MIB", default=64, lowest=5) * MIB,
            retention=Retention(mode),
            retention_days=_number(given, "RETENTION_DAYS", default=365, lowest=1),
        )


def _number(given: Mapping[str, str], name: str, *, default: int, lowest: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or not lowest <= int(text) <= 36500:
        raise InvalidDocument(
            f"{PREFIX}{name} is {text!r} (expected a whole number from {lowest} to 36500). "
            "Correct the environment."
        )
    return int(text)
