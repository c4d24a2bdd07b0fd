"""`rsp backtest` and `rsp approve`; and `rsp policy propose`, which lays a proposal down."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

from include.adapters.policy_files import POLICIES, SUITES, bytes_of, read_together
from include.cli.opened import ledger_of, record_named
from include.cli.policy import path_of
from include.rsp.adoption_records import ApprovalPart
from include.rsp.errors import InvalidDocument

Store = Annotated[
    str, typer.Option("--store", envvar="REDLINE_STORE", help="directory or s3://bucket/prefix")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
PLACE = ".redline/store"


def backtest_command(
    policy: Annotated[str, typer.Option(help="name in include/policies, or a YAML file")],
    suite: Annotated[str, typer.Option(help="name in include/suites, or a YAML file")],
    store: Store = PLACE,
    as_json: AsJson = False,
) -> None:
    """Decide every past assessment of a store again under another policy and suite.

    Prints the verdicts that change and which of them get looser. It records nothing.
    """
    from include.adapters.past_decisions import past_decisions
    from include.rsp.backtest import backtest, redecide

    law, added = read_together(path_of(POLICIES, policy), path_of(SUITES, suite))
    opened, state = ledger_of(store)
    past = past_decisions(opened, state)
    found = backtest(redecide(law, added, past))
    if not found.decisions:
        raise InvalidDocument(
            f"No assessment in {store} has a verdict: nothing can be tested. Is it the right "
            "store? `rsp log --store …` lists what it holds."
        )
    if as_json:
        typer.echo(
            json.dumps(found.model_dump(mode="json") | {"loosened": found.loosened}, indent=1)
        )
        return
    for one in found.changed:
        mark = "LOOSER " if one.looser else ""
        typer.echo(f"{mark}{one.checkpoint}: {one.before} → {one.after}")
        for line in one.lines:
            typer.echo(f"    {line}")
    typer.echo(
        f"{found.decisions} past decisions under {law.id} {law.version} and {added.id} "
        f"{added.version}: {len(found.changed)} change, {found.loosened} of them get looser."
    )


def approve(
    review: Annotated[str, typer.Option(help="digest of the policy review, or its first digits")],
    part: Annotated[ApprovalPart, typer.Option(help="in which right you speak")],
    key: Annotated[Path, typer.Option(help="your private key; it names your office")],
    reason: Annotated[str, typer.Option(help="why")],
    object_: Annotated[bool, typer.Option("--object/--agree", help="you object")] = False,
    store: Store = PLACE,
    as_json: AsJson = False,
) -> None:
    """Say what you think of a reviewed proposal, signed with your own key.

    Read the review first: `rsp packet DIGEST`. Proposers sign first, then those who are consulted,
    then those who approve. An objection of a proposer or approver ends the proposal.
    """
    from include.adapters.bootstrap import approval
    from include.adapters.ledger import write_record
    from include.adapters.rederivation import RuleBook
    from include.adapters.signing import KeyFile
    from include.rsp.approvals import check_turn, still_to_speak
    from include.rsp.records import PolicyReview

    opened, state = ledger_of(store)
    digest, reviewed = record_named(state, review)
    rules = RuleBook(opened).in_force(state)
    if not isinstance(reviewed, PolicyReview) or rules is None or state.trust is None:
        raise InvalidDocument(f"{digest} is a {reviewed.kind} (expected a policy_review).")
    record = approval(
        state.trust, KeyFile(key), digest, part=part, reason=reason,
        decision="object" if object_ else "agree", at=datetime.now(UTC),
    )  # fmt: skip
    check_turn(state, rules.policy, reviewed, record)
    written = write_record(opened, record)
    left = still_to_speak(state, rules.policy, digest, but=record)
    if as_json:
        typer.echo(json.dumps({"record": written, "still_to_speak": left}))
        return
    typer.echo(written)
    typer.echo(f"Still to speak: {', '.join(left) or 'nobody'}.")


def propose(
    policy: Annotated[str, typer.Argument(help="name in include/policies, or a YAML file")],
    suite: Annotated[str, typer.Option(help="name in include/suites, or a YAML file")],
    reason: Annotated[str, typer.Option(help="why it is proposed")],
    changelog: Annotated[str, typer.Option(help="what the public is told")],
    to: Annotated[Path, typer.Option(help="the proposals folder")],
    effective_at: Annotated[
        datetime | None, typer.Option(help="earliest time of effect, UTC; now if left out")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lay a proposal into the folder that `adopt_policy` watches, after checking it."""
    from include.adapters.proposal_files import ENDING, ProposalFile
    from include.rsp.canonical import digest_of, short

    files = path_of(POLICIES, policy), path_of(SUITES, suite)
    law, _ = read_together(*files)
    contents = [bytes_of(path).decode() for path in files]
    when = (effective_at or datetime.now(UTC)).replace(tzinfo=UTC)
    plain = {"reason": reason, "changelog": changelog, "effective_at": when.isoformat()}
    name = f"{law.id}-{law.version}-{short(digest_of({**plain, 'files': contents}))}"
    plain = {"policy": f"{name}.policy.yaml", "suite": f"{name}.suite.yaml", **plain}
    ProposalFile.model_validate(plain)  # before anything is written
    proposal = to / f"{name}{ENDING}"
    if proposal.exists():
        raise InvalidDocument(f"{proposal} is there already, just so. Nothing was written.")
    if not to.is_dir():
        raise InvalidDocument(
            f"The folder {to} is not there (expected the one that adopt_policy watches, "
            "REDLINE_PROPOSALS; the lab's is .redline/lab/proposals). Nothing was written."
        )
    for named, content in zip((plain["policy"], plain["suite"]), contents, strict=True):
        (to / named).write_text(content)
    beside = to / f".{proposal.name}"
    beside.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    beside.rename(proposal)
    typer.echo(json.dumps({"proposal": str(proposal)}) if as_json else str(proposal))
