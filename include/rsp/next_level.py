"""No work under a standard before the red lines after it are published.

RSP 1.0, procedural commitments; "Reflections on our RSP", fourth commitment. RSP 2.2 §5 puts the
follow-up assessment in its place: all thresholds are looked at again when safeguards are upgraded,
which needs the same next lines.
"""

from __future__ import annotations

from include.rsp.policy import Policy
from include.rsp.policy_parts import RedLine


def next_level_gaps(policy: Policy) -> list[str]:
    """In words, every red line whose standard can be shown to hold although nothing follows it."""
    return [
        f"{line.id} requires {', '.join(_attainable(policy, line))}, and no red line follows it"
        for line in policy.red_lines
        if line.decides and line.next is None and _attainable(policy, line)
    ]


def lines_without_next(policy: Policy, lines: list[str]) -> list[str]:
    """Those of the red lines under which nothing may be done yet, if the policy has the rule."""
    if policy.governance.next_level is None:
        return []
    named = [policy.red_line(one) for one in lines]
    return [line.id for line in named if line.next is None and _attainable(policy, line)]


def _attainable(policy: Policy, line: RedLine) -> list[str]:
    """The required standards that have criteria; one without can never hold."""
    return [one for one in line.required_standards if policy.standard(one).criteria]
