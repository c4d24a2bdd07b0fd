"""The bodies of `watch_deadlines`'s tasks. DAG files import this: nothing heavy at the top."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

from include.wiring.errors import as_airflow
from include.wiring.steps import open_desk

if TYPE_CHECKING:
    from include.wiring.telling import Word

log = logging.getLogger("redline.deadline_steps")


@as_airflow
def verify_stops() -> int:
    """Look at every held run that has acknowledged since somebody looked last."""
    from include.rsp.errors import Refused
    from include.wiring import holding

    desk = open_desk()
    found = holding.to_verify(desk)
    for hold in found:
        try:
            holding.verify_stop(desk, hold)
        except Refused as refusal:
            log.warning("[%s] %s", refusal.code, refusal.message)
    return len(found)


@as_airflow
def escalate_holds() -> int:
    """Tell those on the ladder of every hold that is not shown to be obeyed."""
    from include.rsp import records as r
    from include.wiring import telling

    desk = open_desk()
    climbed = {
        one.hold.record for one in desk.state.records.values() if isinstance(one, r.Escalation)
    }
    words = [one for hold in climbed for one in telling.escalations_on(desk, hold)]
    return _send(telling.send(desk, words), len(words))


@as_airflow
def remind_signers() -> int:
    """Remind whose turn it is on every open packet, by the policy's clock."""
    from include.rsp import records as r
    from include.wiring import telling

    desk = open_desk()
    packets = [key for key, one in desk.state.records.items() if isinstance(one, r.Packet)]
    words = [one for packet in packets for one in telling.reminders(desk, packet)]
    return _send(telling.send(desk, words), len(words))


def _send(failed: list[Word], count: int) -> int:
    if failed:
        named = ", ".join(sorted({one.to for one in failed}))
        raise AirflowException(f"No channel took the message to {named}; it is sent again.")
    return count
