"""The newest checkpoint of the toy laboratory's trainer, as its product serves it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from client.publish import MANIFEST_NAME
from toylab.transformer import Transformer

WEIGHTS = "weights.npz"


class NoModel(Exception):  # noqa: N818 - what is missing
    """There are no weights that could answer."""


@dataclass(slots=True)
class Served:
    """The model behind the surfaces; a newer checkpoint is taken up by itself.

    Args:
        folder: a checkpoint, or a folder with checkpoints somewhere below; None: no model.
    """

    folder: Path | None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loaded: tuple[Path, int, Transformer] | None = None

    def answer(self, asked: str) -> str:
        """The model's three characters; see `Transformer.answer`.

        Raises:
            NoModel: there is no published checkpoint, or its weights do not read.
        """
        return self._newest().answer([asked])[0]

    def _newest(self) -> Transformer:
        if self.folder is None:
            raise NoModel("No checkpoint was given. Start the service with --checkpoint FOLDER.")
        published = [
            (manifest.stat().st_mtime_ns, manifest.parent / WEIGHTS)
            for manifest in self.folder.rglob(MANIFEST_NAME)
            if (manifest.parent / WEIGHTS).is_file()
        ]
        if not published:
            raise NoModel(f"No checkpoint is published below {self.folder} yet.")
        changed, path = max(published)
        with self._lock:
            if self._loaded is None or self._loaded[:2] != (path, changed):
                try:
                    self._loaded = (path, changed, Transformer.load(path))
                except (OSError, ValueError) as error:
                    raise NoModel(f"The weights {path} do not read: {error}") from error
            return self._loaded[2]
