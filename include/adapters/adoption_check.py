"""What must hold before the notary chains a step of a policy's adoption (DESIGN I7, I8)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from include.adapters import signing
from include.adapters.past_decisions import past_decisions
from include.adapters.rederivation import RuleBook
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.adoption import live_authority, open_assessments, review
from include.rsp.adoption_records import Disposition, ReviewFindings
from include.rsp.approvals import check_approved, check_effective, check_published, wanted
from include.rsp.attestation import Predicate
from include.rsp.backtest import Redecided, backtest, redecide
from include.rsp.canonical import Digest, Document, digest_bytes
from include.rsp.difference import differences
from include.rsp.errors import Refused
from include.rsp.review_text import review_markdown
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.suite_fit import problems_between
from include.rsp.vocabulary import KeyRole


def rules_in_force(rulebook: RuleBook, state: LedgerState) -> Rules:
    """The rules in force; raises Refused when there are none."""
    rules = rulebook.in_force(state)
    if rules is None:
        raise Refused("no_policy", "No policy is in force; the first one is adopted by `rsp init`.")
    return rules


def check_first(rulebook: RuleBook, state: LedgerState, record: r.Adoption) -> None:
    """The first adoption: signed by all officers of the policy itself, each another person."""
    rules = rulebook.rules(record.policy.blob, record.suite.blob)
    _check_fit(rules)
    keys = signing.keys_for(state.trust, KeyRole.OFFICER)
    claimed = {"suite": record.suite.blob, "supersedes": None}
    signed: dict[str, str] = {}
    for envelope in record.signatures:
        key, subject, body = signing.verify(envelope, keys, Predicate.ADOPTION)
        if subject != record.policy.blob or body != claimed:
            raise Refused("wrong_subject", f"{key.holder} signed another policy or suite.")
        signed[str(key.office)] = key.holder
    missing = sorted(set(rules.policy.sign_off.roles) - signed.keys())
    if missing:
        raise Refused("signature_missing", f"The adoption is not signed by {missing}.")
    if len(set(signed.values())) != len(signed):
        raise Refused("not_distinct", "The adoption's signers must be distinct people.")
    if record.review is not None or record.dispositions:
        raise Refused("not_derivable", "The first adoption rests on no review.")


def check_next(store: Store, rulebook: RuleBook, state: LedgerState, record: r.Adoption) -> None:
    """A later adoption.

    It is admitted only if (1) it names a review of just this policy and suite; (2) the reviewed
    proposal supersedes what is in force, and nothing blocks it; (3) it is approved, (4) public in
    time, and (5) its date has come; (6) no past decision gets looser that the signers did not see
    do so; (7) what it says of live permits and holds follows.
    """
    if record.review is None or record.signatures:
        raise Refused(
            "no_review",
            "A policy is in force: another one comes into force by a reviewed proposal alone. "
            "Let adopt_policy propose it.",
        )
    now, digest = rules_in_force(rulebook, state), record.review.record
    reviewed = state.expect(digest, r.PolicyReview)
    proposal = state.expect(reviewed.proposal.record, r.Proposal)
    if (record.policy, record.suite) != (proposal.policy, proposal.suite):  # (1)
        raise Refused("wrong_subject", "The adoption is of another policy or suite than reviewed.")
    _check_supersedes(state, proposal)  # (2)
    if reviewed.findings.blockers:
        raise Refused("blocked", "; ".join(reviewed.findings.blockers))
    check_approved(state, now.policy, digest)  # (3)
    check_published(state, now.policy, digest, at=record.at)  # (4)
    check_effective(proposal, at=record.at)  # (5)
    again = _redecided(store, rulebook, state, proposal)
    seen = reviewed.findings.backtest.changed
    unseen = [one for one in backtest(again).changed if one.looser and one not in seen]
    if unseen:  # (6)
        raise Refused(
            "review_stale",
            f"Since the review {unseen[0].checkpoint} was decided, which would get looser "
            f"({unseen[0].before} → {unseen[0].after}); nobody signed for that. Propose the "
            "version again, with another date.",
        )
    if record.dispositions != _dispositions(rulebook, state, proposal, again, at=record.at):  # (7)
        raise Refused("not_derivable", "Permits or holds changed since. Put it into force again.")


def check_proposal(rulebook: RuleBook, state: LedgerState, record: r.Proposal) -> None:
    """A proposal reads, fits, changes something, supersedes what is in force, and keeps versions.

    Raises:
        Refused: otherwise; a version that was adopted is never changed, the message says how.
    """
    now = rules_in_force(rulebook, state)
    rules = rulebook.rules(record.policy.blob, record.suite.blob)
    _check_fit(rules)
    _check_supersedes(state, record)
    check_unchanged(rulebook, state, rules, (record.policy.blob, record.suite.blob))
    if not differences(now.policy, rules.policy) and not differences(now.suite, rules.suite):
        raise Refused("nothing_proposed", "The proposal is what is in force already.")
    if record.open_assessments != open_assessments(state):
        raise Refused("not_derivable", "The open assessments are others. Propose it again.")


def check_unchanged(
    rulebook: RuleBook, state: LedgerState, rules: Rules, files: tuple[str, str]
) -> None:
    """Refuse a file that has the id and version of an adopted one and other content."""
    adopted = [one for one in state.records.values() if isinstance(one, r.Adoption)]
    for one in adopted:
        old = rulebook.rules(one.policy.blob, one.suite.blob)
        _same_version(old.policy, rules.policy, one.policy.blob != files[0])
        _same_version(old.suite, rules.suite, one.suite.blob != files[1])


def _same_version(old: Document, new: Document, other_file: bool) -> None:
    names = [f"{one.id} {one.version}" for one in (old, new)]  # type: ignore[attr-defined]
    if names[0] != names[1] or not other_file:
        return
    changes = [one.in_words() for one in differences(old, new)]
    raise Refused(
        "version_changed",
        f"{names[0]} was adopted with other content, and an adopted version never changes "
        f"(differences: {'; '.join(changes) or 'none in its meaning'}). Give the change a version "
        "of its own and propose that.",
    )


def derive_review(
    store: Store, rulebook: RuleBook, state: LedgerState, proposal: r.Proposal, *, at: datetime
) -> ReviewFindings:
    """What putting the proposal into force would change, as of this state and time."""
    proposed = rulebook.rules(proposal.policy.blob, proposal.suite.blob)
    past = past_decisions(store, state)
    return review(state, rules_in_force(rulebook, state), proposed, past, at=at)


def derive_dispositions(
    store: Store, rulebook: RuleBook, state: LedgerState, proposal: r.Proposal, *, at: datetime
) -> list[Disposition]:
    """What becomes of every permit and hold that lives now."""
    again = _redecided(store, rulebook, state, proposal)
    return _dispositions(rulebook, state, proposal, again, at=at)


def _redecided(
    store: Store, rulebook: RuleBook, state: LedgerState, proposal: r.Proposal
) -> dict[Digest, Redecided]:
    proposed = rulebook.rules(proposal.policy.blob, proposal.suite.blob)
    return redecide(proposed.policy, proposed.suite, past_decisions(store, state))


def _dispositions(
    rulebook: RuleBook,
    state: LedgerState,
    proposal: r.Proposal,
    again: Mapping[Digest, Redecided],
    *,
    at: datetime,
) -> list[Disposition]:
    proposed = rulebook.rules(proposal.policy.blob, proposal.suite.blob)
    return live_authority(state, rules_in_force(rulebook, state), proposed, again, at=at)


def check_review(
    store: Store, rulebook: RuleBook, state: LedgerState, record: r.PolicyReview
) -> None:
    """A review is what follows from the proposal and the ledger, and its text from that."""
    proposal = state.expect(record.proposal.record, r.Proposal)
    _check_supersedes(state, proposal)
    if derive_review(store, rulebook, state, proposal, at=record.at) != record.findings:
        raise Refused("not_derivable", "The review does not follow from the ledger. Review again.")
    text = review_markdown(proposal, record.findings)
    if digest_bytes(text.encode()) != record.document.blob:
        raise Refused("not_derivable", "The review's text does not follow from its findings.")


def check_approval(rulebook: RuleBook, state: LedgerState, record: r.Approval) -> None:
    """An approval is signed by that office's key, for this review, in a part that it has.

    What was signed counts once: the same envelope again says nothing new.
    """
    keys = signing.keys_for(state.trust, KeyRole.OFFICER)
    key, subject, body = signing.verify(record.envelope, keys, Predicate.APPROVAL)
    plain = record.model_dump(mode="json")
    claimed = {name: plain[name] for name in ("office", "part", "decision", "reason", "signed_at")}
    if subject != record.review.record:
        raise Refused("wrong_subject", f"{key.holder} signed for the review {subject}.")
    if body != claimed or key.office != record.office or key.simulated != record.simulated:
        raise Refused("bad_signature", f"{key.holder} did not sign what the record says.")
    reviewed = state.expect(record.review.record, r.PolicyReview)
    policy = rules_in_force(rulebook, state).policy
    if (record.part, record.office) not in wanted(policy):
        raise Refused(
            "wrong_office",
            f"The {record.office} has no say as {record.part} in {policy.id} {policy.version} "
            f"({policy.governance.clause}).",
        )
    if record.signed_at < reviewed.at or record.signed_at > record.at:
        raise Refused("signature_out_of_time", "It was signed before the review, or in the future.")
    if any(one.envelope.payload == record.envelope.payload for one in state.approvals.values()):
        raise Refused("already_counted", "This approval is in the ledger. Sign anew to say more.")


def check_publication(rulebook: RuleBook, state: LedgerState, record: r.PolicyPublication) -> None:
    """Only what was approved is published, and just what was reviewed."""
    reviewed = state.expect(record.review.record, r.PolicyReview)
    proposal = state.expect(reviewed.proposal.record, r.Proposal)
    if record.policy != proposal.policy:
        raise Refused("wrong_subject", "Another policy was published than the one reviewed.")
    if record.changelog.blob != digest_bytes(proposal.changelog.encode()):
        raise Refused("wrong_subject", "Another changelog was published than the one proposed.")
    check_approved(state, rules_in_force(rulebook, state).policy, record.review.record)


def _check_fit(rules: Rules) -> None:
    problems = problems_between(rules.policy, rules.suite)
    if problems:
        raise Refused("policy_and_suite", "; ".join(problems))


def _check_supersedes(state: LedgerState, proposal: r.Proposal) -> None:
    in_force = state.adoption[0] if state.adoption else None
    if proposal.supersedes.record != in_force:
        raise Refused(
            "superseded",
            f"The proposal supersedes {proposal.supersedes.record}; in force is {in_force}. "
            "Propose it again.",
        )
