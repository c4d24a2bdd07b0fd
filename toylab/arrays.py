"""Named arrays in one .npz file, written whole or not at all and read with every shape checked."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError,
          TypeError)  # fmt: skip
Arrays = Mapping[str, npt.NDArray[Any]]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write beside and move into place: a crash leaves the old file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    beside.replace(path)


def read_arrays(path: Path, *, like: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file that has the names, shapes and types of `like`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except DAMAGE as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is damaged: {error}. Publish or save it again.") from error
    if found.keys() != like.keys():
        raise ValueError(
            f"{path} holds {len(found)} arrays, first {sorted(found)[:2]} (expected {len(like)}, "
            f"first {sorted(like)[:2]})"
        )
    for name, array in like.items():
        got = (found[name].shape, found[name].dtype)
        if got != (array.shape, array.dtype):
            raise ValueError(f"{path}: {name} is {got} (expected {(array.shape, array.dtype)})")
        if not np.isfinite(found[name]).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity (expected finite numbers)")
    return found
