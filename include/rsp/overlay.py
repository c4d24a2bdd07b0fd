"""An overlay: the duties of a law or a code of practice, laid over any policy.

It holds duties only, so what it adds can be late or missing but never decides that a red line is
ruled out. Laying one over a policy appends; `loosenings` shows that nothing got weaker.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Identifier
from include.rsp.clause import refuse_doubles
from include.rsp.duties import DUTY_LISTS, Duties
from include.rsp.policy import Policy


class Overlay(Duties):
    """One version of what a law or a code asks of a lab, whatever its own policy is."""

    id: Identifier
    version: str = Field(min_length=1)
    effective: date
    publisher: str
    source: str
    applies_when: str = Field(min_length=1, description="to whom; people decide whether it does")
    roles: list[Identifier] = Field(description="who is told, beside the roles of the policy")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse_doubles("roles", self.roles)
        self.check(set(self.roles))
        return self


def lay(policy: Policy, *overlays: Overlay) -> Policy:
    """The policy with the overlays' duties beside its own.

    Every added rule is named `<overlay>.<rule>`, so none takes the place of another: where two
    rules speak about the same thing both stand, and the earlier date counts.

    Raises:
        ValueError: an overlay is laid twice.
    """
    refuse_doubles("overlays", [one.id for one in overlays])
    plain: dict[str, Any] = policy.model_dump()
    for overlay in overlays:
        for name in DUTY_LISTS:
            plain[name] += [
                one.model_dump() | {"id": f"{overlay.id}.{one.id}"}
                for one in getattr(overlay, name)
            ]
        known = plain["governance"]["roles"]
        known += [one for one in overlay.roles if one not in known]
        plain["version"] += f"+{overlay.id}-{overlay.version}"
        plain["source"] += f"; with {overlay.id} {overlay.version}"
    return Policy.model_validate(plain)
