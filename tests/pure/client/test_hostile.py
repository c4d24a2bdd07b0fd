"""Files that somebody put there, disks that hang, and errors that nobody thought of."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from client.answers import Answer
from client.bounded import TimeLimit, TookTooLong
from client.envelopes import NotSigned, Sealer, opened
from client.gate import LEASE, PERMIT
from client.mailbox import MAXIMUM_BYTES
from tests.pure.client.mirror import Mirror, digest_of

LIMIT = 0.05


def ask(mirror: Mirror) -> Answer:
    return mirror.gate().may_continue(1.0)


def broken_json(content: bytes) -> bytes:
    return content[:-1] + b"]"


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def unsigned(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"signatures": []}).encode()


def empty(_: bytes) -> bytes:
    return b""


def deep(_: bytes) -> bytes:
    return b"[" * 200_000


def too_large(content: bytes) -> bytes:
    return content + b" " * MAXIMUM_BYTES


def other_payload(content: bytes) -> bytes:
    plain = json.loads(content)
    return json.dumps(plain | {"payload": plain["payload"][:-4] + "AAAA"}).encode()


CHANGES = [broken_json, truncated, unsigned, empty, deep, too_large, other_payload]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("box", ["orders", "leases"])
def test_a_hostile_file_is_unreadable_and_named(
    mirror: Mirror, box: str, change: Callable[[bytes], bytes]
) -> None:
    mirror.permit()
    assert ask(mirror).allowed
    (path,) = (mirror.folder / box).iterdir()
    path.write_bytes(change(path.read_bytes()))
    answer = ask(mirror)
    assert answer.code == "unreadable"
    assert path.name in answer.reason
    assert str(mirror.folder) in answer.reason


@pytest.mark.parametrize("kind", ["permit", "hold", "revocation"])
def test_an_order_of_another_run_is_unreadable(mirror: Mirror, kind: str) -> None:
    permit = mirror.permit()
    mirror.order(kind, **{"run_id": "run-2", "reason": "x", "permit": {"record": permit}})
    answer = ask(mirror)
    assert (answer.code, "run-2" in answer.reason) == ("unreadable", True)


def test_a_lease_of_another_run_is_unreadable(mirror: Mirror) -> None:
    permit = mirror.permit(lease=False)
    mirror.lease(permit, run_id="run-2")
    assert ask(mirror).code == "unreadable"


@pytest.mark.parametrize(
    ("kind", "signer"),
    [("permit", "hold"), ("permit", "trainer"), ("hold", "permit"), ("revocation", "hold")],
)
def test_a_key_signs_only_what_it_is_for(mirror: Mirror, kind: str, signer: str) -> None:
    permit = mirror.permit()
    mirror.order(kind, signed_by=signer, reason="x", permit={"record": permit})
    assert ask(mirror).code == "unreadable"


def test_a_renamed_permit_is_not_the_newest(mirror: Mirror) -> None:
    mirror.permit(1e9, lease=False)
    mirror.permit(10.0)
    old = mirror.folder / "orders/000000000000-permit.json"
    (mirror.folder / "orders/000000000099-permit.json").write_bytes(old.read_bytes())
    answer = ask(mirror)
    assert (answer.code, "renamed" in answer.reason) == ("unreadable", True)


def test_an_order_of_an_unknown_kind_stops_an_old_client(mirror: Mirror) -> None:
    mirror.permit()
    mirror.put("orders/000000000009-recall.json", b"{}")
    answer = ask(mirror)
    assert (answer.code, "too old" in answer.reason) == ("unreadable", True)


def test_a_half_written_file_beside_the_orders_is_not_read(mirror: Mirror) -> None:
    mirror.permit()
    mirror.put("orders/.000000000009-hold.json.1f", b"{")
    mirror.put("leases/.x.json", b"{")
    assert ask(mirror).allowed


def test_a_hold_that_was_seen_stays_when_its_file_is_taken_away(mirror: Mirror) -> None:
    mirror.permit()
    mirror.hold()
    gate = mirror.gate()
    assert gate.may_continue(1.0).code == "held"
    (mirror.folder / "orders/000000000001-hold.json").unlink()
    assert gate.may_continue(1.0).code == "held"


def test_an_envelope_of_another_payload_type_is_no_message(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.envelopes.PAYLOAD_TYPE", "text/plain")
    content = mirror.sealers["permit"].seal(PERMIT, digest_of("x"), {})
    monkeypatch.undo()
    with pytest.raises(NotSigned, match="text/plain"):
        opened(content, [mirror.sealers["permit"].public], PERMIT)


@contextmanager
def hanging(path: Path) -> Iterator[None]:
    """A named pipe: opening it for reading blocks, as a file on a hung disk does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    try:
        yield
    finally:
        os.close(os.open(path, os.O_RDWR))  # lets the stuck thread go, with an empty file
        for thread in threading.enumerate():
            if thread.name == "redline-client":
                thread.join(5)


@pytest.mark.parametrize("key", ["orders/000000000009-hold.json", "leases/9.json"])
def test_a_hung_mirror_does_not_hang_a_step(mirror: Mirror, key: str) -> None:
    mirror.permit()
    gate = mirror.gate(seconds=LIMIT)
    with hanging(mirror.folder / key):
        begun = time.monotonic()
        answer = gate.may_continue(1.0)
        assert LIMIT <= time.monotonic() - begun < 10 * LIMIT
        assert answer.code == "unreadable"
        assert f"{LIMIT:g} s" in answer.reason
        assert str(mirror.folder) in answer.reason
        begun = time.monotonic()
        again = gate.may_continue(1.0)
        assert not gate.heartbeat(state="training", step=1, flop=0.0)
        assert time.monotonic() - begun < LIMIT, "a stuck look must not be waited for again"
        assert (again.code, "still stuck" in again.reason) == ("unreadable", True)
        assert "still stuck" in gate.last_problem


def test_a_mirror_that_answers_again_is_asked_again(mirror: Mirror) -> None:
    mirror.permit()
    gate = mirror.gate(seconds=LIMIT)
    path = mirror.folder / "orders/000000000001-hold.json"
    with hanging(path):
        assert gate.may_continue(1.0).code == "unreadable"
    path.unlink()
    assert gate.may_continue(1.0).allowed


def test_an_outbox_that_hangs_does_not_hang_an_acknowledgement(mirror: Mirror) -> None:
    mirror.permit()
    mirror.hold()
    gate = mirror.gate(seconds=LIMIT)
    hold = gate.may_continue(1.0).hold
    assert hold is not None
    with hanging(mirror.folder / "outbox/0.json"):
        given = {"state": "x", "last_step": 1, "last_flop": 1.0, "last_checkpoint": None}
        assert not gate.acknowledge(hold, **given)
        assert "did not answer" in gate.last_problem


def test_what_nobody_thought_of_is_an_answer_not_an_exception(mirror: Mirror) -> None:
    def broken() -> datetime:
        raise ZeroDivisionError("a clock that is broken")

    mirror.permit()
    gate = mirror.gate(clock=broken)
    answer = gate.may_continue(1.0)
    assert (answer.allowed, answer.code) == (False, "unreadable")
    assert "ZeroDivisionError('a clock that is broken')" in answer.reason
    assert not gate.heartbeat(state="training", step=1, flop=0.0)
    assert "ZeroDivisionError" in gate.last_problem


@pytest.mark.parametrize("wanted", [None, "12", [], object()])
def test_a_question_that_is_no_number_is_answered_no(mirror: Mirror, wanted: object) -> None:
    mirror.permit()
    assert mirror.gate().may_continue(wanted).code == "unreadable"  # type: ignore[arg-type]


@pytest.mark.parametrize("without", ["record", "ledger_index"])
def test_a_signed_message_without_a_field_is_unreadable(mirror: Mirror, without: str) -> None:
    body = {"ledger_index": 0, "record": {"run_id": "run-1"}}
    del body[without]
    content = mirror.sealers["permit"].seal(PERMIT, digest_of("x"), body)
    mirror.put("orders/000000000000-permit.json", content)
    assert ask(mirror).code == "unreadable"


def test_a_lease_with_a_time_of_no_zone_is_unreadable(mirror: Mirror) -> None:
    mirror.lease(mirror.permit(lease=False), issued_at="2026-11-24T12:00:00")
    assert ask(mirror).code == "unreadable"


def test_a_mirror_that_may_not_be_read_is_unreadable(mirror: Mirror) -> None:
    mirror.put("orders", b"a file where a folder should be")
    assert ask(mirror).code == "unreadable"


def test_a_strangers_lease_is_unreadable(mirror: Mirror, tmp_path: Path) -> None:
    mirror.permit()
    (tmp_path / "other").mkdir()
    stranger: Sealer = Mirror(tmp_path / "other").sealers["permit"]
    mirror.put("leases/9.json", stranger.seal(LEASE, digest_of("x"), {"run_id": "run-1"}))
    assert ask(mirror).code == "unreadable"


def test_two_threads_wait_for_each_other_only_as_long_as_the_limit() -> None:
    limit, go = TimeLimit(LIMIT, "a mirror"), threading.Event()
    inside = threading.Event()

    def slow() -> None:
        inside.set()
        go.wait(5)

    def asks() -> None:
        with contextlib.suppress(TookTooLong):
            limit.run(slow)

    first = threading.Thread(target=asks)
    first.start()
    assert inside.wait(5)
    with pytest.raises(TookTooLong, match="a mirror"):
        limit.run(lambda: None)
    go.set()
    first.join(5)


def test_a_forked_child_is_not_stuck_because_its_parent_is() -> None:
    limit, go = TimeLimit(LIMIT, "a mirror"), threading.Event()
    with pytest.raises(TookTooLong):
        limit.run(lambda: go.wait(5))
    child = os.fork()
    if child == 0:
        os._exit(limit.run(lambda: 7))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    go.set()
