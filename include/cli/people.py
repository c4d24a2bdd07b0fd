"""`rsp packet` and `rsp sign`: read what is shown, say what you think, with your own key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from include.cli.opened import ledger_of, record_named
from include.rsp.errors import InvalidDocument
from include.rsp.human_tasks import WORDS

Store = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
PLACE = ".redline/store"
KIND_OF = {choice: kind for kind, choices in WORDS.items() for choice in choices} | {
    "revoke": "revocation"
}
"""Which kind of answer a choice belongs to: no choice belongs to two."""
DETAILS = ("cap_ratio", "response", "not_applicable", "notice", "invalid")
LISTS = ("not_applicable", "invalid")


def packet(
    digest: Annotated[str, typer.Argument(help="the full digest, or its first digits")],
    store: Store = PLACE,
    html: Annotated[Path | None, typer.Option(help="write the page there instead")] = None,
) -> None:
    """Print the text of a report, packet, policy review or transcript review: all that is shown."""
    from include.adapters.store import get_blob
    from include.rsp.records import (
        CapabilityReport,
        Packet,
        PolicyReview,
        ReviewRequest,
        SafeguardsReport,
    )

    opened, state = ledger_of(store)
    found, record = record_named(state, digest)
    shown = CapabilityReport | Packet | PolicyReview | ReviewRequest | SafeguardsReport
    if not isinstance(record, shown):
        raise InvalidDocument(
            f"{digest} is a {record.kind} (expected a capability_report, safeguards_report, "
            "packet, policy_review or review_request)."
        )
    if html is None:
        typer.echo(get_blob(opened, record.document.blob).decode())
    elif isinstance(record, PolicyReview | ReviewRequest):
        raise InvalidDocument(f"{digest} is a {record.kind}, which has no page. Leave --html out.")
    else:
        html.write_bytes(get_blob(opened, record.page.blob))
        typer.echo(f"{html}: {record.kind} {found}")


def sign(
    about: Annotated[
        str, typer.Option(help="full digest of the report, packet, permit or request")
    ],
    key: Annotated[Path, typer.Option(help="your private key")],
    office: Annotated[str, typer.Option(help="your office in the policy, for example rso")],
    answer: Annotated[str, typer.Option(help=f"one of {', '.join(sorted(KIND_OF))}")],
    reason: Annotated[str, typer.Option(help="why; everybody will read it")],
    detail: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value, may be repeated: cap_ratio, response, not_applicable "
            "(determination), notice (receipt), invalid (review; `number: reason`)"
        ),
    ] = None,
    submit: Annotated[
        bool, typer.Option(help="also write the answer into the store, without a human task")
    ] = False,
    store: Store = PLACE,
) -> None:
    """Sign what you say; paste what is printed into the human task, or write it with --submit."""
    from include.adapters.answers import said_by, sign_answer
    from include.adapters.signing import KeyFile
    from include.rsp.canonical import checked_digest

    if answer not in KIND_OF:
        raise InvalidDocument(f"--answer {answer!r} (expected one of {sorted(KIND_OF)}).")
    kind = KIND_OF[answer]
    said = said_by(
        kind, office=office, choice=answer, reason=reason, at=datetime.now(UTC),
        **_details(detail or []),
    )  # fmt: skip
    envelope = sign_answer(KeyFile(key), kind, checked_digest(about), said)
    if not submit:
        typer.echo(envelope.model_dump_json())
        return
    from include.adapters.answers import signed_record
    from include.adapters.ledger import write_record

    opened, state = ledger_of(store)
    record = signed_record(state.trust, kind, about, envelope, at=datetime.now(UTC))
    typer.echo(write_record(opened, record))


def _details(given: list[str]) -> dict[str, Any]:
    """What else is said, from `name=value`; a list where a name may stand several times."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not value or name not in DETAILS:
            raise InvalidDocument(
                f"--detail {one!r} (expected name=value with one of the names {DETAILS})."
            )
        if name in LISTS:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise InvalidDocument(f"--detail {name} is given twice (expected it once).")
        elif name == "cap_ratio":
            found[name] = _number(value)
        else:
            found[name] = value
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidDocument(
            f"cap_ratio={text!r} (expected a number, for example 2.5)."
        ) from error
