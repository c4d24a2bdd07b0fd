"""`rsp replay`: the engine over what labs published, beside what they determined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from include.adapters import published_files as files
from include.adapters.policy_files import POLICIES, named_file, read_policy
from include.cli import replay_text as text
from include.cli.policy import path_of
from include.rsp.consistency import Inconsistency, find_doubts, find_inconsistencies
from include.rsp.explanation import Record, explain, what_decided
from include.rsp.published import PublishedResult, PublishedRules, Reading
from include.rsp.replay import NO_BUFFER
from include.rsp.restatement import NEXT_STEP, Restatement, check_restatement

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
        str | None, typer.Option(help="name or YAML file to apply the rules under; else theirs")
    ] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="agreement by buffer and rule")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Hold published results against the red lines; say where and why people decided otherwise.

    Determinations are compared with afterwards; no rule reads them. Exit 3: bad input.
    """
    stated = files.read_rules(rules)
    path = path_of(POLICIES, policy) if policy else named_file(POLICIES, stated.policy)
    law = read_policy(path.read_bytes(), where=str(path))
    stated.check_against(law)
    read = files.read_results(results)
    record = Record.of(law, stated, read, files.read_determinations(determinations))
    printed_twice = files.read_restatements(restatements)
    if sweep:
        table = _sweep(record)
        typer.echo(json.dumps(table, indent=1) if as_json else text.sweep_text(table))
        return
    strange = find_inconsistencies(stated.under(law), read)
    rows = [{**_row(record, model), **_why(record, model, strange)} for model in record.results]
    found = {
        "policy": f"{law.id} {law.version}",
        "buffer": stated.buffer,
        "models": rows,
        "not_reported": sorted(
            one.model for key, one in record.determinations.items() if key not in record.results
        ),
        "inconsistencies": [
            {**one.model_dump(mode="json"), "next_steps": one.next_steps} for one in strange
        ],
        "restated": [_restated(stated, one, read) for one in printed_twice],
        **_count(rows),
    }
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    typer.echo(text.replay_text(found))


def _restated(
    rules: PublishedRules, one: Restatement, read: list[PublishedResult]
) -> dict[str, Any]:
    flags = check_restatement(rules, one, read)
    return {**one.model_dump(), "flags": flags, "next_steps": [NEXT_STEP[each] for each in flags]}


def _row(record: Record, model: str, **settings: float | Reading) -> dict[str, Any]:
    """The engine's answer, and afterwards what was published beside it."""
    found = record.replay(model, **settings)
    was, level = record.determinations.get(model), record.level(model)
    comparable = level is not None and found.decided
    return {
        "model": found.model,
        "frameworks": sorted({one.framework for one in record.results[model] if one.framework}),
        "engine": found.level,
        "decided": found.decided,
        "because": found.because,
        "red_lines": [one.model_dump(mode="json") for one in found.lines],
        "published": was and {
            name: getattr(was, name)
            for name in ("required_standard", "determination", "published_reason")
        },
        "published_level": level,
        "agrees": level == found.level if comparable else None,
        "findings": [one.model_dump(mode="json") for one in found.findings],
    }  # fmt: skip


def _why(record: Record, model: str, strange: list[Inconsistency]) -> dict[str, Any]:
    found = explain(record, model)
    return {
        "decided_by": what_decided(record, model).value,
        "explained_by": found.kind.value,
        "explanation": found.sentence,
        "doubts": find_doubts(strange, record.results[model]),
    }


def _count(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many were determined at a level that the policy knows, and what became of these."""
    compared = [row for row in rows if row["published_level"]]
    return {
        "determined": len(compared),
        "decided": sum(row["decided"] for row in compared),
        "agree": sum(row["agrees"] is True for row in compared),
        "judgement": sum(not row["decided"] for row in compared),
        "not_comparable": sum(bool(row["published"]) for row in rows) - len(compared),
    }


def _sweep(record: Record) -> list[dict[str, Any]]:
    table = []
    for reading in Reading:
        for buffer in BUFFERS:
            rows = [_row(record, one, buffer=buffer, reading=reading) for one in record.results]
            differ = [row["model"] for row in rows if row["agrees"] is False]
            named = {"rule": reading.value, "buffer": buffer, "differ": differ}
            table.append({**named, **_count(rows)})
    return table
