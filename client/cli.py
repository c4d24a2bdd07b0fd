"""`python -m client`: the gates on the command line, for schedulers, scripts and people.

Exit codes: 0 yes (or done), 1 no, 3 could not ask (unreadable, no key, wrong usage). The answer
is one line: code, reason, next step.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from client.answers import Answer, Code
from client.correspondent import Correspondent
from client.deployment import DeploymentGate
from client.envelopes import Sealer, TrustedKeys
from client.gate import TrainingGate

ALLOWED, REFUSED, COULD_NOT_ASK = 0, 1, 3
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Wrong usage is `could not ask`: argparse's own 2 would be a third kind of no."""
        self.print_usage(sys.stderr)
        self.exit(COULD_NOT_ASK, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (OSError, ValueError, KeyError, TypeError) as error:
        return _told(f"[could_not_ask] {error!r} Next: check --trust-root, --key and --run.")


def ask(options: argparse.Namespace) -> int:
    """May the run continue to --to FLOP?"""
    return _answered(_training(options).may_continue(options.to))


def wait(options: argparse.Namespace) -> int:
    """Ask again and again until yes, or until --seconds have passed."""
    gate = _training(options)
    give_up = time.monotonic() + options.seconds
    while True:
        answer = gate.may_continue(options.to)
        left = give_up - time.monotonic()
        if answer.allowed or left <= 0:
            return _answered(answer)
        time.sleep(min(options.poll, left))


def announce(options: argparse.Namespace) -> int:
    """Announce the run, which asks for its genesis permit."""
    gate = _training(options)
    return _done(gate, gate.announce(), "announced")


def heartbeat(options: argparse.Namespace) -> int:
    """Write one heartbeat."""
    gate = _training(options)
    written = gate.heartbeat(state=options.state, step=options.step, flop=options.flop)
    return _done(gate, written, f"heartbeat {options.state} at step {options.step}")


def acknowledge(options: argparse.Namespace) -> int:
    """Answer the hold on training that is in force."""
    gate = _training(options)
    answer = gate.may_continue(0.0)
    if answer.hold is None:
        return _nothing_held(answer)
    hold = answer.hold
    gate.acknowledge(
        hold,
        state=options.state,
        last_step=options.step,
        last_flop=options.flop,
        last_checkpoint=options.checkpoint_digest,
    )
    return _done(gate, gate.has_answered(hold), f"acknowledged {hold.digest}")


def deploy(options: argparse.Namespace) -> int:
    """May the checkpoint be deployed? With --acknowledge: answer the hold on its deployment."""
    gate = DeploymentGate(**_given(options))
    answer = gate.may_deploy(options.checkpoint_digest)
    if options.acknowledge is None:
        return _answered(answer)
    if answer.hold is None:
        return _nothing_held(answer)
    gate.acknowledge(answer.hold, state=options.acknowledge, measures=options.measure)
    return _done(gate, gate.has_answered(answer.hold), f"acknowledged {answer.hold.digest}")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "store": options.store,
        "run_id": options.run,
        "keys": TrustedKeys.read(options.trust_root),
        "sealer": Sealer(options.key) if options.key else None,
        "seconds": options.limit,
    }


def _training(options: argparse.Namespace) -> TrainingGate:
    return TrainingGate(**_given(options))


def _answered(answer: Answer) -> int:
    sys.stdout.write(f"{answer}\n")
    if answer.code is Code.UNREADABLE:
        return COULD_NOT_ASK
    return ALLOWED if answer.allowed else REFUSED


def _nothing_held(answer: Answer) -> int:
    if answer.code is Code.UNREADABLE:
        return _answered(answer)
    sys.stdout.write("[no_hold] No hold is in force. Next: nothing to acknowledge.\n")
    return REFUSED


def _done(gate: Correspondent, done: bool, what: str) -> int:
    if not done:
        return _told(f"[could_not_send] {gate.last_problem} Next: check --store and --key.")
    sys.stdout.write(f"[done] {what}\n")
    return ALLOWED


def _told(line: str) -> int:
    sys.stdout.write(" ".join(line.split()) + "\n")
    return COULD_NOT_ASK


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no digest (expected sha256:<64 hex>)")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m client", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (ask, wait, announce, heartbeat, acknowledge, deploy):
        _add(commands, command)
    return parser


def _add(commands: Any, command: Callable[[argparse.Namespace], int]) -> None:
    one = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
    one.set_defaults(command=command)
    one.add_argument("--store", type=Path, required=True, help="the store, or a mirror of it")
    one.add_argument("--run", required=True, help="the run's id")
    one.add_argument("--trust-root", type=Path, required=True, help="trust_root.json")
    one.add_argument("--limit", type=float, default=5.0, help="seconds that one look may take")
    signs = command in (announce, heartbeat, acknowledge)
    one.add_argument("--key", type=Path, required=signs, help="the own private key (PEM)")
    if command in (ask, wait):
        one.add_argument("--to", type=float, required=True, metavar="FLOP")
    if command is wait:
        one.add_argument("--seconds", type=float, required=True, help="patience")
        one.add_argument("--poll", type=float, default=1.0, help="seconds between two looks")
    if command is heartbeat:
        one.add_argument("--state", choices=["training", "idle", "stopped"], required=True)
    if command is acknowledge:
        one.add_argument("--state", required=True, help="what was done, in words")
    if command in (heartbeat, acknowledge):
        one.add_argument("--step", type=int, required=True)
        one.add_argument("--flop", type=float, required=True)
    if command in (acknowledge, deploy):
        one.add_argument("--checkpoint-digest", type=_digest, required=command is deploy)
    if command is deploy:
        one.add_argument("--acknowledge", metavar="STATE", help="what was done, in words")
        one.add_argument("--measure", action="append", default=[], help="again for each")
