"""Logs that are damaged, hostile or not what they say: one clear error, in little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from include.adapters.log_reader import extract, read_log, read_report
from include.adapters.log_source import MIB, Limits
from include.adapters.log_summaries import read_summaries
from include.rsp.errors import InvalidDocument
from tests.support.log_making import (
    MODEL,
    ZSTD,
    ZipMaker,
    as_json,
    make_header,
    make_log,
    make_sample,
    summary_of,
)

Build = Callable[[ZipMaker], None]
SAMPLE, NAME = as_json(make_sample()), "samples/s0_epoch_1.json"
HEADER = as_json(make_header())


def made(build: Build, *, header: bytes | None = HEADER, **end: Any) -> bytes:
    """An archive of a sound header and whatever `build` adds to it."""
    out = io.BytesIO()
    maker = ZipMaker(out)
    build(maker)
    if header is not None:
        maker.add("header.json", header)
    maker.finish(**end)
    return out.getvalue()


def one(content: bytes = SAMPLE, name: str | bytes = NAME, **how: Any) -> Build:
    return lambda maker: maker.add(name, content, **how)


def both(*builds: Build) -> Build:
    def build(maker: ZipMaker) -> None:
        for one_of_them in builds:
            one_of_them(maker)

    return build


def spec(**fields: Any) -> dict[str, Any]:
    return make_header()["eval"] | fields


def zeros(size: int) -> bytes:
    """A zstd frame of so many zeros, made without them."""
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    parts = [packer.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, packer.flush()])


BOMB = zeros(64 * MIB)
DEEP = b'{"id":"s0","epoch":1,"events":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
DEEP_SCORE = b'{"id":"s0","epoch":1,"scores":{"s":{"value":' + b"[" * 9000 + b"]" * 9000 + b"}}}"
SOUND = make_log()
TWO = [make_sample("s0"), make_sample("s1")]
DAMAGED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no zip archive"),
    "text": (b"hello, this is no log at all, whatever its name says", "no zip archive"),
    "cut short": (SOUND[:-40], "no zip archive, or cut short"),
    "cut in the middle": (SOUND[: len(SOUND) // 2], "no zip archive, or cut short"),
    "its beginning lost": (SOUND[10:], "expected to end at"),
    "bytes before it": (b"x" * 10 + SOUND, "expected to end at"),
    "bytes behind it": (SOUND + b"x", "no zip archive"),
    "a comment": (made(one(), comment=b"hi"), "no zip archive"),
    "fewer members than promised": (made(one(), count=3), "it promises 3"),
    "bomb that says so": (made(one(packed=BOMB, size=64 * MIB)), "a zip bomb"),
    "bomb that lies": (made(one(packed=BOMB)), "is damaged"),
    "bomb, deflated": (made(one(bytes(8 * MIB), method=8)), "a zip bomb"),
    "many small bombs": (
        made(both(*[one(bytes(MIB), f"samples/{n}_epoch_1.json") for n in range(8)])),
        "its members together would inflate",
    ),
    "members on one place": (
        made(both(one(), one(name="samples/s1_epoch_1.json", offset=0))), "overlaps",
    ),
    "a member behind the end": (made(both(one(), one(offset=10**6))), "reaches into the directory"),
    "checksum": (made(one(crc=1)), "is damaged"),
    "declared larger": (made(one(size=len(SAMPLE) + 1)), "is damaged"),
    "declared smaller": (made(one(size=len(SAMPLE) - 1)), "is damaged"),
    "no zstd inside": (made(one(packed=b"not zstd at all")), "does not inflate"),
    "half a frame": (made(one(packed=zstandard.compress(SAMPLE)[:-9])), "is damaged"),
    "bzip2": (made(one(method=12, packed=b"x")), "compression method 12"),
    "encrypted": (made(one(flags=1)), "not encrypted"),
    "another name at its place": (made(one(local_name=b"samples/s9_epoch_1.json")), "another name"),
    "a name above the log": (made(one(name="samples/../../etc_epoch_1.json")), "inside the log"),
    "an absolute name": (made(one(name="/samples/s0_epoch_1.json")), "inside the log"),
    "a zero in a name": (made(one(name="samples/s0\0_epoch_1.json")), "inside the log"),
    "a name of no text": (made(one(name=b"samples/\xff_epoch_1.json", flags=0x800)), "is no text"),
    "a name of no ASCII": (made(one(name=b"samples/\xe9_epoch_1.json", flags=0)), "is no text"),
    "a sample under another's name": (made(one(as_json(make_sample("s9")))), "named after"),
    "a sample in pieces": (made(one(name="samples/s0_epoch_1/sample.json")), "piece of a sample"),
    "no header": (made(one(), header=None), "neither header.json nor _journal/start.json"),
    "a header of no object": (made(one(), header=b"[]"), "does not read"),
    "half a header": (made(one(), header=HEADER[:-9]), "does not read"),
    "no version": (made(one(), header=as_json({"status": "success"})), "missing required field"),
    "a future version": (make_log(header=make_header(version=3)), "the schema version 3"),
    "an old version": (make_log(header=make_header(version=1)), "the schema version 1"),
    "a version of text": (make_log(header=make_header(version="2")), "does not read"),
    "an unknown status": (make_log(header=make_header(status="finished")), "'finished'"),
    "no model": (make_log(header=make_header(eval={"task": "t"})), "missing required field"),
    "missing samples": (make_log(TWO[:1], header=make_header(["s0", "s1"])), "holds 1 samples"),
    "no samples": (make_log([], header=make_header()), "holds 0 samples"),
    "a sample too many": (make_log(TWO, header=make_header(["s0"])), "does not list"),
    "an epoch too many": (
        make_log([make_sample(), make_sample(epoch=2)], header=make_header()), "does not list",
    ),
    "ids listed twice": (make_log(header=make_header(["s0", "s0"])), "promises a sample twice"),
    "one id as a number and as text": (
        make_log([make_sample(1)], header=make_header([1, "1"])), "promises a sample twice",
    ),
    "another count": (
        make_log(header=make_header(results={"total_samples": 7})), "counted 7 samples",
    ),
    "no promise at all": (
        make_log(header=make_header(eval=spec(dataset={}), results=None)), "expected None",
    ),
    "bad UTF-8": (made(one(SAMPLE.replace(b'"q"', b'"\xff\xfe"'))), "can't decode"),
    "bad UTF-8 in what is kept": (made(one(SAMPLE.replace(b'"a"', b'"\xc3"'))), "can't decode"),
    "no JSON": (made(one(b"\x00" * 50)), "does not read"),
    "half a sample": (made(one(SAMPLE[:-5])), "does not read"),
    "NaN where no score is": (
        made(one(as_json(make_sample(total_time=float("nan"))))), "does not read",
    ),
    "nested too deeply": (made(one(DEEP)), "maximum recursion depth"),
    "a score nested too deeply": (made(one(DEEP_SCORE)), "maximum recursion depth"),
    "an epoch of zero": (
        made(one(as_json(make_sample(epoch=0)), "samples/s0_epoch_0.json"), header=as_json(
            make_header(status="started", eval=spec(dataset={})))), "does not read",
    ),
    "negative tokens": (
        made(one(as_json(make_sample(model_usage={"m": {"total_tokens": -1}})))), "does not read",
    ),
    "too many scores": (
        made(one(as_json(make_sample(scores={f"s{n}": {"value": 1} for n in range(1001)})))),
        "has 1001 scores",
    ),
    "a score of a long name": (
        made(one(as_json(make_sample(scores={"s" * 1001: {"value": 1}})))), "or a long name",
    ),
    "a long id": (make_log([make_sample("s" * 1001)]), "length <= 1000"),
    "two scores of one name": (
        made(one(as_json(make_sample(scores={"a": {"value": {"b": 1}}, "a.b": {"value": 0}})))),
        "two scores of one name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_log_gives_one_clear_error(case: str) -> None:
    content, words = DAMAGED[case]
    with pytest.raises(InvalidDocument) as caught:
        read_log(content, variant="final")
    assert words in str(caught.value)


@pytest.mark.parametrize("case", DAMAGED)
def test_nothing_is_left_behind_for_a_damaged_log(case: str, tmp_path: Path) -> None:
    log = tmp_path / "log.eval"
    log.write_bytes(DAMAGED[case][0])
    with pytest.raises(InvalidDocument) as caught:
        extract(log, tmp_path / "table.parquet", variant="final")
    assert str(log) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["log.eval"]


@pytest.mark.parametrize("case", [name for name in DAMAGED if "bomb" in name or "deep" in name])
def test_a_hostile_log_takes_little_memory(case: str) -> None:
    tracemalloc.start()
    with pytest.raises(InvalidDocument):
        read_log(DAMAGED[case][0], variant="final")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MIB


def test_the_sound_log_of_these_tests_is_read() -> None:
    assert read_log(SOUND, variant="final").column("score").to_pylist() == [1.0]
    assert read_log(made(one()), variant="final").column("score").to_pylist() == [1.0]


@pytest.mark.parametrize("limits", [
    Limits(members=1), Limits(directory_bytes=10), Limits(member_bytes=100),
    Limits(total_bytes=500), Limits(ratio=1, ratio_from_bytes=1),
    Limits(field_bytes=10), Limits(header_bytes=10),
])  # fmt: skip
def test_each_limit_refuses(limits: Limits) -> None:
    with pytest.raises(InvalidDocument, match="expected"):
        read_log(SOUND, variant="final", limits=limits)


def test_a_json_log_has_a_limit_of_its_own() -> None:
    content = as_json(make_header() | {"samples": [make_sample()]})
    assert read_log(content, variant="final").num_rows == 1
    for read in (lambda: read_log(content, variant="final", limits=Limits(json_bytes=99)),
                 lambda: read_summaries(content, limits=Limits(json_bytes=99))):  # fmt: skip
        with pytest.raises(InvalidDocument, match="inspect log convert"):
            read()


def test_summaries_too_large_for_one_reading_come_from_the_journal() -> None:
    summaries = [summary_of(one) for one in TWO]
    journal = {f"_journal/summaries/{n}.json": as_json([found])
               for n, found in ((2, summaries[1]), (1, summaries[0]))}  # fmt: skip
    small = Limits(summaries_bytes=500)
    with_journal = make_log(TWO, more=journal)
    assert len(as_json(summaries)) > 500
    assert [one.sample_id for one in read_summaries(with_journal, limits=small).samples] == [
        "s0", "s1"]  # fmt: skip
    with pytest.raises(InvalidDocument, match="expected at most 500"):
        read_summaries(make_log(TWO), limits=small)
    with pytest.raises(InvalidDocument, match="expected numbers"):
        read_summaries(make_log(TWO, more={"_journal/summaries/x.json": b"[]"}), limits=small)


def test_many_summaries_are_read_one_by_one() -> None:
    content = make_log(TWO)
    assert read_summaries(content, limits=Limits(field_bytes=99)) == read_summaries(content)
    listed = as_json([summary_of(make_sample(n)) for n in range(3)])
    with pytest.raises(InvalidDocument, match="lists 3 samples"):
        read_summaries(
            made(one(listed, "summaries.json")), limits=Limits(field_bytes=99, members=2)
        )


def test_a_json_log_lists_no_more_samples_than_any_evaluation() -> None:
    content = as_json(make_header(["s0", "s1"]) | {"samples": TWO})
    assert read_log(content, variant="x", limits=Limits(members=2)).num_rows == 2
    with pytest.raises(InvalidDocument, match="lists 2 samples"):
        read_log(content, variant="x", limits=Limits(members=1))
    with pytest.raises(InvalidDocument, match="expected at most 20"):
        read_log(content, variant="x", limits=Limits(field_bytes=20))


def test_the_wrong_model_is_refused() -> None:
    assert read_report(SOUND, model=MODEL).model == MODEL
    with pytest.raises(InvalidDocument, match=r"'mockllm/model' \(expected 'lab/checkpoint'\)"):
        read_log(SOUND, variant="final", model="lab/checkpoint")


def test_a_sample_listed_twice_in_a_json_log_is_refused() -> None:
    samples = [make_sample(), make_sample(scores={"exact": {"value": "I"}})]
    with pytest.raises(InvalidDocument, match="listed twice"):
        read_log(as_json(make_header() | {"samples": samples}), variant="final")


def test_a_sample_run_again_after_an_error_counts_once() -> None:
    failed = make_sample(scores=None, error={"message": "boom"})
    table = read_log(make_log([failed, make_sample()]), variant="final").to_pylist()
    assert [(row["score"], row["attempts"]) for row in table] == [(1.0, 2)]
    assert read_report(make_log([failed, make_sample()])).rewritten == 1


def test_a_sample_scored_twice_has_no_score() -> None:
    lucky = make_log([make_sample(scores={"exact": {"value": "I"}}), make_sample()])
    (row,) = read_log(lucky, variant="final").to_pylist()
    assert row["score"] is None
    assert "an earlier run has a score" in row["error"]


@pytest.mark.parametrize(("flags", "found"), [
    (None, []), ("one", ["one"]), (["b", "a"], ["b", "a"]), (7, ["unreadable-flags"]),
    (["a", 7], ["unreadable-flags"]), ({"a": 1}, ["unreadable-flags"]),
    (["x" * 2000], ["x" * 1000]), (["x"] * 51, ["x", "more-flags"]),
])  # fmt: skip
@pytest.mark.parametrize("place", ["sample", "score"])
def test_flags_that_cannot_be_read_are_a_flag(flags: Any, found: list[str], place: str) -> None:
    score = {"value": 1, "metadata": {"flags": flags if place == "score" else None}}
    sample = make_sample(
        scores={"s": score}, metadata={"flags": flags if place == "sample" else []}
    )
    (row,) = read_log(make_log([sample]), variant="x").to_pylist()
    assert row["flags"] == found


@pytest.mark.parametrize(("said", "reason", "found", "flags"), [
    (None, None, None, []), (True, None, True, []), (False, None, False, []),
    (None, "invalid_response_format", True, []), (False, "invalid_response_format", True, []),
    ("yes", None, None, ["unreadable-format-failure"]),
])  # fmt: skip
def test_format_failures(said: Any, reason: Any, found: bool | None, flags: list[str]) -> None:
    score = {"value": 1, "reason": reason, "metadata": {"format_failure": said}}
    (row,) = read_log(make_log([make_sample(scores={"s": score})]), variant="x").to_pylist()
    assert (row["format_failure"], row["flags"]) == (found, flags)


def test_a_field_that_would_become_many_objects_takes_little_memory() -> None:
    many = b'{"id":"s0","epoch":1,"scores":{"s":{"value":[' + b"1," * (12 * MIB) + b"1]}}}"
    content = made(one(many), header=HEADER)
    tracemalloc.start()
    with pytest.raises(InvalidDocument, match="in 'scores'"):
        read_log(content, variant="final", limits=Limits(ratio=10**6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * MIB


@pytest.mark.parametrize("key", ["flags", 'a"b', "a\\b", "a\nb"])
def test_a_key_that_cannot_name_clusters_is_refused(key: str) -> None:
    with pytest.raises(InvalidDocument, match="Change it in the suite"):
        read_log(SOUND, variant="x", cluster=key)


@pytest.mark.parametrize(("metadata", "cluster"), [
    ({"é f": "x"}, "x"), ({"é f": 7}, "7"), ({"é f": True}, "True"), ({"é f": ""}, None),
    ({"é f": None}, None), ({"é f": ["x"]}, None), ({"é f": "x" * 1001}, None), ({}, None),
    (None, None),
])  # fmt: skip
def test_a_sample_without_its_cluster_has_no_score(metadata: Any, cluster: str | None) -> None:
    content = make_log([make_sample(metadata=metadata)])
    (row,) = read_log(content, variant="x", cluster="é f").to_pylist()
    assert (row["cluster"], row["score"]) == (cluster, None if cluster is None else 1.0)
    assert (row["error"] is None) == (cluster is not None)


@pytest.mark.parametrize("path", ["missing.eval", "."])
def test_a_file_that_cannot_be_read_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="cannot be"):
        read_log(tmp_path / path, variant="final")


@pytest.mark.parametrize("method", [0, 8, ZSTD])
def test_every_compression_is_read(method: int) -> None:
    assert read_log(make_log(TWO, method=method), variant="x").num_rows == 2


def test_a_member_of_several_frames_is_read() -> None:
    middle = len(SAMPLE) // 2
    frames = zstandard.compress(SAMPLE[:middle]) + zstandard.compress(SAMPLE[middle:])
    assert read_log(made(one(packed=frames)), variant="x").num_rows == 1


def test_64_bit_sizes_are_read() -> None:
    sound = made(one())
    start = struct.unpack("<I", sound[-6:-2])[0]
    entry = bytearray(sound[start:-22])
    name_length = struct.unpack_from("<H", entry, 28)[0]
    sizes = struct.unpack_from("<II", entry, 20)
    struct.pack_into("<II", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, 20)
    extra = struct.pack("<HHQQ", 1, 16, sizes[1], sizes[0])
    entry[46 + name_length : 46 + name_length] = extra
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(entry), start, 0)
    assert read_log(sound[:start] + bytes(entry) + end, variant="x").num_rows == 1
    short = bytes(entry).replace(extra, struct.pack("<HHQQ", 2, 16, 0, 0))
    with pytest.raises(InvalidDocument, match="no 64-bit sizes"):
        read_log(sound[:start] + short + end, variant="x")


def test_a_64_bit_end_record_is_read() -> None:
    sound = made(one(), wide=True)
    assert read_report(sound).present == 1
    for old, new, words in (
        (b"PK\x06\x06", b"PK\x06\x09", "64-bit end record does not read"),
        (b"PK\x06\x07", b"PK\x06\x09", "expected to end at"),
    ):
        with pytest.raises(InvalidDocument, match=words):
            read_report(sound.replace(old, new))
    with pytest.raises(InvalidDocument, match="beside the end record"):
        read_report(sound[:-42] + bytes(8) + sound[-42:])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind_are_read(kind: type) -> None:
    assert isinstance(read_log(kind(SOUND), variant="x"), pa.Table)
