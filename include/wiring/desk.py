"""The desk: everything that a task works with, and the one place where it writes records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from include.adapters.ledger import LedgerReader, check_clock, wait_for, write_record
from include.adapters.process_evaluator import ProcessEvaluator
from include.adapters.rederivation import RuleBook
from include.adapters.stamp import code_stamp
from include.adapters.store import Store, open_store
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import DomainError, Refused, UnknownReference
from include.rsp.state import LedgerState
from include.wiring.settings import Settings


@dataclass(slots=True)
class Desk:
    """Store, ledger, rules, jobs and clock of one task."""

    store: Store
    checkpoints: Path
    jobs: ProcessEvaluator
    clock: Callable[[], datetime]
    notary_seconds: float
    author: str
    reader: LedgerReader = field(init=False)
    rulebook: RuleBook = field(init=False)

    def __post_init__(self) -> None:
        self.reader = LedgerReader(self.store)
        self.rulebook = RuleBook(self.store)

    @classmethod
    def open(cls, settings: Settings, *, author: str) -> Desk:
        """The desk that the settings describe; `author` is written into its records."""
        return cls(
            store=open_store(settings.store),
            checkpoints=settings.checkpoints,
            jobs=ProcessEvaluator(settings.jobs),
            clock=lambda: datetime.now(UTC),
            notary_seconds=settings.notary_seconds,
            author=author,
        )

    @property
    def state(self) -> LedgerState:
        """What the ledger says now."""
        return self.reader.refresh()

    @property
    def stamp(self) -> r.CodeStamp:
        """The code that decides."""
        return code_stamp()

    def now(self) -> datetime:
        """The task's time, refused when it is behind the ledger."""
        return check_clock(self.state, self.clock())

    def submit(self, record: r.Record) -> Digest:
        """Write a record and wait until the notary has chained it.

        Raises:
            Refused: the notary will not count it.
            NotaryUnreachable: it did not answer in time.
        """
        digest = write_record(self.store, record)
        return wait_for(self.reader, digest, seconds=self.notary_seconds)

    def submit_counted(
        self, record: r.Record, counted: Callable[[LedgerState], Digest | None]
    ) -> Digest:
        """Submit the record of a stage; if another run got there first, its record counts.

        Raises:
            Refused: for any other reason than that the place is taken.
        """
        try:
            return self.submit(record)
        except Refused as refusal:
            there = counted(self.state)
            if refusal.code == "already_counted" and there is not None:
                return there
            raise

    def ask(self, request: r.PermitRequest) -> Digest:
        """Ask for a permit; the digest of the permit.

        Raises:
            Refused: the notary says why not.
        """
        digest = write_record(self.store, request)
        return wait_for(self.reader, digest, seconds=self.notary_seconds, reply=True)

    def refuse(self, subject: str, error: DomainError) -> None:
        """Record a refusal once; the same one again changes nothing."""
        if subject in self.state.refused:
            return
        code = error.code if isinstance(error, Refused) else "invalid_document"
        self.submit(
            r.Refusal(
                at=self.now(),
                by=self.author,
                stamp=self.stamp,
                subject=subject,
                code=code,
                message=str(error),
                reply_to=None,
                run_id=None,
            )
        )

    def plan_of(self, assessment_id: str) -> r.RecordRef:
        """The counted plan of an assessment.

        Raises:
            UnknownReference: it has none yet.
        """
        assessment = self.state.assessments.get(assessment_id)
        if assessment is None or assessment.plan is None:
            raise UnknownReference(f"The assessment {assessment_id!r} has no plan in the ledger.")
        return r.RecordRef(record=assessment.plan)
