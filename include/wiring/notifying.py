"""Takes a notice to the people of a role, through Airflow's own notifiers (docs/notices.md).

The channel is the type of an Airflow Connection; Redline holds no address and no secret itself.
The notifiers are called by `notify`, not by `__call__`: that would render the notice as a Jinja
template, and log the error with the webhook's address in it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from include.rsp.errors import InvalidDocument
from include.wiring.delivery_faults import may_pass, one_recipient_only, what_happened

PREFIX = "redline_notify_"
PLACES = ("", "_2", "_3")
TIMEOUT_SECONDS = 10
SUBJECT_CHARACTERS = 200
SLACK_CHARACTERS = 39_000  # Slack itself cuts at 40,000, silently

Channel = Literal["email", "slack", "webhook", "none"]
Send = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Message:
    """A notice to a role of the policy, for example `board`; the text is plain or Markdown."""

    to: str
    subject: str
    text: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notice on one channel; `address` is the connection's id, never its content.

    Delivered: the service behind the connection accepted it. That nobody read it yet, this cannot
    say; a receipt can.
    """

    channel: Channel
    address: str
    delivered: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a transport fault is tried again; waits in seconds, doubled each time."""

    tries: int = 3
    first: float = 0.5
    longest: float = 4.0


PATIENCE = Patience()


def deliver(message: Message, *, patience: Patience = PATIENCE) -> list[Delivery]:
    """Send over every channel that the role has; one Delivery for each, or one that says none.

    Never raises for a channel that fails: the others are still tried, and all of it is returned.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    first = PREFIX + message.to.replace("-", "_")
    deliveries = []
    for conn_id in (first + place for place in PLACES):
        try:
            connection = Connection.get(conn_id)
        except AirflowNotFoundException:
            continue
        except Exception as error:  # noqa: BLE001 - a secrets backend may raise anything
            problem = (
                f"The connection {conn_id} could not be read ({type(error).__name__}). Look at "
                "the secrets backend of this Airflow."
            )
            deliveries.append(Delivery("none", conn_id, delivered=False, problem=problem))
            continue
        deliveries.append(_through(connection, _sound(message), patience))
    return deliveries or [_nowhere(first, message.to)]


def needs_another_try(deliveries: list[Delivery]) -> bool:
    """Whether a channel is there and none delivered; the task then raises, and Airflow retries."""
    configured = [one for one in deliveries if one.channel != "none"]
    return bool(configured) and not any(one.delivered for one in configured)


def _nowhere(conn_id: str, role: str) -> Delivery:
    problem = (
        f"No connection {conn_id} for the role {role!r} (missing, or its secrets backend did not "
        "answer); add it in Airflow under Admin > Connections, or as "
        f"AIRFLOW_CONN_{conn_id.upper()}, of type smtp, slackwebhook, http or https."
    )
    return Delivery("none", conn_id, delivered=False, problem=problem)


def _through(connection: Any, message: Message, patience: Patience) -> Delivery:
    conn_id = str(connection.conn_id)
    channel: Channel
    match connection.conn_type:
        case "smtp":
            channel, sends = "email", _mails
        case "slackwebhook":
            channel, sends = "slack", _slack
        case "http" | "https":
            channel, sends = "webhook", _post
        case other:
            problem = (
                f"The connection {conn_id} is of type {other!r}, expected smtp, slackwebhook, "
                "http or https. Change its type in Airflow under Admin > Connections."
            )
            return Delivery("none", conn_id, delivered=False, problem=problem)
    problems = _send_all(sends, connection, message, patience)
    return Delivery(channel, conn_id, delivered=not problems, problem=" ".join(problems) or None)


def _send_all(
    sends: Callable[[Any, Message], Iterator[Send]],
    connection: Any,
    message: Message,
    patience: Patience,
) -> list[str]:
    """One problem for each send that failed; a fault of the service itself ends them all."""
    problems = []
    try:
        todo = list(sends(connection, message))
    except InvalidDocument as error:
        return [str(error)]
    for number, send in enumerate(todo, start=1):
        try:
            _patiently(send, patience)
        except Exception as error:  # noqa: BLE001 - whatever a provider raises is a problem to tell
            which = f", message {number} of {len(todo)}" if len(todo) > 1 else ""
            problems.append(
                f"Not delivered through {connection.conn_id}{which}: "
                f"{what_happened(error, connection)}. Check the connection and its service."
            )
            if not one_recipient_only(error):
                break
    return problems


def _patiently(send: Send, patience: Patience) -> None:
    import tenacity

    tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        stop=tenacity.stop_after_attempt(patience.tries),
        wait=tenacity.wait_exponential(multiplier=patience.first, max=patience.longest),
        reraise=True,
    )(send)


def _mails(connection: Any, message: Message) -> Iterator[Send]:
    """One mail for each recipient: of several in one mail, smtplib hides that some were refused."""
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    sender = _of_extra(connection, "from")
    recipients = [one.strip() for one in re.split("[,;]", _of_extra(connection, "to"))]
    if not all("@" in one for one in recipients) or _one_line(sender) != sender:
        raise InvalidDocument(
            f"The extra of the connection {connection.conn_id} has something in `to` or `from` "
            "that is no address. Several recipients are separated by commas."
        )

    def send(recipient: str) -> None:
        SmtpNotifier(
            smtp_conn_id=connection.conn_id,
            from_email=sender,
            to=[_one_line(recipient)],
            subject=message.subject,
            html_content=_as_html(message),
        ).notify({})

    return (partial(send, one) for one in recipients)


def _slack(connection: Any, message: Message) -> Iterator[Send]:
    from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

    def send() -> None:
        SlackWebhookNotifier(
            slack_webhook_conn_id=connection.conn_id,
            text=_for_slack(message),
            unfurl_links=False,
            timeout=TIMEOUT_SECONDS,
            retry_handlers=[],
        ).notify({})

    yield send


def _post(connection: Any, message: Message) -> Iterator[Send]:
    """No redirect is followed: it would turn the POST into a GET whose 200 means nothing."""
    from airflow.providers.http.notifications.http import HttpNotifier
    from airflow.sdk.log import mask_secret

    endpoint = _of_extra(connection, "endpoint")
    mask_secret(endpoint)  # the hook writes it into the task's log when nobody listens
    secure = str(connection.host).startswith("https://") or connection.schema == "https"
    if connection.conn_type == "https" and not secure:
        raise InvalidDocument(
            f"The connection {connection.conn_id} is of type https, but Airflow would post over "
            "plain http. Set its Schema to https."
        )
    body = {
        "to": message.to,
        "subject": message.subject,
        "text": message.text,
        "link": message.link,
    }

    def send() -> None:
        HttpNotifier(
            http_conn_id=connection.conn_id,
            endpoint=endpoint,
            json=body,
            extra_options={
                "timeout": TIMEOUT_SECONDS,
                "check_response": True,
                "allow_redirects": True,
                "max_redirects": 0,
            },
        ).notify({})

    yield send


def _of_extra(connection: Any, name: str) -> str:
    extra = connection.extra_dejson
    value = extra.get(name) if isinstance(extra, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise InvalidDocument(
            f"The extra of the connection {connection.conn_id} has no {name!r} (expected a text). "
            "Add it in Airflow under Admin > Connections; docs/notices.md shows each channel."
        )
    return value.strip()


def _sound(message: Message) -> Message:
    """The message with a subject of one line, and nothing in it that UTF-8 cannot say."""
    return Message(
        to=message.to,
        subject=_one_line(message.subject)[:SUBJECT_CHARACTERS] or "Notice from Redline",
        text=message.text.encode("utf-8", "replace").decode(),
        link=_one_line(message.link) if message.link else None,
    )


def _one_line(text: str) -> str:
    """Without control characters and line ends of any kind; a header cannot be broken out of."""
    kept = (" " if unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} else one for one in text)
    return " ".join("".join(kept).split())


def _as_html(message: Message) -> str:
    """The text as it was written, not rendered: nothing in it becomes markup or loads anything."""
    body = f'<pre style="white-space: pre-wrap">{html.escape(message.text)}</pre>'
    if not message.link:
        return body
    shown = html.escape(message.link)
    if not message.link.startswith(("https://", "http://")):
        return f"{body}<p>{shown}</p>"
    return f'{body}<p><a href="{shown}">{shown}</a></p>'


def _for_slack(message: Message) -> str:
    """Escaped as Slack asks, so that `<!channel>` in a text calls nobody; cut where Slack cuts."""
    head = f"*{html.escape(message.subject, quote=False)}*\n"
    tail = f"\n{html.escape(message.link, quote=False)}" if message.link else ""
    text = html.escape(message.text, quote=False)
    room = SLACK_CHARACTERS - len(head) - len(tail)
    if len(text) > room:
        text = re.sub(r"&[a-z]{0,3}$", "", text[:room]) + "\n[cut here: longer than Slack takes]"
    return head + text + tail
