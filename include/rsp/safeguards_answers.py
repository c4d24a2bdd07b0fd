"""What officers said of Safeguards Reports, all of them together (lifecycle steps 23 and 34)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.answers import answers_on
from include.rsp.canonical import Digest
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Choice


def is_approved(state: LedgerState, policy: Policy, report: Digest) -> bool:
    """Whether the officers approve a Safeguards Report that says that the standards hold: as many
    as sign, and none rejects it.
    """
    judgement = state.expect(report, r.SafeguardsReport).judgement.record
    judged = state.expect(judgement, r.SafeguardsJudgement)
    said = {
        office: state.expect(digest, r.SafeguardsApproval).choice
        for office, digest in answers_on(state, report, r.SafeguardsApproval).items()
    }
    approving = [office for office in policy.sign_off.roles if said.get(office) == "approve"]
    rejected = standing_rejection(state, judged.verdict.record) is not None
    enough = len(approving) >= policy.sign_off.needed and not rejected
    return enough and judged.holds and bool(judged.standards)


def rejected_since(state: LedgerState, verdict: Digest, *, since: int) -> str | None:
    """What an officer says who rejected the safeguards behind a verdict after a ledger index."""
    for digest, one in _approvals(state, verdict).items():
        if state.index_of[digest] > since and one.choice == "reject":
            return f"the {one.office} rejects the safeguards: {one.reason}"
    return None


def standing_rejection(state: LedgerState, verdict: Digest) -> tuple[str, str] | None:
    """(office, reason) of an officer who rejected a report about a verdict, and has neither
    approved one nor accepted a packet on the same verdict since; None: there is none.
    """
    newest: dict[str, tuple[int, str | None]] = {}
    for digest, one in _approvals(state, verdict).items():
        rejection = one.reason if one.choice == "reject" else None
        newest[one.office] = (state.index_of[digest], rejection)
    run = state.runs[state.run_of_verdict(verdict)]
    for digest, said in run.determinations.items():
        about = state.report_of(said.about.record).verdict.record
        index = state.index_of[digest]
        if about == verdict and said.choice is Choice.ACCEPT and said.office in newest:
            newest[said.office] = max(newest[said.office], (index, None), key=lambda x: x[0])
    return next(((office, why) for office, (_, why) in newest.items() if why is not None), None)


def check_not_rejected(state: LedgerState, verdict: Digest) -> None:
    """Refuse what an officer rejected; raises Refused (`safeguards_rejected`)."""
    rejection = standing_rejection(state, verdict)
    if rejection is not None:
        raise Refused(
            "safeguards_rejected",
            f"The {rejection[0]} rejected the safeguards: {rejection[1]}. Have them approve a "
            "newer report, or accept a newer packet.",
        )


def _approvals(state: LedgerState, verdict: Digest) -> dict[Digest, r.SafeguardsApproval]:
    """Every answer to a Safeguards Report about a verdict, in the ledger's order."""
    found = {
        digest: one
        for answers in state.answers.values()
        for digest, one in answers.items()
        if isinstance(one, r.SafeguardsApproval) and _verdict(state, one) == verdict
    }
    return dict(sorted(found.items(), key=lambda one: state.index_of[one[0]]))


def _verdict(state: LedgerState, answer: r.SafeguardsApproval) -> Digest:
    report = state.expect(answer.about.record, r.SafeguardsReport)
    return state.expect(report.judgement.record, r.SafeguardsJudgement).verdict.record
