"""One pass of the notary: read what was written, chain or refuse it, do what is due, renew leases.

Every duty is derived from the ledger's state, not from events, so a notary that was killed at any
point finds on its next pass what is left to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.adapters.answer_check import check_packet_again
from include.adapters.evidence_store import check_intact
from include.adapters.gatekeeper import Gatekeeper
from include.adapters.ledger import (
    LEDGER,
    LedgerReader,
    entry_key,
    record_key,
    write_record,
)
from include.adapters.rederivation import RuleBook
from include.adapters.signing import KeyFile
from include.adapters.stamp import code_stamp
from include.adapters.store import Store
from include.adapters.witness import Witness
from include.notary import mailbox
from include.rsp import records as r
from include.rsp.answers import run_behind
from include.rsp.attestation import LedgerEntry, Predicate, statement
from include.rsp.authority import NOTARY, answer_request, genesis_permit
from include.rsp.canonical import Digest, canonical_bytes, digest_bytes
from include.rsp.deviations import deviations_due
from include.rsp.errors import DomainError, InvalidDocument, Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.judgement import judgement_behind
from include.rsp.oversight import escalations_due, holds_due
from include.rsp.reading import parse_record
from include.rsp.rules import Rules
from include.rsp.safeguards_answers import is_approved
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

log = logging.getLogger("redline.notary")
MALFORMED = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    StopIteration,
)  # fmt: skip
"""What hostile content may raise on its way through; it is refused, and the notary goes on."""


def as_text(name: str) -> str:
    """The name of a file as text; bytes that are none are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Notary:
    """The trusted core. Its keys are the only ones that sign what moves training forward."""

    store: Store
    keys: Mapping[KeyRole, KeyFile]
    clock: Callable[[], datetime]
    witness: Witness | None = None
    reader: LedgerReader = field(init=False)
    rulebook: RuleBook = field(init=False)
    gatekeeper: Gatekeeper = field(init=False)
    _settled: set[str] = field(default_factory=set)
    _published: int = 0
    _leases: dict[str, mailbox.Issued] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = LedgerReader(self.store)
        self.rulebook = RuleBook(self.store)
        self.gatekeeper = Gatekeeper(self.store, self.rulebook, witness=self.witness)

    def open(self, trust_root: r.TrustRoot) -> None:
        """Read the whole ledger, or begin one with the trust root.

        Raises:
            InvalidDocument: the ledger does not verify, has gaps, or believes another root.
        """
        state = self.reader.refresh()
        entries = sum(1 for _ in self.store.list(LEDGER))
        if entries != state.length:
            raise InvalidDocument(
                f"The ledger in {self.store.uri} has {entries} entries, only the first "
                f"{state.length} follow each other. Restore the missing ones; nothing is signed."
            )
        anchored = mailbox.highest_anchor(self.store)
        if anchored >= state.length:
            raise InvalidDocument(
                f"Orders or leases in {self.store.uri} name ledger entry {anchored}; the ledger "
                f"has {state.length} entries: its tail is gone. Restore it; nothing is signed."
            )
        if state.trust is None:
            self._append(trust_root)
        elif state.trust != trust_root:
            raise InvalidDocument(
                f"The ledger in {self.store.uri} believes another trust root than the one given."
            )

    def step(self) -> None:
        """One pass."""
        now = self._now()
        self._read_outboxes(now)
        self._read_records(now)
        self._do_what_is_due(now)
        self._publish()
        self._renew_leases(now)

    def _now(self) -> datetime:
        now = self.clock()
        last = self.reader.state.last_at
        if last is not None and now < last - CLOCK_TOLERANCE:
            raise Refused(
                "clock_regress",
                f"The notary's clock says {now}, the ledger's newest entry {last}. Nothing is "
                "signed until the clock is right.",
            )
        return now if last is None else max(now, last)

    def _append(self, record: r.Record) -> Digest:
        """Write a record of the notary's own and chain it."""
        digest = write_record(self.store, record)
        self._chain(digest, record)
        return digest

    def _chain(self, digest: Digest, record: r.Record) -> None:
        state = self.reader.state
        at = max(self._now(), state.last_at or record.at)
        entry = LedgerEntry(index=state.length, previous=state.head, kind=record.kind, at=at)
        payload = statement(Predicate.LEDGER_ENTRY, digest, entry)
        content = canonical_bytes(self.keys[KeyRole.LEDGER].sign(payload))
        self.store.put_new(entry_key(state.length), content)
        state.apply(digest, record, entry=digest_bytes(content), at=at)
        log.info("chained %s %s at %s", record.kind, digest, state.length - 1)

    def _refuse(
        self, subject: str, error: DomainError, *, now: datetime,
        reply_to: Digest | None = None, run_id: str | None = None,
    ) -> None:  # fmt: skip
        code = error.code if isinstance(error, Refused) else "invalid_document"
        self._append(
            r.Refusal(
                at=now,
                by=NOTARY,
                stamp=code_stamp(),
                subject=as_text(subject),
                code=code,
                message=as_text(str(error)),
                reply_to=r.RecordRef(record=reply_to) if reply_to else None,
                run_id=run_id,
            )
        )
        log.warning("refused %s: %s: %s", as_text(subject), code, as_text(str(error)))

    def _read_records(self, now: datetime) -> None:
        state = self.reader.state
        there = set(self.store.folders("records"))  # to look for kinds that nobody wrote costs time
        for kind in [one for one in r.WRITTEN_BY_WORK if one in there]:
            for key in self.store.list(f"records/{kind}"):
                if key in self._settled:
                    continue
                named = "sha256:" + key.rsplit("/", 1)[-1].removesuffix(".json")
                refused = named in state.refused or as_text(key) in state.refused
                if named not in state.index_of and not refused:
                    self._admit(key, now)
                self._settled.add(key)

    def _admit(self, key: str, now: datetime) -> None:
        """Chain the record in a file, or refuse it; a misnamed file is refused by its name."""
        content = self.store.get(key) or b""
        subject = digest_bytes(content)
        try:
            if key.rsplit("/", 1)[-1] != subject.removeprefix("sha256:") + ".json":
                subject = key
                raise InvalidDocument(f"{key} does not have the digest that its name says.")
            record = parse_record(content, where=key)
            if key != record_key(record.kind, subject):
                raise InvalidDocument(f"{key} holds a {record.kind}.")
            self.gatekeeper.check(self.reader.state, subject, record, now=now)
        except DomainError as error:
            self._refuse(subject, error, now=now, run_id=self._run_behind(key, content))
            return
        except MALFORMED as error:
            self._refuse(subject, InvalidDocument(f"{key} does not read: {error!r}"), now=now)
            return
        self._chain(subject, record)

    def _run_behind(self, key: str, content: bytes) -> str | None:
        """The run that a refused answer is about, so that the attempt is found there later."""
        state = self.reader.state
        try:
            record = parse_record(content, where=key)
            if not isinstance(record, r.Answer):
                return None
            return run_behind(state, record)
        except (DomainError, *MALFORMED):
            return None

    def _read_outboxes(self, now: datetime) -> None:
        for key in mailbox.outbox_keys(self.store):
            if key in self._settled or as_text(key) in self.reader.state.refused:
                continue
            try:
                record = mailbox.read_message(self.store, self.reader.state, key, now=now)
                digest = digest_bytes(canonical_bytes(record))
                if digest not in self.reader.state.index_of:
                    self._append(record)
            except DomainError as error:
                self._refuse(key, error, now=now, run_id=as_text(key.split("/")[1]))
            except MALFORMED as error:
                self._refuse(key, InvalidDocument(f"{key} does not read: {error!r}"), now=now)
            self._settled.add(key)

    def _rules(self) -> Rules | None:
        return self.rulebook.in_force(self.reader.state)

    def _do_what_is_due(self, now: datetime) -> None:
        state, rules = self.reader.state, self._rules()
        if rules is None:
            return
        while due := holds_due(state, rules, self._rules_behind, stamp=code_stamp(), at=now):
            self._append(due[0])  # what is due after it, is derived anew, as `rsp verify` does
        for digest, asked in list(state.unanswered.items()):
            try:
                self._append(self._permit(state, rules, digest, now))
            except DomainError as error:
                self._refuse(digest, error, now=now, reply_to=digest, run_id=asked.run_id)
        for deviation in deviations_due(state, stamp=code_stamp(), at=now):
            self._append(deviation)
        for escalation in escalations_due(state, rules.policy, stamp=code_stamp(), at=now):
            self._append(escalation)

    def _permit(self, state: LedgerState, rules: Rules, digest: Digest, now: datetime) -> r.Permit:
        """The permit that is asked for; raises Refused when it must not be given."""
        asked = state.unanswered[digest]
        if isinstance(asked, r.TrainingRun):
            return genesis_permit(state, digest, rules, stamp=code_stamp(), at=now)
        if asked.packet is not None:
            check_packet_again(state, asked.packet.record, self.witness)
        check_intact(self.store, state, asked, self._rules_behind(asked.verdict.record))
        return answer_request(state, digest, rules, stamp=code_stamp(), at=now)

    def _publish(self) -> None:
        state = self.reader.state
        for digest, index in list(state.index_of.items())[self._published :]:
            record = state.records[digest]
            if isinstance(record, r.Permit | r.Hold | r.Revocation):
                mailbox.publish_order(self.store, self.keys, state, record, digest, index)
            self._attest_safeguards(record)
        self._published = state.length

    def _attest_safeguards(self, record: r.Record) -> None:
        """People let something go on because safeguards hold, or approved the report on them."""
        state = self.reader.state
        judgement = None
        if isinstance(record, r.Permit):
            judgement = judgement_behind(state, record)
        elif isinstance(record, r.SafeguardsApproval):
            report = state.expect(record.about.record, r.SafeguardsReport)
            policy = self._rules_of(report.judgement.record).policy
            approved = is_approved(state, policy, record.about.record)
            judgement = report.judgement.record if approved else None
        if judgement is not None:
            mailbox.publish_attestation(
                self.store, self.keys[KeyRole.PERMIT], state, self._rules_of(judgement), judgement
            )

    def _rules_of(self, judgement: Digest) -> Rules:
        state = self.reader.state
        judged = state.expect(judgement, r.SafeguardsJudgement)
        return self._rules_behind(judged.verdict.record)

    def _rules_behind(self, verdict: Digest) -> Rules:
        return self.rulebook.of_verdict(self.reader.state, verdict)

    def _renew_leases(self, now: datetime) -> None:
        rules = self._rules()
        if rules is None:
            return
        for run_id in self.reader.state.runs:
            issued = mailbox.renew_lease(
                self.store, self.keys[KeyRole.PERMIT], self.reader.state, run_id, rules,
                last=self._leases.get(run_id), now=now,
            )  # fmt: skip
            if issued is not None:
                self._leases[run_id] = issued
