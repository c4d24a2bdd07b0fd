"""`make demo`: the whole story, by itself, on this machine.

A real model trains; real evaluations run under a real Airflow; a real notary signs. What is
simulated says so: the officers and their evidence. No step is scripted by time: the demo waits
for records, and ends with a non-zero exit code if one of them does not come.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.adapters.ledger import LedgerReader
from include.adapters.store import DirectoryStore
from include.adapters.verification import verify_store
from include.cli import printing, stack
from include.local_stack.layout import Layout
from include.local_stack.stack import StackHandle
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Outcome
from toylab.cast import Cast
from toylab.milestones import (
    RUN_ID,
    has_drilled,
    has_evidence,
    is_determined,
    is_judged,
    is_permitted,
    is_released,
    is_verified,
    is_verified_again,
    permits,
    run_of,
    verdict_on,
)
from toylab.narrator import Narrator
from toylab.plot import plot_story
from toylab.story import AT_HAND, begin, switch_classifier, trainer, write_evidence
from toylab.training import BASE_STEPS

PATIENCE_SECONDS = 240.0
Condition = Callable[[LedgerState], bool]


class StoryBroken(Exception):  # noqa: N818 - what happened to it
    """A step of the story did not happen in time."""


@dataclass(slots=True)
class Demo:
    """One telling of the story."""

    layout: Layout
    handle: StackHandle
    narrator: Narrator
    cast: Cast

    @property
    def store(self) -> DirectoryStore:
        """The evidence store of this machine."""
        return DirectoryStore(self.layout.store)

    def wait(self, what: str, condition: Condition) -> LedgerState:
        """Follow the ledger until something is so.

        Raises:
            StoryBroken: it did not happen within the demo's patience.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            state = self.narrator.catch_up()
            self.cast.act(state)
            if condition(state):
                return state
            time.sleep(0.1)
        raise StoryBroken(
            f"{what}: did not happen within {PATIENCE_SECONDS:g} s. Look at "
            f"{self.layout.logs} and at {self.handle.base_url}."
        )

    def tell(self) -> LedgerState:
        """The story, step by step."""
        self.supply(AT_HAND)
        self.wait("the genesis permit", lambda state: bool(permits(state)))
        for name, warned in (("x001", False), ("x004", False), ("x016", True), ("x032", True)):
            self.continues(name, warned=warned)
        self.wait("the verdict on x064", lambda state: verdict_on(state, "x064") is not None)
        self.wait("the hold", lambda state: bool(run_of(state).holds_in_force))
        self.wait("the judgement of the safeguards", lambda state: is_judged(state, holds=False))
        self.wait(
            "the trainer's acknowledgement", lambda state: bool(run_of(state).acknowledgements)
        )
        self.demand(
            any(event["event"] == "order_seen" for event in self.narrator.events),
            "the trainer should have seen the order while it moved",
        )
        self.wait("that the run is seen to stand still", is_verified)
        self.wait("the officers' word on the pause", lambda state: is_determined(state, 2))
        switch_classifier(self.layout, api=True)
        self.narrator.say("lab      the classifier is switched on, on the api surface", "magenta")
        self.release()
        self.wait("the permit that ends the hold", is_released)
        self.wait("the end of training", lambda _: self.trainer_says("finished"))
        self.measure()
        return self.drill("jailbreak")

    def drill(self, scenario: str) -> LedgerState:
        """Somebody plays a readiness drill; the safeguards are verified after it."""
        with self.handle.rest("engineer") as rest:
            rest.trigger(
                "verify_safeguards",
                {"run_id": RUN_ID, "drill": scenario, "reason": "a readiness drill"},
            )
        self.narrator.say(f"engineer triggers verify_safeguards, drill {scenario}", "magenta")
        self.wait("the record of the drill", lambda state: has_drilled(state, scenario))
        state = self.wait("the safeguards verified again", is_verified_again)
        gaps = [gap for one in state.drills.values() for gap in one.gaps]
        self.demand(not gaps, f"the drill should have no gaps, and has {gaps}")
        return state

    def measure(self) -> None:
        """How soon the run stopped, by the trainer's own events."""
        stop = next(one for one in self.narrator.events if one["event"] == "acknowledged")
        self.narrator.say(
            f"MEASURED stopped {stop['steps_from_order_to_stop']} steps and "
            f"{stop['seconds_from_order_to_stop']:.2f} s after the order was visible to the "
            f"trainer, at its next checkpoint boundary ({BASE_STEPS} steps apart), with "
            f"{stop['lease_seconds_left']:.1f} s of its lease left",
            "bold",
        )
        self.demand(
            stop["steps_from_order_to_stop"] <= BASE_STEPS and stop["lease_seconds_left"] > 0,
            "the run should stop within one boundary and never later than its lease",
        )

    def continues(self, name: str, *, warned: bool) -> None:
        """One checkpoint after which training goes on."""
        state = self.wait(f"the verdict on {name}", lambda now: verdict_on(now, name) is not None)
        verdict = verdict_on(state, name)
        self.demand(
            verdict is not None
            and verdict.decision.recommendation is Outcome.CONTINUE
            and verdict.decision.early_warning is warned,
            f"{name} should continue {'with' if warned else 'without'} an early warning",
        )
        self.wait(f"the permit after {name}", lambda now: is_permitted(now, name))

    def demand(self, met: bool, what: str) -> None:
        """Raise StoryBroken unless a step went as told."""
        if not met:
            raise StoryBroken(f"The story went otherwise: {what}.")

    def trainer_says(self, event: str) -> bool:
        """Whether the trainer has told of an event."""
        return any(one["event"] == event for one in self.narrator.events)

    def supply(self, evidence: Mapping[str, tuple[str, str, str]]) -> None:
        """Add SIMULATED evidence for the toy standard."""
        write_evidence(self.layout, evidence)
        self.wait("the evidence", lambda state: has_evidence(state, evidence))

    def release(self) -> None:
        """Somebody asks for the release; the cast answers, each with the own key."""
        with self.handle.rest("engineer") as rest:
            rest.trigger(
                "release_hold",
                {"run_id": RUN_ID, "reason": "the classifier is on again (SIMULATED)"},
            )
        self.narrator.say("engineer triggers release_hold", "magenta")

    def close(self, state: LedgerState) -> bool:
        """Table, verification, plot and address; whether the store is sound."""
        report = verify_store(self.store)
        printing.print_report(report)
        picture = plot_story(state, self.layout.home / "capability.png")
        self.narrator.say(f"plot     {picture}")
        self.narrator.say(f"store    {self.layout.store}   (rsp verify {self.layout.store})")
        self.narrator.say(
            f"UI       {self.handle.base_url}   users and passwords: {self.layout.users_file}"
        )
        return not report.problems


def put_aside(home: Path) -> None:
    """Keep the story before this one as `<home>.previous`; the one before that goes."""
    stack.down(home, 0)
    if home.exists():
        previous = home.with_name(home.name + ".previous")
        shutil.rmtree(previous, ignore_errors=True)
        home.rename(previous)


def main() -> int:
    """Tell the story; 0 when all of it happened and the store is sound."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".redline/demo"))
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fresh", action="store_true", help="keep an earlier story aside first")
    parser.add_argument(
        "--linger",
        type=float,
        default=90.0,
        help="seconds that the trainer takes from due to ceiling",
    )
    options = parser.parse_args()
    begun = time.monotonic()
    layout = stack.layout_of(options.home, options.port)
    if options.fresh:
        put_aside(layout.home)
    layout.store.mkdir(parents=True, exist_ok=True)
    narrator = Narrator(
        LedgerReader(DirectoryStore(layout.store)), layout.home / "trainer" / "events.jsonl"
    )
    sound = False
    try:
        handle = begin(layout, lambda line: narrator.say(line, "dim"))
        with trainer(layout, options.linger):
            demo = Demo(layout, handle, narrator, Cast(layout, handle))
            state = demo.tell()
        sound = demo.close(state)
    except StoryBroken as error:
        narrator.say(f"BROKEN   {error}", "bold red")
    finally:
        stack.down(options.home, options.port)
    seconds = time.monotonic() - begun
    narrator.say(f"{'the story is complete' if sound else 'FAILED'} after {seconds:.0f} s")
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
