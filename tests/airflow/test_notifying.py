"""Notices reach the people of a role over real sockets, and no secret reaches the answer."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from airflow.secrets import BaseSecretsBackend

from include.wiring.delivery_faults import what_happened
from include.wiring.notifying import Delivery, Message, Patience, deliver, needs_another_try
from tests.support.sinks import http_sink, smtp_sink

pytestmark = pytest.mark.airflow

PASSWORD = "correct-horse-battery"
TOKEN = "T0000AAAA/B0000BBBB/Cccc1111DDDD2222eeee"
HOOK = "/inbox/q7Zk-93af-secret"
QUICK = Patience(first=0.001, longest=0.002)
NOTICE = Message(
    to="board",
    subject="Hold on toy-run-1",
    text="Two-digit addition crossed: 0.88 <against> 0.5.\nReceipt asked for by Friday.",
    link="https://redline.example/records/4f0c",
)
Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Sets connections of the role `board` (or of the id that is given) for this process."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def set_one(conn_id: str = "redline_notify_board", **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return set_one


def mail_to(port: int, to: str = "board@lab.example", **fields: Any) -> dict[str, Any]:
    extra = {"to": to, "from": "redline@lab.example", "disable_ssl": True, "disable_tls": True}
    return {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "extra": {**extra, "retry_limit": 0},
        **fields,
    }


def slack_to(port: int) -> dict[str, Any]:
    return {
        "conn_type": "slackwebhook",
        "host": f"http://127.0.0.1:{port}/services",
        "password": TOKEN,
    }


def hook_to(port: int, **fields: Any) -> dict[str, Any]:
    there = {"conn_type": "http", "host": "127.0.0.1", "port": port, "extra": {"endpoint": HOOK}}
    return {**there, **fields}


def delivered(channel: str, address: str = "redline_notify_board") -> Delivery:
    return Delivery(channel, address, delivered=True, problem=None)  # type: ignore[arg-type]


def the_problem(deliveries: list[Delivery], channel: str) -> str:
    """The problem of the only delivery, which failed; it must be one line without a secret."""
    (only,) = deliveries
    assert (only.channel, only.address, only.delivered) == (channel, "redline_notify_board", False)
    assert only.problem
    assert needs_another_try(deliveries) is (channel != "none")
    assert_no_secret(only.problem)
    return only.problem


def assert_no_secret(text: str) -> None:
    assert "\n" not in text
    coded = b64encode(f"\0redline-user\0{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, coded, *TOKEN.split("/"), "q7Zk", "redline-user"):
        assert secret.lower() not in text.lower()


def test_a_mail_arrives_as_it_was_written(connect: Connect) -> None:
    with smtp_sink() as sink:
        connect(**mail_to(sink.port, login="redline-user", password=PASSWORD))
        assert deliver(NOTICE, patience=QUICK) == [delivered("email")]
    (mail,) = sink.mails
    assert (mail.sender, mail.recipients) == ("redline@lab.example", ["board@lab.example"])
    assert mail.parsed["Subject"] == NOTICE.subject
    assert mail.parsed["To"] == "board@lab.example"
    assert "0.88 &lt;against&gt; 0.5.\nReceipt asked" in mail.html
    assert f'href="{NOTICE.link}"' in mail.html
    assert sink.count("AUTH") == 1


def test_slack_gets_it_with_its_own_signs_escaped(connect: Connect) -> None:
    with http_sink() as sink:
        connect(**slack_to(sink.port))
        assert deliver(NOTICE, patience=QUICK) == [delivered("slack")]
    (post,) = sink.posts
    assert post.path == f"/services/{TOKEN}"
    assert post.body["text"] == (
        "*Hold on toy-run-1*\nTwo-digit addition crossed: 0.88 &lt;against&gt; 0.5.\n"
        f"Receipt asked for by Friday.\n{NOTICE.link}"
    )
    assert post.body["unfurl_links"] is False


def test_slack_takes_a_whole_address_in_the_password_too(connect: Connect) -> None:
    with http_sink() as sink:
        connect(conn_type="slackwebhook", password=f"{sink.url}/services/{TOKEN}")
        assert deliver(NOTICE, patience=QUICK) == [delivered("slack")]
    assert sink.posts[0].path == f"/services/{TOKEN}"


def test_a_webhook_gets_the_message_as_json(connect: Connect) -> None:
    with http_sink() as sink:
        connect(**hook_to(sink.port))
        assert deliver(NOTICE, patience=QUICK) == [delivered("webhook")]
    (post,) = sink.posts
    assert (post.path, post.body) == (HOOK, asdict(NOTICE))


def test_a_dash_in_a_role_is_an_underscore_in_the_connection(connect: Connect) -> None:
    with http_sink() as sink:
        connect("redline_notify_second_line", **hook_to(sink.port))
        found = deliver(Message("second-line", "s", "t", None), patience=QUICK)
    assert found == [delivered("webhook", "redline_notify_second_line")]
    assert sink.posts[0].body == {"to": "second-line", "subject": "s", "text": "t", "link": None}


def test_without_a_connection_the_answer_says_what_to_add(connect: Connect, bag: Any) -> None:
    problem = the_problem(deliver(NOTICE, patience=QUICK), "none")
    assert problem.startswith("No connection redline_notify_board for the role 'board'")
    assert "AIRFLOW_CONN_REDLINE_NOTIFY_BOARD" in problem


def test_another_type_of_connection_is_no_channel(connect: Connect) -> None:
    connect(conn_type="ssh", host="127.0.0.1", password=PASSWORD)
    problem = the_problem(deliver(NOTICE, patience=QUICK), "none")
    assert "is of type 'ssh', expected smtp, slackwebhook, http or https" in problem


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (mail_to(1, extra={"from": "a@lab.example"}), "has no 'to'"),
        (mail_to(1, extra={"to": "a@lab.example"}), "has no 'from'"),
        (mail_to(1, extra=["to"]), "has no 'from'"),
        (mail_to(1, extra={"to": "a@x.example, board", "from": "a@x.example"}), "no address"),
        (mail_to(1, extra={"to": "a@x.example", "from": "a@x\r\nBcc: b@x.example"}), "no address"),
        (hook_to(1, extra={}), "has no 'endpoint'"),
        (hook_to(1, conn_type="https"), "Set its Schema to https"),
    ],
)
def test_a_connection_that_lacks_something_says_what(
    connect: Connect, fields: dict[str, Any], says: str
) -> None:
    connect(**fields)
    channel = "email" if fields["conn_type"] == "smtp" else "webhook"
    assert says in the_problem(deliver(NOTICE, patience=QUICK), channel)


def refusing(verb: str, reply: str, times: int = 99) -> Callable[[str, str], str | None]:
    left = [times]

    def script(came: str, line: str) -> str | None:
        if came != verb or left[0] == 0:
            return None
        left[0] -= 1
        return reply

    return script


@pytest.mark.parametrize(
    ("verb", "reply", "says", "tries"),
    [
        ("RCPT", "550 5.1.1 no such user", "550 5.1.1 no such user", 1),
        ("MAIL", "550 5.7.1 not from you", "550 5.7.1 not from you", 1),
        ("DATA", "554 5.6.0 looks like spam", "554 5.6.0 looks like spam", 1),
        ("RCPT", "451 4.3.0 come again", "451 4.3.0 come again", 3),
    ],
)
def test_a_mail_server_that_refuses_is_quoted(
    connect: Connect, verb: str, reply: str, says: str, tries: int
) -> None:
    with smtp_sink(refusing(verb, reply)) as sink:
        connect(**mail_to(sink.port))
        assert says in the_problem(deliver(NOTICE, patience=QUICK), "email")
    assert sink.mails == []
    assert sink.count(verb) == tries


def test_a_mail_server_that_repeats_the_password_is_not_quoted_with_it(connect: Connect) -> None:
    def talkative(verb: str, line: str) -> str | None:
        return f"535 5.7.8 {line} is wrong, {PASSWORD} I mean" if verb == "AUTH" else None

    with smtp_sink(talkative) as sink:
        connect(**mail_to(sink.port, login="redline-user", password=PASSWORD))
        problem = the_problem(deliver(NOTICE, patience=QUICK), "email")
    assert sink.count("AUTH") == 1
    assert "535 5.7.8" in problem
    assert "<hidden>" in problem


def test_a_password_too_short_to_take_out_leaves_nothing_of_the_text(connect: Connect) -> None:
    with smtp_sink(refusing("AUTH", "535 pw is wrong")) as sink:
        connect(**mail_to(sink.port, login="redline-user", password="pw"))
        problem = the_problem(deliver(NOTICE, patience=QUICK), "email")
    assert "535 <hidden>." in problem
    assert "pw" not in problem


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (503, 3), (429, 3), (404, 1), (401, 1)])
@pytest.mark.parametrize("channel", ["slack", "webhook"])
def test_a_web_server_that_refuses_is_named_by_its_status(
    connect: Connect, channel: str, status: int, tries: int
) -> None:
    path = f"/services/{TOKEN}" if channel == "slack" else HOOK
    with http_sink(status, body=f"no service at {path}") as sink:
        connect(**(slack_to if channel == "slack" else hook_to)(sink.port))
        problem = the_problem(deliver(NOTICE, patience=QUICK), channel)
    assert str(status) in problem
    assert len(sink.posts) == tries


@pytest.mark.parametrize("channel", ["email", "slack", "webhook"])
def test_nobody_listening_is_said_so(connect: Connect, unused_tcp_port: int, channel: str) -> None:
    settings = {"email": mail_to, "slack": slack_to, "webhook": hook_to}[channel]
    connect(**settings(unused_tcp_port))
    problem = the_problem(deliver(NOTICE, patience=QUICK), channel)
    assert "ConnectionRefusedError: Connection refused" in problem


@pytest.mark.parametrize("channel", ["slack", "webhook"])
def test_a_server_that_hangs_up_is_tried_as_often_as_was_said(
    connect: Connect, channel: str
) -> None:
    with http_sink(0) as sink:
        connect(**(slack_to if channel == "slack" else hook_to)(sink.port))
        assert "without response" in the_problem(deliver(NOTICE, patience=QUICK), channel)
    assert len(sink.posts) == 3


def test_a_connection_cannot_turn_a_refusal_into_a_delivery(connect: Connect) -> None:
    with http_sink(500) as sink:
        connect(**hook_to(sink.port, extra={"endpoint": HOOK, "check_response": False}))
        assert "500" in the_problem(deliver(NOTICE, patience=QUICK), "webhook")


def test_the_path_of_a_webhook_is_masked_in_the_log_of_a_task(
    connect: Connect, unused_tcp_port: int
) -> None:
    from airflow.sdk.log import redact

    own = "/named-nowhere-else-4711"
    connect(**hook_to(unused_tcp_port, extra={"endpoint": own}))
    deliver(NOTICE, patience=QUICK)
    assert (
        redact(f"Max retries exceeded with url: {own} (") == "Max retries exceeded with url: *** ("
    )


@pytest.mark.parametrize(
    "words",
    [
        f"failed: https://127.0.0.1/inbox/{'x' * 9}",
        "Max retries exceeded with url: /somewhere/not-configured (Caused",
        "hidden is zz9AAAAAAAAAAAAAAAAAAAAAAAAA",
        f"hidden is {b64encode(f'redline-user:{PASSWORD}'.encode()).decode()}",
        f"two\nlines {PASSWORD.upper()}",
        "for redline-user",
        "at " + HOOK.strip("/"),
        "at " + HOOK.replace("/", "%2F"),
    ],
)
def test_an_error_of_any_kind_is_told_without_what_the_connection_holds(words: str) -> None:
    from airflow.sdk import Connection

    held = hook_to(1, login="redline-user", password=PASSWORD)
    told = what_happened(
        RuntimeError(f"{words}; the rest"),
        Connection.from_json(json.dumps(held), "redline_notify_board"),
    )
    assert_no_secret(told)
    assert "<hidden>" in told
    for gone in ("xxxxxxxxx", "/somewhere", "zz9AAA"):
        assert gone not in told
    assert told.startswith("RuntimeError: ")


@pytest.mark.parametrize(
    "form", ["p@ss 1", "p%40ss%201", "cEBzcyAx", "YWI6cEBzcyAx", "AGFiAHBAc3MgMQ=="]
)
def test_a_password_is_hidden_in_every_form_that_a_protocol_gives_it(form: str) -> None:
    from airflow.sdk import Connection

    held = Connection.from_json(json.dumps(mail_to(1, login="ab", password="p@ss 1")), "x")
    assert what_happened(RuntimeError(f"not {form} !"), held) == "RuntimeError: not <hidden> !"


class Denying(BaseSecretsBackend):
    """A secrets backend that denies everything, as the execution API does for another team."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> None:
        from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

        raise AirflowSecretsBackendAccessDenied(f"no {conn_id}, {PASSWORD}")


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An Airflow whose secrets backend denies every connection."""
    from airflow.sdk.configuration import clear_secrets_backends_cache

    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Denying")
    clear_secrets_backends_cache()
    yield
    clear_secrets_backends_cache()
    monkeypatch.undo()


@pytest.mark.usefixtures("denied")
def test_a_connection_that_is_denied_is_told_apart_from_a_missing_one() -> None:
    found = deliver(NOTICE, patience=QUICK)
    assert [one.address[-2:] for one in found] == ["rd", "_2", "_3"]
    for one in found:
        assert one.problem
        assert "could not be read (AirflowSecretsBackendAccessDenied)" in one.problem
        assert_no_secret(one.problem)
    assert needs_another_try(found) is False


def test_an_address_that_does_not_read_is_not_repeated(connect: Connect) -> None:
    connect(conn_type="slackwebhook", password=f"ftp://hooks.example/services/{TOKEN}")
    assert "SlackRequestError" in the_problem(deliver(NOTICE, patience=QUICK), "slack")


def test_a_short_fault_is_sat_out(connect: Connect) -> None:
    with smtp_sink(refusing("RCPT", "451 busy", times=2)) as mails, http_sink(503, 200) as posts:
        connect(**mail_to(mails.port))
        connect("redline_notify_board_2", **hook_to(posts.port))
        found = deliver(NOTICE, patience=QUICK)
    assert found == [delivered("email"), delivered("webhook", "redline_notify_board_2")]
    assert (len(mails.mails), mails.count("RCPT"), len(posts.posts)) == (1, 3, 2)


def test_the_waits_between_tries_are_those_asked_for(connect: Connect) -> None:
    with http_sink(503) as sink:
        connect(**hook_to(sink.port))
        began = time.monotonic()
        deliver(NOTICE, patience=Patience(tries=3, first=0.1, longest=0.15))
    assert 0.25 <= time.monotonic() - began < 5
    assert len(sink.posts) == 3


def test_a_redirect_is_not_taken_for_a_delivery(connect: Connect) -> None:
    with http_sink(302) as sink:
        connect(**hook_to(sink.port, extra={"endpoint": HOOK, "check_response": False}))
        assert "TooManyRedirects" in the_problem(deliver(NOTICE, patience=QUICK), "webhook")
    assert sink.gets == []


@pytest.mark.parametrize("down", [0, 1])
def test_one_channel_up_does_not_hide_that_the_other_is_down(
    connect: Connect, unused_tcp_port: int, down: int
) -> None:
    with http_sink() as sink:
        ports = [unused_tcp_port, sink.port] if down == 0 else [sink.port, unused_tcp_port]
        connect("redline_notify_board", **slack_to(ports[0]))
        connect("redline_notify_board_3", **hook_to(ports[1]))
        found = deliver(NOTICE, patience=QUICK)
    assert [one.delivered for one in found] == [down != 0, down != 1]
    assert [one.address for one in found] == ["redline_notify_board", "redline_notify_board_3"]
    assert found[down].problem
    assert found[1 - down].problem is None
    assert needs_another_try(found) is False
    assert len(sink.posts) == 1


def test_one_of_several_recipients_refused_is_no_delivery(connect: Connect) -> None:
    def script(verb: str, line: str) -> str | None:
        return "550 5.1.1 gone" if verb == "RCPT" and "b@" in line else None

    with smtp_sink(script) as sink:
        connect(**mail_to(sink.port, to="a@lab.example, b@lab.example; c@lab.example"))
        problem = the_problem(deliver(NOTICE, patience=QUICK), "email")
    assert "message 2 of 3: 550 5.1.1 gone" in problem
    assert [one.recipients for one in sink.mails] == [["a@lab.example"], ["c@lab.example"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_a_subject_cannot_break_out_of_its_header(connect: Connect, end: str) -> None:
    subject = f"Hold{end}Bcc: thief@evil.example{end}{end}<b>another body</b>"
    with smtp_sink() as sink:
        connect(**mail_to(sink.port))
        assert deliver(Message("board", subject, "t", None), patience=QUICK)[0].delivered
    (mail,) = sink.mails
    assert mail.recipients == ["board@lab.example"]
    assert mail.parsed["Bcc"] is None
    assert mail.parsed["Subject"] == "Hold Bcc: thief@evil.example <b>another body</b>"
    assert "another body" not in mail.html


ODD = "Über 10 % – 危険 🛑 {{ ti.x }} {% for %} <!channel> <script>\n.\n..dots\ud800 \x00 & 'q'"
SHOWN = ODD.replace("\ud800", "?")


def test_odd_characters_arrive_and_are_never_rendered(connect: Connect) -> None:
    message = Message("board", "Über 危険 🛑 {{ 1 + 1 }}", ODD, "javascript:alert(1)")
    with smtp_sink() as mails, http_sink() as slack, http_sink() as hook:
        connect("redline_notify_board", **mail_to(mails.port))
        connect("redline_notify_board_2", **slack_to(slack.port))
        connect("redline_notify_board_3", **hook_to(hook.port))
        found = deliver(message, patience=QUICK)
    assert [one.delivered for one in found] == [True, True, True]
    assert mails.mails[0].parsed["Subject"] == message.subject
    assert "危険 🛑 {{ ti.x }} {% for %} &lt;!channel&gt; &lt;script&gt;" in mails.mails[0].html
    assert "href" not in mails.mails[0].html
    assert "{{ ti.x }} {% for %} &lt;!channel&gt; &lt;script&gt;" in slack.posts[0].body["text"]
    assert hook.posts[0].body["text"] == SHOWN


def test_a_hundred_kilobytes_arrive_whole_and_slack_says_where_it_cut(connect: Connect) -> None:
    text = "".join(f"{number:06} <é>\n" for number in range(10_000))[:100_000]
    with smtp_sink() as mails, http_sink() as slack, http_sink() as hook:
        connect("redline_notify_board", **mail_to(mails.port))
        connect("redline_notify_board_2", **slack_to(slack.port))
        connect("redline_notify_board_3", **hook_to(hook.port))
        found = deliver(Message("board", "x" * 5_000, text, NOTICE.link), patience=QUICK)
    assert [one.delivered for one in found] == [True, True, True]
    assert text.splitlines()[-1].replace("<", "&lt;").replace(">", "&gt;") in mails.mails[0].html
    assert mails.mails[0].parsed["Subject"] == "x" * 200
    assert hook.posts[0].body["text"] == text
    said = slack.posts[0].body["text"]
    assert len(said) < 40_000
    assert said.endswith(f"[cut here: longer than Slack takes]\n{NOTICE.link}")


def test_an_empty_subject_gets_one_of_ours_and_no_template(connect: Connect) -> None:
    with smtp_sink() as sink:
        connect(**mail_to(sink.port))
        assert deliver(Message("board", " \n", "", None), patience=QUICK)[0].delivered
    assert sink.mails[0].parsed["Subject"] == "Notice from Redline"


def test_in_a_task_it_delivers_and_says_when_there_is_no_connection(
    connect: Connect, bag: Any, tmp_path: Path
) -> None:
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.sdk import dag, task

    @dag(schedule=None, dag_id="notice_of_a_test")
    def notice_of_a_test() -> None:
        @task
        def send(role: str) -> list[dict[str, Any]]:
            message = Message(role, "From a task", "text", None)
            return [asdict(one) for one in deliver(message, patience=QUICK)]

        send.override(task_id="there")("board")
        send.override(task_id="nowhere")("ltbt")

    own = DagBag(str(tmp_path), bundle_path=tmp_path, bundle_name="dags-folder")
    own.bag_dag(notice_of_a_test())
    sync_bag_to_db(own, "dags-folder", None)
    with http_sink() as sink:
        connect(**hook_to(sink.port))
        run = own.dags["notice_of_a_test"].test()
    came = {one.task_id: one.xcom_pull(task_ids=one.task_id) for one in run.get_task_instances()}
    assert came["there"] == [asdict(delivered("webhook"))]
    assert came["nowhere"][0]["problem"].startswith("No connection redline_notify_ltbt")
    assert [one.body["subject"] for one in sink.posts] == ["From a task"]


@pytest.mark.parametrize(
    ("states", "again"),
    [
        ([("none", False)], False),
        ([], False),
        ([("email", False)], True),
        ([("email", False), ("slack", False)], True),
        ([("email", False), ("slack", True)], False),
        ([("none", False), ("slack", False)], True),
        ([("email", True)], False),
    ],
)
def test_another_try_is_for_channels_that_are_there_and_all_failed(
    states: list[tuple[Any, bool]], again: bool
) -> None:
    assert needs_another_try([Delivery(c, "x", d, None) for c, d in states]) is again
