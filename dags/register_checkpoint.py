"""Registers new checkpoints and raises the assessments that are due.

**Question:** Is this checkpoint real, and is an assessment due?

**Runs when:** a manifest appears in the checkpoint folder (watcher), and every minute (sweep).

**Reads and writes:** the checkpoint folder; checkpoint, refusal and occasion records; one partition
of the asset `due_assessments` for each assessment that somebody should take up.

**Where a human acts:** nowhere.

**If it fails:** nothing is lost. The next pass lists the folder and the ledger again; the trainer
stops at the ceiling of its permit. See docs/runbooks/register_checkpoint.md.
"""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from include.wiring import steps
from include.wiring.assets import CHECKPOINT_FOLDER, DUE_ASSESSMENTS
from include.wiring.defaults import TASK_DEFAULTS


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("* * * * *", timezone="UTC"), assets=[CHECKPOINT_FOLDER]
    ),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["redline", "intake"],
)
def register_checkpoint() -> None:
    """Drain the folder, then raise what is due."""
    registered = task(steps.register_checkpoints, multiple_outputs=False)()
    raised = task(steps.raise_due_occasions, outlets=[DUE_ASSESSMENTS])()
    registered >> raised


register_checkpoint()
