"""Results that people deliver: what they state of them, and whether their files agree with it.

A trial with people, a red-team session, an institute's own evaluation: what makes their results
evidence is that somebody known says which checkpoint they are of, and signs it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.clause import refuse_doubles
from include.rsp.elicitation import Elicitation
from include.rsp.results import Conditions, Sample
from include.rsp.study import DeliveryFormat

STATEMENT, SIGNATURE = "delivery.json", "delivery.dsse.json"
"""The statement and its signature, in the delivery's folder."""
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@=,-]{0,199}")
MOST_FILES = 200
ENGINE_CLOCK = timedelta(minutes=5)
"""By how much the engine's own times may lie outside the stated ones."""


class FileKind(StrEnum):
    """What a delivered file is."""

    INSPECT_LOG = "inspect"
    LM_EVAL_RESULTS = "lm-eval-results"
    LM_EVAL_SAMPLES = "lm-eval-samples"
    NEMO_RESULTS = "nemo-results"
    NEMO_SAMPLES = "nemo-samples"
    CSV = "csv"
    PARQUET = "parquet"
    ATTACHMENT = "attachment"
    """Kept, not read: a protocol, a consent form, transcripts."""


WANTED: dict[DeliveryFormat, dict[FileKind, tuple[int, int]]] = {
    "inspect": {FileKind.INSPECT_LOG: (1, 1)},
    "lm-eval": {FileKind.LM_EVAL_RESULTS: (1, 1), FileKind.LM_EVAL_SAMPLES: (0, MOST_FILES)},
    "nemo-evaluator": {FileKind.NEMO_RESULTS: (1, 1), FileKind.NEMO_SAMPLES: (0, 1)},
    "csv": {FileKind.CSV: (1, 1)},
    "parquet": {FileKind.PARQUET: (1, 1)},
}
"""How many files of which kinds make up the results of an engine: (fewest, most)."""
TABLES = ("csv", "parquet")


class DeliveredFile(Document):
    """One file of a delivery, in its folder."""

    name: str
    kind: FileKind
    sha256: Digest
    bytes: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_a_plain_name(self) -> Self:
        if not FILE_NAME.fullmatch(self.name) or self.name in {STATEMENT, SIGNATURE}:
            raise ValueError(
                f"file name {self.name!r} (expected letters, digits and . _ + @ = , - without a "
                f"folder, not beginning with a dot, and neither {STATEMENT} nor {SIGNATURE})"
            )
        return self


class Columns(Document):
    """Which column of a table says what. Columns that are not named are kept, not read."""

    sample_id: str = Field(min_length=1, description="a problem or a participant")
    score: str = Field(min_length=1)
    epoch: str | None = Field(default=None, min_length=1, description="null: each came once")
    error: str | None = Field(default=None, min_length=1, description="why there is no score")
    cluster: str | None = Field(default=None, min_length=1, description="what belongs together")
    group: str | None = Field(default=None, min_length=1, description="the arm of a trial")
    baseline: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _each_says_one_thing(self) -> Self:
        refuse_doubles("columns", list(self.named.values()))
        return self

    @property
    def named(self) -> dict[str, str]:
        """The columns that are named, by what they say."""
        return {name: column for name, column in self.model_dump().items() if column is not None}


class Producer(Document):
    """Who made the results, and whose key signs them."""

    organisation: str = Field(min_length=1, max_length=200)
    holder: Identifier


class DeliveredResults(Document):
    """What a producer states of delivered results (`delivery.json`), and signs."""

    format: Literal["redline/delivered-results@1"] = "redline/delivered-results@1"
    evaluation: Identifier
    evaluation_version: str = Field(min_length=1)
    checkpoint: Digest
    variant: Identifier
    producer: Producer
    engine: DeliveryFormat
    engine_version: str = Field(min_length=1, description="of the engine, or of the trial's form")
    model: str | None = Field(
        default=None, min_length=1, description="as the engine names it; null: it names none"
    )
    started_at: Moment
    finished_at: Moment
    elicitation: Elicitation
    conditions: Conditions
    files: list[DeliveredFile] = Field(min_length=1, max_length=MOST_FILES)
    columns: Columns | None = Field(default=None, description="of a table; null: not a table")

    @model_validator(mode="after")
    def _has_the_engines_files(self) -> Self:
        refuse_doubles("files", [one.name for one in self.files])
        wanted = WANTED[self.engine]
        for kind, (fewest, most) in wanted.items():
            count = len(self.of_kind(kind))
            if not fewest <= count <= most:
                raise ValueError(
                    f"{count} files of the kind {kind.value} (expected {fewest} to {most} from the "
                    f"engine {self.engine})"
                )
        odd = [one for one in self.files if one.kind not in {*wanted, FileKind.ATTACHMENT}]
        if odd:
            raise ValueError(
                f"file {odd[0].name!r} is of the kind {odd[0].kind.value} (expected one of "
                f"{sorted(one.value for one in wanted)} or attachment from {self.engine})"
            )
        if (self.engine in TABLES) != (self.columns is not None):
            raise ValueError("columns belong to the engines csv and parquet, which need them")
        if self.engine not in TABLES and self.model is None:
            raise ValueError(f"{self.engine} names the model that it ran (expected model)")
        return self

    def of_kind(self, kind: FileKind) -> list[DeliveredFile]:
        """The files of one kind, in the order of their names."""
        return sorted((one for one in self.files if one.kind is kind), key=lambda one: one.name)


class Signing(Document):
    """What a signature says beside the digest of the statement."""

    signed_at: Moment


class Imported(Document):
    """What was read from the files of a delivery.

    Attributes:
        samples: none where there is only an aggregate, which can rule nothing out.
        model, version, started_at, finished_at: as the engine's own files say; null: they do not.
        notes: what else a reader of the results should know.
    """

    samples: list[Sample]
    model: str | None = None
    version: str | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    notes: list[str] = Field(default_factory=list)


def contradictions(stated: DeliveredResults, found: Imported) -> list[str]:
    """Where the engine's own files say something else than the statement about them.

    (1) the model and (2) the engine's version are the stated ones; (3) the engine ran within the
    stated times. What the files do not say contradicts nothing.
    """
    problems = []
    if found.model is not None and found.model != stated.model:  # (1)
        problems.append(f"the files are of the model {found.model!r} (stated: {stated.model!r})")
    if found.version is not None and found.version != stated.engine_version:  # (2)
        problems.append(
            f"the files were written by {stated.engine} {found.version} (stated: "
            f"{stated.engine_version})"
        )
    early = found.started_at and found.started_at < stated.started_at - ENGINE_CLOCK
    late = found.finished_at and found.finished_at > stated.finished_at + ENGINE_CLOCK
    if early or late:  # (3)
        problems.append(
            f"the files are dated {found.started_at} to {found.finished_at} (stated: "
            f"{stated.started_at} to {stated.finished_at})"
        )
    return problems
