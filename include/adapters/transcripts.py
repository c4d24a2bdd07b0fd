"""Chosen transcripts from a stored Inspect log (`.eval`: a zip archive with zstd members).

Only the members of the chosen trials are read, each up to a limit, so that a log of any size and
malice costs no more than what is shown of it.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import zstandard

from include.rsp.errors import InvalidDocument
from include.rsp.review_parts import Trial
from include.rsp.transcript_text import Message, Transcript

MOST = 32 * 1024 * 1024
"""Bytes of one trial's member, unpacked."""
ZSTD = 93
HEADER = struct.Struct("<4s22xHH")
ATTACHED = "attachment://"


def read_transcripts(content: bytes, wanted: Sequence[Trial]) -> list[Transcript]:
    """The transcripts of some trials, in the order asked for.

    Args:
        content: a whole `.eval` log.
        wanted: (sample id, epoch) of each.

    Raises:
        InvalidDocument: it is no such log, or one of them is not in it or does not read: then
            nobody can review what was drawn.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {one.filename: one for one in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise InvalidDocument(
            f"The log is no Inspect archive ({error}). Its transcripts cannot be reviewed."
        ) from error
    return [_transcript(content, members, one) for one in wanted]


def _transcript(content: bytes, members: dict[str, zipfile.ZipInfo], wanted: Trial) -> Transcript:
    sample_id, epoch = wanted
    name = f"samples/{sample_id}_epoch_{epoch}.json"
    if name not in members:
        raise InvalidDocument(
            f"The log has no transcript of sample {sample_id!r:.99}, epoch {epoch}, which the "
            "results have. Nobody can review it."
        )
    try:
        plain = json.loads(_unpacked(content, members[name]))
        if (str(plain["id"]), plain["epoch"]) != wanted:
            raise ValueError(f"it is of {plain['id']!r:.99}, epoch {plain['epoch']!r:.9}")
        attached = plain.get("attachments") or {}
        return Transcript(
            sample_id=sample_id,
            epoch=epoch,
            messages=[_message(one, attached) for one in plain["messages"]],
            scored=_scored(plain),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidDocument(
            f"The transcript {name!r:.120} does not read ({error!s:.200}). Nobody can review it."
        ) from error


def _unpacked(content: bytes, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member; ValueError when they are damaged, encrypted or too many."""
    start = member.header_offset
    header = content[start : start + HEADER.size]
    if len(header) < HEADER.size or header[:4] != b"PK\x03\x04" or member.flag_bits & 1:
        raise ValueError("its header is damaged")
    _, name, extra = HEADER.unpack(header)
    packed = content[start + HEADER.size + name + extra :][: member.compress_size]
    try:
        if member.compress_type == ZSTD:
            reader = zstandard.ZstdDecompressor(max_window_size=MOST).stream_reader(packed)
            plain = reader.read(MOST + 1)
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            plain = zlib.decompressobj(-15).decompress(packed, MOST + 1)
        elif member.compress_type == zipfile.ZIP_STORED:
            plain = packed[: MOST + 1]
        else:
            raise ValueError(f"it is packed by method {member.compress_type}")
    except (zstandard.ZstdError, zlib.error, MemoryError) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if len(plain) > MOST:
        raise ValueError(f"it is larger than {MOST} bytes")
    if zlib.crc32(plain) != member.CRC:
        raise ValueError("its checksum is wrong")
    return plain


def _message(one: dict[str, Any], attached: dict[str, Any]) -> Message:
    """One message with what it calls; what is no text is named and not shown."""
    content = one.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [_part(part, attached) for part in parts if part not in (None, "")]
    for call in one.get("tool_calls") or []:
        arguments = json.dumps(call.get("arguments"), sort_keys=True, ensure_ascii=False)
        texts.append(f"calls {call.get('function')}: {_resolved(arguments, attached)}")
    return Message(role=str(one["role"]), text="\n".join(texts) or "(nothing)")


def _part(part: Any, attached: dict[str, Any]) -> str:
    if isinstance(part, str):
        return _resolved(part, attached)
    kind = str(part.get("type"))
    if kind == "reasoning":
        hidden = " (redacted)" if part.get("redacted") else ""
        return f"[reasoning{hidden}] {_resolved(str(part.get('reasoning') or ''), attached)}"
    text = part.get("text")
    return _resolved(str(text), attached) if text is not None else f"[{kind}, not shown]"


def _resolved(text: str, attached: dict[str, Any]) -> str:
    """Inspect stores long texts once, beside the messages."""
    if text.startswith(ATTACHED):
        return str(attached[text.removeprefix(ATTACHED)])
    return text


def _scored(plain: dict[str, Any]) -> str:
    lines = [
        f"{name}: {json.dumps(one.get('value'))} (answer: {one.get('answer')!s:.300})"
        for name, one in sorted((plain.get("scores") or {}).items())
    ]
    if plain.get("error"):
        lines.append(f"error: {plain['error'].get('message')!s:.300}")
    if plain.get("limit"):
        lines.append(f"stopped by the {plain['limit'].get('type')!s:.99} limit")
    return "\n".join([*lines, f"target: {json.dumps(plain.get('target'))!s:.300}"])
