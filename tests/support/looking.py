"""One history of people and the notary: how answers are brought in, and what is looked at."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from include.adapters.verification import verify_store
from include.rsp import records as r
from include.rsp.errors import Refused
from include.rsp.rules import Rules
from tests.support.histories import (
    History,
)
from tests.support.people_oracle import Oracle, must
from tests.support.world import OFFICE_USERS, RUN, World

ACCEPT = "accept_recommendation"
NOTHING = "sha256:" + "0" * 64
WHAT_BYPASSES = {
    "signature_missing", "signed_to_hold", "opinion_changed", "second_line_needs_more",
    "signature_out_of_time", "no_agreement", "not_distinct", "not_independent", "wrong_packet",
    "receipt_missing", "receipt_too_early", "rejected", "not_answered", "answer_altered",
    "all_admins", "response_chosen", "not_resumable",
}  # fmt: skip
"""A permit asked for without the sign-off; said here again, so that the list cannot shrink."""
WHAT_DOES_NOT_COUNT = {
    "not_answered", "answer_altered", "answered_already", "all_admins", "not_distinct",
    "not_independent", "bad_signature", "wrong_office", "wrong_packet", "wrong_task",
    "signature_out_of_time",
    "unknown_account", "unknown_key",
}  # fmt: skip


class Looked:
    """One history, how something is done in it, and the look at it afterwards."""

    def __init__(self, begun: World, seen: Counter[str], root: Path) -> None:
        self.seen, self.history = seen, History(begun, root)
        known: dict[tuple[str, str], Rules] = self.history.notary.rulebook._known
        self.oracle = Oracle(known, self.history.airflow)
        self.oracle.take(self.history.state.records, look=False)
        self.leases = set(self.history.store.list(f"runs/{RUN}/leases"))
        self.first, self.refusals = len(self.oracle.permits), len(self.oracle.of(r.Refusal))
        self.reports: list[str] = []
        self.packets: list[str] = []
        self.answers: list[r.AnyAnswer] = []
        self.assessed = self.adopted = False

    # How it is done

    @property
    def policy(self) -> Any:
        return self.oracle.rules_in_force().policy

    def newest(self) -> str:
        return list(self.history.state.runs[RUN].verdicts)[-1]

    def tried(self, work: Callable[..., Any], *given: Any) -> Any:
        """What comes of it; None: it was refused."""
        try:
            return work(*given)
        except Refused:
            return None

    def said(
        self, kind: str, about: str, office: str, choice: str, *, key: str | None, ago: float,
        **more: Any,
    ) -> None:  # fmt: skip
        at = self.history.now - timedelta(seconds=ago)
        record = self.history.signed_answer(
            kind, about, office, choice, key=key or office, at=at, **more
        )
        self.bring(record)

    def clicked(
        self, kind: str, about: str, office: str, choice: str, *, ago: float,
        typed: dict[str, Any], **more: Any,
    ) -> None:  # fmt: skip
        record = self.history.clicked_answer(
            kind, about, office, choice, user=OFFICE_USERS.get(office, office),
            at=self.history.now - timedelta(seconds=ago), typed=typed, **more,
        )  # fmt: skip
        self.bring(record)

    def bring(self, record: r.AnyAnswer) -> None:
        code = self.history.brought(record)
        self.seen["chained"] += code == "chained"
        self.answers.append(record)
        if code == "chained":
            self.oracle.take(self.history.state.records)
            if record.envelope is not None:
                self.oracle.check_identity(self.policy, "an answer", record)

    def all_holds(self) -> None:
        history, oracle = self.history, self.oracle
        state = history.settle()
        oracle.take(state.records)
        runs = {run_id: set(run.holds_in_force) for run_id, run in state.runs.items()}
        oracle.check_holds(runs)
        self._look_at_leases()
        self._look_at_refusals()
        length = state.length
        history.notary.step()
        must(history.notary.reader.state.length == length, "the notary finds no rest")

    def _look_at_leases(self) -> None:
        for run_id in self.history.state.runs:
            for key in self.history.store.list(f"runs/{run_id}/leases"):
                if key not in self.leases:
                    self.leases.add(key)
                    plain = json.loads(self.history.store.get(key) or b"")
                    lease = json.loads(b64decode(plain["payload"]))["predicate"]
                    self.oracle.check_lease(lease, datetime.fromisoformat(lease["issued_at"]))
                    self.seen["lease"] += 1

    def _look_at_refusals(self) -> None:
        for _, one in self.oracle.of(r.Refusal)[self.refusals :]:
            self.seen[one.code] += 1
        self.refusals = len(self.oracle.of(r.Refusal))
        recorded = {(x.about.record, x.finding) for _, x in self.oracle.of(r.Deviation)}
        for key, one in self.oracle.of(r.Refusal):
            asked = self.oracle.records.get(one.reply_to.record) if one.reply_to else None
            if isinstance(asked, r.PermitRequest) and one.code in WHAT_BYPASSES:
                must((key, "sign_off_bypassed") in recorded, f"{one.code} left no deviation")
            answered = asked is None and one.run_id and not one.subject.startswith("runs/")
            if answered and one.code in WHAT_DOES_NOT_COUNT:
                must((key, "answer_refused") in recorded, f"{one.code} left no deviation")

    def look_at_it_whole(self) -> None:
        """At the end: an offline check of the store finds nothing."""
        self.seen["verified"] += 1
        found = verify_store(self.history.store)
        must(not found.problems, f"rsp verify finds {found.problems}")


def picked(those: list[Any], one: int) -> list[Any]:
    """One of those, counted from the newest; none of none."""
    return [those[-1 - one % len(those)]] if those else []
