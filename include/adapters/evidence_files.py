"""Evidence about one checkpoint as a file, for deciding without a store (`rsp decide`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from include.adapters.policy_files import explain
from include.rsp.canonical import Digest, Document, Moment
from include.rsp.clause import refuse_doubles
from include.rsp.errors import InvalidDocument
from include.rsp.finding import Evidence
from include.rsp.results import EvaluationRun, Sample


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
    evaluations: list[EvaluationEvidence] = Field(description="one entry an evaluation")

    @model_validator(mode="after")
    def _each_evaluation_once(self) -> EvidenceFile:
        refuse_doubles("evaluations", [one.run.evaluation for one in self.evaluations])
        return self

    def by_evaluation(self) -> dict[str, Evidence]:
        """What `include.rsp.decision.decide` takes."""
        return {
            one.run.evaluation: Evidence(run=one.run, samples=one.samples, valid=one.valid)
            for one in self.evaluations
        }


def read_evidence(path: Path) -> EvidenceFile:
    """The evidence in a JSON file.

    Raises:
        InvalidDocument: unreadable, not JSON or not evidence; names every wrong field.
    """
    try:
        return EvidenceFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidDocument(
            f"{path} cannot be read: {error.strerror}. Check the path."
        ) from error
    except ValidationError as error:
        raise InvalidDocument(
            f"{path} is not evidence (redline/evidence@1): {explain(error)}. Nothing was decided."
        ) from error
