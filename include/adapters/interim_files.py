"""Plans of interim measures as YAML files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from include.adapters.evidence_store import judge_intact
from include.adapters.ledger import write_record
from include.adapters.policy_files import bytes_of, read_document
from include.adapters.rederivation import RuleBook
from include.adapters.stamp import code_stamp
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.canonical import Digest
from include.rsp.errors import InvalidDocument
from include.rsp.interim import InterimMeasures, problems_with_plan
from include.rsp.judgement import Asked
from include.rsp.state import LedgerState


def propose(
    store: Store, state: LedgerState, path: Path, run_id: str, *, by: str, at: datetime
) -> Digest:
    """Write a plan of measures for what keeps the newest verdict of a run waiting.

    Raises:
        InvalidDocument: it does not read, the run has no verdict, or the plan leaves something
            open that does not hold now; nothing is written.
    """
    plan = read_document(InterimMeasures, bytes_of(path), where=str(path), kind="interim plan")
    run = state.runs.get(run_id)
    if run is None or run.newest_verdict is None:
        raise InvalidDocument(
            f"The run {run_id!r} has no verdict (known runs: {sorted(state.runs)}). Nothing was "
            "written."
        )
    verdict = run.newest_verdict[0]
    rules = RuleBook(store).of_assessment(state, run.newest_verdict[1].assessment_id)
    asked = Asked(verdict=verdict, ledger_index=state.length, at=at)
    judged, holds, _ = judge_intact(store, state, rules, asked)
    if holds or not judged:
        raise InvalidDocument(
            f"What {run_id!r} needs holds already, or nothing is needed. No plan was written."
        )
    problems = problems_with_plan(
        plan, rules.policy.interim_measures, judged, rules.suite.safeguards
    )
    if problems:
        raise InvalidDocument(
            f"{path} does not assure as much: {'; '.join(problems)}. Correct the plan; nothing "
            "was written."
        )
    record = r.InterimPlan(
        at=at,
        by=f"rsp safeguards interim ({by})",
        stamp=code_stamp(),
        verdict=r.RecordRef(record=verdict),
        plan=plan,
    )
    return write_record(store, record)
