"""Looks after what has its time: stops, the ladder, reminders, safeguards that lapse.

**Question:** Is anything that the policy gave time for late?

**Runs when:** every minute.

**Reads and writes:** holds, acknowledgements, heartbeats, open packets, and the evidence of
safeguards that something rests on; stop_check, notification, safeguards_judgement and
safeguards_report records. Deviations and rungs of the ladder are the notary's.

**Where a human acts:** nowhere; it tells people, by the connections of docs/notices.md.

**If it fails:** nothing is let go on by it. A message that no channel took is sent again. See
docs/runbooks/watch_deadlines.md.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, TriggerRule, dag, task

from include.wiring import deadline_steps as steps
from include.wiring.defaults import TASK_DEFAULTS
from include.wiring.safeguard_steps import reopen_safeguards


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["redline", "oversight"],
)
def watch_deadlines() -> None:
    """Four looks, one after the other."""
    verified = task(steps.verify_stops)()
    escalated = task(steps.escalate_holds)()
    reminded = task(steps.remind_signers)()
    reopened = task(reopen_safeguards, trigger_rule=TriggerRule.ALL_DONE)()
    verified >> escalated >> reminded >> reopened


watch_deadlines()
