"""The folder in which trainers publish checkpoints: `<run_id>/<checkpoint_id>/manifest.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from include.adapters.policy_files import explain
from include.rsp.canonical import checked_identifier, digest_bytes
from include.rsp.checkpoint import (
    MANIFEST_NAME,
    CheckpointManifest,
    MeasuredFile,
    check_files,
)
from include.rsp.errors import Refused


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint folder; `manifest` is None while it is being written."""

    run_id: str
    checkpoint_id: str
    folder: Path
    manifest: bytes | None

    @property
    def name(self) -> str:
        """`run/checkpoint`."""
        return f"{self.run_id}/{self.checkpoint_id}"

    @property
    def subject(self) -> str:
        """What a refusal of exactly this content is recorded under."""
        content = digest_bytes(self.manifest) if self.manifest is not None else "unfinished"
        return f"checkpoint {self.name} {content}"


def published(root: Path) -> Iterator[Published]:
    """All checkpoint folders, in order of run and name."""
    for run in sorted(path for path in root.glob("*") if path.is_dir()):
        for folder in sorted(path for path in run.glob("*") if path.is_dir()):
            if not folder.name.startswith("."):
                yield Published(run.name, folder.name, folder, _manifest_of(folder))


def find(root: Path, run_id: str, checkpoint_id: str) -> Published:
    """One checkpoint folder by name.

    Raises:
        Refused: the name is none (`bad_id`), or nothing is there (`unknown_checkpoint`).
    """
    _check_names(run_id, checkpoint_id)
    folder = root / run_id / checkpoint_id
    if not folder.is_dir():
        raise Refused(
            "unknown_checkpoint",
            f"No checkpoint {run_id}/{checkpoint_id} in {root} (there are "
            f"{sorted(one.name for one in root.glob('*') if one.is_dir()) or 'no runs at all'}).",
        )
    return Published(run_id, checkpoint_id, folder, _manifest_of(folder))


def _manifest_of(folder: Path) -> bytes | None:
    """The manifest's bytes; None when there is none that can be read (yet)."""
    try:
        return (folder / MANIFEST_NAME).read_bytes()
    except OSError:
        return None


def read_checked(one: Published) -> CheckpointManifest:
    """The manifest of a complete checkpoint whose files are what it declares.

    Raises:
        Refused: still being written, not a manifest, a manifest of another checkpoint, or files
            that are missing, truncated or different.
    """
    _check_names(one.run_id, one.checkpoint_id)
    if one.manifest is None:
        raise Refused(
            "still_being_written",
            f"Checkpoint {one.name} has no {MANIFEST_NAME} yet: it is still being written, or its "
            "trainer died. It is looked at again when the manifest is there.",
        )
    try:
        manifest = CheckpointManifest.model_validate_json(one.manifest)
    except ValidationError as error:
        raise Refused(
            "bad_manifest", f"The manifest of {one.name} does not read: {explain(error)}"
        ) from error
    if (manifest.run_id, manifest.checkpoint_id) != (one.run_id, one.checkpoint_id):
        raise Refused(
            "bad_manifest",
            f"The manifest in {one.name} is of {manifest.run_id}/{manifest.checkpoint_id}.",
        )
    check_files(manifest, {file.path: measure(one.folder / file.path) for file in manifest.files
                           if (one.folder / file.path).is_file()})  # fmt: skip
    return manifest


def _check_names(run_id: str, checkpoint_id: str) -> None:
    try:
        checked_identifier(run_id), checked_identifier(checkpoint_id)
    except ValueError as error:
        raise Refused("bad_id", f"{run_id}/{checkpoint_id} is no checkpoint: {error}") from error


def measure(path: Path) -> MeasuredFile:
    """Size and digest of a file, read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return MeasuredFile(sha256=f"sha256:{digest}", bytes=path.stat().st_size)
