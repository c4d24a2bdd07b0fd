"""Which standards a verdict requires, and whether they hold on the evidence in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.interim import problems_with_plan
from include.rsp.rules import Rules
from include.rsp.safeguard_basis import Basis
from include.rsp.safeguard_evidence import PROBE, SafeguardEvidence, Shown, is_planned
from include.rsp.safeguards import (
    SATISFIED,
    StandardJudgement,
    judge_standard,
    name_of,
    unmet,
)
from include.rsp.standing import standing_requirements
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome

NOTHING_BROKEN: Mapping[Digest, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is judged, and up to where the ledger was read.

    Args:
        verdict: whose red lines demand the standards.
        ledger_index: evidence that was chained later does not count.
        at: as of when.
        interim: the plan of measures that is to stand in for what is not met.
        broken: by record digest, why the attachments of a piece of evidence do not read.
        packet: that people signed: what speaks for a safeguard had to be there before it was
            closed. None: nothing was signed yet.
    """

    verdict: Digest
    ledger_index: int
    at: datetime
    interim: Digest | None = None
    broken: Mapping[Digest, str] = field(default_factory=dict)
    packet: Digest | None = None


def required_of(state: LedgerState, rules: Rules, verdict: Digest) -> tuple[list[str], list[str]]:
    """(standards, documents) that a verdict's red lines and the standing rules require."""
    found = state.expect(verdict, r.Verdict)
    demanding = [line for line in found.decision.red_lines if line.demands]
    run_id = state.occasion(found.assessment_id).run_id
    standing = {one.standard for one in standing_requirements(state, rules.policy, run_id)}
    standards = standing | {one for line in demanding for one in line.required_standards}
    documents = {one for line in demanding for one in line.required_documents}
    return sorted(standards), sorted(documents)


def judge_required(
    state: LedgerState, rules: Rules, asked: Asked
) -> tuple[list[StandardJudgement], bool]:
    """(judgements, whether all hold) of what a verdict's red lines and the standing rules require.

    Documents that the lines require are judged beside the standards: each section has to be filed,
    with the text attached, for this checkpoint. Nothing required at all holds nothing. Interim
    measures stand in for what is not met, if all of them are shown and the plan covers everything;
    a document they never replace.
    """
    standards, documents = required_of(state, rules, asked.verdict)
    verdict = state.expect(asked.verdict, r.Verdict)
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint).digest
    basis = _basis(state, rules, asked, checkpoint)
    judged = [
        judge_standard(rules.policy.standard(one), rules.requirements_of(one), basis)
        for one in standards
    ]
    filed = _filed(basis)
    papers = [judge_standard(rules.policy.document(one), None, filed) for one in documents]
    if asked.interim is None:
        every = judged + papers
        return every, bool(every) and all(one.holds for one in every)
    measures, stands_in = _judge_measures(state, rules, asked, judged, basis)
    holds = stands_in and all(one.holds for one in papers)
    return [*judged, *papers, measures], holds


def _basis(state: LedgerState, rules: Rules, asked: Asked, checkpoint: Digest | None) -> Basis:
    """What had been chained by then: for a safeguard by the time that the packet was closed."""
    plan = rules.suite.safeguards
    closed = state.index_of[asked.packet] if asked.packet else None

    def there(digest: Digest, *, shows: bool) -> bool:
        index = state.index_of[digest]
        late = shows and closed is not None and index > closed
        return index <= asked.ledger_index and not late

    def shown(digest: Digest, piece: SafeguardEvidence) -> Shown:
        by = verified_by(state, digest)
        if piece.probe is not None and not is_planned(piece, plan.probes):
            by = None  # another suite's probe: nobody adopted what it looks at
        return Shown(piece, by, asked.broken.get(digest))

    return Basis(
        plan=plan,
        evidence={
            digest: shown(digest, piece)
            for digest, piece in state.evidence.items()
            if there(digest, shows=piece.shows)
        },
        at=asked.at,
        exemptions=[
            one.exemption for key, one in state.exemptions.items() if there(key, shows=True)
        ],
        checkpoint=checkpoint,
        closed_at=state.get(asked.packet).at if asked.packet else None,
    )


def judge_in_general(
    state: LedgerState,
    rules: Rules,
    standard_id: str,
    *,
    at: datetime,
    checkpoint: Digest | None = None,
    broken: Mapping[Digest, str] = NOTHING_BROKEN,
) -> StandardJudgement:
    """What is known of one standard, without a verdict that requires it.

    Args:
        checkpoint: evidence about other checkpoints does not count; None: any about one does not.
    """
    asked = Asked(verdict="", ledger_index=state.length, at=at, broken=broken)
    basis = _basis(state, rules, asked, checkpoint)
    standard = rules.policy.standard(standard_id)
    return judge_standard(standard, rules.requirements_of(standard_id), basis)


def rests_on_safeguards(state: LedgerState, permit: r.Permit) -> bool:
    """Whether a permit was given because standards hold, or measures that stand in for them."""
    return bool(judgement_behind(state, permit)) and not permit.below_recommendation


def judgement_behind(state: LedgerState, permit: r.Permit) -> Digest | None:
    """The judgement in the packet that was signed for a permit, if it holds."""
    for ref in permit.basis:
        record = state.get(ref.record)
        if isinstance(record, r.Packet):
            named = state.report_of(ref.record).judgement
            if named and state.expect(named.record, r.SafeguardsJudgement).holds:
                return named.record
    return None


def no_longer_met(state: LedgerState, rules: Rules, permit: r.Permit, *, at: datetime) -> str:
    """What a permit rests on that is not shown any more, in words; empty: all of it is."""
    behind = judgement_behind(state, permit)
    if behind is None:
        return ""
    signed = state.expect(behind, r.SafeguardsJudgement)
    judged, holds = judge_required(
        state,
        rules,
        Asked(
            verdict=signed.verdict.record,
            ledger_index=state.length,
            at=at,
            interim=signed.interim.record if signed.interim else None,
            broken=signed.broken,
        ),
    )
    if holds:
        return ""
    lost = [f"{name_of(one, row)} is {row.outcome}: {row.because}" for one, row in unmet(judged)]
    return "; ".join(lost[:5]) or "the measures no longer stand in for all that is not met"


def _filed(basis: Basis) -> Basis:
    """What files a document for this checkpoint, with the text attached; and all that refutes."""
    filed = {
        digest: one
        for digest, one in basis.standing.items()
        if not one.piece.shows
        or (one.piece.checkpoint == basis.checkpoint and one.piece.attachments)
    }
    return replace(basis, evidence=filed, exemptions=())


def _judge_measures(
    state: LedgerState, rules: Rules, asked: Asked, judged: list[StandardJudgement], basis: Basis
) -> tuple[StandardJudgement, bool]:
    """The plan's measures as a standard, and whether they stand in for all that is not met."""
    plan = state.expect(asked.interim or "", r.InterimPlan)
    rule = rules.policy.interim_measures
    clause = rule.clause if rule else "the policy knows no interim measures"
    standard, said = plan.plan.as_standard(clause, judged[0].level if judged else "none")
    measures = judge_standard(standard, said, _of_plan(plan, basis))
    problems = problems_with_plan(plan.plan, rule, judged, rules.suite.safeguards)
    longest = timedelta(days=rule.longest_days) if rule else timedelta(0)
    in_time = asked.at <= min(plan.plan.until, plan.at + longest)
    same = plan.verdict.record == asked.verdict
    return measures, measures.holds and not problems and in_time and same


def _of_plan(plan: r.InterimPlan, basis: Basis) -> Basis:
    """Only what shows a measure of just this plan: collected since it was made, about this
    checkpoint, and not by an owner of what the measure stands in for.
    """
    owners = {
        one.id: {
            name
            for where in one.replaces
            for name in basis.plan.owners_of(where.standard, where.requirement, where.surface)
        }
        for one in plan.plan.measures
    }
    found = {
        digest: one
        for digest, one in basis.standing.items()
        if not one.piece.shows
        or (
            one.piece.checkpoint == basis.checkpoint
            and one.piece.collected_at >= plan.at - CLOCK_TOLERANCE
            and _is_another(one.by, owners.get(one.piece.criterion, set()))
        )
    }
    return replace(basis, evidence=found, exemptions=())


def _is_another(by: str | None, owners: set[str]) -> bool:
    """Whether somebody who signed is none of the owners, and these are known."""
    return by is not None and bool(owners) and by not in owners


def verified_by(state: LedgerState, evidence: Digest) -> str | None:
    """Who stands behind a chained piece of evidence: the holder of the key that signed it, or the
    probe. None: nobody does. The notary checked the signature before it chained it.
    """
    record = state.expect(evidence, r.Evidence)
    if record.envelope is not None and state.trust is not None:
        keyid = record.envelope.signatures[0].get("keyid")
        return next((one.holder for one in state.trust.keys if one.keyid == keyid), None)
    return f"{PROBE} {record.evidence.probe.id}" if record.evidence.probe else None


def suffices(verdict: r.Verdict, judgement: r.SafeguardsJudgement | None) -> bool:
    """Whether something goes on when people accept the recommendation: it needs no standard, or
    those that it needs hold.

    Args:
        judgement: of what the verdict and the standing rules require; None: nothing was judged.
    """
    continues = verdict.decision.recommendation is Outcome.CONTINUE
    if judgement is None:
        return continues
    return judgement.holds or (continues and not judgement.standards)


def good_until(judged: list[StandardJudgement]) -> datetime | None:
    """When the first piece of the evidence that carries the judgement expires. What is stale
    already carries nothing: a measure stands in for it, or the judgement does not hold.
    """
    times = [
        row.good_until
        for one in judged
        for row in one.criteria
        if row.good_until is not None and row.outcome in SATISFIED
    ]
    return min(times, default=None)
