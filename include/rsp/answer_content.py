"""Whether what a person said is something that the policy offers (DESIGN I5)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.responses import offered
from include.rsp.reviews import check_review
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Choice, ResponseKind


def check_content(state: LedgerState, record: r.Answer, rules: Rules) -> None:
    """Refuse a choice, response or waiver that is not offered; raises Refused."""
    if isinstance(record, r.TranscriptReviewed):
        check_review(state, record, rules)
    if isinstance(record, r.SafeguardsApproval) and record.choice == "approve":
        _check_not_overtaken(state, record.about.record)
    if isinstance(record, r.Determination):
        _check_determination(state, record, rules)
    if isinstance(record, r.Receipt):
        (notice,) = [one for one in rules.policy.notices if one.id == record.notice]
        if notice.approval and record.choice == "received":
            raise Refused(
                "approval_needed",
                f"{notice.id} ({notice.clause}) asks for approval; being told is not enough.",
            )


def _check_determination(state: LedgerState, record: r.Determination, rules: Rules) -> None:
    policy, report = rules.policy, state.report_of(record.about.record)
    verdict = state.expect(report.verdict.record, r.Verdict)
    conditional = {one.id for one in policy.notices if one.waivable}
    unknown = sorted(set(record.not_applicable) - conditional)
    if unknown:
        raise Refused(
            "not_offered",
            f"{unknown} are no conditional notices of {policy.id} (expected some of "
            f"{sorted(conditional)}): what always applies cannot be waived.",
        )
    responses = {one.id: one for one in offered(policy, verdict.decision.recommendation)}
    if record.response is not None and record.response not in responses:
        raise Refused(
            "not_offered",
            f"{record.response!r} is no response to {verdict.decision.recommendation} (expected "
            f"one of {sorted(responses)}).",
        )
    if record.response is not None and record.cap_ratio is None:
        named = responses[record.response]
        if named.kind is ResponseKind.CAP_TRAINING:
            raise Refused(
                "cap_missing",
                f"{named.id!r} ({named.clause}) caps training, and no cap_ratio says where.",
            )
    if record.choice is Choice.BELOW:
        _check_below(verdict, policy)


def _check_below(verdict: r.Verdict, policy: Policy) -> None:
    rule = policy.sign_off.below_recommendation
    demanding = [line for line in verdict.decision.red_lines if line.demands]
    if not demanding:
        raise Refused("not_offered", "The recommendation is to continue; nothing is below that.")
    fixed = [one for one in demanding if rule is None or one.status not in rule.statuses]
    if fixed:
        clause = rule.clause if rule else f"{policy.id} {policy.version} has no such rule"
        raise Refused(
            "below_not_allowed",
            f"{', '.join(f'{one.red_line} is {one.status}' for one in fixed)}: officers may not "
            f"determine less than the recommendation ({clause}).",
        )


def _check_not_overtaken(state: LedgerState, report: Digest) -> None:
    """Refuse to approve a report after evidence was added that it does not know.

    Raises:
        Refused: `report_overtaken`.
    """
    judgement = state.expect(report, r.SafeguardsReport).judgement.record
    judged = state.expect(judgement, r.SafeguardsJudgement)
    standards = {one.standard for one in judged.standards}
    newer = [
        digest
        for digest, piece in state.evidence.items()
        if piece.standard in standards and state.index_of[digest] > judged.ledger_index
    ]
    if newer:
        raise Refused(
            "report_overtaken",
            f"{len(newer)} pieces of evidence were added since it was judged. Verify the "
            "safeguards again and approve the newer report.",
        )
