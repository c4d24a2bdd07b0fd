"""`rsp policy`: check, show and compare policies before anybody signs one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from include.adapters.catalogue_files import read_rules
from include.adapters.evidence_files import EvidenceFile
from include.adapters.policy_files import (
    OVERLAYS,
    POLICIES,
    SUITES,
    bytes_of,
    laid_over,
    named_file,
    read_overlay,
    read_policy,
    read_suite,
    schema_of,
)
from include.adapters.proposal_files import ProposalFile
from include.rsp.canonical import Document
from include.rsp.difference import differences
from include.rsp.duties import Duties
from include.rsp.errors import DomainError, InvalidDocument
from include.rsp.overlay import Overlay
from include.rsp.policy import Policy
from include.rsp.power import minimum_detectable_effect
from include.rsp.published import PublishedRules
from include.rsp.strictness import loosenings
from include.rsp.suite import Evaluation, Suite
from include.rsp.suite_strictness import suite_loosenings

app = typer.Typer(help="Check, show and compare policies.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(help="name in include/policies, or a YAML file")]
POWER = 0.9
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


def refuse_changed(store: str, files: tuple[Path, Path]) -> None:
    """Refuse files whose id and version were adopted in a store with other content.

    Raises:
        Refused: with the differences in words.
    """
    from include.adapters.adoption_check import check_unchanged
    from include.adapters.ledger import LedgerReader
    from include.adapters.rederivation import RuleBook
    from include.adapters.store import open_store
    from include.rsp.canonical import digest_bytes

    opened = open_store(store)
    rules = read_rules(*files)
    digests = (digest_bytes(bytes_of(files[0])), digest_bytes(bytes_of(files[1])))
    check_unchanged(RuleBook(opened), LedgerReader(opened).refresh(), rules, digests)


@app.command()
def check(
    policy: Named,
    suite: Annotated[str | None, typer.Option(help="name in include/suites, or a file")] = None,
    store: Annotated[
        str | None, typer.Option(help="refuse an adopted version that changed since")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a policy (and a suite beside it) and say everything that is wrong. Exit 3: something."""
    try:
        found, added = _checked(policy, suite, store)
    except DomainError as error:
        if as_json:
            typer.echo(json.dumps({"policy": policy, "problems": [str(error)]}, indent=1))
            raise typer.Exit(3) from error
        raise
    power = [power_of(one) for one in added.evaluations if one.load_bearing] if added else []
    if as_json:
        plain = {"policy": found.id, "version": found.version, "problems": [], "power": power}
        typer.echo(json.dumps(plain, indent=1))
        return
    typer.echo(
        f"{found.id} {found.version}: {len(found.red_lines)} red lines, "
        f"{len(found.standards)} standards, nothing wrong."
    )
    for line in power:
        typer.echo(line)


def _checked(policy: str, suite: str | None, store: str | None) -> tuple[Policy, Suite | None]:
    """The policy, and the suite if one was named; raises for everything that is wrong."""
    if suite is None:
        if store is not None:
            raise InvalidDocument("--store needs --suite: both were adopted together.")
        return _policy(policy), None
    files = path_of(POLICIES, policy), path_of(SUITES, suite)
    rules = read_rules(*files)
    if store is not None:
        refuse_changed(store, files)
    return rules.policy, rules.suite


def power_of(evaluation: Evaluation) -> str:
    """How far under its limit the truth has to be for a load-bearing evaluation to rule out."""
    limits, n = evaluation.limits, evaluation.dataset_samples
    if evaluation.method != "clopper_pearson@1" or limits is None:
        return f"{evaluation.id}: the power of {evaluation.method} is not worked out here"
    limit = limits.rule_out - limits.buffer
    gap = minimum_detectable_effect(n, limit, evaluation.confidence, POWER)
    if gap >= limit:
        return f"{evaluation.id}: no true share is ruled out by {n} samples in {POWER:.0%} of cases"
    return (
        f"{evaluation.id}: {n} samples rule out a true share of up to {limit - gap:.3f} in "
        f"{POWER:.0%} of cases (limit less buffer: {limit:g})"
    )


@app.command()
def show(policy: Named, as_json: AsJson = False) -> None:
    """Print a policy: each red line with its clause, what it requires, and what follows."""
    found = _policy(policy)
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    typer.echo(f"{found.id} {found.version}, {found.publisher}, from {found.effective}")
    typer.echo(f"source: {found.source.strip()}")
    for line in found.red_lines:
        kind = "" if line.decides else f", {line.kind}: informs, does not decide"
        demands = [*line.required_standards, *line.required_documents]
        typer.echo(f"\n{line.id}  ({line.clause}{kind})\n  {line.text}")
        typer.echo(f"  requires: {', '.join(demands) or 'nothing'}; combine: {line.combine}")
    typer.echo("")
    for rule in found.outcomes:
        lines = f" ({', '.join(rule.lines)})" if rule.lines else ""
        typer.echo(f"{rule.status}{lines} -> {rule.then}  ({rule.clause})")
    for response in found.responses:
        when = f", if {response.condition}" if response.condition else ""
        typer.echo(f"after {response.after}{when}: {', '.join(response.actions)}")
    typer.echo("")
    for standard in found.standards:
        criteria = len(standard.criteria)
        said = f"{criteria} criteria" if criteria else "not yet written: can never hold"
        typer.echo(f"standard {standard.id}: {said}  ({standard.clause})")
    _show_duties(found)
    machine = ", ".join(found.machine_determination.outcomes) or "nothing"
    typer.echo(f"signed by: {', '.join(found.sign_off.roles)}; by machine alone: {machine}")


def _show_duties(duties: Duties) -> None:
    for trigger in duties.time_triggers:
        typer.echo(f"assessment every {trigger.months} months  ({trigger.clause})")
    for one in duties.deadlines:
        side = "before" if one.before else "after"
        time = f"{one.within.amount:g} {one.within.unit.replace('_', ' ')}"
        typer.echo(f"deadline {one.id}: {one.text}, {time} {side} {one.event}  ({one.clause})")
    for document in duties.documents:
        typer.echo(f"document {document.id} ({document.required}): {document.text}")
    for notice in duties.notices:
        first = ", before any permit" if notice.before_permit else ""
        typer.echo(f"notice {notice.id}: to {', '.join(notice.to)} on {notice.event}{first}")
    for publication in duties.publications:
        typer.echo(f"published on {publication.event}: {publication.what}")
    for kept in duties.retention:
        typer.echo(f"kept {kept.keep.amount:g} {kept.keep.unit}: {kept.what}")


@app.command()
def diff(
    before: Named,
    after: Named,
    suite: Annotated[bool, typer.Option("--suite", help="both are suites")] = False,
    as_json: AsJson = False,
) -> None:
    """Say in words what a version changes, and what gets looser. Exit 0 also when it differs."""
    if suite:
        olds, news = (_suite(one) for one in (before, after))
        changes, looser = differences(olds, news), suite_loosenings(olds, news)
    else:
        old, new = _policy(before), _policy(after)
        changes, looser = differences(old, new), loosenings(old, new)
    if as_json:
        plain = {"changes": [one.model_dump() for one in changes], "looser": looser}
        typer.echo(json.dumps(plain, indent=1))
        return
    for one in changes:
        typer.echo(one.in_words())
    typer.echo(f"{len(changes)} fields differ.")
    for way in looser:
        typer.echo(f"looser: {way}")
    if changes and not looser:
        typer.echo("Nothing that Redline compares gets looser.")


@app.command()
def lay(
    policy: Named,
    overlay: Annotated[list[str], typer.Option(help="name in overlays/, or a file; repeatable")],
) -> None:
    """Print the policy with the duties of overlays added: a file that can be adopted."""
    overlays = []
    for name in overlay:
        path = path_of(OVERLAYS, name)
        overlays.append(read_overlay(bytes_of(path), where=str(path)))
    typer.echo(laid_over(_policy(policy), overlays).decode(), nl=False)


@app.command()
def schema(
    of: Annotated[
        str, typer.Argument(help="policy, overlay, suite, rules, proposal or evidence (of decide)")
    ] = "policy",
) -> None:
    """Print the JSON Schema that editors complete and check the YAML with."""
    models: dict[str, type[Document]] = {
        "policy": Policy, "overlay": Overlay, "suite": Suite, "rules": PublishedRules,
        "proposal": ProposalFile, "evidence": EvidenceFile,
    }  # fmt: skip
    if of not in models:
        raise InvalidDocument(f"No schema of {of!r} (expected one of {sorted(models)}).")
    typer.echo(json.dumps(schema_of(models[of]), indent=1))


def _policy(name: str) -> Policy:
    path = path_of(POLICIES, name)
    content = bytes_of(path)
    suite = re.search(rb"^evaluations:", content, re.MULTILINE)
    if suite:
        line = content[: suite.start()].count(b"\n") + 1
        raise InvalidDocument(
            f"{path}, line {line}, evaluations: got a suite (expected a policy). Name a policy; "
            "`policy diff --suite` compares suites."
        )
    return read_policy(content, where=str(path))


def _suite(name: str) -> Suite:
    path = path_of(SUITES, name)
    return read_suite(bytes_of(path), where=str(path))


def path_of(folder: Path, name: str) -> Path:
    """A file that is named by its path, or by its name in a folder of the project."""
    return Path(name) if name.endswith((".yaml", ".yml")) else named_file(folder, name)
