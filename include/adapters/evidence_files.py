"""Evidence about one checkpoint as a file, for deciding without a store (`rsp decide`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from include.adapters.policy_files import explain
from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.clause import refuse_doubles
from include.rsp.errors import InvalidDocument
from include.rsp.finding import Evidence
from include.rsp.results import EvaluationRun, Sample, SampleTable

_Model = TypeVar("_Model", bound=BaseModel)


class EvaluationEvidence(Document):
    """One evaluation's run, its samples, and what validation said (null: nobody validated)."""

    run: EvaluationRun
    samples: list[Sample] | None
    valid: bool | None


class EvidenceFile(Document):
    """All the evidence about one checkpoint. What is not in it counts as no result."""

    format: Literal["redline/evidence@1"]
    checkpoint: Digest
    checkpoint_at: Moment
    variants: list[Identifier] = Field(
        default_factory=list, description="forms of the model; none: it has only one"
    )
    evaluations: list[EvaluationEvidence] = Field(description="one entry an evaluation")

    @model_validator(mode="after")
    def _each_evaluation_once(self) -> EvidenceFile:
        refuse_doubles("evaluations", [one.run.key for one in self.evaluations])
        return self

    def by_evaluation(self) -> dict[str, Evidence]:
        """What `include.rsp.decision.decide` takes."""
        return {
            one.run.key: Evidence(run=one.run, samples=one.samples, valid=one.valid)
            for one in self.evaluations
        }


def read_evidence(path: Path) -> EvidenceFile:
    """The evidence in a JSON file.

    Raises:
        InvalidDocument: unreadable, not JSON or not evidence; names every wrong field.
    """
    return _read(EvidenceFile, path, "evidence (redline/evidence@1)", "nothing was decided")


def read_samples(path: Path) -> SampleTable:
    """The sample table in a JSON file; raises like `read_evidence`."""
    return _read(SampleTable, path, "sample table", "nothing was recorded")


def _read(model: type[_Model], path: Path, kind: str, undone: str) -> _Model:
    """A JSON document. A number is a number, never a text or `true`, and each key comes once."""
    try:
        content = path.read_bytes()
        document = model.model_validate_json(content, strict=True)
        json.loads(content, object_pairs_hook=_each_key_once)
    except OSError as error:
        raise InvalidDocument(
            f"{path} cannot be read: {error.strerror}. Check the path."
        ) from error
    except ValidationError as error:
        raise InvalidDocument(
            f"{path} is no {kind}: {explain(error)}. Correct the file; {undone}."
        ) from error
    except ValueError as error:
        raise InvalidDocument(
            f"{path} is no {kind}: {error}. Correct the file; {undone}."
        ) from error
    return document


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"{key}: got the key {key!r} twice in one object (expected it once)")
        seen.add(key)
