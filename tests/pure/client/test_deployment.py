"""The gate of whoever serves the weights: only that checkpoint, only under a living permit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from client.answers import NEXT_STEP, Code
from client.gate import ACKNOWLEDGEMENT
from tests.pure.client.mirror import Mirror, digest_of, iso

CHECKPOINT = digest_of("checkpoint")


def permitted(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)


def another_checkpoint(mirror: Mirror) -> None:
    mirror.deployable(digest_of("another"))


def a_training_permit(mirror: Mirror) -> None:
    mirror.permit(checkpoint_digest=CHECKPOINT)


def an_old_permit_without_purpose(mirror: Mirror) -> None:
    mirror.order("permit", checkpoint=CHECKPOINT, expires_at=iso(mirror.now + timedelta(days=1)))


def revoked(mirror: Mirror) -> None:
    mirror.revoke(mirror.deployable(CHECKPOINT))


def older_permit_behind_a_revoked_one(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.revoke(mirror.deployable(CHECKPOINT))


def another_permit_revoked(mirror: Mirror) -> None:
    other = mirror.deployable(digest_of("another"))
    mirror.deployable(CHECKPOINT)
    mirror.revoke(other)


def expired(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.passes(timedelta(days=30).total_seconds())


def expired_by_what_was_signed_since(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.now += timedelta(days=31)
    mirror.permit()
    mirror.now -= timedelta(days=31)


def held(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.hold(scope="deployment")


def weights_held(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.hold(scope="weights")


def held_in_an_unknown_way(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.hold(scope="something new")


def training_held(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.hold()


def permitted_after_a_hold(mirror: Mirror) -> None:
    mirror.hold(scope="deployment")
    mirror.deployable(CHECKPOINT)


def garbage(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.put("orders/000000000009-hold.json", b"{}")


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (permitted, Code.PERMITTED),
        (another_checkpoint, Code.NO_PERMIT),
        (a_training_permit, Code.NO_PERMIT),
        (an_old_permit_without_purpose, Code.NO_PERMIT),
        (revoked, Code.REVOKED),
        (older_permit_behind_a_revoked_one, Code.REVOKED),
        (another_permit_revoked, Code.PERMITTED),
        (expired, Code.PERMIT_EXPIRED),
        (expired_by_what_was_signed_since, Code.PERMIT_EXPIRED),
        (held, Code.HELD),
        (weights_held, Code.HELD),
        (held_in_an_unknown_way, Code.HELD),
        (training_held, Code.PERMITTED),
        (permitted_after_a_hold, Code.PERMITTED),
        (garbage, Code.UNREADABLE),
    ],
)
def test_each_code(mirror: Mirror, make: Callable[[Mirror], None], code: Code) -> None:
    make(mirror)
    answer = mirror.deployment().may_deploy(CHECKPOINT)
    assert (answer.allowed, answer.code) == (code is Code.PERMITTED, code)
    assert NEXT_STEP[code] in str(answer)


def test_a_clock_set_back_does_not_stretch_a_permit(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT, expires_at=iso(mirror.now + timedelta(seconds=60)))
    gate = mirror.deployment()
    assert gate.may_deploy(CHECKPOINT).allowed
    mirror.ticks += 61
    assert gate.may_deploy(CHECKPOINT).code == "permit_expired"


def test_the_deployer_answers_a_hold_with_what_was_done(mirror: Mirror) -> None:
    mirror.deployable(CHECKPOINT)
    mirror.hold(scope="deployment")
    gate = mirror.deployment()
    hold = gate.may_deploy(CHECKPOINT).hold
    assert hold is not None
    assert gate.acknowledge(hold, state="taken off the air", measures=["api off", "weights moved"])
    assert not gate.acknowledge(hold, state="again")
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert message["state"] == "taken off the air; measures: api off, weights moved"
    assert (message["last_step"], message["last_flop"], message["last_checkpoint"]) == (0, 0, None)
    assert message["subject"] == hold.digest


@pytest.mark.parametrize("asked", [None, 7, "", "sha256:"])
def test_what_is_no_digest_has_no_permit(mirror: Mirror, asked: object) -> None:
    mirror.deployable(CHECKPOINT)
    assert mirror.deployment().may_deploy(asked).code == "no_permit"  # type: ignore[arg-type]
