"""Inspect logs made by hand: a zip writer that can also lie, and small logs to write with it."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterable
from typing import Any, BinaryIO

import zstandard

MODEL = "mockllm/model"
ZSTD = 93
WIDE = 0xFFFFFFFF


class ZipMaker:
    """Writes members one by one; whatever an entry says of itself can be overridden."""

    def __init__(self, out: BinaryIO, *, level: int = 3) -> None:
        self.out, self.count = out, 0
        self.at = 0
        self.directory = io.BytesIO()
        self._zstd = zstandard.ZstdCompressor(level=level)

    def write(self, content: bytes) -> None:
        self.out.write(content)
        self.at += len(content)

    def add(
        self,
        name: str | bytes,
        content: bytes,
        *,
        method: int = ZSTD,
        packed: bytes | None = None,
        size: int | None = None,
        crc: int | None = None,
        flags: int | None = None,
        local_name: bytes | None = None,
        offset: int | None = None,
    ) -> None:
        """A member; `packed` are its bytes as they lie in the file."""
        raw = name.encode() if isinstance(name, str) else name
        flags = (0 if raw.isascii() else 0x800) if flags is None else flags
        packed = self.packed(content, method) if packed is None else packed
        size = len(content) if size is None else size
        crc = zlib.crc32(content) if crc is None else crc
        begins = self.at if offset is None else offset
        local = raw if local_name is None else local_name
        if offset is None:
            self.write(
                struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, flags, method, 0, 33, crc,
                            min(len(packed), WIDE), min(size, WIDE), len(local), 0) + local + packed
            )  # fmt: skip
        wide = [one for one in (size, len(packed), begins) if one >= WIDE]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        self.directory.write(
            struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 45, 45, flags, method, 0, 33, crc,
                        min(len(packed), WIDE), min(size, WIDE), len(raw), len(extra), 0, 0, 0, 0,
                        min(begins, WIDE)) + raw + extra
        )  # fmt: skip
        self.count += 1

    def packed(self, content: bytes, method: int) -> bytes:
        if method == ZSTD:
            return self._zstd.compress(content)
        if method == 8:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            return deflate.compress(content) + deflate.flush()
        return content

    def finish(self, *, comment: bytes = b"", count: int | None = None, wide: bool = False) -> None:
        """The directory and the end records, 64-bit ones where the numbers need them."""
        start, directory = self.at, self.directory.getvalue()
        count = self.count if count is None else count
        self.write(directory)
        short = 0xFFFF if wide else min(count, 0xFFFF)
        if short == 0xFFFF or start >= WIDE:
            at = self.at
            self.write(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count,
                                   len(directory), start))  # fmt: skip
            self.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, at, 1))
        self.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, short, short,
                               min(len(directory), WIDE), min(start, WIDE),
                               len(comment)) + comment)  # fmt: skip


def make_sample(identity: int | str = "s0", epoch: int = 1, **fields: Any) -> dict[str, Any]:
    """A sample that one scorer found correct."""
    return {
        "id": identity, "epoch": epoch, "input": "q", "target": "a", "messages": [],
        "output": {"choices": [{"message": {"role": "assistant", "content": "a"},
                                "stop_reason": "stop"}]},
        "scores": {"exact": {"value": "C", "answer": "a"}}, "metadata": {"family": "f"},
        "events": [{"event": "model", "nested": [1, {"x": ["y"]}]}],
        "model_usage": {MODEL: {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}},
        "started_at": "2026-11-25T07:00:00+00:00", "completed_at": "2026-11-25T07:00:01+00:00",
        "total_time": 1.0, "working_time": 0.5, "uuid": f"u-{identity}-{epoch}",
    } | fields  # fmt: skip


def make_header(
    ids: Iterable[int | str] = ("s0",), *, epochs: int = 1, **fields: Any
) -> dict[str, Any]:
    """The header of a log that ended with success and has these samples."""
    identities = list(ids)
    total = len(identities) * epochs
    return {
        "version": 2, "status": "success",
        "eval": {
            "task": "t", "model": MODEL, "created": "2026-11-25T07:00:00+00:00", "eval_id": "e",
            "dataset": {"name": "d", "samples": len(identities), "sample_ids": identities},
            "config": {"epochs": epochs}, "scorers": [{"name": "exact"}],
        },
        "results": {"total_samples": total, "completed_samples": total, "scores": []},
    } | fields  # fmt: skip


def make_log(
    samples: Iterable[dict[str, Any]] | None = None,
    *,
    header: dict[str, Any] | None = None,
    method: int = ZSTD,
    more: dict[str, bytes] | None = None,
) -> bytes:
    """An `.eval` log of these samples; by default whole, and of one sample."""
    held = [make_sample()] if samples is None else list(samples)
    out = io.BytesIO()
    maker = ZipMaker(out)
    for one in held:
        maker.add(f"samples/{one['id']}_epoch_{one['epoch']}.json", as_json(one), method=method)
    summaries = [summary_of(one) for one in held]
    maker.add("summaries.json", as_json(summaries), method=method)
    for name, content in (more or {}).items():
        maker.add(name, content, method=method)
    if header is None:
        ids = list(dict.fromkeys(one["id"] for one in held))
        header = make_header(ids, epochs=max([one["epoch"] for one in held], default=1))
    maker.add("header.json", as_json(header), method=method)
    maker.finish()
    return out.getvalue()


def summary_of(sample: dict[str, Any]) -> dict[str, Any]:
    """What Inspect writes of a sample into its summaries."""
    kept = ("id", "epoch", "input", "target", "scores", "model_usage", "uuid")
    error, limit = sample.get("error"), sample.get("limit")
    return {key: sample[key] for key in kept if key in sample} | {
        "error": error and error["message"], "limit": limit and limit["type"], "completed": True,
        "retries": len(sample.get("error_retries") or []),
    }  # fmt: skip


def as_json(value: Any) -> bytes:
    """As Inspect writes it: text as it is, NaN as a bare word."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )
