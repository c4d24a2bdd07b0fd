"""Results of Inspect that were made elsewhere: its log, `.eval` or `.json`."""

from __future__ import annotations

import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
import pyarrow.compute as pc  # type: ignore[import-untyped,unused-ignore]

from include.adapters.import_rows import Source
from include.adapters.log_reader import EvaluationLog
from include.adapters.sample_table import as_table, to_samples
from include.rsp.delivered import Imported
from include.rsp.errors import InvalidDocument


def inspect_table(
    source: Source, *, model: str | None, variant: str, cluster: str | None
) -> pa.Table:
    """The log's table of samples, as it is stored.

    Raises:
        InvalidDocument: the log does not read, is of another model, or did not end well.
    """
    try:
        with EvaluationLog(source.content, variant=variant, model=model, cluster=cluster) as log:
            report = log.report
            table = as_table(log.rows(), log=report.plain())
    except InvalidDocument as error:
        raise InvalidDocument(f"{source.name}: {error}") from error
    if not report.finished or report.missing or report.invalidated:
        state = "invalidated" if report.invalidated else repr(report.status)
        raise source.refusal(
            f"the log ended as {state} with {report.missing} samples missing (expected 'success' "
            "and none)",
            "Finish the evaluation (`inspect eval-retry`) and deliver its log",
        )
    return table


def read_inspect(table: pa.Table, *, scorer: str | None) -> Imported:
    """The samples of the scorer that counts, and when they ran.

    Raises:
        InvalidDocument: the table does not read.
    """
    model = table.column("model").unique().to_pylist()
    return Imported(
        samples=to_samples(table, scorer=scorer),
        model=model[0] if len(model) == 1 else None,
        started_at=pc.min(table.column("started_at")).as_py(),
        finished_at=pc.max(table.column("completed_at")).as_py(),
    )
