"""The attestation of verified safeguards, one per judgement of a checkpoint.

A SLSA Verification Summary about the checkpoint and its files. A standard tool reads one thing of
it: the verified levels. So a level stands there under its own name only if every standard that the
policy has for it was judged and holds by real evidence; whatever is less has a longer name.
"""

from __future__ import annotations

from include.rsp.canonical import Digest, iso
from include.rsp.interim import INTERIM
from include.rsp.judged_safeguards import Judged, judged_of
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.verification_summary import Verified, summary_about

DOCUMENTS = "REDLINE_DOCUMENTS_FILED"
"""The level where nothing but documents was required."""


def safeguards_summary(state: LedgerState, rules: Rules, judgement: Digest) -> bytes:
    """The canonical bytes of the statement about a chained judgement; nobody signed them yet.

    Args:
        rules: those that its assessment started with.

    Raises:
        UnknownReference: the judgement, or what it rests on, is not in the ledger.
    """
    judged = judged_of(state, rules, judgement)
    record, until = judged.record, judged.good_until()
    verified = Verified(
        at=record.at,
        policy=judged.policy,
        inputs=_inputs(judged),
        levels=verified_levels(judged),
        redline={
            "judgement": judgement,
            "verdict": record.verdict.record,
            "suite": judged.suite,
            "expires_at": iso(until) if until else None,
            "interim": record.interim is not None,
            "simulated": judged.simulated,
            "standards": [
                {"id": one.standard, "level": one.level, "holds": one.holds}
                for one in record.standards
            ],
            "not_met": len(judged.open),
        },
    )
    return summary_about(judged.checkpoint, verified)


def verified_levels(judged: Judged) -> list[str]:
    """The levels in the policy's order; empty: the safeguards were not shown to hold.

    `ASL-3` becomes `ASL-3_INTERIM` where measures stand in for something that does not hold,
    `ASL-3_PARTIAL` where the policy has standards for it that were not judged, and has
    `_SIMULATED` at its end where any evidence is made up.
    """
    if not judged.record.holds:
        return []
    policy = judged.rules.policy
    known = {one.id: one.level for one in policy.standards}
    holds = {one.standard: one.holds for one in judged.standards if one.standard in known}
    levels = [one for one in policy.levels if one in {known[each] for each in holds}]
    names = [_name(one, known, holds) for one in levels]
    if not holds and any(one.standard != INTERIM for one in judged.standards):
        names = [DOCUMENTS]
    return [f"{one}_SIMULATED" if judged.simulated else one for one in names]


def _name(level: str, known: dict[str, str], holds: dict[str, bool]) -> str:
    of_level = [one for one, its in known.items() if its == level]
    interim = "" if all(holds.get(one, True) for one in of_level) else "_INTERIM"
    partial = "" if all(one in holds for one in of_level) else "_PARTIAL"
    return f"{level}{interim}{partial}"


def _inputs(judged: Judged) -> list[Digest]:
    interim = [judged.record.interim.record] if judged.record.interim else []
    every = [judged.digest, *judged.pieces, *judged.exemptions, *interim]
    return list(dict.fromkeys(every))
