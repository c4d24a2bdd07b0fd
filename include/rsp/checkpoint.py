"""Checkpoints: what a trainer declares of one, and when it may be registered (lifecycle step 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.clause import refuse_doubles
from include.rsp.errors import Refused

MANIFEST_NAME = "manifest.json"


class ManifestFile(Document):
    """One file of a checkpoint, relative to its folder."""

    path: Identifier
    sha256: Digest
    bytes: int = Field(ge=0)


class Variant(Document):
    """One form of the model that can be evaluated (final, helpful-only, …)."""

    name: Identifier
    file: Identifier


class CheckpointManifest(Document):
    """What the trainer declares; written last, so its presence says that the files are complete.

    `effective_compute` is in FLOP: training FLOP times the algorithmic-efficiency factor.
    """

    format: Literal["redline/checkpoint-manifest@1"]
    run_id: Identifier
    checkpoint_id: Identifier
    parent: Digest | None = Field(description="the checkpoint that training went on from")
    step: int = Field(ge=0)
    training_flop: float = Field(gt=0)
    algorithmic_efficiency: float = Field(gt=0)
    effective_compute: float = Field(gt=0)
    created_at: Moment
    variants: list[Variant] = Field(
        min_length=1,
        max_length=20,
        description="each is evaluated, unless the suite says which: one that is not shows nothing",
    )
    files: list[ManifestFile] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        product = self.training_flop * self.algorithmic_efficiency
        if abs(product - self.effective_compute) > 1e-9 * product:
            raise ValueError(
                f"effective_compute {self.effective_compute:g} is not training_flop x "
                f"algorithmic_efficiency ({product:g})"
            )
        refuse_doubles("variants", [variant.name for variant in self.variants])
        listed = {file.path for file in self.files}
        missing = sorted({variant.file for variant in self.variants} - listed)
        if missing:
            raise ValueError(f"variants name files that are not listed: {missing}")
        return self


class MeasuredFile(Document):
    """What was found on disk or in the bucket."""

    sha256: Digest
    bytes: int


def check_files(manifest: CheckpointManifest, measured: Mapping[str, MeasuredFile]) -> None:
    """Refuse a checkpoint whose files are not the ones declared.

    Raises:
        Refused: a file is missing (`missing_file`), shorter or longer than declared
            (`truncated`), or has other content (`wrong_digest`).
    """
    for file in manifest.files:
        found = measured.get(file.path)
        name = f"{manifest.run_id}/{manifest.checkpoint_id}/{file.path}"
        if found is None:
            raise Refused("missing_file", f"{name} is declared but not there. Publish it again.")
        if found.bytes != file.bytes:
            raise Refused(
                "truncated",
                f"{name} has {found.bytes} bytes (expected {file.bytes}, by its manifest). "
                "Publish the checkpoint again under a new id.",
            )
        if found.sha256 != file.sha256:
            raise Refused(
                "wrong_digest",
                f"{name} has the digest {found.sha256} (expected {file.sha256}, by its manifest). "
                "Publish the checkpoint again under a new id.",
            )


def check_against_run(
    manifest: CheckpointManifest,
    digest: Digest,
    earlier: Iterable[tuple[Digest, CheckpointManifest]],
) -> None:
    """Refuse a checkpoint that contradicts the ones registered before it in the same run.

    Raises:
        Refused: the id is taken by other content (`id_taken`), or compute does not grow with
            the steps (`compute_not_growing`).
    """
    for other_digest, other in earlier:
        if other_digest == digest:
            continue
        if other.checkpoint_id == manifest.checkpoint_id:
            raise Refused(
                "id_taken",
                f"Checkpoint {manifest.run_id}/{manifest.checkpoint_id} is registered with other "
                f"content (got {digest}, expected {other_digest}). Publish under a new id.",
            )
        grows = (manifest.step - other.step) * (
            manifest.effective_compute - other.effective_compute
        ) > 0
        if not grows:
            raise Refused(
                "compute_not_growing",
                f"Checkpoint {manifest.checkpoint_id}: step {manifest.step} with effective compute "
                f"{manifest.effective_compute:g} FLOP contradicts {other.checkpoint_id} (step "
                f"{other.step}, {other.effective_compute:g} FLOP); expected compute to grow with "
                "the steps. Correct the trainer's accounting.",
            )
