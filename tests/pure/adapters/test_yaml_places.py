"""The line of whatever is wrong, also where it was written elsewhere and merged."""

from __future__ import annotations

import pytest

from include.adapters.yaml_places import Step, compose, find, nearest, said_at

TEXT = """\
# a comment
levels: [low, high]
lines:
  - &first
    id: one
    next: two
    limits:
      rule_out: 0.5
      rule_in: 0.4
  - <<: *first
    id: two
    limits: {rule_out: 0.6}
  - {<<: [*first, {extra: 1}], id: three}
roles: [a,
  a]
"""


@pytest.mark.parametrize(
    ("path", "line", "found"),
    [
        ((), 2, ()),
        (("levels", 1), 2, ("levels", 1)),
        (("lines", 0, "limits"), 7, ("lines", 0, "limits")),
        (("lines", 0, "limits", "buffer"), 7, ("lines", 0, "limits")),
        (("lines", 0, "a-variant", "limits", "rule_in"), 9, ("lines", 0, "limits", "rule_in")),
        (("lines", 1, "limits", "rule_out"), 12, ("lines", 1, "limits", "rule_out")),
        (("lines", 1, "next"), 6, ("lines", 1, "next")),
        (("lines", 2, "limits", "rule_in"), 9, ("lines", 2, "limits", "rule_in")),
        (("lines", 2, "extra"), 13, ("lines", 2, "extra")),
        (("lines", 7, "id"), 3, ("lines",)),
        (("nothing", "[key]"), 2, ()),
        (("levels", "text", 0), 2, ("levels", 0)),
    ],
)
def test_a_path_leads_to_the_line_where_it_is_written(
    path: tuple[Step, ...], line: int, found: tuple[Step, ...]
) -> None:
    place = find(compose(TEXT), path)
    assert (place.line, place.path) == (line, found)


@pytest.mark.parametrize(
    ("path", "message", "line", "said"),
    [
        ((), "lines.1 (a -> b) can never be reached", 10, "'- <<: *first'"),
        ((), "line 'two': next names ['two']", 6, "'two'"),
        ((), "line 'three' has nothing", 13, "'- {<<: [*first, {extra: 1}], id: three}'"),
        ((), "next: one -> two -> one is a circle", 6, "'two'"),
        ((), "roles: ['a'] stand there more than once (expected distinct)", 15, "'a'"),
        ((), "line 'one': rule_in 0.4 is below rule_out 0.5", 9, "'0.4'"),
        (("lines", 0, "limits"), "rule_in 0.4 is below rule_out 0.5", 9, "'0.4'"),
        (("lines", 1), "limits 0.6 are odd", 12, "'limits: {rule_out: 0.6}'"),
        ((), "nothing here (expected 'two')", 2, "'levels: [low, high]'"),
    ],
)
def test_a_message_leads_to_the_line_it_speaks_about(
    path: tuple[Step, ...], message: str, line: int, said: str
) -> None:
    place = nearest(find(compose(TEXT), path), message)
    assert (place.line, said_at(TEXT, place)) == (line, said)


@pytest.mark.parametrize("text", ["a: &a {<<: {<<: *a}, b: 1}", "a: &a {<<: *a, b: 1}"])
def test_a_mapping_that_merges_itself_comes_to_an_end(text: str) -> None:
    assert find(compose(text), ("a", "c")).path == ("a",)
    assert find(compose(text), ("a", "b")).path == ("a", "b")
