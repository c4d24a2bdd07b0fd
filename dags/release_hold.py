"""Releases a hold, if what the policy demands for that is shown and signed.

**Question:** May this run go on again?

**Runs when:** by hand, with the run_id of the held run and a reason.

**Reads and writes:** the hold, the newest verdict and the evidence for the required standard;
safeguards judgement, Capability Report, packet, what people said of it, and the permit that ends
the hold.

**Where a human acts:** give_opinion_as_second_line, sign_off_as_rso and sign_off_as_ceo (or the
offices that the policy names), confirm_receipt_as_board and others who have to be told first.
Silence leaves the hold in force.

**If it fails:** the hold stands. See docs/runbooks/release_hold.md.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from include.rsp.vocabulary import Scope
from include.wiring import steps
from include.wiring.defaults import TASK_DEFAULTS, step
from include.wiring.people import determine
from include.wiring.safeguard_steps import JUDGED, verify


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
    """Judge the standard anew, hear the second line, let the officers sign, ask the notary."""
    found = step(steps.find_hold, multiple_outputs=True)()
    _, judged = verify(verdict=found["verdict"], otherwise=steps.HOLD_STANDS)
    stands = step(steps.hold_stands)(verdict=found["verdict"])
    report, _ = determine(
        verdict=found["verdict"],
        judgement=JUDGED,
        purpose=Scope.TRAINING.value,
        responses=False,
    )
    judged >> [report, stands]


release_hold()
