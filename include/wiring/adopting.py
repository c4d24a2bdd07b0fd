"""The stages of a policy's adoption, each one task of `adopt_policy` (lifecycle steps 1 and 25).

Every stage writes one record and is harmless to repeat: if the record is there already, it is used.
"""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path

from include.adapters.adoption_check import derive_dispositions, derive_review, rules_in_force
from include.adapters.catalogue_files import store_catalogues
from include.adapters.policy_files import read_policy, read_suite
from include.adapters.proposal_files import (
    ProposedFiles,
    read_proposal,
    subject_of,
    waiting_proposals,
)
from include.adapters.store import DirectoryStore, get_blob, put_blob
from include.rsp import records as r
from include.rsp.adoption import open_assessments
from include.rsp.approvals import check_approved, objections, published
from include.rsp.canonical import Digest, digest_bytes, short
from include.rsp.errors import AlreadyExists, DomainError, Refused, TransportError
from include.rsp.review_text import review_markdown
from include.rsp.state import LedgerState
from include.wiring.desk import Desk

log = logging.getLogger("redline.adopting")


def next_proposal(desk: Desk, folder: Path) -> str | None:
    """The first proposal in the folder that the ledger neither knows nor refused.

    One that cannot be read now keeps no other one waiting; it is looked at again.
    """
    known = [_asked(one) for one in desk.state.records.values() if isinstance(one, r.Proposal)]
    for address in waiting_proposals(folder):
        try:
            if subject_of(address) in desk.state.refused:
                continue
        except (DomainError, TransportError, OSError) as error:
            log.warning("%s, or what it names, cannot be read: %s", address, error)
            continue
        try:
            files = read_proposal(address)
        except DomainError:
            return address  # the next stage refuses it, with the reason
        except TransportError as error:
            log.warning("%s names what does not answer: %s", address, error)
            continue
        if _wanted(files) not in known:
            return address
    return None


def propose_next(desk: Desk, folder: Path) -> tuple[Digest, r.Proposal] | None:
    """Record the next proposal of the folder; None when nothing waits there.

    Raises:
        Refused, InvalidDocument: nothing could be proposed, and this is why of the first one. A
            refused one is on record and keeps no other one waiting.
    """
    first: DomainError | None = None
    tried: set[str] = set()
    while (address := next_proposal(desk, folder)) is not None and address not in tried:
        tried.add(address)
        try:
            return propose(desk, address)
        except DomainError as error:
            log.warning("%s is refused: %s", address, error)
            first = first or error
    if first is not None:
        raise first
    return None


def _asked(one: r.Proposal) -> tuple[object, ...]:
    """What makes two proposals the same one, whoever wrote them and when."""
    return one.policy.blob, one.suite.blob, one.reason, one.changelog, one.effective_at


def _wanted(files: ProposedFiles) -> tuple[object, ...]:
    file = files.file
    digests = digest_bytes(files.policy), digest_bytes(files.suite)
    return *digests, file.reason, file.changelog, file.effective_at


def propose(desk: Desk, address: str) -> tuple[Digest, r.Proposal]:
    """Record the proposal at an address; a refusal is recorded and raised.

    Raises:
        Refused, InvalidDocument: it does not read, or must not be proposed.
    """
    try:
        return propose_files(desk, read_proposal(address))
    except DomainError as error:
        with contextlib.suppress(DomainError, TransportError, OSError):
            desk.refuse(subject_of(address), error)  # what cannot be read has no content to refuse
        raise


def propose_files(desk: Desk, files: ProposedFiles) -> tuple[Digest, r.Proposal]:
    """Record a proposal that was read; the same one again is the record there is."""
    state = desk.state
    if state.adoption is None:
        raise Refused("no_policy", "No policy is in force; the first one is adopted by `rsp init`.")
    for digest, one in state.records.items():
        if not isinstance(one, r.Proposal) or one.supersedes.record != state.adoption[0]:
            continue
        if _asked(one) == _wanted(files):
            return digest, one
    law = read_policy(files.policy, where=f"the policy of {files.name}")  # else nothing is stored
    read_suite(files.suite, where=f"the suite of {files.name}")
    store_catalogues(desk.store, law, files.catalogues)
    policy = put_blob(desk.store, files.policy, name=f"{files.name}.policy.yaml")
    suite = put_blob(desk.store, files.suite, name=f"{files.name}.suite.yaml")
    record = r.Proposal(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        policy=policy,
        suite=suite,
        supersedes=r.RecordRef(record=state.adoption[0]),
        reason=files.file.reason,
        changelog=files.file.changelog,
        effective_at=files.file.effective_at,
        open_assessments=open_assessments(state),
    )
    return desk.submit(record), record


def review(desk: Desk, proposal: Digest) -> tuple[Digest, r.PolicyReview]:
    """Work out what the proposal would change; the notary derives it again."""
    state = desk.state
    for digest, one in state.records.items():
        if isinstance(one, r.PolicyReview) and one.proposal.record == proposal:
            return digest, one
    proposed, at = state.expect(proposal, r.Proposal), desk.now()
    findings = derive_review(desk.store, desk.rulebook, state, proposed, at=at)
    text = review_markdown(proposed, findings)
    record = r.PolicyReview(
        at=at,
        by=desk.author,
        stamp=desk.stamp,
        proposal=r.RecordRef(record=proposal),
        findings=findings,
        document=put_blob(desk.store, text.encode(), name="review.md"),
    )
    return desk.submit(record), record


def is_approved(desk: Desk, review: Digest) -> bool:
    """Whether the offices agree; False when one of them objects.

    Raises:
        Refused: somebody has not spoken, another version is in force, or it is blocked.
    """
    state = desk.state
    policy = rules_in_force(desk.rulebook, state).policy
    reviewed = state.expect(review, r.PolicyReview)
    against = objections(state, policy, review)
    for one in against:
        log.warning("%s", one)
    if against:
        return False
    proposal = state.expect(reviewed.proposal.record, r.Proposal)
    if state.adoption is None or proposal.supersedes.record != state.adoption[0]:
        raise Refused("superseded", "Another version came into force since. Propose it again.")
    if reviewed.findings.blockers:
        raise Refused("blocked", "; ".join(reviewed.findings.blockers))
    check_approved(state, policy, review)
    return True


def publish(desk: Desk, review: Digest, folder: Path) -> tuple[Digest, r.PolicyPublication]:
    """Put the policy and its changelog where the public finds them, and record that.

    What is public is never overwritten: another changelog of the same policy, as for a new suite,
    gets a name of its own.

    Raises:
        Refused: another policy is public under this id and version.
    """
    state = desk.state
    known = published(state, review)
    if known is not None:
        return next(key for key, one in state.records.items() if one is known), known
    reviewed = state.expect(review, r.PolicyReview)
    proposal = state.expect(reviewed.proposal.record, r.Proposal)
    content = get_blob(desk.store, proposal.policy.blob)
    rules = desk.rulebook.rules(proposal.policy.blob, proposal.suite.blob)
    name = f"{rules.policy.id}-{rules.policy.version}"
    place = folder / re.sub(r"[^A-Za-z0-9._+-]", "-", name)
    _make_public(place, content, proposal.changelog.encode(), review)
    record = r.PolicyPublication(
        at=desk.now(),
        by=desk.author,
        stamp=desk.stamp,
        review=r.RecordRef(record=review),
        place=str(place),
        policy=proposal.policy,
        changelog=put_blob(desk.store, proposal.changelog.encode(), name="CHANGELOG.md"),
    )
    return desk.submit(record), record


def _make_public(place: Path, policy: bytes, changelog: bytes, review: Digest) -> None:
    public = DirectoryStore(place)
    try:
        public.put_new("policy.yaml", policy)
    except AlreadyExists as error:
        raise Refused(
            "already_public",
            f"Another policy is public in {place}. Propose this one under a version of its own.",
        ) from error
    known = public.get("CHANGELOG.md")
    first = known is None or known == changelog
    public.put_new("CHANGELOG.md" if first else f"CHANGELOG-{short(review)}.md", changelog)


def put_into_force(desk: Desk, review: Digest) -> tuple[Digest, r.Adoption]:
    """Adopt what was reviewed; the notary checks approvals, publication and date.

    Raises:
        Refused: the notary says why not; `not_effective` before the date.
    """
    state = desk.state
    known = _adopted(state, review)
    if known is not None:
        return known
    reviewed = state.expect(review, r.PolicyReview)
    proposal, at = state.expect(reviewed.proposal.record, r.Proposal), desk.now()
    record = r.Adoption(
        at=at,
        by=desk.author,
        stamp=desk.stamp,
        policy=proposal.policy,
        suite=proposal.suite,
        signatures=[],
        review=r.RecordRef(record=review),
        dispositions=derive_dispositions(desk.store, desk.rulebook, state, proposal, at=at),
    )
    try:
        return desk.submit(record), record
    except Refused:
        known = _adopted(desk.state, review)
        if known is None:
            raise
        return known  # another run got there first


def _adopted(state: LedgerState, review: Digest) -> tuple[Digest, r.Adoption] | None:
    """The adoption in force, if it rests on this review."""
    if state.adoption is None:
        return None
    named = state.adoption[1].review
    return state.adoption if named is not None and named.record == review else None
