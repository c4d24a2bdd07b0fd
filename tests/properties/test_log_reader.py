"""Whatever happens to a log's bytes: a table, or one error of ours; never a better score."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from include.adapters.log_reader import read_log
from include.adapters.log_summaries import read_summaries
from include.adapters.sample_table import read_table, table_bytes, to_samples
from include.rsp.errors import InvalidDocument
from tests.support.log_making import as_json, make_header, make_log, make_sample

MANY = settings(max_examples=250, deadline=None, database=None)
SAMPLES = [
    make_sample("s0", scores={"exact": {"value": "I"}}),
    make_sample("s1", scores={"exact": {"value": float("nan")}}),
    make_sample("s2", metadata={"flags": ["x"]}, error_retries=[{"message": "boom"}]),
]
LOGS = {
    "zstd": make_log(SAMPLES),
    "stored": make_log(SAMPLES, method=0),
    "deflated": make_log(SAMPLES, method=8),
    "json": as_json(make_header(["s0", "s1", "s2"]) | {"samples": SAMPLES}),
    "started": make_log(
        SAMPLES[:2],
        header=make_header(["s0", "s1", "s2"], status="started", results=None),
        more={"_journal/summaries/1.json": b"[]"},
    ),
}
TABLE = table_bytes(read_log(LOGS["zstd"], variant="final"))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes changed, some lost, some doubled, or the end cut off."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(found) - 1, 0)))
        length = draw(st.integers(1, 8))
        match draw(st.sampled_from(("flip", "set", "drop", "double", "cut"))):
            case "flip" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                found[at : at + length] = draw(st.binary(min_size=length, max_size=length))
            case "drop":
                del found[at : at + length]
            case "double":
                found[at:at] = found[at : at + length]
            case _:
                del found[at:]
    return bytes(found)


def refused(read: Callable[[], object]) -> str | None:
    """The words of our error, or none if it was read; any other exception ends the test."""
    try:
        read()
    except InvalidDocument as error:
        return str(error)
    return None


@MANY
@given(st.sampled_from(sorted(LOGS)), st.data())
def test_damaged_bytes_give_a_table_or_one_error(name: str, data: st.DataObject) -> None:
    content = data.draw(damaged(LOGS[name]))
    for read in (
        lambda: read_log(content, variant="final", cluster="family"),
        lambda: read_summaries(content),
    ):
        words = refused(read)
        assert words is None or f"a log of {len(content)} bytes" in words


@MANY
@given(st.data())
def test_a_damaged_archive_never_shows_another_score(data: st.DataObject) -> None:
    """Its checksums hold what the members say, so a table that is given out is the written one."""
    content = data.draw(damaged(LOGS["zstd"]))
    try:
        table = read_log(content, variant="final")
    except InvalidDocument:
        return
    found = {row["sample_id"]: row["score"] for row in table.to_pylist()}
    assert found.items() <= {"s0": 0.0, "s1": None, "s2": 1.0}.items()


@MANY
@given(st.data())
def test_a_damaged_table_gives_samples_or_one_error(data: st.DataObject) -> None:
    content = data.draw(damaged(TABLE))
    words = refused(lambda: to_samples(read_table(content), scorer=None))
    assert words is None or "table of samples" in words


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(("C", "I", "P", "N", "1", "NaN")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("xyz", max_size=1), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@MANY
@given(st.dictionaries(st.sampled_from(("a", "b", "c")), VALUES, max_size=3))
def test_a_row_has_a_finite_score_or_says_why_not(values: dict[str, Any]) -> None:
    scores = {name: {"value": value} for name, value in values.items()}
    content = make_log([make_sample(scores=scores)])
    words = refused(lambda: read_log(content, variant="final"))
    if words is not None:
        assert "out of range" in words
        return
    table = read_log(content, variant="final")
    for row in table.to_pylist():
        assert (row["score"] is None) != (row["error"] is None)
        if row["score"] is not None:
            name, _, key = row["scorer"].partition(".")
            value = values[name][key] if isinstance(values[name], dict) else values[name]
            assert {"C": 1.0, "I": 0.0}.get(value, value) == row["score"]
    for sample in to_samples(table, scorer=None):
        assert (sample.score is None) != (sample.error is None)


def test_the_standard_library_agrees_on_what_is_in_the_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(LOGS["deflated"])) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(SAMPLES) + 2
