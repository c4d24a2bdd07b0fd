"""The wait for results that people deliver: it ends when one has come whole, or when it is due."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from airflow.triggers.base import TriggerEvent

from include.adapters.delivery_folder import fingerprint
from include.wiring import delivery_trigger
from include.wiring.delivery_trigger import DeliveryTrigger
from tests.support.deliveries import evaluator_key, write_delivery

pytestmark = pytest.mark.airflow
LONG = 3600.0


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not wait for a second."""
    monkeypatch.setattr(delivery_trigger, "LOOK_SECONDS", 0.01)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An inbox with one delivery that has arrived whole."""
    write_delivery(tmp_path / "inbox" / "first", evaluator_key(tmp_path))
    return tmp_path / "inbox"


async def _first(trigger: DeliveryTrigger) -> TriggerEvent:
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")


def fired(trigger: DeliveryTrigger) -> dict[str, object]:
    payload = asyncio.run(asyncio.wait_for(_first(trigger), 20)).payload
    assert isinstance(payload, dict)
    return payload


def test_it_fires_when_a_delivery_has_come_whole(inbox: Path) -> None:
    trigger = DeliveryTrigger(
        folder=str(inbox), job=str(inbox.parent / "job"), until=time.time() + LONG
    )
    assert fired(trigger) == {"state": "delivered", "deliveries": ["first"]}


def test_it_fires_when_it_is_due_and_nothing_has_come(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "not there"):
        trigger = DeliveryTrigger(
            folder=str(folder), job=str(folder.parent / "job"), until=time.time() + 0.05
        )
        assert fired(trigger) == {"state": "overdue", "deliveries": []}


def test_half_a_delivery_and_one_that_was_refused_do_not_wake_it(inbox: Path) -> None:
    soon, seen = time.time() + 0.1, [fingerprint(inbox / "first")]
    refused = DeliveryTrigger(
        folder=str(inbox), job=str(inbox.parent / "job"), until=soon, seen=seen
    )
    assert fired(refused)["state"] == "overdue"
    (inbox / "first" / "trial.csv").unlink()
    half = DeliveryTrigger(
        folder=str(inbox), job=str(inbox.parent / "job"), until=time.time() + 0.1
    )
    assert fired(half)["state"] == "overdue"


def test_a_corrected_delivery_wakes_it_again(inbox: Path, tmp_path: Path) -> None:
    seen = [fingerprint(inbox / "first")]
    trigger = DeliveryTrigger(
        folder=str(inbox), job=str(inbox.parent / "job"), until=time.time() + LONG, seen=seen
    )

    async def correct_while_it_waits() -> TriggerEvent:
        waiting = asyncio.ensure_future(_first(trigger))
        await asyncio.sleep(0)
        (inbox / "first" / "delivery.json").write_bytes(b"{}")
        return await asyncio.wait_for(waiting, 20)

    assert asyncio.run(correct_while_it_waits()).payload["deliveries"] == ["first"]


def test_it_comes_back_from_the_database_as_it_was(inbox: Path) -> None:
    path, arguments = DeliveryTrigger(folder="f", job="j", until=5.0, seen=["a:b"]).serialize()
    assert path == f"{DeliveryTrigger.__module__}.{DeliveryTrigger.__name__}"
    assert DeliveryTrigger(**arguments).serialize() == (path, arguments)
