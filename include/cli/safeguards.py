"""`rsp safeguards`: interim measures, and safeguards in other people's formats."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.opened import caller, ledger_of, record_named
from include.rsp.errors import InvalidDocument

if TYPE_CHECKING:
    from include.adapters.rederivation import RuleBook
    from include.rsp.catalogue import Catalogue
    from include.rsp.judged_safeguards import Judged
    from include.rsp.state import LedgerState

app = typer.Typer(help="Safeguards: interim measures, and exports.", no_args_is_help=True)

PLACE = ".redline/store"
CATALOG_NAME = "catalog.json"


class Format(StrEnum):
    """What can be exported."""

    CATALOG = "oscal-catalog"
    PROFILE = "oscal-profile"
    RESULTS = "oscal-results"
    POAM = "oscal-poam"
    VSA = "vsa"


@app.command()
def interim(
    plan: Annotated[Path, typer.Argument(help="YAML: because, until, measures")],
    run_id: Annotated[str, typer.Option("--run", help="for the newest verdict of this run")],
    store: Annotated[
        str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
    ] = PLACE,
) -> None:
    """Propose interim measures for what does not hold. They count once shown and signed for."""
    from include.adapters.interim_files import propose

    opened, state = ledger_of(store)
    typer.echo(propose(opened, state, plan, run_id, by=caller(), at=datetime.now(UTC)))


@app.command()
def export(
    format: Annotated[Format, typer.Option("--format", help="docs/safeguards-exports.md")],
    standard: Annotated[str | None, typer.Option(help="of one standard only")] = None,
    judgement: Annotated[
        str | None, typer.Option(help="digest of the judgement; the newest if left out")
    ] = None,
    catalogue: Annotated[
        str | None,
        typer.Option(help="name in include/safeguards, or a file; for catalog and profile"),
    ] = None,
    catalog_href: Annotated[
        str, typer.Option(help="where the profile finds the catalog")
    ] = CATALOG_NAME,
    out: Annotated[Path | None, typer.Option(help="file; standard output if left out")] = None,
    store: Annotated[
        str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
    ] = PLACE,
) -> None:
    """Write one document, only from records. Exit 1: nothing is open, so there is no POA&M."""
    if format in (Format.CATALOG, Format.PROFILE):
        if catalogue is not None:
            if judgement is not None:
                raise InvalidDocument("A catalogue's file has no judgement: leave one of them out.")
            source = _from_file(catalogue)
        else:
            source = _from_store(store, judgement)
        text = _asked(format, source, standard, catalog_href)
    else:
        if catalogue is not None:
            raise InvalidDocument(f"--catalogue is not for {format}: it is about a judgement.")
        text = _found(format, standard, judgement, store)
    _put(text, out)


class _Source:
    """A catalogue, what it was read from, and since when that is so."""

    def __init__(self, catalogue: Catalogue, digest: str, modified: datetime) -> None:
        self.catalogue, self.digest, self.modified = catalogue, digest, modified


def _from_file(name: str) -> _Source:
    """The time is the file's own: no record says when it was adopted."""
    from include.adapters.catalogue_files import CATALOGUES, read_catalogue
    from include.adapters.policy_files import bytes_of, named_file
    from include.rsp.canonical import digest_bytes

    path = Path(name) if name.endswith((".yaml", ".yml")) else CATALOGUES / f"{name}.yaml"
    if not path.is_file() and path.parent == CATALOGUES:
        path = named_file(CATALOGUES, name)  # says which there are
    content = bytes_of(path)
    changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return _Source(read_catalogue(content, where=str(path)), digest_bytes(content), changed)


def _from_store(store: str, judgement: str | None) -> _Source:
    """All that the policy behind a judgement asks for; without one, the policy in force."""
    from include.adapters.rederivation import RuleBook
    from include.rsp.policy_catalogue import policy_catalogue

    opened, state = ledger_of(store)
    book = RuleBook(opened)
    if judgement is not None:
        judged = _judged(state, book, judgement)
        rules, policy = judged.rules, judged.policy
    else:
        found = book.in_force(state)
        if found is None or state.adoption is None:
            raise InvalidDocument(
                f"No policy is in force in {store}. Adopt one, or name a catalogue's file with "
                "--catalogue."
            )
        rules, policy = found, state.adoption[1].policy.blob
    since = [one.at for one in state.adoptions.values() if one.policy.blob == policy]
    return _Source(policy_catalogue(rules), policy, min(since))


def _asked(format: Format, source: _Source, standard: str | None, href: str) -> str:
    """The catalog or profile."""
    from include.rsp.oscal_catalogue import catalog, profile
    from include.rsp.oscal_parts import written

    known = [one.standard for one in source.catalogue.standards]
    if format is Format.PROFILE:
        if standard is None:
            raise InvalidDocument(
                f"A profile is of one standard. Name one of {known} with --standard."
            )
        return written(
            profile(
                source.catalogue,
                standard,
                digest=source.digest,
                modified=source.modified,
                href=href,
            )
        )
    if standard is not None:
        raise InvalidDocument(
            "A catalog is of all standards. Leave --standard out, or export a profile of it."
        )
    return written(catalog(source.catalogue, digest=source.digest, modified=source.modified))


def _found(format: Format, standard: str | None, judgement: str | None, store: str) -> str:
    """The results, the plan of action or the attestation."""
    from include.adapters.rederivation import RuleBook
    from include.rsp.oscal_parts import written
    from include.rsp.oscal_results import assessment_results, plan_of_action
    from include.rsp.safeguards_attestation import safeguards_summary

    opened, state = ledger_of(store)
    judged = _judged(state, RuleBook(opened), judgement)
    if format is Format.VSA:
        if standard is not None:
            raise InvalidDocument("An attestation is of all that was judged: leave --standard out.")
        typer.echo("This statement is not signed: it proves nothing by itself.", err=True)
        return safeguards_summary(state, judged.rules, judged.digest).decode() + "\n"
    shown = judged if standard is None else judged.only(standard)
    if format is Format.RESULTS:
        return written(assessment_results(shown))
    plan = plan_of_action(shown)
    if plan is None:
        typer.echo(
            f"Nothing is open in the judgement {judged.digest}, and OSCAL has no POA&M without "
            "items: nothing was written.",
            err=True,
        )
        raise typer.Exit(1)
    return written(plan)


def _judged(state: LedgerState, book: RuleBook, named: str | None) -> Judged:
    """The judgement of that digest, or the newest, with the rules of its assessment."""
    from include.rsp import records as r
    from include.rsp.judged_safeguards import judged_of

    newest = next(reversed(state.judgements), None)
    digest = record_named(state, named)[0] if named else newest
    if digest is None:
        raise InvalidDocument(
            "No safeguards were judged yet. Run verify_safeguards, or let assess_checkpoint reach "
            "that step."
        )
    record = state.get(digest)
    if not isinstance(record, r.SafeguardsJudgement):
        raise InvalidDocument(f"{digest} is a {record.kind} (expected a safeguards_judgement).")
    verdict = state.expect(record.verdict.record, r.Verdict)
    return judged_of(state, book.of_assessment(state, verdict.assessment_id), digest)


def _put(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out} is written.", err=True)
