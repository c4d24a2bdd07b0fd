"""The bodies of `adopt_policy`'s tasks. DAG files import this: nothing heavy at the top."""

from __future__ import annotations

import logging

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.steps import open_desk, show

log = logging.getLogger("redline.adoption_steps")

EFFECTIVE_AT = "effective_at"


@as_airflow
def read_proposal() -> str:
    """Record the proposal that was named, or the next one in the folder; skip without one."""
    from include.wiring import adopting

    context = get_current_context()
    desk, folder = open_desk(), Settings.from_environment().proposals
    address = context["params"].get("proposal")
    found = adopting.propose(desk, str(address)) if address else adopting.propose_next(desk, folder)
    if found is None:
        raise AirflowSkipException(f"No proposal waits in {folder}.")
    digest, record = found
    for one in record.open_assessments:
        log.warning("assessment %s is open: it stays on the version that it began on", one)
    show(digest)
    context["ti"].xcom_push(key=EFFECTIVE_AT, value=record.effective_at.isoformat())
    return digest


@as_airflow
def review_changes(proposal: str) -> str:
    """Say in words what the version changes, and what it would have changed in the past."""
    from include.adapters.store import get_blob
    from include.wiring import adopting

    desk = open_desk()
    digest, record = adopting.review(desk, proposal)
    for line in get_blob(desk.store, record.document.blob).decode().splitlines():
        log.info("%s", line)
    show(digest)
    return digest


@as_airflow
def count_approvals(review: str, approved: str, rejected: str) -> str:
    """Go where the offices' answers lead."""
    from include.wiring import adopting

    show(review)
    return approved if adopting.is_approved(open_desk(), review) else rejected


@as_airflow
def publish_changelog(review: str) -> str:
    """Make the version public, with its changelog."""
    from include.wiring import adopting

    digest, record = adopting.publish(open_desk(), review, Settings.from_environment().public)
    log.info("published in %s", record.place)
    show(digest)
    return digest


@as_airflow
def put_into_force(review: str) -> str:
    """Adopt the version; say what becomes of every permit and hold that lives."""
    from include.wiring import adopting

    digest, record = adopting.put_into_force(open_desk(), review)
    for one in record.dispositions:
        until = f" until {one.until:%Y-%m-%d %H:%M}" if one.until else ""
        log.info("%s %s: %s%s (%s)", one.run_id, one.record.record, one.fate, until, one.because)
    show(digest)
    return digest


@as_airflow
def proposal_rejected(review: str) -> str:
    """Say that the version in force stays in force."""
    log.warning("An office objects; the policy in force stays. See the approvals of %s.", review)
    show(review)
    return review
