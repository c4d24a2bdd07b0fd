"""`rsp evidence`: add, list, show, and what is missing; exemptions and interim plans."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.opened import caller, ledger_of, record_named
from include.rsp.errors import InvalidDocument

if TYPE_CHECKING:
    from include.adapters.store import Store
    from include.rsp.rules import Rules
    from include.rsp.state import LedgerState

app = typer.Typer(help="Evidence for safeguards.", no_args_is_help=True)

StoreOption = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="private key (PEM) of the trust root to sign with")
]
DEFAULT_STORE = ".redline/store"


@app.command("add")
def add(
    standard: Annotated[str, typer.Option()],
    criterion: Annotated[str, typer.Option(help="the requirement, see `rsp evidence missing`")],
    type: Annotated[str, typer.Option(help="a type that the requirement accepts")],
    statement: Annotated[str, typer.Option(help="what it shows, in a sentence")],
    surface: Annotated[
        list[str] | None, typer.Option(help="what it is about, repeatable; none: the organisation")
    ] = None,
    attachment: Annotated[
        list[Path] | None, typer.Option(help="a file to keep with it, repeatable")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="digest of the checkpoint it is about; documents need it")
    ] = None,
    shows: Annotated[bool, typer.Option("--shows/--refutes")] = True,
    collected_at: Annotated[
        datetime | None, typer.Option(help="UTC; default: now", formats=["%Y-%m-%dT%H:%M:%S"])
    ] = None,
    expires_in_days: Annotated[float | None, typer.Option(min=0.0001)] = None,
    supersedes: Annotated[str | None, typer.Option(help="the evidence that this replaces")] = None,
    key: KeyOption = None,
    simulated: Annotated[bool, typer.Option(help="stamp it as SIMULATED")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Add a dated piece of evidence for one requirement of a standard."""
    from include.adapters.evidence_store import add_evidence, signer_of
    from include.adapters.rederivation import RuleBook
    from include.adapters.signing import KeyFile
    from include.adapters.store import put_blob
    from include.rsp.safeguard_evidence import SafeguardEvidence

    now = datetime.now(UTC)
    collected = collected_at.replace(tzinfo=UTC) if collected_at else now
    opened, state = ledger_of(store)
    _check_asked(RuleBook(opened).in_force(state), standard, criterion, type, surface or [])
    signer = signer_of(state.trust, KeyFile(key)) if key else None
    contents = {path: path.read_bytes() for path in attachment or []}
    piece = SafeguardEvidence(
        standard=standard,
        criterion=criterion,
        type=type,
        shows=shows,
        statement=statement,
        collected_at=collected,
        collector=signer.entry.holder if signer else caller(),
        expires_at=collected + timedelta(days=expires_in_days) if expires_in_days else None,
        surfaces=surface or [],
        checkpoint=checkpoint,
        attachments=[put_blob(opened, one, name=path.name) for path, one in contents.items()],
        supersedes=record_named(state, supersedes)[0] if supersedes else None,
        simulated=simulated or bool(signer and signer.entry.simulated),
    )
    by = f"rsp evidence add ({caller()})"
    typer.echo(add_evidence(opened, piece, by=by, at=now, signer=signer))


@app.command("list")
def list_evidence(
    criterion: Annotated[str | None, typer.Option(help="only of this requirement")] = None,
    standard: Annotated[str | None, typer.Option(help="only of this standard")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """List the evidence in the ledger, newest first."""
    from include.cli.evidence_text import print_evidence
    from include.rsp.judgement import verified_by

    _, state = ledger_of(store)
    found = {
        digest: one
        for digest, one in reversed(state.evidence.items())
        if criterion in (None, one.criterion) and standard in (None, one.standard)
    }
    if as_json:
        rows = [
            {"record": digest, "verified_by": verified_by(state, digest)}
            | one.model_dump(mode="json")
            for digest, one in found.items()
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    print_evidence(state, found)


@app.command("show")
def show(
    digest: Annotated[str, typer.Argument(help="the full digest, or its first digits")],
    out: Annotated[Path | None, typer.Option(help="folder to write the attachments to")] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Print one piece of evidence, and write its attachments out."""
    from include.adapters.store import get_blob
    from include.rsp import records as r
    from include.rsp.judgement import verified_by

    opened, state = ledger_of(store)
    found, record = record_named(state, digest)
    if not isinstance(record, r.Evidence):
        raise InvalidDocument(f"{found} is a {record.kind} (expected evidence).")
    plain = record.evidence.model_dump(mode="json") | {"verified_by": verified_by(state, found)}
    typer.echo(json.dumps(plain, indent=1))
    for one in record.evidence.attachments if out else []:
        content = get_blob(opened, one.blob)
        path = (out or Path()) / Path(one.name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        typer.echo(f"wrote {path} ({one.bytes} bytes, {one.blob})", err=True)


@app.command("missing")
def missing(
    standard: Annotated[str | None, typer.Option(help="only of this standard")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="digest: evidence about other checkpoints does not count")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """List what is not shown now, on which surface, and who owns it. Exit 1: something is not."""
    from include.adapters.evidence_store import why_broken
    from include.adapters.rederivation import RuleBook
    from include.cli.evidence_text import print_missing
    from include.rsp.judgement import judge_in_general
    from include.rsp.safeguards import unmet

    opened, state = ledger_of(store)
    rules = RuleBook(opened).in_force(state)
    if rules is None:
        raise InvalidDocument("No policy is in force: nothing is asked for.")
    known = [one.id for one in rules.policy.standards]
    if standard is not None and standard not in known:
        raise InvalidDocument(f"No standard {standard!r} (expected one of {known}).")
    lost = {key: why_broken(opened, one) for key, one in state.evidence.items()}
    judged = [
        judge_in_general(
            state, rules, one, at=datetime.now(UTC), checkpoint=checkpoint,
            broken={key: why for key, why in lost.items() if why},
        )
        for one in known
        if standard in (None, one)
    ]  # fmt: skip
    if as_json:
        rows = [{"standard": one} | row.model_dump(mode="json") for one, row in unmet(judged)]
        typer.echo(json.dumps(rows, indent=1))
    else:
        print_missing(judged)
    raise typer.Exit(0 if all(one.holds for one in judged) else 1)


@app.command("exempt")
def exempt(
    standard: Annotated[str | None, typer.Option()] = None,
    criterion: Annotated[str | None, typer.Option(help="the requirement")] = None,
    because: Annotated[str | None, typer.Option(help="why it does not apply")] = None,
    key: KeyOption = None,
    surface: Annotated[str, typer.Option()] = "organisation",
    days: Annotated[float, typer.Option(min=0.001, help="for so long")] = 365,
    claim: Annotated[Path, typer.Option(help="file of the claim")] = Path("exemption.json"),
    accept: Annotated[bool, typer.Option(help="accept the claim in the file")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Say that a requirement does not apply, or accept that. Takes two people and their keys."""
    from include.adapters import exemptions
    from include.adapters.signing import KeyFile

    if key is None:
        raise InvalidDocument("Two people sign an exemption: give your --key.")
    opened, state = ledger_of(store)
    if accept:
        typer.echo(exemptions.accept(opened, state, claim, KeyFile(key), at=datetime.now(UTC)))
        return
    if not (standard and criterion and because):
        raise InvalidDocument("--standard, --criterion and --because are needed for a claim.")
    _check_exempts(opened, state, standard, criterion, surface)
    now = datetime.now(UTC)
    exemptions.claim(
        state, claim, KeyFile(key),
        standard=standard, criterion=criterion, surface=surface, because=because,
        at=now, until=now + timedelta(days=days),
    )  # fmt: skip
    typer.echo(f"{claim} is signed. A second person accepts it: `rsp evidence exempt --accept`.")


def _check_exempts(
    store: Store, state: LedgerState, standard: str, criterion: str, surface: str
) -> None:
    """Refuse an exemption from what nobody asks."""
    from include.adapters.asked_evidence import asked_of
    from include.adapters.rederivation import RuleBook
    from include.rsp.safeguard_plan import SafeguardPlan
    from include.rsp.safeguards import surfaces_of

    rules = RuleBook(store).in_force(state)
    asked = asked_of(rules) if rules else {}
    wanted = asked.get((standard, criterion))
    plan = rules.suite.safeguards if rules else SafeguardPlan()
    known = [one for one, _ in surfaces_of(wanted, plan)] if wanted else []
    if surface not in known:
        raise InvalidDocument(
            f"Nobody asks for {standard!r}, {criterion!r} on {surface!r} (expected "
            f"{known or sorted(asked)}). Nothing was signed."
        )


def _check_asked(
    rules: Rules | None, standard: str, criterion: str, type: str, surfaces: list[str]
) -> None:
    """Refuse evidence for what nobody asks: it would show nothing."""
    from include.adapters.asked_evidence import check_asked

    if rules is None:
        raise InvalidDocument("No policy is in force: there is nothing to add evidence for.")
    check_asked(rules, standard, criterion, type, surfaces)
