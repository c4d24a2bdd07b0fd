"""Every answer of the training gate, with what leads to it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from client.answers import NEXT_STEP, Code
from client.gate import ACKNOWLEDGEMENT, TRAINING_RUN
from tests.pure.client.mirror import Mirror, iso


def permitted(mirror: Mirror) -> None:
    mirror.permit()


def nothing(mirror: Mirror) -> None:
    mirror.folder.mkdir(parents=True)


def revoked(mirror: Mirror) -> None:
    mirror.revoke(mirror.permit())


def no_lease(mirror: Mirror) -> None:
    mirror.permit(lease=False)


def lease_of_the_permit_before(mirror: Mirror) -> None:
    mirror.permit()
    mirror.permit(lease=False)


def clock_behind(mirror: Mirror) -> None:
    mirror.permit()
    mirror.now -= timedelta(seconds=11)


def lease_expired(mirror: Mirror) -> None:
    mirror.permit()
    mirror.passes(20)


def permit_ran_out(mirror: Mirror) -> None:
    mirror.lease(mirror.permit(lease=False), seconds=1e7)
    mirror.passes(timedelta(days=31).total_seconds())


def held(mirror: Mirror) -> None:
    mirror.permit()
    mirror.hold()


def low_ceiling(mirror: Mirror) -> None:
    mirror.permit(9.0)


def ceiling_of_nan(mirror: Mirror) -> None:
    mirror.permit(math.nan)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (permitted, Code.PERMITTED),
        (nothing, Code.NO_PERMIT),
        (revoked, Code.REVOKED),
        (no_lease, Code.NO_LEASE),
        (lease_of_the_permit_before, Code.NO_LEASE),
        (clock_behind, Code.CLOCK_BEHIND),
        (lease_expired, Code.LEASE_EXPIRED),
        (permit_ran_out, Code.LEASE_EXPIRED),
        (held, Code.HELD),
        (low_ceiling, Code.CEILING),
        (ceiling_of_nan, Code.CEILING),
    ],
)
def test_each_code(mirror: Mirror, make: Callable[[Mirror], None], code: Code) -> None:
    make(mirror)
    answer = mirror.gate().may_continue(10.0)
    assert (answer.allowed, answer.code) == (code is Code.PERMITTED, code)
    assert answer.reason
    assert NEXT_STEP[code] in str(answer)
    assert "\n" not in str(answer)


def test_every_code_has_a_next_step() -> None:
    assert set(NEXT_STEP) == set(Code)


@pytest.mark.parametrize("wanted", [math.nan, math.inf, 100.1])
def test_no_number_that_is_not_below_the_ceiling_passes(mirror: Mirror, wanted: float) -> None:
    mirror.permit(100.0)
    assert mirror.gate().may_continue(wanted).code == "ceiling"
    assert mirror.gate().may_continue(100.0).allowed


def test_an_answer_says_what_is_left_of_the_lease(mirror: Mirror) -> None:
    mirror.permit()
    mirror.passes(5)
    answer = mirror.gate().may_continue(1.0)
    assert answer.lease_seconds_left == 15.0
    assert answer.lease_expires_at == mirror.now + timedelta(seconds=15)


@pytest.mark.parametrize(
    ("scope", "code"),
    [("deployment", "permitted"), ("weights", "permitted"), ("training", "held"), ("x", "held")],
)
def test_only_holds_on_training_stop_training(mirror: Mirror, scope: str, code: str) -> None:
    mirror.permit()
    mirror.hold(scope=scope)
    assert mirror.gate().may_continue(1.0).code == code


def test_a_hold_on_deployment_does_not_hide_an_older_one_on_training(mirror: Mirror) -> None:
    mirror.permit()
    held = mirror.hold()
    mirror.hold(scope="deployment")
    answer = mirror.gate().may_continue(1.0)
    assert answer.hold is not None
    assert answer.hold.digest == held


@pytest.mark.parametrize("purpose", ["deployment", "something new"])
def test_a_permit_for_another_purpose_moves_no_training(mirror: Mirror, purpose: str) -> None:
    mirror.permit(100.0)
    mirror.permit(1e9, lease=False, purpose=purpose)
    assert mirror.gate().may_continue(100.0).allowed
    assert mirror.gate().may_continue(101.0).code == "ceiling"


def test_a_revocation_ends_the_permit_that_it_names_and_no_other(mirror: Mirror) -> None:
    first = mirror.permit()
    gate = mirror.gate()
    assert gate.may_continue(1.0).allowed
    mirror.revoke(first, "the evaluation was broken")
    answer = gate.may_continue(1.0)
    assert (answer.code, "the evaluation was broken" in answer.reason) == ("revoked", True)
    mirror.passes(1)
    mirror.permit()
    assert gate.may_continue(1.0).allowed


def test_every_refusal_carries_the_hold(mirror: Mirror) -> None:
    permit = mirror.permit()
    hold = mirror.hold()
    gate = mirror.gate()
    mirror.passes(30)
    assert gate.may_continue(1.0).code == "lease_expired"
    mirror.revoke(permit)
    answer = gate.may_continue(1.0)
    assert (answer.code, answer.hold and answer.hold.digest) == ("revoked", hold)


def test_what_cannot_be_sent_says_why_and_does_not_raise(mirror: Mirror) -> None:
    mirror.permit()
    mirror.hold()
    gate = mirror.gate(sealer=None)
    hold = gate.may_continue(1.0).hold
    assert hold is not None
    assert not gate.acknowledge(hold, state="x", last_step=1, last_flop=1.0, last_checkpoint=None)
    assert "no key to sign with" in gate.last_problem
    assert not gate.has_answered(hold)


def test_an_announcement_that_failed_is_named_where_the_permit_is_missed(mirror: Mirror) -> None:
    mirror.put("outbox", b"a file where a folder should be")
    gate = mirror.gate()
    assert not gate.announce()
    assert "announcement" in gate.may_continue(1.0).reason


def test_an_announcement_is_sent_once_and_not_hidden_by_strangers_files(mirror: Mirror) -> None:
    mirror.put("outbox/garbage.json", b"{}")
    assert mirror.gate().announce()
    assert mirror.gate().announce()
    (path,) = [one for one in (mirror.folder / "outbox").iterdir() if one.stem != "garbage"]
    mirror.folder.joinpath("outbox/garbage.json").unlink()
    assert len(mirror.sent("outbox", TRAINING_RUN)) == 1
    assert path.exists()


def test_a_hold_is_acknowledged_once_also_by_the_next_process(mirror: Mirror) -> None:
    mirror.permit()
    mirror.hold()
    given = {"state": "saved", "last_step": 7, "last_flop": 8.0, "last_checkpoint": None}
    for sent in (True, False):
        gate = mirror.gate()
        hold = gate.may_continue(1.0).hold
        assert hold is not None
        assert gate.acknowledge(hold, **given) is sent
        assert gate.has_answered(hold)
        assert gate.last_problem == ""
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert (message["subject"], message["last_step"]) == (hold.digest, 7)


def test_a_permits_expiry_bounds_the_lease(mirror: Mirror) -> None:
    digest = mirror.order(
        "permit",
        ceiling_flop=100.0,
        due_flop=50.0,
        expires_at=iso(mirror.now + timedelta(seconds=3)),
    )
    mirror.lease(digest)
    assert mirror.gate().may_continue(1.0).lease_seconds_left == 3.0


@pytest.mark.parametrize("run_id", ["../other", "a/b", "", ".", "Run", "a..b"])
def test_a_run_id_that_could_name_a_path_is_refused(mirror: Mirror, run_id: str) -> None:
    with pytest.raises(ValueError, match="run id"):
        mirror.gate(run_id=run_id)


def test_a_listing_of_leases_is_kept_only_while_the_folder_is_as_it_was(mirror: Mirror) -> None:
    permit = mirror.permit()
    leases, gate = mirror.folder / "leases", mirror.gate()
    os.utime(leases, (1.0, 1.0))
    for _ in range(2):
        assert gate.may_continue(1.0).lease_seconds_left == 20.0
    mirror.passes(10)
    newer = mirror.lease(permit)
    assert gate.may_continue(1.0).lease_seconds_left == 20.0
    newer.unlink()
    assert gate.may_continue(1.0).lease_seconds_left == 10.0


def test_a_lease_within_the_same_tick_of_the_folders_time_is_seen(mirror: Mirror) -> None:
    permit = mirror.permit()
    leases, gate = mirror.folder / "leases", mirror.gate()
    assert gate.may_continue(1.0).allowed
    changed = leases.stat().st_mtime_ns
    mirror.passes(10)
    mirror.lease(permit)
    os.utime(leases, ns=(changed, changed))
    assert gate.may_continue(1.0).lease_seconds_left == 20.0
