"""Holds of a World: which is in force, and answers to it that no client would send."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from client.envelopes import Sealer
from client.mailbox import ACKNOWLEDGEMENT
from include.rsp import records as r
from include.rsp.canonical import iso
from include.rsp.vocabulary import Scope
from tests.support.world import RUN, World

LAST_STEP = 64
"""The step of the checkpoint at 4x, which the tests let a trainer stop at."""


def hold_of(world: World, scope: Scope = Scope.TRAINING) -> str:
    digest = world.state.runs[RUN].newest_hold(scope)
    assert digest is not None
    return digest


def sent(
    world: World,
    key: Path,
    hold: str,
    *,
    run_id: str = RUN,
    at: datetime | None = None,
    last_step: int = LAST_STEP,
) -> str | None:
    """An acknowledgement straight into the outbox; the code that it was refused with, if it was."""
    body = {
        "run_id": run_id, "at": iso(at or world.now), "state": "hand-made", "last_step": last_step,
        "last_flop": 1.0, "last_checkpoint": None,
    }  # fmt: skip
    content = Sealer(key).seal(ACKNOWLEDGEMENT, hold, body)
    place = f"runs/{run_id}/outbox/{hashlib.sha256(content).hexdigest()}.json"
    world.store.put_new(place, content)
    world.notary.step()
    refusal = world.state.refused.get(place)
    return world.state.expect(refusal, r.Refusal).code if refusal else None
