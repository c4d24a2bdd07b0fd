"""What a test expects to be refused, and trust roots in which people are not who they should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from include.adapters import bootstrap
from include.adapters.policy_files import read_policy
from include.rsp import records as r
from include.rsp.adoption import offices_of
from include.rsp.canonical import canonical_bytes
from include.rsp.errors import Refused
from include.rsp.vocabulary import KeyRole
from tests.support.factories import POLICY_BYTES, START
from tests.support.world import OFFICE_USERS, RUN, World


@contextmanager
def refused(code: str) -> Iterator[None]:
    """What happens inside is refused with that code."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code, caught.value


def held_by(
    root: Path,
    holders: Mapping[str, str],
    *,
    trainer: str | None = None,
    policy: bytes = POLICY_BYTES,
    **more: Any,
) -> World:
    """A world whose trust root gives some offices (and the trainer's key) to other people."""
    folders = bootstrap.KeyFolders(root / "keys")
    offices = offices_of(read_policy(policy, where="test policy"))
    made = bootstrap.make_trust_root(folders, offices, simulated=True, at=START, users=OFFICE_USERS)
    keys = []
    for one in made.keys:
        holder = holders.get(one.office or "", one.holder)
        if one.role is KeyRole.TRAINER:
            holder = trainer or holder
        keys.append(one.model_copy(update={"holder": holder}))
    folders.trust_root.write_bytes(canonical_bytes(made.model_copy(update={"keys": keys})))
    return World(root, policy=policy, **more)


def deviations(world: World, finding: str, run_id: str = RUN) -> list[r.Deviation]:
    """The deviations of a kind that were recorded for a run."""
    return [
        one
        for one in world.state.records.values()
        if isinstance(one, r.Deviation) and (one.run_id, one.finding) == (run_id, finding)
    ]
