"""What a probe is: a function that looks at something real and says what it saw.

A probe is called in a process of its own with a time limit (`probe_runner`). It answers once, for
one requirement. Whatever keeps it from looking (no access, no answer, an unknown setting) is an
answer that does not show the safeguard, never an absence of one.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from include.rsp.errors import InvalidDocument

PLUGINS = "redline.probes"
"""Entry points of this group add kinds of probes: name = `module:function`."""
Setting = str | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Look:
    """What a probe is given.

    Args:
        settings: from the suite; a probe refuses those that it does not know.
        surfaces: ids of the surfaces that the answer is for; empty: the organisation.
        drills: newest first, the plain drill records of the ledger (for patch times).
        at: ISO time at which the look begins, UTC.
    """

    settings: Mapping[str, Setting]
    surfaces: tuple[str, ...] = ()
    drills: tuple[Mapping[str, Any], ...] = ()
    at: str = ""

    def text(self, name: str, default: str | None = None) -> str:
        """A setting that is text.

        Raises:
            InvalidDocument: it is not there, or is something else.
        """
        return str(self._of(name, str, default))

    def number(self, name: str, default: float | None = None) -> float:
        """A setting that is a number; raises like `text`."""
        value = self._of(name, (int, float), default)
        return float(value)

    def texts(self, name: str, default: list[str] | None = None) -> list[str]:
        """A setting that is a list of texts; raises like `text`."""
        return list(self._of(name, list, default))

    def _of(self, name: str, kind: Any, default: Any) -> Any:
        value = self.settings.get(name, default)
        if value is None or not isinstance(value, kind) or isinstance(value, bool):
            raise InvalidDocument(
                f"The probe's setting {name!r} is {value!r} (expected "
                f"{getattr(kind, '__name__', 'a number')}). Correct safeguards.probes of the suite."
            )
        return value


@dataclass(frozen=True, slots=True)
class Seen:
    """What a probe saw.

    Args:
        shows: whether it shows the safeguard.
        statement: one sentence for people: what was looked at, what was seen, what was expected.
        raw: the answers as they came, plain JSON; secrets are left out by the probe.
    """

    shows: bool
    statement: str
    raw: Mapping[str, Any] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """The raw answer as the file that is attached to the evidence."""
        return json.dumps(self.raw, indent=1, sort_keys=True, default=str).encode()


Probe = Callable[[Look], Seen]

_BUILT_IN = {
    "aws.block-public-access": "include.adapters.probes.aws_bucket:block_public_access",
    "aws.default-encryption": "include.adapters.probes.aws_bucket:default_encryption",
    "aws.versioning": "include.adapters.probes.aws_bucket:versioning",
    "aws.object-lock": "include.adapters.probes.aws_bucket:object_lock",
    "aws.access-logging": "include.adapters.probes.aws_bucket:access_logging",
    "aws.bucket-policy": "include.adapters.probes.aws_policy:bucket_policy",
    "aws.vpc-endpoint-only": "include.adapters.probes.aws_policy:vpc_endpoint_only",
    "aws.weight-readers": "include.adapters.probes.aws_policy:weight_readers",
    "aws.key-rotation": "include.adapters.probes.aws_account:key_rotation",
    "aws.data-events": "include.adapters.probes.aws_account:data_events",
    "aws.users-without-mfa": "include.adapters.probes.aws_account:users_without_mfa",
    "http.canary": "include.adapters.probes.http_canary:canary",
    "http.monitor": "include.adapters.probes.http_monitor:heartbeat",
    "sandbox.egress": "include.adapters.probes.sandbox_egress:no_way_out",
    "config.egress-limit": "include.adapters.probes.configured_limit:egress_limit",
    "artifact.signature": "include.adapters.probes.artifact:signature",
    "drill.patch-time": "include.adapters.probes.drill_times:patch_time",
}


def kinds() -> dict[str, str]:
    """Every kind of probe that is known here, with its `module:function`."""
    added = {one.name: one.value for one in entry_points(group=PLUGINS)}
    return added | _BUILT_IN  # a plug-in never takes the place of a probe of ours


def probe_of(kind: str) -> Probe:
    """The function behind a kind of probe.

    Raises:
        InvalidDocument: nobody knows the kind, or its module does not load.
    """
    known = kinds()
    if kind not in known:
        raise InvalidDocument(
            f"No probe is called {kind!r} (expected one of {sorted(known)}). Correct the suite, or "
            f"install the package that has it (entry point group {PLUGINS!r})."
        )
    module, _, name = known[kind].partition(":")
    try:
        found: Probe = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidDocument(
            f"The probe {kind!r} ({known[kind]}) does not load: {error}"
        ) from error
    return found
