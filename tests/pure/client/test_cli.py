"""`python -m client`: one line and an exit code that a script can trust."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from client.cli import main
from client.gate import ACKNOWLEDGEMENT, TRAINING_RUN
from client.mailbox import HEARTBEAT
from tests.pure.client.mirror import RUN, Mirror, digest_of

CHECKPOINT = digest_of("checkpoint")
Command = Callable[..., int]


@pytest.fixture
def client(mirror: Mirror, tmp_path: Path) -> Command:
    """Runs a command against the mirror, which is in the present."""
    import datetime

    mirror.now = datetime.datetime.now(datetime.UTC)

    def run(name: str, *more: str) -> int:
        given = ["--store", str(mirror.store), "--run", RUN, "--trust-root", str(mirror.trust_root)]
        return main([name, *given, *more])

    return run


def key(mirror: Mirror) -> tuple[str, str]:
    return "--key", str(mirror.trainer_key)


def test_ask_says_yes_with_0(
    mirror: Mirror, client: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.permit(100.0)
    assert client("ask", "--to", "1e2") == 0
    assert capsys.readouterr().out.startswith("[permitted] below the ceiling of 100 FLOP")


def test_ask_says_no_with_1_and_one_line(
    mirror: Mirror, client: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.permit(100.0)
    mirror.hold("a red\nline")
    assert client("ask", "--to", "1") == 1
    out = capsys.readouterr().out
    assert out == (
        "[held] Held: a red line "
        "Next: acknowledge the hold; only people release it (DAG release_hold).\n"
    )


def test_what_cannot_be_read_is_3(
    mirror: Mirror, client: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.put("orders/000000000000-permit.json", b"{")
    assert client("ask", "--to", "1") == 3
    assert capsys.readouterr().out.startswith("[unreadable]")


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--to", "much"],
        ["--to", "1", "--run", "../x"],
        ["--to", "1", "--trust-root", "/nowhere/trust_root.json"],
        ["--to", "1", "--key", "/nowhere/key.pem"],
        ["--to", "1", "--nonsense"],
    ],
)
def test_wrong_usage_is_3_never_another_kind_of_no(client: Command, more: list[str]) -> None:
    try:
        code = client("ask", *more)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 3


def test_no_command_is_3() -> None:
    with pytest.raises(SystemExit, match="3"):
        main([])


@pytest.mark.parametrize("content", ["{}", "[]", "not json", '{"keys": [{"role": "permit"}]}'])
def test_a_trust_root_that_does_not_read_is_3(
    mirror: Mirror, client: Command, content: str
) -> None:
    mirror.trust_root.write_text(content)
    assert client("ask", "--to", "1") == 3


def test_a_trust_root_without_keys_believes_nobody(mirror: Mirror, client: Command) -> None:
    mirror.permit()
    mirror.trust_root.write_text('{"keys": []}')
    assert client("ask", "--to", "1") == 3


def test_wait_ends_with_the_first_yes(mirror: Mirror, client: Command) -> None:
    mirror.permit()
    assert client("wait", "--to", "1", "--seconds", "600") == 0


def test_wait_gives_up_with_the_last_no(mirror: Mirror, client: Command) -> None:
    assert client("wait", "--to", "1", "--seconds", "0.02", "--poll", "0.005") == 1


def test_announce_and_heartbeat_are_signed_messages(mirror: Mirror, client: Command) -> None:
    assert client("announce", *key(mirror)) == 0
    given = ("--state", "idle", "--step", "5", "--flop", "6e3")
    assert client("heartbeat", *key(mirror), *given) == 0
    assert len(mirror.sent("outbox", TRAINING_RUN)) == 1
    (beat,) = mirror.sent("heartbeats", HEARTBEAT)
    assert (beat["state"], beat["step"], beat["flop"]) == ("idle", 5, 6e3)


def test_what_cannot_be_sent_is_3(
    mirror: Mirror, client: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.put("outbox", b"a file where a folder should be")
    assert client("announce", *key(mirror)) == 3
    assert "[could_not_send] announcement" in capsys.readouterr().out


def test_acknowledge_answers_the_hold_in_force(mirror: Mirror, client: Command) -> None:
    given = (*key(mirror), "--state", "stopped, saved", "--step", "5", "--flop", "6")
    mirror.permit()
    assert client("acknowledge", *given) == 1, "nothing is held"
    hold = mirror.hold()
    assert client("acknowledge", *given, "--checkpoint-digest", CHECKPOINT) == 0
    assert client("acknowledge", *given) == 0, "again is harmless"
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert (message["subject"], message["state"]) == (hold, "stopped, saved")
    assert message["last_checkpoint"] == CHECKPOINT


def test_acknowledge_of_what_cannot_be_read_is_3(mirror: Mirror, client: Command) -> None:
    mirror.put("orders/000000000000-permit.json", b"{")
    given = (*key(mirror), "--state", "stopped, saved", "--step", "5", "--flop", "6")
    assert client("acknowledge", *given) == 3


def test_deploy_asks_and_answers(
    mirror: Mirror, client: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ("--checkpoint-digest", CHECKPOINT)
    assert client("deploy", *named) == 1
    mirror.deployable(CHECKPOINT)
    assert client("deploy", *named) == 0
    assert client("deploy", *named, *key(mirror), "--acknowledge", "off") == 1, "nothing is held"
    mirror.hold(scope="deployment")
    assert client("deploy", *named) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("[held]")
    said = ("--acknowledge", "off the air", "--measure", "api off", "--measure", "keys drawn")
    assert client("deploy", *named, *said) == 3, "no key"
    assert client("deploy", *named, *key(mirror), *said) == 0
    (message,) = mirror.sent("outbox", ACKNOWLEDGEMENT)
    assert message["state"] == "off the air; measures: api off, keys drawn"


def test_deploy_wants_a_digest(client: Command) -> None:
    with pytest.raises(SystemExit, match="3"):
        client("deploy", "--checkpoint-digest", "x016")
