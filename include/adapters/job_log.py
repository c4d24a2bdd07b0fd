"""What a finished job's log says, read by Redline's own reader and never by the process that ran
the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from include.adapters.log_reader import read_log
from include.adapters.sample_table import table_bytes, to_samples

if TYPE_CHECKING:
    import pyarrow as pa

    from include.adapters.evaluation import JobRequest


def table_of(request: JobRequest, path: Path) -> bytes:
    """The log's table of samples as Parquet.

    Raises:
        InvalidDocument: the log does not read, or is not one of this model.
    """
    return table_bytes(_table(request, path, model=request.task.model))


def scores_of(request: JobRequest, path: Path, *, model: str) -> list[float | None]:
    """The scores of a log of another model on the same task, by the scorer that counts."""
    samples = to_samples(_table(request, path, model=model), scorer=request.task.scorer)
    return [one.score for one in samples]


def _table(request: JobRequest, path: Path, *, model: str) -> pa.Table:
    return read_log(path, model=model, variant=request.variant, cluster=request.task.cluster)
