"""What a planned run waits for, and the run that a delivery reports.

The task that collects it and the notary that admits it build the run by the same function, from
what was signed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from include.adapters.delivered_files import ReadResults, read_results
from include.adapters.delivery_signature import SignedStatement
from include.adapters.evaluation import REQUEST, JobRequest
from include.rsp.canonical import Digest, digest_bytes
from include.rsp.delivered import STATEMENT, FileKind, mismatches
from include.rsp.errors import Refused
from include.rsp.results import BlobRef, Delivered, EvaluationRun
from include.rsp.study import HumanStudy
from include.rsp.suite import Evaluation
from include.rsp.vocabulary import ResultStatus

WITHOUT_SAMPLES = "only an aggregate was delivered, without samples, which can rule nothing out"


@dataclass(frozen=True, slots=True)
class Awaited:
    """The run of the plan that a delivery has to answer."""

    job: str
    run: str
    evaluation: Evaluation
    checkpoint: Digest
    checkpoint_at: datetime
    variant: str

    @classmethod
    def by(cls, request: JobRequest, checkpoint_at: datetime) -> Awaited:
        """From the request of a job."""
        return cls(
            job=request.job,
            run=request.run,
            evaluation=request.evaluation,
            checkpoint=request.checkpoint,
            checkpoint_at=checkpoint_at,
            variant=request.variant,
        )

    @property
    def study(self) -> HumanStudy:
        """How the results come in.

        Raises:
            Refused: the evaluation is run by Redline itself.
        """
        if self.evaluation.study is None:
            raise Refused(
                "no_study",
                f"{self.evaluation.id} is run by Redline itself: results of it are not taken from "
                "others. Make it a study in the suite.",
            )
        return self.evaluation.study

    def accept(
        self, signed: SignedStatement, files: Mapping[str, bytes], *, at: datetime
    ) -> ReadResults:
        """What the files say, if the delivery answers this run.

        Raises:
            Refused: it does not (`wrong_results`), or contradicts itself.
            InvalidDocument: its files do not read.
        """
        study = self.study
        problems = mismatches(
            signed.stated,
            self.evaluation,
            variant=self.variant,
            checkpoint=self.checkpoint,
            checkpoint_at=self.checkpoint_at,
            holder=signed.key.holder,
            signed_at=signed.signed_at,
            at=at,
        )
        if problems:
            raise Refused(
                "wrong_results", f"{'; '.join(problems)}. See {REQUEST} for what is wanted."
            )
        return read_results(signed.stated, study, files)


def run_of(
    awaited: Awaited, signed: SignedStatement, refs: list[BlobRef], samples: BlobRef | None,
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
        job=awaited.job,
        name=awaited.run,
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


def samples_name(awaited: Awaited, table: bytes) -> str:
    """What the stored table of samples is called."""
    return f"{awaited.run}.samples.{'parquet' if table.startswith(b'PAR1') else 'json'}"
