"""Whether a hold may be released: what the policy's `resume_when` asks for (DESIGN §9)."""

from __future__ import annotations

from include.rsp import records as r
from include.rsp.canonical import Digest, short
from include.rsp.errors import Refused
from include.rsp.policy import Policy
from include.rsp.responses import chosen_for
from include.rsp.run_state import ENDED_BY
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome, Resume


def check_resumable(
    state: LedgerState,
    request: r.PermitRequest,
    policy: Policy,
    *,
    safeguards: bool,
    below: bool,
) -> None:
    """Refuse to end a hold for which nothing has changed.

    Args:
        safeguards: a judgement that the required standards hold was signed for and still holds.
        below: the officers determined less than the recommendation, as the policy lets them.

    It may be ended only if (1) everything is there that the responses ask for which were chosen
    since the oldest hold in force, or which ordered one of the holds that the permit ends;
    (2) where none was chosen, any one thing that the policy lets holds end by.

    Raises:
        Refused: otherwise; the message names what is missing.
    """
    if request.hold is None:
        return
    run, scope = state.runs[request.run_id], request.purpose
    oldest = next(iter(run.held(scope)), request.hold.record)
    since = state.index_of[oldest]
    there = met(state, request, oldest, safeguards=safeguards, below=below)
    ordered = {
        one.reply_to.record for one in run.holds_in_force.values() if one.scope in ENDED_BY[scope]
    }
    chosen = [
        one
        for digest, one in chosen_for(run, policy).items()
        if one.resume and (state.index_of[digest] > since or digest in ordered)
    ]
    for response in chosen:  # (1)
        missing = [one.value for one in response.resume if one not in there]
        if missing:
            raise Refused(
                "not_resumable",
                f"The response {response.id!r} ({response.clause}) was chosen; before the hold "
                f"{short(oldest)} ends it asks for {' and '.join(missing)}.",
            )
    if not chosen and not there & set(policy.hold.resume_when):  # (2)
        wanted = " or ".join(one.value for one in policy.hold.resume_when)
        raise Refused(
            "not_resumable",
            f"The hold {short(oldest)} ends by {wanted} ({policy.hold.clause}); there is "
            f"{' and '.join(sorted(there)) or 'none of it'}.",
        )


def met(
    state: LedgerState,
    request: r.PermitRequest,
    oldest: Digest,
    *,
    safeguards: bool,
    below: bool,
) -> set[Resume]:
    """What of it has happened since the oldest hold in force."""
    since = state.index_of[oldest]
    verdict = state.expect(request.verdict.record, r.Verdict)
    continues = verdict.decision.recommendation is Outcome.CONTINUE
    ordered_by = state.get(state.runs[request.run_id].holds[oldest].reply_to.record)
    found = set()
    if safeguards:
        found.add(Resume.SAFEGUARDS_VERIFIED)
    if continues and state.index_of[request.verdict.record] > since:
        found.add(Resume.NEW_ASSESSMENT)
    if below or (continues and isinstance(ordered_by, r.Determination)):
        found.add(Resume.NEW_DETERMINATION)
    if any(state.index_of[one] > since for one in state.adoptions):
        found.add(Resume.POLICY_UPDATED)
    return found
