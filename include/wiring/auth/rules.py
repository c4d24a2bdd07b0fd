"""Which changes by hand are refused, and why: what a role alone cannot say in Airflow.

Airflow asks its auth manager with one question ("PUT on TASK_INSTANCE") for marking a task, for
clearing it and for editing its note. The guard adds whom, on which DAG, and whether it is a clear.
Task states carry no truth (the notary believes none): this keeps records and runs in agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DECIDING_DAGS = (
    "assess_checkpoint",
    "release_hold",
    "adopt_policy",
    "permit_deployment",
    "verify_safeguards",
)
"""DAGs whose runs end in a record that permits or forbids something."""

CLEARING = ("/clear", "/clearTaskInstances", "/clearDagRuns")
"""How the paths of Airflow's clearing endpoints end; each is a POST."""

ANSWER = "HITL_DETAIL"
RUN = "RUN"
TASK_INSTANCE = "TASK_INSTANCE"


class Standing(StrEnum):
    """What somebody is, whatever the auth manager calls it."""

    ADMIN = "admin"
    ENGINEER = "engineer"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Asked:
    """The HTTP request that is being answered."""

    method: str
    path: str

    @property
    def changes(self) -> bool:
        """Whether it may change anything."""
        return self.method not in {"GET", "HEAD", "OPTIONS"}

    @property
    def clears(self) -> bool:
        """Whether it clears runs or tasks, which makes them run again."""
        return self.method == "POST" and self.path.endswith(CLEARING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What Airflow asks its auth manager about; `entity` is the name of a DagAccessEntity."""

    method: str
    entity: str | None
    dag_id: str | None
    clears: bool


def refusal(change: Change, standing: Standing) -> str | None:
    """Why this is refused, or None if the auth manager's own rules are to decide.

    Not refused here: (1) reading, (2) whatever an admin does, (3) answers to human tasks, for which
    Airflow knows the assigned person, (4) what engineers do on DAGs that decide nothing, and (5) on
    deciding DAGs an engineer's pausing, triggering and clearing.
    """
    # (1) (2) (3)
    if change.method == "GET" or standing is Standing.ADMIN or change.entity == ANSWER:
        return None
    if standing is Standing.PERSON:
        return (
            "Only engineers start and clear runs, and people of an office only answer their human "
            f"tasks (got: {_named(change)}). Ask an engineer."
        )
    # (4)
    if change.dag_id not in DECIDING_DAGS:
        return None
    # (5)
    allowed = {(None, "PUT"), (RUN, "POST")}
    if change.clears:
        allowed |= {(RUN, "PUT"), (TASK_INSTANCE, "PUT")}
    if (change.entity, change.method) in allowed:
        return None
    return (
        f"{change.dag_id} decides: nobody but an admin changes its states, values or notes by hand "
        f"or deletes its runs (got: {_named(change)}; expected: trigger, clear or pause). Clear "
        "the task to have it run again; the notary believes no task state in any case."
    )


def _named(change: Change) -> str:
    return f"{change.method} {change.entity or 'DAG'} of {change.dag_id or 'any DAG'}"
