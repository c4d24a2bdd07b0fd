"""Looks after what people and trainers were given time for: stops, the ladder, reminders.

**Question:** Is anything that the policy gave time for late?

**Runs when:** every minute.

**Reads and writes:** holds, acknowledgements, heartbeats and open packets; stop_check and
notification records. Deviations and rungs of the ladder are the notary's.

**Where a human acts:** nowhere; it tells people, by the connections of docs/notices.md.

**If it fails:** nothing is let go on by it. A message that no channel took is sent again. See
docs/runbooks/watch_deadlines.md.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, dag, task

from include.wiring import deadline_steps as steps
from include.wiring.defaults import TASK_DEFAULTS


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["redline", "oversight"],
)
def watch_deadlines() -> None:
    """Three looks, one after the other."""
    verified = task(steps.verify_stops)()
    escalated = task(steps.escalate_holds)()
    reminded = task(steps.remind_signers)()
    verified >> escalated >> reminded


watch_deadlines()
