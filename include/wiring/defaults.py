"""What all tasks share: retries for faults, and the link from a task to its record."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, BaseOperatorLink, XComArg, task

OWNER = "redline"
TASK_DEFAULTS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 5,
    "retry_delay": timedelta(seconds=3),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=2),
}
RECORD_KEY = "record"
EVALUATION_POOL = os.environ.get("REDLINE_EVALUATION_POOL", "").strip() or "default_pool"
"""Where evaluations take their turns; one whose deferred tasks count bounds how many run at once
(docs/evaluations.md)."""


class RecordLink(BaseOperatorLink):
    """From a task to the page of the record that it wrote or rests on."""

    name = "Record"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Called in the task's process once it has ended."""
        from airflow.sdk.execution_time.xcom import XCom

        digest = XCom.get_value(ti_key=ti_key, key=RECORD_KEY)
        return f"/redline/records/{digest}" if digest else "/redline/"


def with_record_link(arg: XComArg) -> XComArg:
    """Let a task show the link to its record in the UI."""
    arg.operator.operator_extra_links = (RecordLink(),)
    return arg


def step(
    body: Callable[..., Any], *, branch: bool = False, **arguments: Any
) -> Callable[..., XComArg]:
    """A task with that body, which links to its record; call it with the body's arguments."""
    decorate: Any = task.branch if branch else task
    made = decorate(body, **arguments)
    return lambda **given: with_record_link(made(**given))
