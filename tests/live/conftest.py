"""Which live tests come first: two workers (`make test`) share the files, and the last to start
should be short.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST_FIRST = ("test_story", "test_people", "test_identities", "test_local_stack",
                 "test_inspect_evals", "test_trainer_stops", "test_open_stack")  # fmt: skip
assert all((HERE / f"{one}.py").exists() for one in LONGEST_FIRST), LONGEST_FIRST


def place(item: pytest.Item) -> int:
    """The place of a test's file in that order; the others follow as they were collected."""
    name = item.path.stem
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)
