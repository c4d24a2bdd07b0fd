"""Verifies the safeguards that training and deployments rest on, and approves them anew.

**Question:** Does the required standard hold, on every surface, with fresh evidence?

**Runs when:** every day. By hand: with a run_id for the newest verdict of one run; with `approve`
to have officers approve the report (at most a year later than the last time); with `drill` to play
a readiness drill first. The same tasks stand in assess_checkpoint and release_hold.

**Reads and writes:** the suite's probes, all evidence, the verdicts behind permits in force; drill,
evidence, safeguards_judgement and safeguards_report records, warnings, approvals, and the notary's
attestation.

**Where a human acts:** approve_safeguards_as_rso and approve_safeguards_as_ceo (or the offices that
the policy names), if `approve` is set. Silence approves nothing.

**If it fails:** nothing goes on longer by it: a permit ends with its evidence. See
docs/runbooks/verify_safeguards.md.
"""

from __future__ import annotations

from airflow.sdk import CronTriggerTimetable, Param, TriggerRule, dag

from include.rsp.vocabulary import Scenario
from include.wiring import safeguard_steps as steps
from include.wiring.defaults import TASK_DEFAULTS, step
from include.wiring.people import approve


@dag(
    schedule=CronTriggerTimetable("0 6 * * *", timezone="UTC"),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=4,  # an approval may wait for a day
    default_args=TASK_DEFAULTS,
    params={
        "run_id": Param(None, type=["null", "string"], description="null: all that rest on them"),
        "reason": Param(None, type=["null", "string"]),
        "approve": Param(False, type="boolean", description="ask the officers; needs a run_id"),
        "drill": Param(None, enum=[None, *(one.value for one in Scenario)]),
    },
    tags=["redline", "decision"],
)
def verify_safeguards() -> None:
    """Play a drill if asked, probe, judge, warn, and let officers approve."""
    drilled = step(steps.hold_drill, retries=0)()  # half a drill is a drill with gaps
    planned = step(steps.plan_verification, trigger_rule=TriggerRule.ALL_DONE)()
    collected = steps.collected(planned)
    judged = step(steps.judge_all, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)(
        verdicts=planned["verdicts"]
    )
    drilled >> planned >> [collected, judged]
    collected >> judged
    approve(judged=judged, report="{{ ti.xcom_pull(task_ids='judge_all') or '' }}")


verify_safeguards()
