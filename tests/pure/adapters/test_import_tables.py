"""CSV and Parquet as people deliver them: nothing guessed, nothing turned into a low score."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.adapters import import_rows
from include.adapters.import_rows import NO_SCORE, TWICE, Source
from include.adapters.import_tables import read_csv, read_parquet
from include.rsp.delivered import Columns
from include.rsp.errors import InvalidDocument
from include.rsp.results import Sample

SIMPLE = Columns(sample_id="id", score="score")
FULL = Columns(
    sample_id="id", score="score", epoch="epoch", error="error", cluster="family", group="arm",
    baseline="before",
)  # fmt: skip


def of_csv(text: str | bytes, columns: Columns = SIMPLE) -> list[Sample]:
    content = text.encode() if isinstance(text, str) else text
    return read_csv(Source("trial.csv", content), columns).samples


def of_parquet(table: dict[str, Any], columns: Columns = SIMPLE) -> list[Sample]:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table), sink)
    return read_parquet(Source("trial.parquet", sink.getvalue().to_pybytes()), columns).samples


def test_a_csv_says_what_its_named_columns_say() -> None:
    text = (
        "id,score,epoch,error,family,arm,before,age\n"
        'p1,1.5,1,,"a, b",treatment,-2e-1,33\n'
        "p1,,2,withdrew,,control,,34\n"
    )
    assert of_csv(text, FULL) == [
        Sample(sample_id="p1", epoch=1, score=1.5, cluster="a, b", group="treatment",
               baseline=-0.2),
        Sample(sample_id="p1", epoch=2, error="withdrew", group="control"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["\ufeffid,score\np1,1\n", "id,score\r\np1,1\r\n", "id,score\np1,1"]
)
def test_a_mark_before_the_header_and_either_line_end_are_read(text: str) -> None:
    assert of_csv(text) == [Sample(sample_id="p1", epoch=1, score=1.0)]


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("", NO_SCORE),
        ("NaN", "the score is 'NaN'"),
        ("-inf", "the score is '-inf'"),
        ("n/a", "the score is 'n/a'"),
        ("1e999", "the score inf is no finite number"),
    ],
)
def test_a_score_that_is_no_number_is_an_error_and_never_a_low_score(cell: str, error: str) -> None:
    (one,) = of_csv(f"id,score\np1,{cell}\n")
    assert (one.score, one.error) == (None, error)


def test_a_score_beside_an_error_is_an_error() -> None:
    (one,) = of_csv("id,score,why\np1,0,crashed\n", Columns(sample_id="id", score="score",
                                                            error="why"))  # fmt: skip
    assert one.score is None
    assert one.error == "it has a score (0) and the error: crashed"


def test_a_sample_that_is_there_twice_is_an_error_and_not_the_lower_score() -> None:
    text = "id,score,arm\np1,1,control\np1,0,treatment\np2,1,control\n"
    first, second = of_csv(text, Columns(sample_id="id", score="score", group="arm"))
    assert (first.score, first.error, first.group) == (None, TWICE, None)
    assert second.score == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the header []"),
        ("id,score,\np1,1,\n", "none of them empty"),
        ("id,id,score\np1,p1,1\n", "stand there twice"),
        ("id,points\np1,1\n", "no column ['score'] (there are ['id', 'points'])"),
        ("id;score\np1;1\n", "no column ['id', 'score']"),
        ("id,score\np1\n", "line 2 has 1 cells (expected 2, as the header)"),
        ("id,score\np1,1,2\n", "line 2 has 3 cells"),
        ("id,score\np1,1\n\np2,1\n", "line 3 has 0 cells"),
        ('id,score\np1,"0,5"\n', "score '0,5' is no number"),
        ("id,score\np1, 1\n", "score ' 1' is no number"),
        ("id,score\np1,1_000\n", "score '1_000' is no number"),
        ("id,score\np1,0x1\n", "score '0x1' is no number"),
        ("id,score\np1,٣\n", "is no number"),
        ("id,score\np1,yes\n", "score 'yes' is no number"),
        ("id,score\np1,50%\n", "score '50%' is no number"),
        ('id,score\np1,"1\n', "is no CSV"),
        ('id,score\n"p"1,1\n', "is no CSV"),
        ("id,score\n,1\n", "sample id ''"),
        ("id,score\n p1,1\n", "without spaces around them"),
        ("id,score\np\x001,1\n", "sample id 'p\\x001'"),
        ("id,score\n" + "p" * 201 + ",1\n", "1 to 200 printable"),
        ("id,score\n" + "p" * 200_000 + ",1\n", "is no CSV"),
        (b"id,score\np1,1\n\xff,0\n", "line 3 holds the byte 0xff (expected UTF-8)"),
        ("id,score\np1,1\n".encode("utf-16"), "expected UTF-8"),
    ],
)
def test_a_csv_that_would_have_to_be_guessed_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidDocument, match=r"^trial\.csv: .*\. .*\.$") as caught:
        of_csv(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("epoch", ["", "0", "-1", "1.0", "01", "x", "9999999"])
def test_an_epoch_that_is_none_is_refused(epoch: str) -> None:
    columns = Columns(sample_id="id", score="score", epoch="epoch")
    with pytest.raises(InvalidDocument, match="epoch"):
        of_csv(f"id,score,epoch\np1,1,{epoch}\n", columns)


def test_more_rows_than_anybody_delivers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_rows, "MOST_ROWS", 3)
    assert len(of_csv("id,score\n" + "".join(f"p{one},1\n" for one in range(3)))) == 3
    with pytest.raises(InvalidDocument, match="more than 3 rows"):
        of_csv("id,score\n" + "".join(f"p{one},1\n" for one in range(4)))


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidDocument, match="expected at most"):
        of_csv(b"\n" * (64 * 1024 * 1024 + 1))


def test_a_parquet_says_what_its_named_columns_say() -> None:
    table = {
        "id": [7, 7], "score": pa.array([1.5, None], pa.float32()), "epoch": [1, 2],
        "error": [None, "withdrew"], "family": pa.array(["a", None]).dictionary_encode(),
        "arm": ["treatment", "control"], "before": [1, None], "age": [33, 34],
    }  # fmt: skip
    assert of_parquet(table, FULL) == [
        Sample(sample_id="7", epoch=1, score=1.5, cluster="a", group="treatment", baseline=1.0),
        Sample(sample_id="7", epoch=2, error="withdrew", group="control"),
    ]


def test_a_score_in_parquet_that_is_not_finite_is_an_error() -> None:
    found = of_parquet({"id": ["a", "b", "c"], "score": [math.nan, math.inf, None]})
    assert [one.score for one in found] == [None] * 3
    assert [one.error for one in found] == [
        "the score nan is no finite number", "the score inf is no finite number", NO_SCORE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"id": ["a"], "score": ["1"]}, "column 'score' (score) holds string (expected numbers)"),
        ({"id": ["a"], "score": [True]}, "holds bool (expected numbers)"),
        ({"id": [1.0], "score": [1.0]}, "column 'id' (sample_id) holds double"),
        ({"id": [None], "score": [1.0]}, "holds null"),
        ({"id": ["a"], "points": [1.0]}, "no column ['score']"),
        ({"id": pa.array([None], pa.string()), "score": [1.0]}, "no sample id"),
        ({"id": [""], "score": [1.0]}, "sample id ''"),
    ],
)
def test_a_parquet_that_would_have_to_be_guessed_is_refused(
    table: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidDocument, match=r"^trial\.parquet: ") as caught:
        of_parquet(table)
    assert said in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,score\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocument, match="no Parquet file that reads"):
        read_parquet(Source("trial.parquet", content), SIMPLE)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
)
SCORES = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(NAMES, st.tuples(SCORES, NAMES), min_size=1, max_size=20))
def test_whatever_is_written_into_a_csv_comes_out_again(
    rows: dict[str, tuple[float, str]],
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(["arm", "id", "score"])
    writer.writerows([arm, name, repr(score)] for name, (score, arm) in rows.items())
    found = of_csv(written.getvalue(), Columns(sample_id="id", score="score", group="arm"))
    assert {one.sample_id: (one.score, one.group) for one in found} == rows


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)))
def test_any_bytes_give_samples_or_one_clear_refusal(text: str | bytes) -> None:
    tail = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        found = of_csv(b"id,score\n" + tail)
    except InvalidDocument:
        return
    assert all((one.score is None) != (one.error is None) for one in found)


@given(st.text(max_size=12))
def test_a_cell_becomes_just_the_number_that_it_says_or_no_score(cell: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["id", "score"], ["p1", cell]])
    try:
        (one,) = of_csv(written.getvalue().encode("utf-8", "surrogatepass"))
    except InvalidDocument:
        return
    assert one.score is None or one.score == float(cell)
