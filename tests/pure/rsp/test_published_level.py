"""The level that a published standard requires, and every way of denying one."""

from __future__ import annotations

import pytest

from include.adapters import published_files as files
from include.rsp.published_level import published_level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("ASL-2", "ASL-2"),
        ("ASL-2 (not ASL-3)", "ASL-2"),
        ("ASL-2, not ASL-3", "ASL-2"),
        ("ASL-2 not ASL-3", "ASL-2"),
        ("not ASL-3; ASL-2", "ASL-2"),
        ("neither ASL-3 nor ASL-4; ASL-2", "ASL-2"),
        ("ASL-2 rather than ASL-3", "ASL-2"),
        ("does not require ASL-3; stays ASL-2", "ASL-2"),
        ("doesn't require ASL-3, stays ASL-2", "ASL-2"),
        ("ASL-3 not required (ASL-2)", "ASL-2"),
        ("ASL-2; ASL-3 (not required)", "ASL-2"),
        ("ASL-3 ruled out: ASL-2", "ASL-2"),
        ("ASL-3, which cannot be ruled out", "ASL-3"),
        ("ASL-3 under RSP 2.2", "ASL-3"),
        ("ASL-3 deployment + ASL-3 security", "ASL-3"),
        ("upgraded from ASL-2 to ASL-3", "ASL-3"),
        ("moved from the ASL-2 Standard to the ASL-3 Standard", "ASL-3"),
        ("not upgraded from ASL-2 to ASL-3", None),
        ("asl 3 deployment + ASL-2 security", None),
        ("ASL-3 deployment; ASL-4 security", None),
        ("ASL-2/3", None),
        ("ASL-2 or ASL-3", None),
        ("below ASL-3", None),
        ("no ASL level", None),
        ("", None),
    ],
)
def test_the_one_level_that_is_not_denied_is_the_published_one(
    text: str, level: str | None
) -> None:
    assert published_level(text) == level


def test_the_published_determinations_keep_their_levels() -> None:
    read = files.read_determinations(files.PUBLISHED / "determinations.csv")
    levels = [published_level(one.required_standard) for one in read]
    assert levels == ["ASL-2", "ASL-3", "ASL-2", "ASL-3", "ASL-3", "ASL-2"]
