"""The policy and suite that something is decided under."""

from __future__ import annotations

from dataclasses import dataclass

from include.rsp.policy import Policy
from include.rsp.suite import Suite


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy and suite that a verdict was reached under."""

    policy: Policy
    suite: Suite
