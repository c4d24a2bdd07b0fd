"""The run that a delivery reports.

The task that collects it and the notary that admits it build the run by the same functions, from
what was signed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from include.adapters.delivered_files import ReadResults, read_results
from include.adapters.delivery_signature import SignedStatement
from include.rsp.canonical import digest_bytes
from include.rsp.delivered import STATEMENT, FileKind
from include.rsp.errors import Refused
from include.rsp.results import BlobRef, Delivered, EvaluationRun
from include.rsp.vocabulary import ResultStatus
from include.rsp.wanted_results import WANTED, WantedResults, mismatches

WITHOUT_SAMPLES = "only an aggregate was delivered, without samples, which can rule nothing out"


def accept(
    wanted: WantedResults, signed: SignedStatement, files: Mapping[str, bytes], *, at: datetime
) -> ReadResults:
    """What the files say, if the delivery is what is wanted.

    Raises:
        Refused: it is not (`wrong_results`), or contradicts itself (`contradiction`).
        InvalidDocument: its files do not read.
    """
    problems = mismatches(
        signed.stated, wanted, holder=signed.key.holder, signed_at=signed.signed_at, at=at
    )
    if problems:
        raise Refused("wrong_results", f"{'; '.join(problems)}. {WANTED} says what is wanted.")
    return read_results(signed.stated, wanted.study, files)


def run_of(
    wanted: WantedResults, signed: SignedStatement, refs: list[BlobRef], samples: BlobRef | None,
    *, others: list[BlobRef],
) -> EvaluationRun:  # fmt: skip
    """The run that a delivery reports, from what was signed alone, so that it can be built again.

    Args:
        refs: the stored files, by the names that the statement gives them.
    """
    stated = signed.stated
    logs = {one.name for one in stated.of_kind(FileKind.INSPECT_LOG)}
    content = signed.content
    return EvaluationRun(
        **{name: getattr(stated.conditions, name) for name in type(stated.conditions).model_fields},
        job=wanted.job,
        name=wanted.run,
        evaluation=stated.evaluation,
        evaluation_version=stated.evaluation_version,
        checkpoint=stated.checkpoint,
        variant=stated.variant,
        status=ResultStatus.COMPLETE if samples else ResultStatus.UNREADABLE,
        problem=None if samples else WITHOUT_SAMPLES,
        started_at=stated.started_at,
        finished_at=stated.finished_at,
        attempts=1,
        elicitation=stated.elicitation,
        samples=samples,
        log=next((one for one in refs if one.name in logs), None),
        delivered=Delivered(
            organisation=stated.producer.organisation,
            holder=signed.key.holder,
            keyid=signed.key.keyid,
            signed_at=signed.signed_at,
            statement=BlobRef(blob=digest_bytes(content), bytes=len(content), name=STATEMENT),
            envelope=signed.envelope,
            files=refs,
            others=others,
        ),
    )


def samples_name(wanted: WantedResults, table: bytes) -> str:
    """What the stored table of samples is called."""
    return f"{wanted.run}.samples.{'parquet' if table.startswith(b'PAR1') else 'json'}"
