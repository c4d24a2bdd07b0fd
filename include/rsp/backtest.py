"""Past assessments decided again under another policy and suite (lifecycle step 25; DESIGN I7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.rsp.canonical import Digest, Document, Identifier
from include.rsp.comparison import inherit, is_notable, measured_grounds, tested_grounds
from include.rsp.decision import Decision, RedLineAssessment, decide
from include.rsp.finding import Evidence
from include.rsp.policy import Policy
from include.rsp.suite import Suite, spacing_of
from include.rsp.vocabulary import OUTCOME_BY_RESTRICTIVENESS, Outcome, RedLineStatus

STATUS_ORDER = (RedLineStatus.RULED_OUT, RedLineStatus.NOT_RULED_OUT, RedLineStatus.CROSSED)


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A counted decision with the evidence that it was reached from.

    `inherits` is the verdict whose statuses it took over after a preliminary assessment, with the
    effective compute of both checkpoints (reference, own).
    """

    assessment_id: str
    checkpoint_name: str
    verdict: Digest
    decision: Decision
    evidence: Mapping[str, Evidence]
    checkpoint: Digest
    checkpoint_at: datetime
    at: datetime
    variants: Sequence[str]
    inherits: tuple[Digest, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Redecided:
    """A counted decision and what it would be; without the evidence, which may be large."""

    assessment_id: str
    checkpoint_name: str
    before: Decision
    after: Decision


class ChangedVerdict(Document):
    """One past decision that would come out differently."""

    assessment_id: Identifier
    checkpoint: str
    before: Outcome
    after: Outcome
    lines: list[str]
    looser: bool


class Backtest(Document):
    """How many past decisions were decided again, and those that change."""

    decisions: int
    changed: list[ChangedVerdict]

    @property
    def loosened(self) -> int:
        """How many of them are looser in anything."""
        return sum(one.looser for one in self.changed)


def redecide(policy: Policy, suite: Suite, past: Iterable[PastDecision]) -> dict[Digest, Redecided]:
    """By verdict, the decision on the same evidence at the same time, oldest first.

    Reads `past` once and keeps no evidence, so that a generator holds that of one decision only.
    """
    found: dict[Digest, Redecided] = {}
    for one in past:
        own = decide(
            policy,
            suite,
            one.evidence,
            checkpoint=one.checkpoint,
            checkpoint_at=one.checkpoint_at,
            at=one.at,
            variants=one.variants,
        )
        after = _taken_over(policy, suite, one, own, found) or own
        found[one.verdict] = Redecided(one.assessment_id, one.checkpoint_name, one.decision, after)
        del one  # its evidence goes before the next is read
    return found


def _taken_over(
    policy: Policy,
    suite: Suite,
    one: PastDecision,
    own: Decision,
    found: Mapping[Digest, Redecided],
) -> Decision | None:
    """The inherited decision, if the new rules would let it be taken over as well."""
    rule = policy.preliminary
    if one.inherits is None or rule is None or one.inherits[0] not in found:
        return None
    reference, compute, mine = one.inherits
    other = found[reference].after
    grounds = [
        *tested_grounds(suite, other.findings, own.findings),
        *measured_grounds(other.findings, own.findings),
    ]
    most = min(rule.compute_ratio, spacing_of(policy, suite, "default")[0], other.due_ratio)
    if is_notable(grounds) or mine >= most * compute:
        return None
    return inherit(policy, other, own.findings, reference="the same", ratio=compute / mine)


def backtest(again: Mapping[Digest, Redecided]) -> Backtest:
    """What changes, in the order of the decisions.

    A decision changes when its recommendation does, or the status or outcome of a red line, or a
    red line comes or goes. It is looser when any of that is looser.
    """
    rows = []
    for one in again.values():
        lines, looser = _lines(one.before, one.after)
        before, after = one.before.recommendation, one.after.recommendation
        if lines or after is not before:
            rows.append(
                ChangedVerdict(
                    assessment_id=one.assessment_id,
                    checkpoint=one.checkpoint_name,
                    before=before,
                    after=after,
                    lines=lines,
                    looser=looser or is_looser(before, after),
                )
            )
    return Backtest(decisions=len(again), changed=rows)


def is_looser(before: Outcome, after: Outcome) -> bool:
    """Whether the second outcome demands less."""
    order = OUTCOME_BY_RESTRICTIVENESS.index
    return order(after) < order(before)


def _lines(before: Decision, after: Decision) -> tuple[list[str], bool]:
    old = {line.red_line: line for line in before.red_lines}
    new = {line.red_line: line for line in after.red_lines}
    said, looser = [], False
    for name in [*old, *(one for one in new if one not in old)]:
        text, weaker = _line(name, old.get(name), new.get(name))
        said += [text] if text else []
        looser = looser or weaker
    return said, looser


def _line(
    name: str, old: RedLineAssessment | None, new: RedLineAssessment | None
) -> tuple[str, bool]:
    """(what changed in words, or nothing; whether it is looser)."""
    if old is None:
        return f"{name} is new", False
    if new is None:
        return f"{name} is gone", old.demands
    if (old.status, old.outcome) == (new.status, new.outcome):
        return "", False
    order = STATUS_ORDER.index
    weaker = order(new.status) < order(old.status)
    if old.outcome is not None:
        weaker = weaker or new.outcome is None or is_looser(old.outcome, new.outcome)
    said = f"{name}: {old.status} → {new.status}"
    if old.outcome is not new.outcome:
        said += f" ({old.outcome or 'decides nothing'} → {new.outcome or 'decides nothing'})"
    return said, weaker
