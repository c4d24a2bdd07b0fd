"""What the ledger says of one training run."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.vocabulary import Scope

ENDED_BY = {
    Scope.TRAINING: (Scope.TRAINING, Scope.WEIGHTS),
    Scope.DEPLOYMENT: (Scope.DEPLOYMENT,),
}
"""The holds that a permit of a purpose ends when it releases one: of these scopes."""


@dataclass(slots=True)
class RunState:
    """One training run. Dicts are keyed by record digest, in ledger order."""

    announcement: Digest
    checkpoints: dict[Digest, r.Checkpoint] = field(default_factory=dict)
    permits: dict[Digest, r.Permit] = field(default_factory=dict)
    holds: dict[Digest, r.Hold] = field(default_factory=dict)
    released: set[Digest] = field(default_factory=set)
    revoked: dict[Digest, Digest] = field(default_factory=dict)
    acknowledgements: dict[Digest, r.Acknowledgement] = field(default_factory=dict)
    verdicts: dict[Digest, r.Verdict] = field(default_factory=dict)
    determinations: dict[Digest, r.Determination] = field(default_factory=dict)
    deviations: set[tuple[Digest, str]] = field(default_factory=set)
    escalations: set[tuple[Digest, int]] = field(default_factory=set)
    next_due_flop: float | None = None
    changed_at_index: int = 0

    def count(self, digest: Digest, record: r.Record) -> None:
        """Take in one more record of this run."""
        match record:
            case r.Checkpoint():
                self.checkpoints[digest] = record
            case r.Verdict():
                self.verdicts[digest] = record
            case r.Permit():
                self._count_permit(digest, record)
            case r.Determination():
                self.determinations[digest] = record
            case r.Revocation():
                self.revoked.setdefault(record.about.record, digest)
            case r.Hold():
                self.holds[digest] = record
            case r.Acknowledgement():
                self.acknowledgements[record.hold.record] = record
            case r.Escalation():
                self.escalations.add((record.hold.record, record.rung))
            case r.Deviation():
                self.deviations.add((record.about.record, record.finding))

    def _count_permit(self, digest: Digest, permit: r.Permit) -> None:
        self.permits[digest] = permit
        if permit.purpose is Scope.TRAINING:
            self.next_due_flop = permit.due_flop
        if permit.releases is not None:
            ends = ENDED_BY[permit.purpose]
            self.released.update(key for key, one in self.holds.items() if one.scope in ends)

    def deviated(self, about: Digest) -> bool:
        """Whether a deviation stands about a record of this run."""
        return any(subject == about for subject, _ in self.deviations)

    @property
    def holds_in_force(self) -> dict[Digest, r.Hold]:
        """The holds that nobody has released, of every scope."""
        return {key: hold for key, hold in self.holds.items() if key not in self.released}

    def held(self, scope: Scope) -> dict[Digest, r.Hold]:
        """The holds in force of one scope."""
        return {key: hold for key, hold in self.holds_in_force.items() if hold.scope is scope}

    def newest_hold(self, scope: Scope) -> Digest | None:
        """The newest hold in force of one scope."""
        return next(reversed(self.held(scope)), None)

    @property
    def newest_permit(self) -> tuple[Digest, r.Permit] | None:
        """The training permit that counts: the newest."""
        found = [one for one in self.permits.items() if one[1].purpose is Scope.TRAINING]
        return found[-1] if found else None

    @property
    def newest_verdict(self) -> tuple[Digest, r.Verdict] | None:
        """The verdict that counts: the newest."""
        return next(reversed(self.verdicts.items()), None)

    def newest_verdict_on(self, checkpoint: Digest) -> Digest | None:
        """The newest verdict on one checkpoint, named by its record."""
        on = [key for key, one in self.verdicts.items() if one.checkpoint.record == checkpoint]
        return on[-1] if on else None
