"""The notary's own look at delivered results: nobody's word for them is taken (DESIGN I8)."""

from __future__ import annotations

from include.adapters.delivered_files import say_the_same
from include.adapters.delivered_run import accept, run_of, samples_name
from include.adapters.delivery_signature import SignedStatement, verify_statement
from include.adapters.store import Store, get_blob
from include.rsp import records as r
from include.rsp.canonical import short
from include.rsp.errors import Refused
from include.rsp.evaluation_plan import PlannedRun
from include.rsp.results import BlobRef, EvaluationRun
from include.rsp.state import LedgerState
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus
from include.rsp.wanted_results import WantedResults, wanted_results


def check_delivered(
    store: Store,
    state: LedgerState,
    record: r.ResultSet,
    evaluation: Evaluation,
    planned: PlannedRun,
) -> None:
    """Refuse results that nobody delivered as the record says.

    A run counts only if (1) it was delivered just where the suite says that people deliver, or
    says that nothing was, which nobody may say before it is due; (2) a key of the trust root with
    the role `evaluator` signed the stored statement; (3) the stored files are the listed ones;
    (4) the delivery answers the planned run; (5) the samples follow from the files; (6) the run
    says what was signed, and nothing else.

    Raises:
        Refused: it does not count.
        InvalidDocument: something that it names does not read.
    """
    run = record.run
    if run.delivered is None:
        _check_none(state, record, evaluation)  # (1)
        return
    wanted = _wanted(state, record, evaluation, planned)
    delivered = run.delivered
    signed = verify_statement(  # (2)
        get_blob(store, delivered.statement.blob), delivered.envelope, state.trust
    )
    listed = [
        BlobRef(blob=one.sha256, bytes=one.bytes, name=one.name) for one in signed.stated.files
    ]
    if delivered.files != listed:  # (3)
        raise Refused("other_files", "The run names other files than its signed statement lists.")
    files = {one.name: get_blob(store, one.blob) for one in listed}
    table = accept(wanted, signed, files, at=record.at).table  # (1), (4)
    _check_run(store, run, wanted, signed, listed, table)  # (5), (6)


def _check_run(
    store: Store,
    run: EvaluationRun,
    wanted: WantedResults,
    signed: SignedStatement,
    listed: list[BlobRef],
    table: bytes | None,
) -> None:
    """The run is the one that follows from what was signed and from the files."""
    claimed = get_blob(store, run.samples.blob) if run.samples else None
    if not say_the_same(claimed, table):  # (5)
        raise Refused(
            "not_derivable",
            f"The samples of {run.key} do not follow from the files that {signed.key.holder} "
            "delivered. Collect the delivery again.",
        )
    samples = None
    if run.samples is not None and claimed is not None:
        samples = run.samples.model_copy(update={"name": samples_name(wanted, claimed)})
    others = run.delivered.others if run.delivered else []
    if run_of(wanted, signed, listed, samples, others=others) != run:  # (6)
        raise Refused(
            "not_derivable",
            f"The run {run.key} says something else than {signed.key.holder} signed. Collect the "
            "delivery again.",
        )


def _check_none(state: LedgerState, record: r.ResultSet, evaluation: Evaluation) -> None:
    run, study = record.run, evaluation.study
    if study is None:
        return
    if run.samples is not None or run.status is ResultStatus.COMPLETE:
        raise Refused(
            "not_delivered",
            f"The results of {run.key} were not delivered (expected a delivery signed by an "
            "evaluator: its people run it). See docs/importing-results.md.",
        )
    due = study.due(state.expect(record.plan.record, r.Plan).at)
    if record.at < due:
        raise Refused(
            "not_due",
            f"Nobody may say before {due:%Y-%m-%d %H:%M} UTC that no results of {run.key} came. "
            "Wait for them.",
        )


def _wanted(
    state: LedgerState, record: r.ResultSet, evaluation: Evaluation, planned: PlannedRun
) -> WantedResults:
    """What the counted plan waits for; the job's name follows from it."""
    _, checkpoint = state.checkpoint_of(record.assessment_id)
    return wanted_results(
        evaluation,
        job=f"{planned.name}-{short(record.plan.record)}",
        run=planned.name,
        checkpoint=checkpoint.digest,
        checkpoint_at=checkpoint.manifest.created_at,
        variant=planned.variant or checkpoint.manifest.variants[0].name,
        planned_at=state.expect(record.plan.record, r.Plan).at,
    )
