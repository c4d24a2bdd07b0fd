"""Publishing a checkpoint: files first, the manifest last, so that its presence means complete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Declared:
    """What the trainer says of a checkpoint; compute in FLOP."""

    run_id: str
    checkpoint_id: str
    parent: str | None
    step: int
    training_flop: float
    algorithmic_efficiency: float
    created_at: datetime


def publish(
    folder: Path, declared: Declared, files: Sequence[str], *, variants: dict[str, str]
) -> str:
    """Write the manifest beside files that are already in `folder`; returns its digest.

    A manifest that is there already is kept: a checkpoint is published once.

    Raises:
        FileNotFoundError: a file is missing.
    """
    target = folder / MANIFEST_NAME
    if not target.exists():
        stamp = declared.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        manifest = {
            "format": "redline/checkpoint-manifest@1",
            "run_id": declared.run_id,
            "checkpoint_id": declared.checkpoint_id,
            "parent": declared.parent,
            "step": declared.step,
            "training_flop": declared.training_flop,
            "algorithmic_efficiency": declared.algorithmic_efficiency,
            "effective_compute": declared.training_flop * declared.algorithmic_efficiency,
            "created_at": stamp,
            "variants": [{"name": name, "file": file} for name, file in variants.items()],
            "files": [_described(folder, name) for name in files],
        }
        beside = folder / f".{MANIFEST_NAME}.{os.getpid()}"
        beside.write_text(json.dumps(manifest, indent=1, sort_keys=True))
        beside.replace(target)
    return "sha256:" + hashlib.sha256(target.read_bytes()).hexdigest()


def _described(folder: Path, name: str) -> dict[str, str | int]:
    content = (folder / name).read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"path": name, "sha256": digest, "bytes": len(content)}
