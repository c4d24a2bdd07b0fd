from __future__ import annotations

import math

import pytest
from pydantic import BaseModel

from include.rsp.canonical import (
    Document,
    Identifier,
    canonical_bytes,
    digest_of,
    round_down,
    round_up,
)
from include.rsp.errors import InvalidDocument


class Named(Document):
    name: Identifier


def test_key_order_does_not_change_the_digest() -> None:
    assert digest_of({"a": 1, "b": [1.5]}) == digest_of({"b": [1.5], "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**60])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(InvalidDocument):
        canonical_bytes({"value": value})


@pytest.mark.parametrize(
    "name", ["", "..", "a/../b", "../a", "A", "a b", "a" * 101, ".hidden", "a..b", "ä"]
)
def test_an_identifier_never_names_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        Named(name=name)


def test_rounding_goes_outward() -> None:
    assert round_up(0.1234561) == 0.123457
    assert round_down(0.1234569) == 0.123456
    assert round_up(0.5) == round_down(0.5) == 0.5


def test_documents_are_frozen_and_refuse_unknown_fields() -> None:
    with pytest.raises(ValueError, match="Extra"):
        Named.model_validate({"name": "a", "other": 1})
    one: BaseModel = Named(name="a")
    with pytest.raises(ValueError, match="frozen"):
        one.name = "b"  # type: ignore[attr-defined]
