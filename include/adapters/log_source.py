"""Where a log's bytes come from (a file or memory), and what a log may cost to read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from include.rsp.errors import InvalidDocument

MIB = 1024 * 1024
Content = Path | bytes | bytearray | memoryview
NEXT_STEP = "Take the log again from where it was written; never repair it by hand."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a log may cost to read. Bytes are inflated ones, unless said otherwise."""

    members: int = 1_000_000
    directory_bytes: int = 128 * MIB
    member_bytes: int = 256 * MIB
    total_bytes: int = 256 * 1024 * MIB
    ratio: int = 500  # inflated / deflated; Inspect's transcripts reach about 100
    ratio_from_bytes: int = MIB  # smaller members may repeat themselves as they like
    field_bytes: int = 16 * MIB  # of one field that is kept (scores, metadata, usage)
    header_bytes: int = 32 * MIB  # a million ids
    summaries_bytes: int = 128 * MIB  # of all in one member; larger ones come from the journal
    json_bytes: int = 128 * MIB  # of a `.json` log, which is read whole


LIMITS = Limits()


class Source:
    """Random access to a file or to bytes; never maps the file, so memory stays small."""

    def __init__(self, content: Content) -> None:
        self._view: memoryview | None = None
        self._file = -1
        if isinstance(content, Path):
            self.where = str(content)
            self._file = self._opened(content)
            self.size = os.fstat(self._file).st_size
        else:
            self._view = memoryview(content).cast("B")
            self.where = f"a log of {self._view.nbytes} bytes"
            self.size = self._view.nbytes

    @staticmethod
    def _opened(path: Path) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InvalidDocument(
                f"The log {path} cannot be opened: {error.strerror} (expected a readable file)"
            ) from error

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """At most `length` bytes from `offset`; fewer at the end.

        Raises:
            InvalidDocument: the file cannot be read (a folder, a failing disk).
        """
        if self._view is not None:
            return self._view[offset : offset + length]
        parts: list[bytes] = []
        try:
            while length > 0 and (part := os.pread(self._file, length, offset)):
                parts.append(part)
                offset, length = offset + len(part), length - len(part)
        except OSError as error:
            raise InvalidDocument(f"{self.where} cannot be read: {error.strerror}") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the file, if there is one; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
