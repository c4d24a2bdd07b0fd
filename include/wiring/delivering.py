"""Waiting for the results of an evaluation that people run, and bringing them in.

The task asks in the inbox, waits without a slot (`DeliveryTrigger`), and looks. A bad delivery is
refused on the record and waited past; when it is due and nothing good has come, the run says so,
which rules nothing out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from include.adapters.delivered_results import (
    Found,
    Inbox,
    bring_in,
    deliveries,
    nothing_came,
)
from include.adapters.delivery_folder import fingerprint
from include.adapters.evaluation import JobRequest, crashed
from include.rsp import records as r
from include.rsp.results import EvaluationRun
from include.wiring.desk import Desk

log = logging.getLogger("redline.delivering")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What `DeliveryTrigger` waits for: its arguments."""

    folder: str
    until: float
    seen: list[str]


def inbox_of(desk: Desk, assessment_id: str, request: JobRequest, *, folder: Path) -> Inbox:
    """The inbox in which the results of a planned run are waited for.

    Raises:
        UnknownReference: it has no plan yet.
    """
    state = desk.state
    plan = state.expect(desk.plan_of(assessment_id).record, r.Plan)
    _, checkpoint = state.checkpoint_of(assessment_id)
    return Inbox(
        folder=folder,
        trust=state.trust,
        checkpoint_at=checkpoint.manifest.created_at,
        planned_at=plan.at,
    )


def collect_delivered(
    desk: Desk, assessment_id: str, request: JobRequest, *, folder: Path
) -> EvaluationRun | Waiting:
    """The run of the delivery that counts; what to wait for, if there is none and it is not due.

    Says in the inbox what is wanted. Once it is due and nothing good has come, it is a `crashed`
    run that says what is missing. Harmless to repeat.

    Args:
        folder: of all inboxes; the request's is named after its job.

    Raises:
        Refused: the evaluation is no study.
        StoreUnavailable: the inbox or the store cannot be used.
    """
    inbox = inbox_of(desk, assessment_id, request, folder=folder)
    wanted = inbox.wanted(request)
    inbox.submit(request)
    # as they are before they are read: one that is corrected meanwhile is looked at again
    seen = [fingerprint(one) for one in deliveries(folder / request.job)]
    at = desk.now()
    found = inbox.look(request, at=at)
    _record_refusals(desk, request.job, found)
    if found.valid:
        signed = found.valid[0].results.signed
        log.info("%s: by %s, signed at %s", request.run, signed.key.holder, signed.signed_at)
        return bring_in(wanted, found, desk.store)
    if at >= wanted.due:
        problem = nothing_came(wanted, found)
        log.warning("%s: %s", request.run, problem)
        return crashed(request, problem, at=at, attempts=1)
    log.info(
        "%s: waiting for results until %s; refused: %s, incomplete: %s",
        request.run, wanted.due, sorted(found.refused), found.unready,
    )  # fmt: skip
    known = [one for one in seen if one.rsplit(":", 1)[0] in found.refused]
    return Waiting(str(folder / request.job), wanted.due.timestamp(), known)


def _record_refusals(desk: Desk, job: str, found: Found) -> None:
    """Each refusal stands in the ledger once, with its reason."""
    for name, error in sorted(found.refused.items()):
        desk.refuse(f"results {job}/{name!a}: {error}"[:400], error)
