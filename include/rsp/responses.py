"""Which responses of a policy people may choose after a verdict, and which were chosen."""

from __future__ import annotations

from include.rsp.canonical import Digest
from include.rsp.people_parts import Response
from include.rsp.policy import Policy
from include.rsp.run_state import RunState
from include.rsp.vocabulary import Outcome


def offered(policy: Policy, outcome: Outcome) -> list[Response]:
    """Every response that follows an outcome, at once or after another one, in the policy's order.

    A standard that does not hold leads to a pause, so what follows `pause` follows
    `verify_safeguards` as well.
    """
    reached = {outcome.value}
    if outcome is Outcome.VERIFY_SAFEGUARDS:
        reached.add(Outcome.PAUSE.value)
    found: list[Response] = []
    left = list(policy.responses)
    while True:
        more = [one for one in left if one.after in reached]
        if not more:
            order = [one.id for one in policy.responses]
            return sorted(found, key=lambda one: order.index(one.id))
        found += more
        reached |= {one.id for one in more}
        left = [one for one in left if one not in more]


def chosen_for(run: RunState, policy: Policy) -> dict[Digest, Response]:
    """By determination, the responses chosen for a run."""
    known = {one.id: one for one in policy.responses}
    return {
        digest: known[one.response]
        for digest, one in run.determinations.items()
        if one.response in known
    }
