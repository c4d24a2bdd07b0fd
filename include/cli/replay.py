"""`rsp replay`: the engine over what labs published, beside what they determined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from include.adapters import published_files as files
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.rsp.policy import Policy
from include.rsp.published import ModelReplay, PublishedResult, PublishedRules, Reading
from include.rsp.replay import NO_BUFFER, replay_model
from include.rsp.restatement import NEXT_STEP, check_restatement

BUFFERS = (NO_BUFFER, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


def replay(
    results: Annotated[Path, typer.Option(help="CSV of published results")] = files.PUBLISHED
    / "published_results.csv",
    determinations: Annotated[
        Path, typer.Option(help="CSV of what was determined")
    ] = files.PUBLISHED / "determinations.csv",
    restatements: Annotated[
        Path, typer.Option(help="CSV of values that were printed twice")
    ] = files.PUBLISHED / "restatements.csv",
    rules: Annotated[Path, typer.Option(help="YAML of the replay's rules")] = files.RULES,
    policy: Annotated[
        str | None, typer.Option(help="policy that the rules are applied under; else theirs")
    ] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="agreement by buffer and rule")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Hold published results against the red lines; say where and why people decided otherwise.

    Determinations are compared with afterwards; no rule reads them. Exit 3: bad input.
    """
    stated = files.read_rules(rules)
    path = named_file(POLICIES, policy or stated.policy)
    law = read_policy(path.read_bytes(), where=str(path))
    stated.check_against(law)
    by_model: dict[str, list[PublishedResult]] = {}
    read = files.read_results(results)
    for one in read:
        by_model.setdefault(one.model, []).append(one)
    published = files.read_determinations(determinations)
    if sweep:
        _print_sweep(law, stated, by_model, published, as_json=as_json)
        return
    rows = [
        _row(replay_model(law, stated, found), replay_model(law, stated, found, buffer=NO_BUFFER),
             published.get(model))
        for model, found in by_model.items()
    ]  # fmt: skip
    restated = [
        {**one.model_dump(), "flags": check_restatement(stated, one, read)}
        for one in files.read_restatements(restatements)
    ]
    lost = sorted(set(published) - set(by_model))
    if as_json:
        typer.echo(
            json.dumps(
                {"models": rows, "not_reported": lost, "restated": restated, **_count(rows)},
                indent=1,
            )
        )
        return
    typer.echo(f"Policy {law.id} {law.version}; buffer {stated.buffer:.0%} of the limit.\n")
    for row in rows:
        _print_row(row)
    for model in lost:
        typer.echo(f"{model}: determined, but no result was published.\n")
    typer.echo("Values that were printed twice:")
    for each in restated:
        typer.echo(
            f"  {each['model']}, {each['evaluation']}: {each['value_a']} ({each['source_a']}), "
            f"then {each['value_b']} ({each['source_b']})"
        )
        for flag in each["flags"]:
            typer.echo(f"    {flag}: {NEXT_STEP[flag]}")
    count = _count(rows)
    typer.echo("")
    typer.echo(
        f"Of {count['determined']} determined models the rules decide {count['decided']}; "
        f"{count['agree']} of these agree; {count['judgement']} left to judgement."
    )


def _row(found: ModelReplay, bare: ModelReplay, was: dict[str, str] | None) -> dict[str, Any]:
    level = files.published_level(was["required_standard"]) if was else None
    return {
        "model": found.model,
        "engine": found.level,
        "decided": found.decided,
        "because": found.because,
        "red_lines": [one.model_dump(mode="json") for one in found.lines],
        "published": was and {
            name: was[name] for name in ("required_standard", "determination", "published_reason")
        },
        "agrees": None if level is None or not found.decided else level == found.level,
        "explained_by": _explain(found, bare),
        "findings": [one.model_dump(mode="json") for one in found.findings],
    }  # fmt: skip


def _explain(found: ModelReplay, bare: ModelReplay) -> str:
    """What the engine's answer rests on: numbers, the buffer, or what is left to people."""
    if found.decided:
        return "numbers" if bare.level == found.level else "buffer"
    entries = {one.red_line for one in found.lines if one.entry and not one.decided}
    worn = [one for one in found.findings if one.red_line in entries and one.saturated]
    return f"judgement ({'saturated evaluations and ' if worn else ''}no load-bearing result)"


def _count(rows: list[dict[str, Any]]) -> dict[str, int]:
    compared = [row for row in rows if row["published"]]
    return {
        "determined": len(compared),
        "decided": sum(row["decided"] for row in compared),
        "agree": sum(row["agrees"] is True for row in compared),
        "judgement": sum(not row["decided"] for row in compared),
    }


def _print_row(row: dict[str, Any]) -> None:
    verdict = row["engine"] if row["decided"] else f"judgement (until then as {row['engine']})"
    typer.echo(f"{row['model']}: {verdict}, by {row['explained_by']}")
    for line in row["red_lines"]:
        mark = "" if line["decided"] else " [people]"
        typer.echo(f"  {line['red_line']}: {line['status']}{mark}: {line['because']}")
    if row["published"]:
        said = row["published"]
        agrees = {True: "agrees", False: "DIFFERS", None: "not compared"}[row["agrees"]]
        typer.echo(f"  published: {said['required_standard']} ({said['published_reason']})")
        typer.echo(f"  -> {agrees}")
    typer.echo("")


def _print_sweep(
    law: Policy,
    stated: PublishedRules,
    by_model: dict[str, list[PublishedResult]],
    published: dict[str, dict[str, str]],
    *,
    as_json: bool,
) -> None:
    table = []
    for reading in Reading:
        for buffer in BUFFERS:
            rows = []
            for model, found in by_model.items():
                done = replay_model(law, stated, found, buffer=buffer, reading=reading)
                rows.append(_row(done, done, published.get(model)))
            table.append({"rule": reading.value, "buffer": buffer, **_count(rows)})
    if as_json:
        typer.echo(json.dumps(table, indent=1))
        return
    typer.echo(f"{'rule':14} {'buffer':>6} {'determined':>10} {'decided':>8} {'agree':>6}")
    for one in table:
        typer.echo(
            f"{one['rule']:14} {one['buffer']:6.0%} {one['determined']:10} {one['decided']:8} "
            f"{one['agree']:6}"
        )
