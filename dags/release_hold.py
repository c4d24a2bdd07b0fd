"""Releases a hold, if what the policy demands for that is shown and signed.

**Question:** May this run go on again?

**Runs when:** by hand, with the run_id of the held run and a reason.

**Reads and writes:** the hold, its verdict and the evidence for the required standard;
safeguards_judgement, packet and determination records, and the permit that ends the hold.

**Where a human acts:** sign_off_as_rso and sign_off_as_ceo, each signing the packet with the own
key. Silence leaves the hold in force.

**If it fails:** the hold stands. See docs/runbooks/release_hold.md.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from include.wiring import steps
from include.wiring.defaults import TASK_DEFAULTS, with_record_link
from include.wiring.operators import sign_off


@dag(
    schedule=None,
    doc_md=__doc__,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "run_id": Param(type="string", minLength=1, description="the held training run"),
        "reason": Param(type="string", minLength=3, description="why it may go on now"),
    },
    tags=["redline", "decision"],
)
def release_hold() -> None:
    """Judge the standard anew, let the officers sign, and ask the notary."""
    found = with_record_link(task(steps.find_hold, multiple_outputs=True)())
    judged = with_record_link(
        task.branch(steps.judge_safeguards, task_id="verify_safeguards")(
            verdict=found["verdict"], otherwise=steps.HOLD_STANDS
        )
    )
    stands = with_record_link(task(steps.hold_stands)(verdict=found["verdict"]))
    packet = with_record_link(
        task(steps.close_packet, multiple_outputs=False)(
            judgement="{{ ti.xcom_pull(task_ids='verify_safeguards', key='judgement') }}",
            verdict=found["verdict"],
            training_run=found["run_id"],
        )
    )
    rso, ceo = (sign_off(one, packet_task=steps.CLOSE_PACKET) for one in ("rso", "ceo"))
    released = with_record_link(
        task(steps.release)(
            packet="{{ ti.xcom_pull(task_ids='close_packet')['packet'] }}",
            answers={"rso": rso.output, "ceo": ceo.output},
        )
    )
    judged >> [packet, stands]
    packet >> rso >> ceo >> released


release_hold()
