"""What a channel's error says: whether trying again may help, and one line without secrets."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from smtplib import SMTPServerDisconnected as Disconnected
from typing import Any
from urllib.parse import quote, unquote

LINE_CHARACTERS = 300
SHORTEST = 4
HIDDEN = "<hidden>"
_STATUS = re.compile(r"^(\d{3}):|Status Code: (\d{3})")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PATH = re.compile(r"\burl: \S+")
_TOKEN = re.compile(r"(?=[A-Za-z+/_=-]*\d)[A-Za-z0-9+/_=-]{24,}")


def may_pass(error: BaseException) -> bool:
    """Whether it is a fault of transport: no answer, 4xx of a mail server, 5xx of a web server."""
    if isinstance(error, SMTPRecipientsRefused | SMTPResponseException):
        return 400 <= _mail_reply(error)[0] < 500
    if isinstance(error, SMTPException):
        return isinstance(error, Disconnected)
    status = _status(error)
    if status is not None:
        return status >= 500 or status in {408, 429}
    return isinstance(error, OSError)


def one_recipient_only(error: Exception) -> bool:
    """Whether the service works and only would not take this recipient."""
    return isinstance(error, SMTPRecipientsRefused)


def what_happened(error: Exception, connection: Any) -> str:
    """One line; of the connection's content nothing but its host can be in it."""
    if isinstance(error, SMTPRecipientsRefused | SMTPResponseException):
        code, words = _mail_reply(error)
        return f"{code} {_clean(words, connection)}".rstrip(" .")
    root = _root(error)
    text = _clean(str(root.strerror if root else error), connection)
    return f"{type(root or error).__name__}: {text}".rstrip(" .:")


def _mail_reply(error: SMTPRecipientsRefused | SMTPResponseException) -> tuple[int, str]:
    code: int
    words: bytes | str
    if isinstance(error, SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
    else:
        code, words = error.smtp_code, error.smtp_error
    return int(code), words.decode("utf-8", "replace") if isinstance(words, bytes) else words


def _status(error: BaseException) -> int | None:
    """The HTTP status: both hooks say it only in the text of an AirflowException."""
    from airflow.sdk.exceptions import AirflowException

    found = _STATUS.search(str(error)) if isinstance(error, AirflowException) else None
    return int(found[1] or found[2]) if found else None


def _root(error: BaseException) -> OSError | None:
    """The operating system's own error beneath, whose words hold no address."""
    found: OSError | None = None
    below: BaseException | None = error
    while below is not None:
        if type(below).__module__ == "builtins" and isinstance(below, OSError) and below.strerror:
            found = below
        below = below.__cause__ or below.__context__
    return found


def _clean(text: str, connection: Any) -> str:
    """The text in one line, without addresses, paths, long tokens and the connection's values.

    If a password too short to be taken out safely may be in it, nothing of it is left.
    """
    password = connection.password or ""
    if 0 < len(password) < SHORTEST and password.lower() in text.lower():
        return HIDDEN
    text = _PATH.sub("url: " + HIDDEN, _ADDRESS.sub(HIDDEN, text))
    for value in sorted(set(_private(connection)), key=len, reverse=True):
        text = re.sub(re.escape(value), HIDDEN, text, flags=re.IGNORECASE)
    line = " ".join(_TOKEN.sub(HIDDEN, text).split())
    return line if len(line) <= LINE_CHARACTERS else line[: LINE_CHARACTERS - 1] + "…"


def _private(connection: Any) -> Iterator[str]:
    """Every form in which a value of the connection could stand in an error."""
    login, password = connection.login or "", connection.password or ""
    extra = connection.extra_dejson
    _, _, path = (connection.host or "").split("://")[-1].partition("/")
    values = [login, password, path, *_texts(extra)]
    for value in values:
        for form in (value, quote(value, safe=""), quote(value), unquote(value), value.strip("/")):
            yield from (one for one in (form, *form.split("/")) if len(one) >= SHORTEST)
    for spoken in (login, password, f"\0{login}\0{password}", f"{login}:{password}"):
        coded = b64encode(spoken.encode()).decode()
        if len(coded) >= SHORTEST:
            yield coded


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
