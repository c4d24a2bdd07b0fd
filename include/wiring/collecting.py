"""Running a suite's probes and writing down what they saw (lifecycle step 20)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.adapters.probe_runner import Ran, run_probes
from include.adapters.stamp import code_stamp
from include.adapters.store import put_blob
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.judgement import required_of
from include.rsp.reverification import verdicts_in_use
from include.rsp.rules import Rules
from include.rsp.safeguard_evidence import PROBE, ProbeRun, SafeguardEvidence
from include.rsp.safeguard_plan import PlannedProbe
from include.wiring.desk import Desk
from include.wiring.signing_off import rules_of

log = logging.getLogger("redline.collecting")


@dataclass(frozen=True, slots=True)
class Collected:
    """What one probe saw, and the record of it."""

    probe: str
    shows: bool
    statement: str
    record: Digest


def rules_in_force(desk: Desk) -> Rules:
    """The adopted rules; raises Refused where there are none."""
    rules = desk.rulebook.in_force(desk.state)
    if rules is None:
        raise Refused("no_policy", "No policy is in force; adopt one with `rsp init`.")
    return rules


def probes_for(desk: Desk, verdicts: Sequence[Digest]) -> list[PlannedProbe]:
    """The probes of the suite in force for what verdicts require, in the suite's order."""
    state, rules = desk.state, rules_in_force(desk)
    wanted = {
        standard for one in verdicts for standard in required_of(state, rules_of(desk, one), one)[0]
    }
    return [one for one in rules.suite.safeguards.probes if one.standard in wanted]


def is_needed(desk: Desk, verdict: Digest) -> bool:
    """Whether a verdict requires any standard or document."""
    return any(required_of(desk.state, rules_of(desk, verdict), verdict))


def groups(probes: Sequence[PlannedProbe]) -> list[str]:
    """The names of their groups; each group is one task."""
    return list(dict.fromkeys(one.group for one in probes))


def verdicts_to_verify(desk: Desk, run_id: str | None) -> list[Digest]:
    """The verdicts that something rests on while safeguards hold; of one run, its newest verdict.

    Raises:
        Refused: the run is not known, or has no verdict.
    """
    state = desk.state
    if not run_id:
        return verdicts_in_use(state, at=desk.now())
    run = state.runs.get(str(run_id))
    if run is None or run.newest_verdict is None:
        raise Refused(
            "no_verdict",
            f"The run {run_id!r} has no verdict whose safeguards could be verified (known runs: "
            f"{sorted(state.runs)}).",
        )
    return [run.newest_verdict[0]]


def collect(desk: Desk, group: str) -> list[Collected]:
    """Run the probes of a group all at once and write what each saw as evidence.

    Raises:
        Refused: the suite plans no such group any more.
    """
    planned = [one for one in rules_in_force(desk).suite.safeguards.probes if one.group == group]
    if not planned:
        raise Refused("unplanned_probe", f"The suite in force plans no group of probes {group!r}.")
    drills = [one.model_dump(mode="json") for one in reversed(desk.state.drills.values())]
    return [write_down(desk, one) for one in run_probes(planned, drills=drills)]


def write_down(desk: Desk, probed: Ran) -> Collected:
    """What a probe saw as a piece of evidence, with its raw answer."""
    planned, seen = probed.planned, probed.seen
    raw = put_blob(desk.store, seen.as_bytes(), name=f"{planned.id}.json")
    piece = SafeguardEvidence(
        standard=planned.standard,
        criterion=planned.requirement,
        type=planned.type,
        shows=seen.shows,
        statement=seen.statement[:4000],
        collected_at=probed.started_at,
        collector=f"{PROBE} {planned.id}",
        surfaces=list(planned.surfaces),
        attachments=[raw],
        probe=ProbeRun(
            id=planned.id,
            probe=planned.probe,
            started_at=probed.started_at,
            seconds=round(probed.seconds, 3),
        ),
        simulated=_rests_on_simulated(seen.raw),
    )
    digest = desk.submit(
        r.Evidence(at=desk.now(), by=desk.author, stamp=code_stamp(), evidence=piece)
    )
    return Collected(planned.id, seen.shows, seen.statement, digest)


def _rests_on_simulated(raw: Mapping[str, Any]) -> bool:
    """Whether a probe looked at the record of a drill whose people were SIMULATED."""
    drill = raw.get("drill")
    return isinstance(drill, Mapping) and bool(drill.get("simulated"))
