"""`rsp report`: tell Redline what happened; the next sweep raises the assessment that follows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from include.cli.opened import caller, ledger_of, record_named
from include.rsp.errors import InvalidDocument

app = typer.Typer(help="Report an incident or a restated result.", no_args_is_help=True)

Store = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
PLACE = ".redline/store"


@app.command()
def incident(
    category: Annotated[str, typer.Option(help="for example jailbreak or under-elicitation")],
    what: Annotated[str, typer.Option(help="what happened, in a sentence")],
    run: Annotated[str | None, typer.Option(help="the training run; every run if left out")] = None,
    store: Store = PLACE,
) -> None:
    """Report an incident; every run that it concerns is assessed anew."""
    from include.adapters.ledger import write_record
    from include.adapters.stamp import code_stamp
    from include.rsp.records import Incident

    opened, state = ledger_of(store)
    if run is not None and run not in state.runs:
        raise InvalidDocument(
            f"No training run {run!r} was announced (known: {sorted(state.runs)}). Leave --run out "
            "if it concerns every run. Nothing was written."
        )
    now = datetime.now(UTC)
    record = Incident(
        at=now, by=_by("incident"), stamp=code_stamp(), run_id=run, category=category, what=what,
        known_at=now,
    )  # fmt: skip
    typer.echo(write_record(opened, record))


@app.command()
def restatement(
    result_set: Annotated[str, typer.Option(help="digest of the counted result set")],
    samples: Annotated[Path, typer.Option(help="the sample table as it should have been (JSON)")],
    reason: Annotated[str, typer.Option(help="why it is said again")],
    store: Store = PLACE,
) -> None:
    """Restate a counted result. The old one stays; the case that rests on it is reopened."""
    from include.adapters.evidence_files import read_samples
    from include.adapters.ledger import write_record
    from include.adapters.stamp import code_stamp
    from include.adapters.store import put_blob
    from include.rsp.canonical import canonical_bytes
    from include.rsp.records import RecordRef, Restatement, ResultSet

    table = read_samples(samples)
    opened, state = ledger_of(store)
    digest, counted = record_named(state, result_set)
    if not isinstance(counted, ResultSet):
        raise InvalidDocument(f"{digest} is a {counted.kind} (expected a result_set).")
    record = Restatement(
        at=datetime.now(UTC),
        by=_by("restatement"),
        stamp=code_stamp(),
        result_set=RecordRef(record=digest),
        samples=put_blob(opened, canonical_bytes(table), name="samples.json"),
        reason=reason,
    )
    typer.echo(write_record(opened, record))


def _by(command: str) -> str:
    return f"rsp report {command} ({caller()})"
