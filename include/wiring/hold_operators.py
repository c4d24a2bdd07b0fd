"""The operators that follow a hold: wait for the answer, verify the stop. No slot is held."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator

from include.wiring import steps
from include.wiring.defaults import RecordLink
from include.wiring.errors import as_airflow
from include.wiring.settings import Settings
from include.wiring.triggers import AcknowledgementTrigger

log = logging.getLogger("redline.hold_operators")


class WaitForAcknowledgement(BaseOperator):
    """Wait until the trainer has answered a hold, or until its time for that is up."""

    template_fields: Sequence[str] = ("hold",)

    def __init__(self, *, hold: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold = hold

    @as_airflow
    def execute(self, context: Any) -> bool:
        """Wait in the triggerer."""
        from include.rsp import records as r
        from include.wiring import holding

        desk = steps.open_desk()
        if holding.is_acknowledged(desk, self.hold):
            return True
        until = desk.state.expect(self.hold, r.Hold).acknowledge_by.timestamp()
        self.defer(
            trigger=AcknowledgementTrigger(
                store=Settings.from_environment().store, hold=self.hold, until=until
            ),
            method_name="resume",
        )
        return False

    def resume(self, context: Any, event: dict[str, Any]) -> bool:
        """Whether it came; `verify_stop` judges."""
        return bool(event["acknowledged"])


class VerifyStop(BaseOperator):
    """After the policy's grace: does the run stand still? Refuses, in red, when it does not."""

    template_fields: Sequence[str] = ("hold",)
    operator_extra_links = (RecordLink(),)

    def __init__(self, *, hold: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hold = hold

    @as_airflow
    def execute(self, context: Any) -> dict[str, Any]:
        """Wait until it can be said, then look."""
        from include.wiring import holding

        desk = steps.open_desk()
        moment = holding.when_to_look(desk, self.hold)
        if moment > desk.now():
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="look")
        return self.look(context)

    @as_airflow
    def look(self, context: Any, event: Any = None) -> dict[str, Any]:
        """What shows that it stands still."""
        from include.rsp import records as r
        from include.wiring import holding

        desk = steps.open_desk()
        digest, check = holding.verify_stop(desk, self.hold)
        answer = desk.state.runs[check.run_id].acknowledgements[self.hold]
        log.info("stopped at step %s: %s", answer.last_step, answer.state)
        steps.show(digest)
        ordered = desk.state.expect(self.hold, r.Hold).at
        return {
            "state": answer.state,
            "last_step": answer.last_step,
            "acknowledged_after_seconds": round((answer.at - ordered).total_seconds(), 3),
        }
