"""Result tables to damage: by default the sound table of a sound run of the toy suite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pandas as pd

from include.adapters.result_frame import Context
from include.rsp.results import EvaluationRun
from include.rsp.suite import Evaluation
from tests.support.factories import CHECKPOINT, START, toy_suite

ROWS = 20
BEGUN, ENDED, NOW = (START + timedelta(minutes=one) for one in (1, 2, 5))


def small_evaluation(quality: dict[str, Any] | None = None, **changes: Any) -> Evaluation:
    """The toy suite's first evaluation with 20 samples, of which one may break."""

    def change(plain: dict[str, Any]) -> None:
        one = plain["evaluations"][0] | {"dataset_samples": ROWS, "minimum_samples": ROWS - 2}
        one |= {"max_error_rate": 0.05, "quality": quality or {}}
        plain["evaluations"] = [one | changes]

    return toy_suite(change).evaluations[0]


def with_inspect(**changes: Any) -> dict[str, Any]:
    """The toy suite's `inspect` part, changed."""
    task = toy_suite().evaluations[0].inspect
    assert task is not None
    return {"inspect": task.model_dump() | changes}


def small_context(evaluation: Evaluation, /, **changes: Any) -> Context:
    """A complete run of an evaluation, begun after its checkpoint was made and ended before now."""
    plain = {
        "job": "job", "evaluation": evaluation.id, "evaluation_version": evaluation.version,
        "checkpoint": CHECKPOINT, "variant": "final", "status": "complete", "attempts": 1,
        "started_at": BEGUN, "finished_at": ENDED, "elicitation": {}, "environment": {},
        "positive_control": None, "null_control": None,
    }  # fmt: skip
    run = EvaluationRun.model_validate(plain | changes)
    return Context(run=run, checkpoint=CHECKPOINT, checkpoint_at=START, at=NOW)


def small_table(*, epochs: int = 1, scorers: Sequence[str] = ("exact",)) -> pd.DataFrame:
    """As the log reader makes it: every other answer is right, nothing is wrong."""
    keys = [
        (f"p{index:02d}", epoch, scorer)
        for index in range(ROWS)
        for epoch in range(1, epochs + 1)
        for scorer in scorers
    ]
    table = pd.DataFrame(keys, columns=["sample_id", "epoch", "scorer"])
    score = table["sample_id"].str[1:].astype(int) % 2
    uuids = table["sample_id"] + "-" + table["epoch"].astype(str)
    said = {
        "score": score.astype("float64"), "error": pd.Series(None, table.index, dtype="str"),
        "limit": pd.Series(None, table.index, dtype="str"), "refusals": 0,
        "format_failure": False, "flags": [[] for _ in keys], "model": "toylab/checkpoint",
        "variant": "final", "uuid": uuids, "started_at": pd.Timestamp(BEGUN),
        "completed_at": pd.Timestamp(ENDED),
    }  # fmt: skip
    return table.assign(**said)


def put(table: pd.DataFrame, row: int, **values: Any) -> pd.DataFrame:
    """The table with other values in one row."""
    rows = table.to_dict("records")
    rows[row] |= values
    return pd.DataFrame(rows, columns=table.columns)
