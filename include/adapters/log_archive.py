"""Reads the zip archive of an Inspect `.eval` log: members by name, within stated bounds.

Python 3.11's zipfile cannot read zstd members, and it believes what an archive says of itself.
Here nothing is allocated, inflated or trusted before it was checked: the directory must account for
the whole file, members must not overlap, and each must inflate to exactly the declared bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import zstandard

from include.adapters.log_source import LIMITS, MIB, NEXT_STEP, Limits, Source
from include.rsp.errors import InvalidDocument

STORED, DEFLATED, ZSTD = 0, 8, 93
_METHODS = frozenset({STORED, DEFLATED, ZSTD})
_ENCRYPTED, _UTF8 = 0x1, 0x800
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_WIDE16, _WIDE32 = 0xFFFF, 0xFFFFFFFF


class Member(NamedTuple):
    """One entry of the directory; sizes and offset in bytes."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


@dataclass(slots=True)
class Archive:
    """The checked directory of a log. `members` are in the order in which they were written.

    Inspect writes a sample again under its old name when it re-runs it: `members` holds every
    entry, `last` the newest of each name.
    """

    source: Source
    limits: Limits = LIMITS
    members: list[Member] = field(init=False)
    last: dict[str, Member] = field(init=False)
    _zstd: zstandard.ZstdDecompressor = field(init=False)

    def __post_init__(self) -> None:
        start, size, count = self._directory()
        if count > self.limits.members:
            raise self.refusal(f"{count} members (expected at most {self.limits.members})")
        found = list(self._entries(bytes(self.source.read(start, size))))
        if len(found) != count:
            raise self.refusal(f"{len(found)} members in its directory (it promises {count})")
        self.members = sorted(found, key=attrgetter("offset"))
        self._check_sizes()
        self._check_places(start)
        self.last = {one.name: one for one in self.members}
        self._zstd = zstandard.ZstdDecompressor(max_window_size=128 * MIB)

    def refusal(self, what: str) -> InvalidDocument:
        """The one error of this module, as an object to raise."""
        return InvalidDocument(f"{self.source.where}: {what}. {NEXT_STEP}")

    def _directory(self) -> tuple[int, int, int]:
        """Offset and bytes of the directory, and how many entries it promises.

        The end record must be the last bytes of the file: with a comment or bytes behind it, two
        readers could find two directories.
        """
        end_at = self.source.size - _END.size
        tail = self.source.read(max(end_at, 0), _END.size)
        if end_at < 0 or bytes(tail[:4]) != b"PK\x05\x06":
            raise self.refusal("no zip archive, or cut short (expected an end record as its end)")
        _, disk, first, here, count, size, start, comment = _END.unpack(tail)
        ends = end_at
        if _WIDE16 in (here, count) or _WIDE32 in (size, start):
            locator = self.source.read(max(end_at - _LOCATOR.size, 0), _LOCATOR.size)
            if len(locator) == _LOCATOR.size and bytes(locator[:4]) == b"PK\x06\x07":
                ends = int(_LOCATOR.unpack(locator)[2])
                here, count, size, start = self._wide_end(ends, end_at)
        if disk or first or comment or here != count:
            raise self.refusal("an archive in several parts or with a comment (expected neither)")
        if size > self.limits.directory_bytes or start + size != ends:
            raise self.refusal(
                f"a directory of {size} bytes at {start} (expected to end at {ends})"
            )
        return start, size, count

    def _wide_end(self, at: int, end_at: int) -> tuple[int, int, int, int]:
        if at + _END64.size + _LOCATOR.size != end_at:
            raise self.refusal(f"its 64-bit end record is at {at} (expected beside the end record)")
        record = _END64.unpack(self.source.read(at, _END64.size))
        if record[0] != b"PK\x06\x06" or record[4] or record[5]:
            raise self.refusal("its 64-bit end record does not read")
        return record[6], record[7], record[8], record[9]

    def _entries(self, raw: bytes) -> Iterator[Member]:
        at, end = 0, len(raw)
        while at < end:
            if at + _ENTRY.size > end:
                raise self.refusal(f"its directory is cut short at byte {at}")
            (signature, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length,
             comment_length, _, _, _, offset) = _ENTRY.unpack_from(raw, at)  # fmt: skip
            if signature != b"PK\x01\x02":
                raise self.refusal(f"its directory does not read at byte {at}")
            at += _ENTRY.size
            name = self._name(raw[at : at + name_length], flags)
            at += name_length
            if _WIDE32 in (size, packed, offset):
                extra = raw[at : at + extra_length]
                size, packed, offset = self._widened(name, [size, packed, offset], extra)
            if flags & _ENCRYPTED or method not in _METHODS:
                raise self.refusal(
                    f"member {name!r} has compression method {method}, flags {flags:#x} (expected "
                    "stored, deflate or zstd, not encrypted)"
                )
            at += extra_length + comment_length
            yield Member(name, method, crc, packed, size, offset)

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError as error:
            raise self.refusal(f"a member's name {raw[:60]!r} is no text") from error
        if not name or "\0" in name or name[0] == "/" or (".." in name and _climbs(name)):
            raise self.refusal(f"a member is named {name[:60]!r} (expected a path inside the log)")
        return name

    def _widened(self, name: str, values: list[int], extra: bytes) -> list[int]:
        """Size, packed size and offset, with the 64-bit ones from the extra field in this order."""
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<HH", extra, at)
            if kind == 1:
                wide = iter(
                    struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4)
                )
                try:
                    return [next(wide) if one == _WIDE32 else one for one in values]
                except StopIteration:
                    break
            at += 4 + length
        raise self.refusal(f"member {name!r} has no 64-bit sizes where it promises them")

    def _check_sizes(self) -> None:
        limits, total = self.limits, 0
        for one in self.members:
            total += one.size
            if one.size > limits.ratio_from_bytes:
                self._check_ratio(f"member {one.name!r}", one.size, one.packed)
        if total > limits.total_bytes:
            raise self.refusal(f"{total} bytes in all (expected at most {limits.total_bytes})")
        if total > limits.ratio_from_bytes:
            self._check_ratio("its members together", total, self.source.size)

    def _check_ratio(self, what: str, size: int, packed: int) -> None:
        if size > self.limits.ratio * packed:
            raise self.refusal(
                f"{what} would inflate {packed} bytes to {size} (expected at most "
                f"{self.limits.ratio} times as many): a zip bomb"
            )

    def _check_places(self, end: int) -> None:
        """Members lie one behind the other, before the directory: no byte is read twice."""
        free = 0
        for one in self.members:
            if one.offset < free:
                raise self.refusal(f"member {one.name!r} overlaps the one before it")
            free = one.offset + _LOCAL.size + one.packed
        if free > end:
            raise self.refusal("a member reaches into the directory, or the archive is cut short")

    def read(self, member: Member, *, most: int | None = None) -> bytes:
        """The member's bytes, inflated; at most as many as the directory declares, and as `most`.

        Raises:
            InvalidDocument: they are damaged, more or fewer than declared, or too many.
        """
        most = min(self.limits.member_bytes, most or self.limits.member_bytes)
        if max(member.size, member.packed) > most:
            raise self.refusal(
                f"member {member.name!r} has {member.size} bytes, {member.packed} compressed "
                f"(expected at most {most})"
            )
        span = _LOCAL.size + len(member.name) * 4 + 64 + member.packed
        raw = memoryview(self.source.read(member.offset, span))
        if len(raw) < _LOCAL.size or bytes(raw[:4]) != b"PK\x03\x04":
            raise self.refusal(f"member {member.name!r} is not where the directory says")
        local = _LOCAL.unpack_from(raw)
        begins = _LOCAL.size + local[9]
        if self._name(bytes(raw[_LOCAL.size : begins]), local[2]) != member.name:
            raise self.refusal(f"member {member.name!r} has another name at its place")
        begins += local[10]
        if local[3] != member.method or local[2] & _ENCRYPTED:
            raise self.refusal(f"member {member.name!r} has another compression at its place")
        packed = raw[begins : begins + member.packed]
        if len(packed) < member.packed:
            packed = memoryview(self.source.read(member.offset + begins, member.packed))
        content = self._inflated(member, packed)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise self.refusal(
                f"member {member.name!r} is damaged (got {len(content)} bytes, expected "
                f"{member.size} with checksum {member.crc:08x})"
            )
        return content

    def _inflated(self, member: Member, packed: memoryview) -> bytes:
        """At most one byte more than declared, whatever the compressed bytes would give."""
        try:
            if member.method == STORED:
                return bytes(packed)
            if member.method == DEFLATED:
                return zlib.decompressobj(-15).decompress(packed, member.size + 1)
            with self._zstd.stream_reader(packed, read_across_frames=True) as reader:
                return reader.read(member.size + 1)
        except (zlib.error, zstandard.ZstdError, MemoryError) as error:
            raise self.refusal(f"member {member.name!r} does not inflate: {error}") from error


def _climbs(name: str) -> bool:
    return ".." in name.split("/")
