"""What a proposed version would change, who has to agree, and when it comes into force.

Lifecycle steps 1 and 25; DESIGN I7; facts R19 (a change asked for while an assessment is open is
flagged). An assessment stays on the version that it began on, whatever is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.adoption_records import Disposition, Fate, ReviewFindings
from include.rsp.approvals import wanted
from include.rsp.authority import ratios_of
from include.rsp.backtest import PastDecision, Redecided, backtest, is_looser, redecide
from include.rsp.canonical import Digest
from include.rsp.catalogue_strictness import shown_loosenings
from include.rsp.difference import differences
from include.rsp.leases import usable_until
from include.rsp.next_level import next_level_gaps
from include.rsp.policy import Policy
from include.rsp.rules import Rules
from include.rsp.run_state import RunState
from include.rsp.state import LedgerState
from include.rsp.strictness import loosenings
from include.rsp.suite_strictness import suite_loosenings
from include.rsp.vocabulary import KeyRole, Scope


def offices_of(policy: Policy) -> list[str]:
    """Every office that signs for something under a policy, in a fixed order."""
    named, asked = policy.governance, policy.sign_off
    answering = [role for one in policy.notices if one.before_permit for role in one.to]
    deleting = [
        role
        for one in policy.responses
        if "consider_deletion" in one.actions
        for role in one.people
    ]
    every = [*asked.roles, asked.second_line.office, *answering, *deleting]
    return list(dict.fromkeys([*every, *named.propose, *named.consult, *named.approve]))


def open_assessments(state: LedgerState) -> list[str]:
    """The assessments without a verdict, by their ids."""
    return sorted(key for key, one in state.assessments.items() if one.verdict is None)


def review(
    state: LedgerState,
    now: Rules,
    proposed: Rules,
    past: Iterable[PastDecision],
    *,
    at: datetime,
) -> ReviewFindings:
    """All that putting the proposed rules into force would change.

    Args:
        now: the rules in force.
        past: the counted decisions, oldest first; read once.
        at: the time of the review; permits that have expired by then are left out.
    """
    again = redecide(proposed.policy, proposed.suite, past)
    gaps = next_level_gaps(proposed.policy)
    return ReviewFindings(
        policy=_name(proposed.policy),
        supersedes=_name(now.policy),
        policy_changes=differences(now.policy, proposed.policy),
        suite_changes=differences(now.suite, proposed.suite),
        looser=[*loosenings(now.policy, proposed.policy), *shown_loosenings(now, proposed)],
        suite_looser=suite_loosenings(now.suite, proposed.suite),
        backtest=backtest(again),
        next_level=gaps,
        next_level_binds=proposed.policy.governance.next_level is not None,
        live=live_authority(state, now, proposed, again, at=at),
        open_assessments=open_assessments(state),
        blockers=blockers(state, now.policy, proposed.policy),
        answers=[f"{office} as {part}" for part, office in wanted(now.policy)],
    )


def _name(policy: Policy) -> str:
    return f"{policy.id} {policy.version}"


def blockers(state: LedgerState, now: Policy, proposed: Policy) -> list[str]:
    """Why the version could not be put into force, or nobody could act under it."""
    keys = state.trust.keys if state.trust else []
    with_key = {one.office for one in keys if one.role is KeyRole.OFFICER}
    found = [
        f"the office {one} has no key in the trust root, so it can never sign"
        for one in offices_of(proposed)
        if one not in with_key
    ]
    found += [
        f"{_name(one)} names nobody who proposes or approves a change: it could never be replaced"
        for one in (now, proposed)
        if not (one.governance.propose or one.governance.approve)
    ]
    named = proposed.governance
    for together in (proposed.sign_off.roles, [*named.propose, *named.consult, *named.approve]):
        found += _held_by_one(keys, together)
    return found


def _held_by_one(keys: Sequence[r.KeyEntry], offices: Sequence[str]) -> list[str]:
    """Offices that have to be distinct people and are not."""
    holders = {one.office: one.holder for one in keys if one.role is KeyRole.OFFICER}
    people = [(office, holders[office]) for office in dict.fromkeys(offices) if office in holders]
    return [
        f"{one} and {other} are one person ({holder}), and have to be two"
        for index, (one, holder) in enumerate(people)
        for other, also in people[index + 1 :]
        if holder == also
    ]


def live_authority(
    state: LedgerState,
    now: Rules,
    proposed: Rules,
    again: Mapping[Digest, Redecided],
    *,
    at: datetime,
) -> list[Disposition]:
    """What becomes of each permit that lives at this time, and of each hold in force.

    A permit is (1) revoked if the verdict behind it would come out stricter, or its ceiling would
    be lower; (2) to be assessed again in the new policy's time if something else got tighter;
    (3) kept until it expires otherwise. Holds stay: only people end them.
    """
    tighter = [
        *loosenings(proposed.policy, now.policy),
        *shown_loosenings(proposed, now),
        *suite_loosenings(proposed.suite, now.suite),
    ]
    found: list[Disposition] = []
    for run_id, run in state.runs.items():
        found += _permits(state, run, proposed, again, tighter, at)
        found += [
            Disposition(
                record=r.RecordRef(record=digest), run_id=run_id, fate=Fate.STAYS, until=None,
                because=hold.reason,
            )
            for digest, hold in run.holds_in_force.items()
        ]  # fmt: skip
    return found


def _permits(
    state: LedgerState,
    run: RunState,
    proposed: Rules,
    again: Mapping[Digest, Redecided],
    tighter: Sequence[str],
    at: datetime,
) -> Iterator[Disposition]:
    live = [run.newest_permit] if run.newest_permit else []
    live += [one for one in run.permits.items() if one[1].purpose is Scope.DEPLOYMENT]
    for digest, permit in live:
        until = usable_until(state, digest, permit)
        if until is not None and at < until:
            yield _fate(state, digest, permit, proposed, again, tighter, until=until, at=at)


def _fate(
    state: LedgerState,
    digest: Digest,
    permit: r.Permit,
    proposed: Rules,
    again: Mapping[Digest, Redecided],
    tighter: Sequence[str],
    *,
    until: datetime,
    at: datetime,
) -> Disposition:
    stricter = _stricter(state, permit, proposed, again)
    fate, because = Fate.KEEP, "nothing that it rests on gets tighter"
    end: datetime | None = until
    if stricter:
        fate, because, end = Fate.REVOKE, stricter, None
    elif tighter:
        window = at + timedelta(days=proposed.policy.authority.reassess_days)
        fate, because, end = (
            Fate.REASSESS,
            f"the new version is stricter; going back would mean {tighter[0]}",
            min(until, window),
        )
    return Disposition(
        record=r.RecordRef(record=digest), run_id=permit.run_id, fate=fate, until=end,
        because=because,
    )  # fmt: skip


def _stricter(
    state: LedgerState, permit: r.Permit, proposed: Rules, again: Mapping[Digest, Redecided]
) -> str:
    """Why the permit could not be given like this under the proposed rules; empty: it could."""
    if permit.checkpoint is None:
        if "genesis" not in proposed.policy.machine_determination.outcomes:
            return "people have to determine the first stretch of a run"
        ceiling = proposed.suite.genesis.ceiling_flop
    else:
        digest = permit.basis[0].record
        verdict = state.expect(digest, r.Verdict)
        if digest not in again:
            return "the verdict behind it could not be decided again"
        after = again[digest].after
        before = verdict.decision.recommendation
        if is_looser(after.recommendation, before):
            return f"its verdict would be {after.recommendation}, not {before}"
        checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
        ceiling = checkpoint.manifest.effective_compute * ratios_of(proposed, after)[1]
    if permit.purpose is Scope.TRAINING and ceiling < permit.ceiling_flop:
        return f"its ceiling would be {ceiling:.4g} FLOP, not {permit.ceiling_flop:.4g}"
    return ""
