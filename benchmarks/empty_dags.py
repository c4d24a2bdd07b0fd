"""DAGs with the hops of `register_checkpoint` and `assess_checkpoint` and nothing in them.

`gate_overhead.py` copies this file beside the real DAGs, so that both run in the same Airflow.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import (
    Asset,
    BaseOperator,
    PartitionedAssetTimetable,
    TriggerRule,
    dag,
    get_current_context,
    task,
)

EMPTY_DUE = Asset(name="empty_due", uri="redline://empty/due")


class Deferred(BaseOperator):
    """Defers once and resumes, like an evaluation that takes no time."""

    def __init__(self, *, evaluation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation

    def execute(self, context: Any) -> None:
        """Defer."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(0)), method_name="resume")

    def resume(self, context: Any, event: Any) -> str:
        """Resume."""
        return self.evaluation


@dag(schedule=None, params={"key": "none"}, tags=["benchmark"])
def empty_register() -> None:
    """Two hops, the second of which wakes the other DAG."""

    @task
    def register() -> None:
        return None

    @task(outlets=[EMPTY_DUE])
    def emit() -> None:
        context = get_current_context()
        context["outlet_events"][EMPTY_DUE].add_partitions(str(context["params"]["key"]))

    register() >> emit()


@dag(schedule=PartitionedAssetTimetable(assets=EMPTY_DUE), tags=["benchmark"])
def empty_assess() -> None:
    """The hops to a verdict."""

    @task
    def plan() -> list[str]:
        return ["a", "b", "c"]

    @task
    def pre_flight() -> None:
        return None

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def follow_triggers() -> list[str]:
        return []

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def validate() -> list[str]:
        return ["line"]

    @task
    def compare(line: str) -> str:
        return line

    @task.branch
    def verdict() -> str:
        return "go_on"

    @task
    def go_on() -> None:
        return None

    planned, validated = plan(), validate()
    evaluated = Deferred.partial(task_id="evaluate").expand(evaluation=planned)
    decided, dear = verdict(), follow_triggers()
    triggered = Deferred.partial(task_id="evaluate_triggered").expand(evaluation=dear)
    planned >> pre_flight() >> evaluated >> dear
    triggered >> validated
    compare.expand(line=validated) >> decided >> go_on()


empty_register()
empty_assess()
