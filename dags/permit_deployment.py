"""Permits the deployment of one checkpoint, if the policy's people determine so.

**Question:** May this checkpoint be deployed?

**Runs when:** by hand, with run_id, checkpoint_id and a reason; after it was assessed.

**Reads and writes:** the newest verdict on the checkpoint and the evidence for the required
standard; safeguards judgement, Capability Report, packet, what people said of it, and the
deployment permit with its attestation (`rsp permit verify`).

**Where a human acts:** give_opinion_as_second_line, sign_off_as_rso and sign_off_as_ceo (or the
offices that the policy names), confirm_receipt_as_board and others who have to be told first. No
policy lets a machine determine a deployment.

**If it fails:** there is no permit, and nothing may be deployed. See
docs/runbooks/permit_deployment.md.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from include.rsp.vocabulary import Scope
from include.wiring import steps
from include.wiring.defaults import TASK_DEFAULTS, step
from include.wiring.people import determine


@dag(
    schedule=None,
    doc_md=__doc__,
    catchup=False,
    max_active_runs=4,
    default_args=TASK_DEFAULTS,
    params={
        "run_id": Param(type="string", minLength=1, description="the training run"),
        "checkpoint_id": Param(type="string", minLength=1, description="the checkpoint"),
        "reason": Param(type="string", minLength=3, description="why it is to be deployed"),
    },
    tags=["redline", "decision"],
)
def permit_deployment() -> None:
    """Judge what the verdict demands, hear the second line, let the officers sign, ask."""
    found = step(steps.find_verdict, multiple_outputs=True)()
    report, _ = determine(
        verdict=found["verdict"],
        judgement="",
        purpose=Scope.DEPLOYMENT.value,
        responses=False,
    )
    found >> report


permit_deployment()
