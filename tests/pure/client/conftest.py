"""Fixtures of the client's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pure.client.mirror import Mirror


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    """A mirror with signed messages."""
    return Mirror(tmp_path)
