"""What a finished job's log says, read by Redline's own reader and never by the process that ran
the model.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from include.adapters.log_reader import extract, read_log
from include.adapters.sample_table import to_samples
from include.rsp.errors import InvalidDocument

if TYPE_CHECKING:
    from include.adapters.evaluation import JobRequest


def table_of(request: JobRequest, path: Path) -> bytes:
    """The log's table of samples as Parquet.

    Raises:
        InvalidDocument: the log does not read, is not one of this model, or did not end well.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples.parquet"
        report = extract(
            path,
            target,
            variant=request.variant,
            model=request.task.model,
            cluster=request.task.cluster,
        )
        if not report.finished or report.missing:
            raise InvalidDocument(
                f"{path.name} ended as {report.status!r} with {report.missing} samples missing "
                "(expected 'success' and none). Run the evaluation again."
            )
        return target.read_bytes()


def scores_of(request: JobRequest, path: Path, *, model: str) -> list[float | None]:
    """The scores in the log of another model on the same task, by the scorer that counts."""
    table = read_log(path, variant=request.variant, model=model, cluster=request.task.cluster)
    return [one.score for one in to_samples(table, scorer=request.task.scorer)]
