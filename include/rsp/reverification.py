"""Which safeguards have to be looked at again: before their evidence lapses, or when some is added.

Lifecycle steps 31 and 34. A permit that rests on safeguards ends with their evidence; what follows
here makes that nobody is surprised by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.judgement import rests_on_safeguards
from include.rsp.rules import Rules
from include.rsp.safeguards import SATISFIED, name_of
from include.rsp.safeguards_report import warn_days
from include.rsp.state import LedgerState


def verdicts_in_use(state: LedgerState, *, at: datetime) -> list[Digest]:
    """The verdicts behind permits in force that rest on safeguards, in the ledger's order."""
    found = {
        permit.basis[0].record: None
        for run in state.runs.values()
        for digest, permit in run.permits.items()
        if at <= permit.expires_at
        and digest not in run.revoked
        and rests_on_safeguards(state, permit)
    }
    return list(found)


def newest_judgement(
    state: LedgerState, verdict: Digest
) -> tuple[Digest, r.SafeguardsJudgement] | None:
    """The newest judgement about a verdict."""
    found = [one for one in state.judgements.items() if one[1].verdict.record == verdict]
    return found[-1] if found else None


def reopened(state: LedgerState, rules: Rules, verdict: Digest, *, at: datetime) -> str | None:
    """Why the safeguards behind a verdict have to be judged again now; None: they do not."""
    newest = newest_judgement(state, verdict)
    if newest is None:
        return "nothing was judged yet"
    judged = newest[1]
    standards = {one.standard for one in judged.standards}
    added = [
        digest
        for digest, piece in state.evidence.items()
        if piece.standard in standards and state.index_of[digest] > judged.ledger_index
    ]
    added += [
        digest
        for digest, one in state.exemptions.items()
        if one.exemption.standard in standards and state.index_of[digest] > judged.ledger_index
    ]
    if added:
        return f"{len(added)} pieces of evidence were added since"
    for standard in judged.standards:
        warning = timedelta(days=warn_days(rules, standard.standard))
        for row in standard.criteria:
            if row.good_until is None or row.outcome not in SATISFIED:
                continue
            warned_from = row.good_until - warning
            lapsed = judged.at <= row.good_until < at
            if judged.at < warned_from <= at or lapsed:
                what = name_of(standard.standard, row)
                return f"{what} lapses at {row.good_until:%Y-%m-%d %H:%M:%S}"
    return None
