"""Takes a proposed version of the policy through review, approval and publication into force.

**Question:** What would this version change, and who approves it?

**Runs when:** a proposal (`*.proposal.yaml`) lands in the proposals folder (watcher, and a sweep
every ten minutes), or by hand with the path or address of one.

**Reads and writes:** the proposal with its policy and suite, every past assessment with its
evidence; proposal, policy_review, policy_publication and adoption records.

**Where a human acts:** outside of Airflow for now: each office that the policy in force names signs
with `rsp approve`. Nothing is approved by silence.

**If it fails:** the version in force stays in force. See docs/runbooks/adopt_policy.md.
"""

from __future__ import annotations

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task

from include.wiring import adoption_steps as steps
from include.wiring.assets import PROPOSAL_FOLDER
from include.wiring.defaults import TASK_DEFAULTS, with_record_link
from include.wiring.operators import WaitForApprovals


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/10 * * * *", timezone="UTC"), assets=[PROPOSAL_FOLDER]
    ),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=4,
    default_args=TASK_DEFAULTS,
    params={
        "proposal": Param(
            None,
            type=["null", "string"],
            description="path, file:// or s3:// address of a proposal; empty: the folder's next",
        )
    },
    tags=["redline", "policy"],
)
def adopt_policy() -> None:
    """Read, review, wait for the offices, publish, wait for the date, put into force."""
    proposal = with_record_link(task(steps.read_proposal)())
    review = with_record_link(task(steps.review_changes)(proposal=proposal))
    waited = WaitForApprovals(task_id="wait_for_approvals", review=review)
    counted = with_record_link(
        task.branch(steps.count_approvals)(
            review=review, approved="publish_changelog", rejected="proposal_rejected"
        )
    )
    public = with_record_link(task(steps.publish_changelog)(review=review))
    rejected = with_record_link(task(steps.proposal_rejected)(review=review))
    effective = DateTimeSensorAsync(
        task_id="wait_until_effective",
        target_time=(
            "{{ ti.xcom_pull(task_ids='read_proposal', key='" + steps.EFFECTIVE_AT + "') }}"
        ),
    )
    adopted = with_record_link(task(steps.put_into_force)(review=review))
    waited >> counted >> [public, rejected]
    public >> effective >> adopted


adopt_policy()
