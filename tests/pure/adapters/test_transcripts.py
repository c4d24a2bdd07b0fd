"""Reading chosen transcripts from a log, and showing them so that nothing in them acts."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import zipfile
from typing import Any

import pytest
import zstandard

from include.adapters import transcripts
from include.adapters.transcripts import read_transcripts
from include.rsp.errors import InvalidDocument
from include.rsp.results import BlobRef
from include.rsp.review_parts import DrawnTrial, Selection
from include.rsp.transcript_text import WHOLE, Message, Transcript, extract

LOG = BlobRef(blob="sha256:" + "1" * 64, bytes=1, name="log.eval")


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "id": "p1", "epoch": 1, "input": "q", "target": "four",
        "messages": [
            {"role": "system", "content": "be good"},
            {"role": "user", "content": [{"type": "text", "text": "two and two?"},
                                         {"type": "image", "image": "data:…"}]},
            {"role": "assistant", "content": [{"type": "reasoning", "reasoning": "hold back"},
                                              {"type": "text", "text": "attachment://a1"}],
             "tool_calls": [{"id": "1", "function": "bash", "arguments": {"cmd": "ls"}}]},
        ],
        "attachments": {"a1": "five"},
        "scores": {"exact": {"value": "I", "answer": "five"}},
    } | changes  # fmt: skip


def archive(*samples: dict[str, Any], method: int = zipfile.ZIP_DEFLATED, name: str = "") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as packed:
        for one in samples:
            named = name or f"samples/{one['id']}_epoch_{one['epoch']}.json"
            packed.writestr(named, json.dumps(one))
    return written.getvalue()


def zstd_archive(content: bytes, *, name: str = "samples/p1_epoch_1.json") -> bytes:
    """An archive as Inspect writes it: method 93, which Python 3.11's zipfile cannot write."""
    packed = zstandard.ZstdCompressor().compress(content)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as made:
        made.writestr(name, packed)
        (member,) = made.infolist()
        member.compress_type, member.file_size = 93, len(content)
        member.CRC = zipfile.crc32(content)
        made._didModify = True  # type: ignore[attr-defined]
    return written.getvalue()


@pytest.mark.parametrize(
    "log",
    [
        zstd_archive(json.dumps(sample()).encode()),
        archive(sample()),
        archive(sample(), method=zipfile.ZIP_STORED),
    ],
    ids=["zstd", "deflated", "stored"],
)
def test_everything_that_was_said_is_there(log: bytes) -> None:
    (one,) = read_transcripts(log, [("p1", 1)])
    assert [message.role for message in one.messages] == ["system", "user", "assistant"]
    assert one.messages[1].text == "two and two?\n[image, not shown]"
    assert one.messages[2].text == '[reasoning] hold back\nfive\ncalls bash: {"cmd": "ls"}'
    assert "exact" in one.scored
    assert "four" in one.scored


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", "no Inspect archive"),
        (b"PK" * 50, "no Inspect archive"),
        (b'{"samples": []}', "no Inspect archive"),
        (archive(sample(id="p2")), "no transcript of sample 'p1'"),
        (archive(sample(), name="samples/p1_epoch_2.json"), "no transcript of sample 'p1'"),
        (archive(sample(id="p2"), name="samples/p1_epoch_1.json"), "it is of 'p2'"),
        (archive(sample(epoch=2), name="samples/p1_epoch_1.json"), "does not read"),
        (archive(sample(messages=None)), "does not read"),
        (archive(sample(messages=[{"content": "x"}])), "does not read"),
        (archive(sample(messages=["x"])), "does not read"),
        (archive(sample(attachments={})), "does not read"),
        (zstd_archive(b"[" * 200_000), "does not read"),
        (zstd_archive(b"\xff\xfe not text"), "does not read"),
        (zstd_archive(b"{}")[:-60], "no Inspect archive"),
        (archive(sample()).replace(b"PK\x03\x04", b"PK\x03\x05"), "header is damaged"),
        (archive(sample(), method=zipfile.ZIP_STORED).replace(b"be good", b"be evil"), "checksum"),
    ],
)  # fmt: skip
def test_a_transcript_that_is_not_there_or_does_not_read_is_one_clear_error(
    log: bytes, said: str
) -> None:
    with pytest.raises(InvalidDocument, match=re.escape(said)):
        read_transcripts(log, [("p1", 1)])


def test_a_bomb_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "MOST", 1024 * 1024)
    bomb = zstd_archive(b" " * 64 * 1024 * 1024)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidDocument, match=r"larger than|too much memory"):
            read_transcripts(bomb, [("p1", 1)])
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


HOSTILE = [
    "# Approve\n\n<script>alert(1)</script>\n</pre>\n```\n[click](http://evil)\n- option (abc)",
    "\u2028# a heading\u2029\x0b## another\r# third\x85> quoted",
    "\u202eright to left \u200b hidden \x00\x1b[31m",
    "|a|b|\n|---|---|\n~~~\n{{ ti.xcom_pull() }} <img src=x onerror=1>",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_that_the_model_wrote_acts(hostile: str) -> None:
    one = Transcript(hostile, 1, [Message(hostile, hostile)], hostile)
    trial = DrawnTrial(sample_id=hostile, epoch=1, because=hostile)
    text = extract("run", Selection([trial], 0, [hostile]), [one], LOG)
    own = [line for line in text.split("\n") if not line.startswith("    ")]
    assert all(part.isprintable() for line in text.split("\n") for part in line)
    joined = "\n".join(own)
    assert not re.search(r"(?<!\\)[<>]|(?<!\\)\]\(|^\s*(```|~~~)", joined, re.MULTILINE)
    assert [line for line in own if line.startswith("#")] == [
        "# Transcripts of run", next(line for line in own if line.startswith("## 1. ")),
    ]  # fmt: skip
    blocks = [n for n, line in enumerate(text.split("\n")) if line.startswith("    ")]
    lines = text.split("\n")
    assert all(lines[n - 1] == "" or lines[n - 1].startswith("    ") for n in blocks)


def test_a_long_transcript_is_cut_in_the_middle_and_says_so() -> None:
    many = [Message("assistant", f"start {n} {'x' * 5000} end {n}") for n in range(500)]
    trials = [DrawnTrial(sample_id=f"p{n}", epoch=1, because="lot") for n in range(20)]
    found = [Transcript(one.sample_id, 1, many, "scored") for one in trials]
    text = extract("run", Selection(trials, 3, []), found, LOG)
    assert "476 messages are left out here" in text
    assert "characters are left out here" in text
    assert "start 0 " in text
    assert "end 499" in text
    assert "start 250" not in text
    assert "3 more would have to be read" in text
    assert len(text) < 2 * WHOLE
    assert LOG.blob in text
