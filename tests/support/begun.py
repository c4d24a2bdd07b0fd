"""Where many tests begin: a World that is built once in a process and copied for each of them.

A copy costs a fifth of what the same assessment costs again. Its notary is started on the copied
store, as after a kill, so it has read and checked every entry by itself.
"""

from __future__ import annotations

import atexit
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

from tests.support.factories import POLICY_BYTES, START, SUITE_BYTES, changed
from tests.support.scenes import SCENES
from tests.support.world import Change, World


@cache
def _folder() -> Path:
    """Where the originals are, until the process ends."""
    made = tempfile.TemporaryDirectory(prefix="redline-begun-")
    atexit.register(made.cleanup)
    return Path(made.name)


@cache
def _assessed(
    policy: bytes, suite: bytes, now: datetime, multiple: float, addition: int, shown: bool
) -> World:
    root = Path(tempfile.mkdtemp(dir=_folder()))
    world = World(root, policy=policy, suite=suite, now=now)
    world.gate()
    world.assess(multiple, addition=addition)
    if shown:
        world.add_evidence()
    return world


def assessed(
    root: Path,
    *changes: Change,
    suite: bytes = SUITE_BYTES,
    now: datetime = START,
    multiple: float = 4,
    addition: int = 190,
    shown: bool = True,
) -> World:
    """An announced run with one verdict, by default a crossed red line.

    Args:
        changes: of the toy policy.
        multiple: of the compute of the first checkpoint, at which the assessed one was made.
        addition: how many of the red line's 200 samples it got right.
        shown: whether there is evidence for every safeguard afterwards.
    """
    policy = changed(POLICY_BYTES, *changes) if changes else POLICY_BYTES
    return _assessed(policy, suite, now, multiple, addition, shown).copied(root)


@cache
def scene(name: str) -> World:
    """One of the scenes, to begin histories from; they leave it as it is."""
    return SCENES[name](Path(tempfile.mkdtemp(dir=_folder())))
