"""Assesses one checkpoint against the red lines of the policy it started under.

**Question:** Is any red line crossed, or can we not rule it out, and what follows?

**Runs when:** an assessment is due: one partition of `due_assessments`, whose key is the assessment
id. By hand: trigger it with run_id, checkpoint_id and a reason (officer's discretion), or with the
assessment_id of one that was raised.

**Reads and writes:** the checkpoint, the policy and suite in force; plan, preflight, result_set,
preliminary, validation and verdict records; where safeguards are needed, what the probes saw
(evidence), the judgement and the Safeguards Report; the Capability Report, the packet, what people
said of them, and the permit, the holds and the check of the stop that follow.

**Where a human acts:** review_transcripts, once for each run that the suite wants read;
give_opinion_as_second_line, then sign_off_as_rso and sign_off_as_ceo (or the offices that the
policy names), then confirm_receipt_as_board and others who have to be told first;
answer_on_deletion_as_ciso and others where the policy asks it. Silence approves nothing.

**If it fails:** no verdict means no permit: the trainer stops at its ceiling. An evaluation that
fails rules nothing out. Clear the failed task; everything counted is used again. See
docs/runbooks/assess_checkpoint.md.
"""

from __future__ import annotations

from airflow.sdk import Param, PartitionedAssetTimetable, TriggerRule, dag, task

from include.rsp.vocabulary import Outcome, Scope
from include.wiring import steps
from include.wiring.assets import DUE_ASSESSMENTS
from include.wiring.defaults import EVALUATION_POOL, TASK_DEFAULTS, step, with_record_link
from include.wiring.hold_operators import VerifyStop, WaitForAcknowledgement
from include.wiring.operators import EvaluateOperator, ValidateOperator
from include.wiring.people import determine
from include.wiring.reviewers import review
from include.wiring.safeguard_steps import JUDGED, verify


@dag(
    schedule=PartitionedAssetTimetable(assets=DUE_ASSESSMENTS),
    doc_md=__doc__,
    catchup=False,
    max_active_runs=4,
    default_args=TASK_DEFAULTS,
    params={
        name: Param(None, type=["null", "string"])
        for name in ("assessment_id", "run_id", "checkpoint_id", "reason")
    },
    tags=["redline", "decision"],
)
def assess_checkpoint() -> None:
    """Plan, evaluate, validate, compare, decide, and follow the verdict."""
    plan = with_record_link(task(steps.plan)())
    key = plan[steps.ASSESSMENT]
    pulled = "{{ ti.xcom_pull(task_ids='plan', key='assessment_id') }}"  # even if plan failed
    ready = with_record_link(
        task.branch(steps.pre_flight)(
            assessment_id=key, whole="evaluate", first="evaluate_preliminary"
        )
    )
    evaluate, screen, rest, triggered = (
        EvaluateOperator.partial(
            task_id=name,
            assessment_id=key,
            map_index_template="{{ task.evaluation }}",
            pool=EVALUATION_POOL,
        )
        for name in ("evaluate", "evaluate_preliminary", "evaluate_rest", "evaluate_triggered")
    )
    evaluated, screened = evaluate.expand(evaluation=plan), screen.expand(evaluation=plan)
    preliminary = with_record_link(
        task(steps.preliminary, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)(
            assessment_id=key
        )
    )
    evaluated_rest = rest.expand(evaluation=preliminary)
    dear = task(steps.follow_triggers, trigger_rule=TriggerRule.ALL_DONE)(assessment_id=pulled)
    # An evaluation that failed rules nothing out; without a pre-flight the task refuses.
    validate = ValidateOperator(
        task_id="validate", assessment_id=pulled, trigger_rule=TriggerRule.ALL_DONE
    )
    compare = (
        task(
            steps.compare,
            map_index_template="{{ label }}",
            multiple_outputs=False,
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # or nothing had to be read
        )
        .partial(assessment_id=key)
        .expand(red_line=validate.output)
    )
    review(assessment_id=key, validated=validate.output) >> compare
    verdict = with_record_link(task.branch(steps.verdict)(assessment_id=key))
    ready >> evaluated >> dear
    ready >> [screened, preliminary]  # only where the policy asks if it is notably more capable
    screened >> preliminary >> evaluated_rest >> dear
    triggered.expand(evaluation=dear) >> validate >> compare >> verdict

    decided = "{{ ti.xcom_pull(task_ids='verdict', key='verdict') }}"
    going = step(steps.go_on, branch=True, task_id=Outcome.CONTINUE.value)(
        assessment_id=key, otherwise=steps.WRITE_REPORT
    )
    probed, judged = verify(verdict=decided, otherwise=Outcome.PAUSE.value)
    hold = step(
        steps.pause,
        task_id=Outcome.PAUSE.value,
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )(verdict=decided)
    waited = WaitForAcknowledgement(task_id="wait_for_acknowledgement", hold=hold)
    stopped = VerifyStop(task_id="verify_stop", hold=hold)
    report, _ = determine(
        verdict=decided,
        judgement=JUDGED,
        purpose=Scope.TRAINING.value,
        responses=True,
    )

    verdict >> [going, probed, hold]
    judged >> hold
    [going, judged, hold] >> report
    hold >> waited >> stopped


assess_checkpoint()
