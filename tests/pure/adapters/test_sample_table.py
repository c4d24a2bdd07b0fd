"""The stored table, and what of it the decision sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.adapters import sample_table
from include.adapters.log_reader import read_log
from include.adapters.log_source import MIB
from include.adapters.sample_table import (
    SCHEMA,
    Row,
    as_table,
    batches,
    log_of,
    read_table,
    table_bytes,
    to_samples,
)
from include.rsp.errors import InvalidDocument
from tests.support.log_making import make_log, make_sample


def row(**fields: Any) -> Row:
    """A row with a score of one, by the scorer `exact`."""
    found: dict[str, Any] = dict.fromkeys(Row._fields)
    return Row(
        **found
        | {"sample_id": "s0", "epoch": 1, "scorer": "exact", "score": 1.0, "attempts": 1,
           "refusals": 0, "flags": [], "input_tokens": 1, "output_tokens": 1, "total_tokens": 2,
           "model": "m", "variant": "final"}
        | fields
    )  # fmt: skip


def test_every_column_says_what_it_is() -> None:
    assert tuple(SCHEMA.names) == Row._fields
    for one in SCHEMA:
        assert len(one.metadata[b"description"]) > 10, one.name


def test_rows_come_in_batches_of_the_size_asked_for() -> None:
    found = list(batches((row(sample_id=str(n)) for n in range(7)), size=3))
    assert [one.num_rows for one in found] == [3, 3, 1]
    assert list(batches([])) == []
    assert as_table([]).num_rows == 0


def test_a_table_survives_being_stored() -> None:
    table = as_table([row(), row(epoch=2, score=None, error="why")], log={"status": "success"})
    again = read_table(table_bytes(table))
    assert again.equals(table, check_metadata=True)
    assert log_of(again) == {"status": "success"}
    assert log_of(as_table([])) == {}


@pytest.mark.parametrize("scores", [{"a": "C"}, {"a": "C", "b": "I"}])
def test_the_named_scorer_counts(scores: dict[str, str]) -> None:
    sample = make_sample(scores={name: {"value": value} for name, value in scores.items()})
    table = read_log(make_log([sample]), variant="final")
    assert [one.score for one in to_samples(table, scorer="a")] == [1.0]


def test_several_scorers_and_none_named_is_an_error_and_no_low_score() -> None:
    table = as_table([row(scorer="a", score=0.0), row(scorer="b", score=0.0)])
    (found,) = to_samples(table, scorer=None)
    assert found.score is None
    assert found.error == "2 scorers (a, b) and none named (expected one)"


def test_a_missing_scorer_is_an_error_and_no_low_score() -> None:
    (found,) = to_samples(as_table([row(score=0.0, cluster="f")]), scorer="other")
    assert (found.score, found.cluster) == (None, "f")
    assert found.error == "no score by 'other' (there are: exact)"


@pytest.mark.parametrize("scorer", [None, "exact", "other"])
def test_a_sample_without_any_score_says_its_own_error(scorer: str | None) -> None:
    table = as_table([row(scorer=None, score=None, error="boom"), row(sample_id="s1")])
    assert to_samples(table, scorer=scorer)[0].error == "boom"


def test_no_scorer_at_all_is_an_error() -> None:
    found = to_samples(as_table([row(scorer=None, score=None, error="no score")]), scorer=None)
    assert [one.error for one in found] == ["no score"]
    assert to_samples(as_table([]), scorer=None) == []


def test_samples_come_in_the_order_of_their_ids() -> None:
    table = as_table([row(sample_id="b"), row(sample_id="a", epoch=2), row(sample_id="a")])
    found = [(one.sample_id, one.epoch) for one in to_samples(table, scorer=None)]
    assert found == [("a", 1), ("a", 2), ("b", 1)]


@pytest.mark.parametrize(("fields", "words"), [
    ({"score": float("nan")}, "the score nan is no finite number"),
    ({"score": float("inf")}, "the score inf is no finite number"),
    ({"score": None}, "no score, and no error that says why"),
    ({"score": 1.0, "error": "doubtful"}, "doubtful"),
])  # fmt: skip
def test_a_row_that_no_reader_writes_has_no_score(fields: dict[str, Any], words: str) -> None:
    (found,) = to_samples(as_table([row(**fields)]), scorer=None)
    assert (found.score, found.error) == (None, words)


@pytest.mark.parametrize("fields", [{"sample_id": ""}, {"epoch": 0}, {"epoch": None}])
def test_a_row_of_no_sample_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="table of samples"):
        to_samples(as_table([row(**fields)]), scorer=None)


def test_a_doubled_row_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="has two rows"):
        to_samples(as_table([row(score=0.0), row()]), scorer=None)


def stored(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


GOOD = as_table([row()])
BAD = {
    "nothing": b"",
    "no Parquet": b"PAR1 something PAR1",
    "cut short": table_bytes(GOOD)[:-20],
    "other columns": stored(pa.table({"sample_id": ["s0"]})),
    "a column of another type": stored(
        GOOD.set_column(GOOD.schema.get_field_index("score"), "score", pa.array(["1.0"]))
    ),
    "a column too many": stored(GOOD.append_column("more", pa.array([1]))),
    "no format": stored(GOOD.replace_schema_metadata({})),
    "a future format": stored(GOOD.replace_schema_metadata({b"format": b"redline/sample-rows@2"})),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unreadable_table_gives_one_clear_error(case: str) -> None:
    with pytest.raises(InvalidDocument, match="Extract it again from the log"):
        read_table(BAD[case])


def test_a_table_larger_than_any_evaluation_is_refused() -> None:
    content = table_bytes(as_table([row(), row(epoch=2)]))
    assert read_table(content, most=2).num_rows == 2
    with pytest.raises(InvalidDocument, match=r"2 rows \(at most 1\)"):
        read_table(content, most=1)
    long = "x" * MIB
    bomb = as_table([row(uuid=long, epoch=n + 1) for n in range(64)])
    assert len(table_bytes(bomb)) < MIB
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_table, "TABLE_BYTES", 8 * MIB)
        with pytest.raises(InvalidDocument, match="more than 8388608 bytes"):
            read_table(table_bytes(bomb))


def test_the_documentation_has_every_column() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reading-results.md").read_text()
    for one in SCHEMA:
        text = one.metadata[b"description"].decode()
        assert f"| `{one.name}` | {one.type} | {text} |" in page


@pytest.mark.parametrize("note", [b"{", b"[]", b"\xff"])
def test_an_unreadable_note_of_the_log_is_refused(note: bytes) -> None:
    table = GOOD.replace_schema_metadata({b"format": b"redline/sample-rows@1", b"log": note})
    with pytest.raises(InvalidDocument, match="note of the log"):
        log_of(table)


def test_a_table_without_a_needed_column_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="table of samples"):
        to_samples(pa.table({"sample_id": ["s0"]}), scorer=None)
