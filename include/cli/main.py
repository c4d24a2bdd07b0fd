"""`rsp`: look at a store, verify it, sign, add evidence, and run the local stack."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from include.cli import (
    adoption,
    decide,
    evidence,
    people,
    permit,
    replay,
    report,
    results,
    safeguards,
    stack,
)
from include.cli import policy as policy_commands
from include.cli.opened import ledger_of, record_named
from include.rsp.errors import InvalidDocument, RedlineError

app = typer.Typer(
    help="Runs a Responsible Scaling Policy: verdicts, holds, permits and the ledger behind them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(evidence.app, name="evidence")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(report.app, name="report")
app.command("decide")(decide.decide_command)
app.command("backtest")(adoption.backtest_command)
app.command("approve")(adoption.approve)
policy_commands.app.command("propose")(adoption.propose)
app.command("replay")(replay.replay)
app.add_typer(permit.app, name="permit")
app.add_typer(safeguards.app, name="safeguards")
app.add_typer(results.app, name="results")
app.command("packet")(people.packet)
app.command("sign")(people.sign)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)

STORE = Path(".redline/store")
KEYS = Path(".redline/keys")
StoreOption = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
KeysOption = Annotated[Path, typer.Option("--keys", help="folder of all keys (the demo's)")]


@app.command()
def init(
    store: StoreOption = str(STORE),
    keys: KeysOption = KEYS,
    policy: Annotated[str, typer.Option(help="name in include/policies, or a file")] = "toylab",
    suite: Annotated[str, typer.Option(help="name in include/suites, or a file")] = "toylab",
    evaluator: results.Evaluators = None,
) -> None:
    """Make keys, trust root and the first adoption; officers on this machine are SIMULATED."""
    from include.adapters import bootstrap
    from include.adapters.catalogue_files import read_rules
    from include.adapters.ledger import LEDGER
    from include.adapters.policy_files import POLICIES, SUITES, bytes_of
    from include.adapters.store import open_store
    from include.local_stack.credentials import OFFICE_USERS
    from include.rsp.adoption import offices_of

    files = (
        policy_commands.path_of(POLICIES, policy),
        policy_commands.path_of(SUITES, suite),
    )
    law = read_rules(*files).policy  # before anything is written
    if not store.startswith("s3://"):
        Path(store).mkdir(parents=True, exist_ok=True)
    opened = open_store(store)
    if any(True for _ in opened.list("records/adoption")) or any(True for _ in opened.list(LEDGER)):
        policy_commands.refuse_changed(store, files)
        typer.echo(f"{store} has begun already; nothing was changed.")
        return
    now, roles = datetime.now(UTC), offices_of(law)
    folders = bootstrap.KeyFolders(keys)
    root = bootstrap.make_trust_root(
        folders, roles, simulated=True, at=now, users=OFFICE_USERS,
        evaluators=results.public_keys(evaluator or []),
    )  # fmt: skip
    bootstrap.adopt(opened, folders, bytes_of(files[0]), bytes_of(files[1]), at=now)
    typer.echo(f"{len(root.keys)} keys in {keys}; officers {roles} are SIMULATED on this machine.")
    typer.echo(f"{files[0].stem} and {files[1].stem} are signed and wait for the notary.")


@app.command()
def verify(
    store: Annotated[str, typer.Argument(help="directory or s3://bucket/prefix")] = str(STORE),
    expect_head: Annotated[str | None, typer.Option(help="a head noted earlier")] = None,
    trust_root: Annotated[Path | None, typer.Option(help="the trust_root.json you believe")] = None,
    as_json: AsJson = False,
) -> None:
    """Check chain, signatures and files, and recompute every verdict. Exit 1: unsound."""
    from include.adapters.store import open_store
    from include.adapters.verification import verify_store
    from include.cli import printing
    from include.rsp.reading import parse_record
    from include.rsp.records import TrustRoot

    root = parse_record(trust_root.read_bytes(), where=str(trust_root)) if trust_root else None
    if root is not None and not isinstance(root, TrustRoot):
        raise InvalidDocument(f"{trust_root} holds a {root.kind} (expected a trust root).")
    report = verify_store(open_store(store), expect_head=expect_head, trust_root=root)
    if as_json:
        typer.echo(json.dumps(printing.report_json(report), indent=1))
    else:
        printing.print_report(report)
    raise typer.Exit(1 if report.problems else 0)


@app.command()
def log(
    store: StoreOption = str(STORE),
    last: Annotated[int, typer.Option(help="only so many of the newest; 0: all")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the ledger's entries, oldest first."""
    from include.cli import printing

    _, state = ledger_of(store)
    if as_json:
        typer.echo(json.dumps(printing.ledger_json(state, last), indent=1))
    else:
        printing.print_ledger(state, last)


@app.command()
def show(
    digest: Annotated[str, typer.Argument(help="the full digest, or its first digits")],
    store: StoreOption = str(STORE),
    as_json: AsJson = False,
) -> None:
    """Print one record."""
    _, state = ledger_of(store)
    found, record = record_named(state, digest)
    if not as_json:
        typer.echo(f"# {found}, entry {state.index_of[found]}")
    typer.echo(json.dumps(record.model_dump(mode="json"), indent=1))


def main() -> None:
    """Run the command. An error is one clear line and exit code 3: 0, 1 and 2 are answers."""
    try:
        code = app(standalone_mode=False, prog_name="rsp")
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        asked = context.command_path if context else "rsp"
        said = getattr(error, "format_message", error.__str__)() or "Nothing was asked for"
        _fail(f"{said.rstrip('.')}. See `{asked} --help`.", error)
    except RedlineError as error:
        _fail(str(error), error)
    except ValidationError as error:
        from include.adapters.policy_files import explain

        _fail(f"{explain(error)}. Correct what was given; nothing was written.", error)
    except OSError as error:
        place = error.filename or "a file or connection"
        _fail(f"{place} cannot be used: {error.strerror or error}. Check the path.", error)
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(3) from error
    raise SystemExit(code if isinstance(code, int) else 0)


def _fail(message: str, error: Exception) -> NoReturn:
    """The message as one line, whatever stood in the input."""
    typer.echo(f"rsp: {' '.join(message.split())}", err=True)
    raise SystemExit(3) from error


if __name__ == "__main__":
    main()
