"""Readiness drills: played against the lab, each step timed, written down (lifecycle step 37)."""

from __future__ import annotations

from include.adapters.drill_runner import play
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.wiring.collecting import rules_in_force
from include.wiring.desk import Desk
from include.wiring.settings import Settings


def hold(desk: Desk, scenario: str, *, asked_by: str) -> tuple[Digest, r.Drill]:
    """Play the scenario as the suite plans it, and write the record.

    Raises:
        Refused: the suite plans no drill of that scenario.
    """
    planned = {one.scenario.value: one for one in rules_in_force(desk).suite.safeguards.drills}
    if scenario not in planned:
        raise Refused(
            "unplanned_drill",
            f"The suite in force plans no drill of {scenario!r} (expected one of "
            f"{sorted(planned) or 'none'}). Add it to safeguards.drills and adopt the suite.",
        )
    plan, settings = planned[scenario], Settings.from_environment()
    played = play(plan, store=settings.store, keys=settings.drill_keys)
    trust = desk.state.trust
    digest = desk.submit(
        r.Drill(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            scenario=plan.scenario,
            started_at=played.started_at,
            steps=played.steps,
            gaps=played.gaps,
            run=plan.run,
            asked_by=asked_by,
            simulated=trust is None or any(one.simulated for one in trust.keys),
        )
    )
    return digest, desk.state.expect(digest, r.Drill)
