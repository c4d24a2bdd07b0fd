"""What waits in the triggerer: a new checkpoint, the end of an evaluation, an acknowledgement.

Each only looks; what it saw is read again by the task that it wakes. DAG files import this module,
so it imports nothing heavy at its top.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from include.rsp.errors import RedlineError
from include.wiring.settings import Settings

if TYPE_CHECKING:
    from include.adapters.ledger import LedgerReader
    from include.adapters.rederivation import RuleBook

LOOK_SECONDS = 0.3
SAY_SECONDS = 10.0
"""At most so often a running evaluation says in its task's log how far it is."""


class FolderTrigger(BaseEventTrigger):
    """Fires whenever a file of a pattern appears in a folder of the settings."""

    pattern: str

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """No arguments: the folder is a setting of the machine."""
        return f"include.wiring.triggers.{type(self).__name__}", {}

    def folder(self) -> Path:
        """Where to look."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Compare the names of what is there; fire on every new one."""
        known: set[str] = set()
        while True:
            names = await asyncio.to_thread(self._names)
            if names - known:
                known = names
                yield TriggerEvent({"files": len(names)})
            await asyncio.sleep(LOOK_SECONDS)

    def _names(self) -> set[str]:
        folder = self.folder()
        return {self._name(path, folder) for path in folder.glob(self.pattern)}

    def _name(self, path: Path, folder: Path) -> str:
        return str(path.relative_to(folder))


class CheckpointFolderTrigger(FolderTrigger):
    """Fires whenever a checkpoint's manifest appears in the folder."""

    pattern = "*/*/manifest.json"

    def folder(self) -> Path:
        """Where to look."""
        return Settings.from_environment().checkpoints


class ProposalFolderTrigger(FolderTrigger):
    """Fires whenever a proposed policy lands in the folder, or one that lies there is changed."""

    pattern = "*.proposal.yaml"

    def folder(self) -> Path:
        """Where to look."""
        return Settings.from_environment().proposals

    def _name(self, path: Path, folder: Path) -> str:
        try:
            return f"{path.name} {path.stat().st_mtime_ns}"
        except OSError:  # taken away between listing and looking
            return path.name


class EvaluationTrigger(BaseTrigger):
    """Fires when the evaluation process has ended or its time is up."""

    def __init__(self, *, jobs: str, job: str, time_limit: float) -> None:
        super().__init__()
        self.jobs, self.job, self.time_limit = jobs, job, time_limit

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The job and its limit."""
        return "include.wiring.triggers.EvaluationTrigger", {
            "jobs": self.jobs,
            "job": self.job,
            "time_limit": self.time_limit,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the job's folder until it does not run; say in the task's log how far it is."""
        from include.adapters.evaluation import JobState
        from include.adapters.process_evaluator import ProcessEvaluator
        from include.adapters.waiting_job import GOOD_FOR_SECONDS, RENEW_SECONDS, say_waited

        jobs, said_at, said, renewed = ProcessEvaluator(Path(self.jobs)), 0.0, "", 0.0
        while True:
            if time.time() - renewed >= RENEW_SECONDS:
                renewed = time.time()
                folder = jobs.folder / self.job
                await asyncio.to_thread(say_waited, folder, renewed + GOOD_FOR_SECONDS)
            status = await asyncio.to_thread(jobs.poll, self.job)
            if status.state is not JobState.RUNNING:
                yield TriggerEvent({"state": status.state.value})
                return
            if status.seconds > self.time_limit:
                yield TriggerEvent({"state": "overdue"})
                return
            words = status.progress.in_words() if status.progress else "pre-flight"
            if words != said and time.monotonic() - said_at >= SAY_SECONDS:
                self.log.info("job %s: %s", self.job, words)
                said, said_at = words, time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)


class AcknowledgementTrigger(BaseTrigger):
    """Fires when the trainer has acknowledged a hold, or when its time for that is up."""

    def __init__(self, *, store: str, hold: str, until: float) -> None:
        super().__init__()
        self.store, self.hold, self.until = store, hold, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The hold and the time (seconds since the epoch) until which to wait."""
        return "include.wiring.triggers.AcknowledgementTrigger", {
            "store": self.store,
            "hold": self.hold,
            "until": self.until,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the ledger; an unreadable one is no acknowledgement."""
        from include.adapters.ledger import LedgerReader
        from include.adapters.store import open_store

        reader = LedgerReader(open_store(self.store))
        while time.time() < self.until:
            if await asyncio.to_thread(_acknowledged, reader, self.hold):
                yield TriggerEvent({"acknowledged": True})
                return
            await asyncio.sleep(LOOK_SECONDS)
        yield TriggerEvent({"acknowledged": False})


class ApprovalsTrigger(BaseTrigger):
    """Fires when every office has spoken on a review, one objects, or another version won."""

    def __init__(self, *, store: str, review: str) -> None:
        super().__init__()
        self.store, self.review = store, review

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The review."""
        return "include.wiring.triggers.ApprovalsTrigger", {
            "store": self.store,
            "review": self.review,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the ledger; an unreadable one is no approval."""
        from include.adapters.ledger import LedgerReader
        from include.adapters.rederivation import RuleBook
        from include.adapters.store import open_store

        store = open_store(self.store)
        reader, rulebook = LedgerReader(store), RuleBook(store)
        while not await asyncio.to_thread(_settled, reader, rulebook, self.review):
            await asyncio.sleep(LOOK_SECONDS)
        yield TriggerEvent({"settled": True})


def _settled(reader: LedgerReader, rulebook: RuleBook, review: str) -> bool:
    from include.rsp import approvals
    from include.rsp import records as r

    try:
        state = reader.refresh()
        rules = rulebook.in_force(state)
        reviewed = state.expect(review, r.PolicyReview)
        proposal = state.expect(reviewed.proposal.record, r.Proposal)
    except RedlineError:
        return False
    if rules is None or state.adoption is None:
        return False
    if reviewed.findings.blockers:
        return True  # it cannot come into force: nobody should sign for it
    other = proposal.supersedes.record != state.adoption[0]
    against = approvals.objections(state, rules.policy, review)
    return other or bool(against) or not approvals.missing(state, rules.policy, review)


def _acknowledged(reader: LedgerReader, hold: str) -> bool:
    from include.rsp import records as r

    try:
        state = reader.refresh()
        record = state.expect(hold, r.Hold)
    except RedlineError:
        return False
    return hold in state.runs[record.run_id].acknowledgements
