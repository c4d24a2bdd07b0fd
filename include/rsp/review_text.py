"""The review of a proposed version as Markdown: what people read before they sign for it.

Names, reasons and wordings come from whoever proposes. They are shown and can neither hide nor add
anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.rsp.adoption_records import Proposal, ReviewFindings
from include.rsp.backtest import Backtest
from include.rsp.canonical import short
from include.rsp.harmless import in_line, verbatim


def review_markdown(proposal: Proposal, found: ReviewFindings) -> str:
    """The whole review. The first screen says what gets looser and what stops it."""
    parts = [
        f"# {in_line(found.policy)} instead of {in_line(found.supersedes)}",
        f"**Why:** {in_line(proposal.reason)}",
        f"**Takes effect:** at the earliest {proposal.effective_at:%Y-%m-%d %H:%M} UTC, once it is "
        "signed for and, where the policy asks that, public.",
        _list("It cannot come into force as it is", found.blockers, ""),
        _list(
            "What gets looser", [*found.looser, *found.suite_looser], "Nothing that is known here."
        ),
        _backtest(found.backtest),
        _list(
            "What changes in the policy", [one.in_words() for one in found.policy_changes],
            "Nothing.",
        ),
        _list(
            "What changes in the suite", [one.in_words() for one in found.suite_changes], "Nothing."
        ),
        _next_level(found),
        _list(
            "Permits and holds that live now",
            [
                f"{one.run_id}, {short(one.record.record)}: {one.fate}"
                + (f" until {one.until:%Y-%m-%d %H:%M}" if one.until else "")
                + f" ({one.because})"
                for one in found.live
            ],
            "None.",
        ),
        _list(
            "Open assessments (flagged; they stay on the version they began on)",
            found.open_assessments,
            "None.",
        ),
        _list("Who has to answer, in this order", found.answers, "Nobody can."),
        "With rsp approve, naming this review by its digest; docs/runbooks/adopt_policy.md.",
        f"## Changelog, word for word\n\n{verbatim(proposal.changelog)}",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(title: str, rows: Sequence[str], nothing: str) -> str:
    if not rows and not nothing:
        return ""
    return f"## {title}\n\n" + ("\n".join(f"- {in_line(row)}" for row in rows) or nothing)


def _backtest(found: Backtest) -> str:
    head = (
        f"## Past decisions\n\n{found.decisions} decided again, {len(found.changed)} change, "
        f"{found.loosened} of them get looser."
    )
    if not found.changed:
        return head
    rows = ["| checkpoint | was | would be | red lines | |", "|---|---|---|---|---|"]
    rows += [
        f"| {in_line(one.checkpoint)} | {one.before} | {one.after} | "
        f"{in_line('; '.join(one.lines))} | {'**LOOSER**' if one.looser else ''} |"
        for one in found.changed
    ]
    return head + "\n\n" + "\n".join(rows)


def _next_level(found: ReviewFindings) -> str:
    binds = "and no permit rests on such a standard until it is mended" if (
        found.next_level_binds
    ) else "the policy does not forbid work under such a standard"  # fmt: skip
    rows = [f"{one} ({binds})" for one in found.next_level]
    return _list("Next level", rows, "Every standard that can hold has red lines after it.")
