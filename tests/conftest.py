"""Fixtures of all tests."""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.world import World

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):  # the same cases on every run; without it each run draws new ones
    settings.load_profile("ci")


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no later collection of garbage looks through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole Redline in one process."""
    return World(tmp_path)


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name a test only by their place: an archive holds the time at which it was made, and
    workers that collect a second apart would not agree on its name.
    """
    return argname if isinstance(val, bytes) else None
