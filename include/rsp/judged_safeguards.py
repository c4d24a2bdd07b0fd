"""A judgement of safeguards with all that it rests on, as exports for others read it.

Every way in which a standard does not hold is a row here, also the ones that leave none in the
judgement: a standard that nobody has written, or of which nothing is met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.catalogue import Requirement
from include.rsp.errors import InvalidDocument
from include.rsp.interim import INTERIM, InterimMeasure
from include.rsp.judgement import verified_by
from include.rsp.policy_catalogue import policy_catalogue
from include.rsp.rules import Rules
from include.rsp.safeguard_evidence import Shown
from include.rsp.safeguard_plan import ORGANISATION
from include.rsp.safeguards import ONLY_EXEMPT, SATISFIED, UNDEFINED, StandardJudgement
from include.rsp.state import LedgerState
from include.rsp.vocabulary import CriterionOutcome


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one requirement on one surface.

    Args:
        asked: the requirement; None: the row is about the standard itself, or the rules do not
            know the requirement any more.
        measure: the interim measure that stands in for it, if one does.
        nth: tells it apart from others of the same names.
    """

    standard: str
    requirement: str | None
    surface: str
    outcome: CriterionOutcome
    because: str
    clause: str
    owner: str | None = None
    evidence: Digest | None = None
    good_until: datetime | None = None
    asked: Requirement | None = None
    measure: InterimMeasure | None = None
    nth: int = 0

    @property
    def satisfied(self) -> bool:
        """Whether it keeps nothing from holding."""
        return self.outcome in SATISFIED

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about."""
        return self.standard, self.requirement or "", self.surface

    @property
    def name(self) -> str:
        """For people."""
        what = f"{self.standard}: {self.requirement}" if self.requirement else self.standard
        return f"{what} on {self.surface}"


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement, with the records and rules behind it.

    Args:
        rows: everything that was judged, in order.
        pieces: the evidence that decided a row.
        exemptions: the records behind what does not apply.
        reports: the records of the Safeguards Reports on it.
        by_simulated: whether any person of the trust root is simulated.
    """

    digest: Digest
    record: r.SafeguardsJudgement
    rules: Rules
    policy: Digest
    suite: Digest
    run_id: str
    checkpoint: r.Checkpoint
    standards: list[StandardJudgement]
    rows: list[Row]
    pieces: Mapping[Digest, Shown]
    exemptions: list[Digest]
    interim: r.InterimPlan | None
    reports: list[Digest]
    by_simulated: bool

    @property
    def open(self) -> list[Row]:
        """Whatever keeps a standard from holding."""
        return [one for one in self.rows if not one.satisfied]

    @property
    def simulated(self) -> bool:
        """Whether any evidence that it rests on was made up, or any of the people."""
        return self.by_simulated or any(one.piece.simulated for one in self.pieces.values())

    def only(self, standard: str) -> Judged:
        """The same, of one standard.

        Raises:
            InvalidDocument: it was not judged.
        """
        rows = [one for one in self.rows if one.standard == standard]
        if not rows:
            known = [one.standard for one in self.standards]
            raise InvalidDocument(
                f"The judgement {self.digest} is not about the standard {standard!r} (expected one "
                f"of {known}). Leave --standard out for all of them."
            )
        used = {one.evidence for one in rows}
        return replace(
            self,
            standards=[one for one in self.standards if one.standard == standard],
            rows=rows,
            pieces={digest: one for digest, one in self.pieces.items() if digest in used},
        )

    def good_until(self) -> datetime | None:
        """When the first thing that it holds by ends; None: it does not hold."""
        if not self.record.holds:
            return None
        ends = [one.good_until for one in self.rows if one.satisfied and one.good_until]
        return min([*ends, self.interim_ends] if self.interim_ends else ends, default=None)

    @property
    def interim_ends(self) -> datetime | None:
        """When measures no longer stand in; None: there are none."""
        if self.interim is None:
            return None
        rule = self.rules.policy.interim_measures
        longest = timedelta(days=rule.longest_days) if rule else timedelta(0)
        return min(self.interim.plan.until, self.interim.at + longest)


def judged_of(state: LedgerState, rules: Rules, digest: Digest) -> Judged:
    """A chained judgement with what it rests on.

    Args:
        rules: those that its assessment started with.

    Raises:
        UnknownReference: it, or something that it names, is not in the ledger.
    """
    record = state.expect(digest, r.SafeguardsJudgement)
    verdict = state.expect(record.verdict.record, r.Verdict)
    occasion = state.occasion(verdict.assessment_id)
    interim = state.expect(record.interim.record, r.InterimPlan) if record.interim else None
    rows = list(_rows(record, rules, interim))
    return Judged(
        digest=digest,
        record=record,
        rules=rules,
        policy=occasion.policy,
        suite=occasion.suite,
        run_id=occasion.run_id,
        checkpoint=state.expect(verdict.checkpoint.record, r.Checkpoint),
        standards=record.standards,
        rows=rows,
        pieces={
            one.evidence: Shown(
                state.expect(one.evidence, r.Evidence).evidence, verified_by(state, one.evidence)
            )
            for one in rows
            if one.evidence
        },
        exemptions=_exemptions(state, record, rows),
        interim=interim,
        by_simulated=state.simulated,
        reports=[
            one
            for one, found in state.records.items()
            if isinstance(found, r.SafeguardsReport) and found.judgement.record == digest
        ],
    )


def _exemptions(state: LedgerState, record: r.SafeguardsJudgement, rows: list[Row]) -> list[Digest]:
    wanted = {one.key for one in rows if one.outcome is CriterionOutcome.NOT_APPLICABLE}
    return [
        digest
        for digest, one in state.exemptions.items()
        if state.index_of[digest] <= record.ledger_index
        and (one.exemption.standard, one.exemption.criterion, one.exemption.surface) in wanted
    ]


def _rows(
    record: r.SafeguardsJudgement, rules: Rules, interim: r.InterimPlan | None
) -> Iterator[Row]:
    asked, measures = _asked(rules, interim), _measures(record, interim)
    seen: Counter[tuple[str, str, str]] = Counter()
    for standard in record.standards:
        for one in _of_standard(standard, rules):
            yield replace(
                one,
                asked=asked.get((one.standard, one.requirement)),
                measure=None if one.satisfied else measures.get(one.key),
                nth=seen[one.key],
            )
            seen[one.key] += 1


def _asked(
    rules: Rules, interim: r.InterimPlan | None
) -> dict[tuple[str, str | None], Requirement]:
    """By (standard, requirement)."""
    standards = list(policy_catalogue(rules).standards)
    if interim is not None:
        standards.append(interim.plan.as_standard("interim", rules.policy.levels[-1])[1])
    return {
        (said.standard, one.id): one for said in standards for one in said.requirements
    }  # fmt: skip


def _measures(
    record: r.SafeguardsJudgement, interim: r.InterimPlan | None
) -> dict[tuple[str, str, str], InterimMeasure]:
    """By what they stand in for; none where the measures do not suffice."""
    if interim is None or not record.holds:
        return {}
    return {
        (where.standard, where.requirement, where.surface): measure
        for measure in interim.plan.measures
        for where in measure.replaces
    }


def _of_standard(judged: StandardJudgement, rules: Rules) -> Iterator[Row]:
    satisfied = []
    for one in judged.criteria:
        row = Row(
            standard=judged.standard,
            requirement=one.requirement,
            surface=one.surface,
            outcome=one.outcome,
            because=one.because,
            clause=one.clause,
            owner=one.owner,
            evidence=one.evidence,
            good_until=one.good_until,
        )
        satisfied.append(row.satisfied)
        yield row
    if not judged.holds and all(satisfied):
        plan = rules.suite.safeguards
        yield Row(
            standard=judged.standard,
            requirement=None,
            surface=ORGANISATION,
            outcome=CriterionOutcome.MISSING,
            because=ONLY_EXEMPT if satisfied else UNDEFINED,
            clause="none" if judged.standard == INTERIM else _clause(judged.standard, rules),
            owner=plan.owners.get(judged.standard),
        )


def _clause(standard: str, rules: Rules) -> str:
    papers = {one.id: one.clause for one in rules.policy.documents}
    return papers.get(standard) or rules.policy.standard(standard).clause
