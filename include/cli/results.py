"""`rsp results`: sign, check and deliver the results of an evaluation that people ran."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.opened import ledger_of
from include.rsp.errors import InvalidDocument

if TYPE_CHECKING:
    from include.adapters.delivered_files import ReadResults
    from include.adapters.delivery_folder import SignedResults
    from include.rsp.records import TrustRoot
    from include.rsp.results import Sample

app = typer.Typer(help="Results that people deliver: sign, check, deliver.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="holds delivery.json and the files that it lists")]
PLACE = ".redline/store"
Store = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
Root = Annotated[Path | None, typer.Option("--trust-root", help="instead of the store's")]

Evaluators = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluator", help="holder=public.pem of who may deliver results, may be repeated"
    ),
]


def public_keys(given: list[str]) -> dict[str, str]:
    """Public keys in PEM by holder, from `holder=file`."""
    found: dict[str, str] = {}
    for one in given:
        holder, equals, path = one.partition("=")
        if not equals or not path or holder in found:
            raise InvalidDocument(f"--evaluator {one!r} (expected holder=file, each holder once).")
        try:
            found[holder] = Path(path).read_text(encoding="ascii")
        except ValueError as error:
            raise InvalidDocument(f"{path} is no public key (expected PEM).") from error
    return found


@app.command("key")
def make_key(
    out: Annotated[Path, typer.Argument(help="where your private key is kept; nobody else's")],
) -> None:
    """Make a key for signing results (an existing one is kept); print what the lab needs of it."""
    from include.adapters.signing import KeyFile

    typer.echo(KeyFile.create(out).pem, nl=False)


@app.command()
def sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="your private key, of the role evaluator")],
) -> None:
    """Measure the files, complete delivery.json and sign it. Nothing is left to be filled in."""
    from include.adapters.delivery_folder import measured
    from include.adapters.delivery_signature import read_stated, sign_statement
    from include.adapters.signing import KeyFile
    from include.rsp.canonical import canonical_bytes, digest_bytes
    from include.rsp.delivered import SIGNATURE, STATEMENT

    signer = KeyFile(key)
    draft = measured(folder, (folder / STATEMENT).read_bytes())
    stated = read_stated(json.dumps(draft).encode(), where=str(folder / STATEMENT))
    content = canonical_bytes(stated)
    envelope = sign_statement(signer, content, at=datetime.now(UTC))
    (folder / STATEMENT).write_bytes(content)
    (folder / SIGNATURE).write_bytes(canonical_bytes(envelope))
    typer.echo(
        f"{folder / SIGNATURE}: {stated.producer.holder} signs {digest_bytes(content)}, "
        f"{len(stated.files)} files, with the key {signer.keyid[:12]}"
    )


@app.command()
def check(
    folder: Folder,
    wanted: Annotated[
        Path | None, typer.Option(help="wanted.json of the inbox: also whether it is that")
    ] = None,
    scorer: Annotated[str | None, typer.Option(help="whose score counts; --wanted says it")] = None,
    store: Store = PLACE,
    trust_root: Root = None,
) -> None:
    """Verify a signed delivery and say what is in it. Exit 1: it is not wanted, 3: not sound."""
    from include.adapters.delivered_files import read_results
    from include.adapters.delivery_folder import read_delivery
    from include.rsp.study import HumanStudy
    from include.rsp.wanted_results import WantedResults, mismatches

    results = read_delivery(folder, _trusted(store, trust_root))
    asked = WantedResults.model_validate_json(wanted.read_bytes()) if wanted else None
    engine = results.stated.engine
    study = HumanStudy(formats=[engine], due_days=1, scorer=scorer, instructions="none")
    read = read_results(results.stated, asked.study if asked else study, results.files)
    _print(results, read)
    signed, now = results.signed, datetime.now(UTC)
    problems = [] if asked is None else mismatches(
        signed.stated, asked, holder=signed.key.holder, signed_at=signed.signed_at, at=now
    )  # fmt: skip
    for one in problems:
        typer.echo(f"NOT WANTED: {one}")
    if problems:
        raise typer.Exit(1)


def _trusted(store: str, trust_root: Path | None) -> TrustRoot | None:
    """The keys that count: of a file, or of the store's ledger."""
    from include.rsp.reading import parse_record
    from include.rsp.records import TrustRoot

    if trust_root is None:
        return ledger_of(store)[1].trust
    root = parse_record(trust_root.read_bytes(), where=str(trust_root))
    if not isinstance(root, TrustRoot):
        raise InvalidDocument(f"{trust_root} holds a {root.kind} (expected a trust root).")
    return root


def _print(results: SignedResults, read: ReadResults) -> None:
    from rich.console import Console
    from rich.table import Table

    stated, signed = results.stated, results.signed
    samples = read.imported.samples
    groups = sorted({one.group for one in samples if one.group is not None})
    scores = [one.score for one in samples if one.score is not None]
    rows = {
        "evaluation": f"{stated.evaluation}@{stated.evaluation_version}",
        "checkpoint": f"{stated.checkpoint}, {stated.variant}",
        "signed by": f"{signed.key.holder} of {stated.producer.organisation}",
        "key": signed.key.keyid[:12],
        "signed at": f"{signed.signed_at:%Y-%m-%d %H:%M:%S} UTC, by the signer's clock",
        "engine": f"{stated.engine} {stated.engine_version}",
        "samples": f"{len(samples)}, {len(samples) - len(scores)} with errors",
        "scores": f"{min(scores):g} to {max(scores):g}" if scores else "none: rules nothing out",
        "arms": ", ".join(f"{one}: {_size(samples, one)}" for one in groups) or "none",
        "files": ", ".join(sorted(results.files)),
        "notes": "; ".join(read.imported.notes) or "none",
    }
    table = Table(show_header=False, box=None)
    for name, said in rows.items():
        table.add_row(name, said)
    Console(width=200).print(table)


def _size(samples: list[Sample], group: str) -> int:
    return sum(one.group == group for one in samples)


@app.command()
def deliver(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="the job's inbox: where its wanted.json lies")],
) -> None:
    """Copy a signed delivery into an inbox; it appears there whole or not at all."""
    from include.adapters.delivery_folder import copy_whole, is_ready
    from include.rsp.wanted_results import WANTED

    if not (to / WANTED).is_file():
        raise InvalidDocument(
            f"{to} holds no {WANTED}: nothing is waited for there (expected the folder that the "
            "task names in its log)."
        )
    if not is_ready(folder):
        raise InvalidDocument(
            f"{folder} is not complete: delivery.json, its signature, or a listed file is missing "
            "or has another size. Sign it with `rsp results sign`."
        )
    typer.echo(f"{copy_whole(folder, to)}: delivered")
