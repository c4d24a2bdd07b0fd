"""What a permit rests on, where safeguards have to hold before anything goes on."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rsp import records as r
from include.rsp.determination import Determined
from include.rsp.errors import Refused
from include.rsp.judgement import Asked, good_until, judge_required, required_of
from include.rsp.request_check import check_next_level
from include.rsp.rules import Rules
from include.rsp.safeguards import name_of, unmet
from include.rsp.safeguards_answers import check_not_rejected
from include.rsp.standing import standing_requirements
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome


def shown_until(
    state: LedgerState,
    request: r.PermitRequest,
    rules: Rules,
    determined: Determined | None,
    *,
    at: datetime,
) -> datetime | None:
    """Until when the safeguards that a permit rests on count; None: it rests on none.

    They count until the first piece of their evidence expires, a plan of interim measures ends, or
    what the officers approved has to be approved again (RSP 2.2 §4.3: at least annually).

    Raises:
        Refused: they are not shown, not approved by whom the policy names, or the red lines that
            come next are not published where the policy wants that first.
    """
    verdict = state.expect(request.verdict.record, r.Verdict)
    continues = verdict.decision.recommendation is Outcome.CONTINUE
    below = determined is not None and determined.below
    overruling = request.verdict.record if below else None
    standing = standing_requirements(state, rules.policy, request.run_id, overruling=overruling)
    if not standing and (continues or below):
        return None
    names = [one.standard for one in standing]
    check_next_level(rules.policy, verdict.decision, names)
    report = state.report_of(request.packet.record) if request.packet else None
    signed = report.judgement if report else None
    judged = state.expect(signed.record, r.SafeguardsJudgement) if signed else None
    plan = judged.interim if judged else None
    if plan is not None:
        _check_approvers(rules, determined)
    asked = Asked(
        verdict=request.verdict.record,
        ledger_index=state.length,
        at=at,
        interim=plan.record if plan else None,
        broken=judged.broken if judged else {},
        packet=request.packet.record if request.packet else None,
    )
    check_not_rejected(state, request.verdict.record)
    until = check_safeguards(state, rules, signed, asked)
    return min([until, *_approved_until(state, rules, request, determined)])


def check_safeguards(
    state: LedgerState, rules: Rules, signed: r.RecordRef | None, asked: Asked
) -> datetime:
    """The judgement that was signed for holds, and still does on all evidence there is now.

    What was collected after the packet was closed cannot stand in for what people were shown.

    Args:
        signed: the judgement in the packet that people signed.
        asked: about the verdict, as of now.

    Returns:
        When the first piece of that evidence expires, or the plan of interim measures ends.

    Raises:
        Refused: otherwise.
    """
    if signed is None:
        raise Refused("no_safeguards", "The signed packet holds no judgement of the safeguards.")
    shown = state.expect(signed.record, r.SafeguardsJudgement)
    if not shown.holds or shown.verdict.record != asked.verdict:
        raise Refused("safeguards_not_verified", "The required safeguards were not shown to hold.")
    judged, holds = judge_required(state, rules, asked)
    if not holds:
        lost = [f"{name_of(standard, row)} {row.outcome}" for standard, row in unmet(judged)]
        raise Refused("safeguards_stale", f"Since they were judged: {', '.join(lost)}.")
    until = good_until(judged) or asked.at
    if asked.interim is None:
        return until
    return min(until, state.expect(asked.interim, r.InterimPlan).plan.until)


def _approved_until(
    state: LedgerState, rules: Rules, request: r.PermitRequest, determined: Determined | None
) -> list[datetime]:
    """For each required standard that has one, the end of the officers' approval."""
    standards, _ = required_of(state, rules, request.verdict.record)
    said = [rules.requirements_of(one) for one in standards]
    if determined is None:
        return []
    return [determined.last_at + timedelta(days=one.reapproval_days) for one in said if one]


def _check_approvers(rules: Rules, determined: Determined | None) -> None:
    """Interim measures carry something only if all whom the policy names approved of them."""
    rule = rules.policy.interim_measures
    missing = set(rule.approvers if rule else ["anybody"])
    missing -= determined.offices if determined else set()
    if missing:
        raise Refused(
            "interim_not_approved",
            f"The interim measures need the approval of {', '.join(sorted(missing))} "
            f"({rule.clause if rule else 'the policy knows none'}).",
        )
