"""From the files of a delivery to its samples: which reader reads what, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from include.adapters.import_harness import read_harness
from include.adapters.import_inspect import inspect_table, read_inspect
from include.adapters.import_nemo import read_nemo
from include.adapters.import_rows import Source
from include.adapters.import_tables import read_csv, read_parquet
from include.adapters.sample_table import read_table, table_bytes
from include.rsp.canonical import canonical_bytes
from include.rsp.delivered import DeliveredResults, FileKind, Imported, contradictions
from include.rsp.errors import InvalidDocument, Refused
from include.rsp.results import SampleTable
from include.rsp.study import HumanStudy

PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class ReadResults:
    """What the files of a delivery say.

    Attributes:
        table: the samples as they are stored: the table of an Inspect log (Parquet), else a
            `SampleTable` (JSON); None where there is only an aggregate.
    """

    imported: Imported
    table: bytes | None


def read_results(
    stated: DeliveredResults, study: HumanStudy, files: Mapping[str, bytes]
) -> ReadResults:
    """Read the files of a delivery, whose digests were checked, by what it states of them.

    Raises:
        InvalidDocument: they do not read.
        Refused: they say something else than the statement (`contradiction`).
    """
    try:
        found = _read(stated, study, files)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidDocument(
            f"The results do not read: {first['loc']}: {first['msg']}. Correct them and sign anew."
        ) from error
    problems = contradictions(stated, found.imported)
    if problems:
        raise Refused(
            "contradiction", f"{'; '.join(problems)}. Correct the statement and sign anew."
        )
    return found


def _read(stated: DeliveredResults, study: HumanStudy, files: Mapping[str, bytes]) -> ReadResults:
    if stated.engine == "inspect":
        (log,) = _sources(stated, files, FileKind.INSPECT_LOG)
        table = inspect_table(
            log, model=stated.model, variant=stated.variant, cluster=study.cluster
        )
        return ReadResults(read_inspect(table, scorer=study.scorer), table_bytes(table))
    imported = _imported(stated, study, files)
    if not imported.samples:
        return ReadResults(imported, None)
    return ReadResults(imported, canonical_bytes(SampleTable(samples=imported.samples)))


def _imported(stated: DeliveredResults, study: HumanStudy, files: Mapping[str, bytes]) -> Imported:
    if stated.engine == "lm-eval":
        (results,) = _sources(stated, files, FileKind.LM_EVAL_RESULTS)
        samples = _sources(stated, files, FileKind.LM_EVAL_SAMPLES)
        return read_harness(results, samples, scorer=study.scorer, cluster=study.cluster)
    if stated.engine == "nemo-evaluator":
        (results,) = _sources(stated, files, FileKind.NEMO_RESULTS)
        rows = _sources(stated, files, FileKind.NEMO_SAMPLES)
        return read_nemo(
            results, rows[0] if rows else None, version=stated.engine_version,
            scorer=study.scorer, cluster=study.cluster,
        )  # fmt: skip
    if stated.columns is None:
        raise InvalidDocument("The statement names no columns (expected those of its table).")
    if stated.engine == "csv":
        (table,) = _sources(stated, files, FileKind.CSV)
        return read_csv(table, stated.columns)
    (table,) = _sources(stated, files, FileKind.PARQUET)
    return read_parquet(table, stated.columns)


def _sources(stated: DeliveredResults, files: Mapping[str, bytes], kind: FileKind) -> list[Source]:
    return [Source(one.name, files[one.name]) for one in stated.of_kind(kind)]


def say_the_same(one: bytes | None, other: bytes | None) -> bool:
    """Whether two stored tables hold the same; how a Parquet file is laid out says nothing.

    Raises:
        InvalidDocument: a Parquet table does not read.
    """
    if one is None or other is None or not (one.startswith(PARQUET) and other.startswith(PARQUET)):
        return one == other
    return bool(read_table(one).equals(read_table(other), check_metadata=True))
