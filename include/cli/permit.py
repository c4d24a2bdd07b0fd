"""`rsp permit`: may this be deployed, and end a permit before its time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from include.cli.opened import ledger_of
from include.rsp.errors import InvalidDocument

app = typer.Typer(help="Verify a permit, list permits.", no_args_is_help=True)
Store = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
PLACE = ".redline/store"


@app.command()
def verify(
    digest: Annotated[
        str, typer.Option(help="of the checkpoint's manifest, or of a file of weights")
    ],
    store: Store = PLACE,
    trust_root: Annotated[Path | None, typer.Option(help="the trust_root.json you believe")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """May what has this digest be deployed now? Exit 0: yes, 1: no, 3: could not tell."""
    from include.adapters.verification import verify_store
    from include.rsp.canonical import checked_digest
    from include.rsp.deployment import admit
    from include.rsp.reading import parse_record
    from include.rsp.records import TrustRoot

    opened, _ = ledger_of(store)
    root = parse_record(trust_root.read_bytes(), where=str(trust_root)) if trust_root else None
    if root is not None and not isinstance(root, TrustRoot):
        raise InvalidDocument(f"{trust_root} holds a {root.kind} (expected a trust root).")
    report = verify_store(opened, trust_root=root)
    if report.problems:
        first = report.problems[0]
        raise InvalidDocument(
            f"The store is unsound, so nothing can be admitted by it: {first.where}: {first.what}. "
            "`rsp verify` lists all."
        )
    answer = admit(report.state, checked_digest(digest), at=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(answer.model_dump(mode="json"), indent=1))
    else:
        typer.echo(f"{'ADMITTED' if answer.admitted else 'REFUSED'}: {answer.because}")
    raise typer.Exit(0 if answer.admitted else 1)


@app.command("list")
def list_permits(store: Store = PLACE) -> None:
    """Every permit, what it is for, and whether it may be used now."""
    from include.rsp.canonical import short
    from include.rsp.leases import usable_until
    from include.rsp.vocabulary import Scope

    _, state = ledger_of(store)
    now = datetime.now(UTC)
    for run_id, run in state.runs.items():
        newest = run.newest_permit
        for digest, permit in run.permits.items():
            until = usable_until(state, digest, permit)
            replaced = permit.purpose is Scope.TRAINING and newest and newest[0] != digest
            usable = until is not None and now < until and not replaced
            word = f"until {until:%Y-%m-%d %H:%M}" if usable else "no more"
            label = permit.identification + (", SIMULATED" if permit.simulated else "")
            typer.echo(
                f"{short(digest)}  {permit.purpose:10}  {run_id}  ceiling "
                f"{permit.ceiling_flop:.4g} FLOP  {word}  {label}"
            )
