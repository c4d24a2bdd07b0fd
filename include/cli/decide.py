"""`rsp decide`: a policy, a suite and evidence in; the verdict out, also as the exit code."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from include.adapters.evidence_files import read_evidence
from include.adapters.policy_files import POLICIES, SUITES, read_together
from include.cli.policy import path_of
from include.rsp.decision import Decision, decide
from include.rsp.errors import InvalidDocument
from include.rsp.vocabulary import OUTCOME_BY_RESTRICTIVENESS


def decide_command(
    evidence: Annotated[Path, typer.Argument(help="JSON file, redline/evidence@1")],
    policy: Annotated[str, typer.Option(help="name in include/policies, or a YAML file")],
    suite: Annotated[str, typer.Option(help="name in include/suites, or a YAML file")],
    at: Annotated[
        str | None, typer.Option(help="time of the decision with its offset; else now")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Decide on one checkpoint. Exit 0: continue, 1: safeguards, 2: pause, 3: could not decide.

    It signs and records nothing: only the notary's permit lets anything go on.
    """
    law, added = read_together(path_of(POLICIES, policy), path_of(SUITES, suite))
    found = read_evidence(evidence)
    known = {one.id for one in added.evaluations}
    unknown = sorted({one.run.evaluation for one in found.evaluations} - known)
    if unknown:
        raise InvalidDocument(
            f"{evidence} holds results of {unknown} (expected evaluations of {suite}: "
            f"{sorted(known)}). Nothing was decided."
        )
    decision = decide(
        law,
        added,
        found.by_evaluation(),
        checkpoint=found.checkpoint,
        checkpoint_at=found.checkpoint_at,
        variants=found.variants,
        at=_moment(at),
    )
    typer.echo(decision.model_dump_json(indent=1) if as_json else _in_words(decision))
    raise typer.Exit(OUTCOME_BY_RESTRICTIVENESS.index(decision.recommendation))


def _in_words(decision: Decision) -> str:
    lines = [
        f"{one.red_line}: {one.status} -> {one.outcome} ({one.clause}): {one.because}"
        for one in decision.red_lines
    ]
    if decision.early_warning:
        lines.append(f"early warning: the next assessment is due at {decision.due_ratio:g}x")
    return "\n".join([*lines, f"recommendation: {decision.recommendation}"])


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidDocument(
            f"--at {text!r} is no time (expected ISO 8601). Correct it."
        ) from error
    if found.tzinfo is None:
        raise InvalidDocument(
            f"--at {text!r} has no offset (expected for example {found.isoformat()}+00:00)."
        )
    return found.astimezone(UTC)
