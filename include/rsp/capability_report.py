"""The Capability Report and the packet: all that people are shown, generated only from records.

Lifecycle steps 13 to 16 (RSP 2.2 §3.3). The report becomes a packet when the second line has given
its opinion, which from then on stands on its first screen. Nothing here is read from a clock or
from anything that is not in the ledger, so the notary writes the same text again.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.rsp import records as r
from include.rsp.answers import authors_of, holder_of
from include.rsp.authority import ratios_of
from include.rsp.canonical import Digest, short
from include.rsp.harmless import in_line
from include.rsp.judgement import suffices
from include.rsp.notices import applicable
from include.rsp.report_evidence import elicitation_section, transcripts_section, unknown_section
from include.rsp.report_tables import (
    findings_section,
    forecast_section,
    interim_section,
    red_lines_table,
    safeguards_section,
)
from include.rsp.responses import offered
from include.rsp.rules import Rules
from include.rsp.state import LedgerState
from include.rsp.vocabulary import Scope

FORMAT = "capability-report@1"
FOLD = "\n\n---\n\n"
"""What ends the first screen: the question, what decided, and what the second line says."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about, by record digests."""

    verdict: Digest
    judgement: Digest | None
    hold: Digest | None
    purpose: Scope
    asked_by: str
    asked_because: str | None

    @classmethod
    def of(cls, report: r.CapabilityReport) -> Subject:
        """The subject of a report that is written already."""
        return cls(
            verdict=report.verdict.record,
            judgement=report.judgement.record if report.judgement else None,
            hold=report.hold.record if report.hold else None,
            purpose=report.purpose,
            asked_by=report.asked_by,
            asked_because=report.asked_because,
        )


def report_markdown(
    state: LedgerState, rules: Rules, about: Subject, opinion: r.Opinion | None = None
) -> str:
    """The text of the report; with an opinion, of the packet."""
    verdict = state.expect(about.verdict, r.Verdict)
    checkpoint = state.expect(verdict.checkpoint.record, r.Checkpoint)
    judgement = state.expect(about.judgement, r.SafeguardsJudgement) if about.judgement else None
    made = checkpoint.manifest
    run_id = state.run_of_verdict(about.verdict)
    first = [
        f"# Capability Report: checkpoint {made.run_id}/{made.checkpoint_id}",
        _asked(state, rules, about, verdict, judgement),
        red_lines_table(verdict),
        _second_line(state, rules, opinion),
        _choices(rules, about, verdict, judgement),
        _holds(state, run_id),
    ]
    rest = [
        safeguards_section(judgement),
        interim_section(state, judgement),
        findings_section(verdict),
        elicitation_section(state, rules, verdict),
        forecast_section(verdict),
        _deviations(state, run_id),
        unknown_section(state, rules, about.verdict),
        transcripts_section(state, verdict),
        _people(state, rules, about),
        _provenance(checkpoint, about),
    ]
    screens = ["\n\n".join(part for part in parts if part) for parts in (first, rest)]
    return FOLD.join(screens) + "\n"


def first_screen(text: str) -> str:
    """What a person sees before they scroll."""
    return text.split(FOLD, 1)[0]


_ASKED = {
    (Scope.TRAINING, False): "let training go on, or not",
    (Scope.TRAINING, True): "release the hold and let training go on, or not",
    (Scope.DEPLOYMENT, False): "let this checkpoint be deployed, or not",
    (Scope.DEPLOYMENT, True): "release the hold and let this checkpoint be deployed, or not",
}


def _can_go_on(rules: Rules, verdict: r.Verdict, judgement: r.SafeguardsJudgement | None) -> bool:
    """Whether any answer lets something go on."""
    return suffices(verdict, judgement) or _may_go_below(rules, verdict)


def _may_go_below(rules: Rules, verdict: r.Verdict) -> bool:
    demanding = [line.status for line in verdict.decision.red_lines if line.demands]
    return rules.policy.sign_off.may_overrule(demanding)


def _asked(
    state: LedgerState,
    rules: Rules,
    about: Subject,
    verdict: r.Verdict,
    judgement: r.SafeguardsJudgement | None,
) -> str:
    if not _can_go_on(rules, verdict, judgement):
        asked_for = "confirm that nothing goes on, or choose a response of the policy"
    else:
        asked_for = _ASKED[about.purpose, about.hold is not None]
    law = f"{rules.policy.id} {rules.policy.version}"
    return (
        f"**Asked:** {asked_for}. Nothing is approved by silence.\n\n"
        f"**Recommendation of {law}:** `{verdict.decision.recommendation}`"
        + _below_before(state, about.verdict)
    )


def _below_before(state: LedgerState, verdict: Digest) -> str:
    """Earlier permits of the run for which officers went below a recommendation."""
    run = state.runs[state.run_of_verdict(verdict)]
    went = [key for key, one in run.permits.items() if one.below_recommendation]
    if not went:
        return ""
    listed = ", ".join(short(one) for one in went)
    return f"\n\n**Below the recommendation before:** permits {listed} of this run."


def _second_line(state: LedgerState, rules: Rules, opinion: r.Opinion | None) -> str:
    office = rules.policy.sign_off.second_line.office
    if opinion is None:
        return f"**Second line ({office}):** not heard yet. Nobody signs before."
    return (
        f"**Second line ({office}, {holder_of(state, opinion)}, {label_of(opinion)}): "
        f"{opinion.choice.upper()}**. {in_line(opinion.reason)}"
    )


def label_of(answer: r.Answer) -> str:
    """How a person was identified, and whether the person is simulated."""
    return f"{answer.identification}, SIMULATED" if answer.simulated else answer.identification


def _choices(
    rules: Rules,
    about: Subject,
    verdict: r.Verdict,
    judgement: r.SafeguardsJudgement | None,
) -> str:
    """What each answer leads to."""
    policy, decision = rules.policy, verdict.decision
    due, ceiling = ratios_of(rules, decision)
    reach = (
        f"training goes on: next assessment at {due:g}x, ceiling {ceiling:g}x"
        if about.purpose is Scope.TRAINING
        else "the checkpoint may be deployed"
    )
    goes_on = suffices(verdict, judgement)
    below = policy.sign_off.below_recommendation
    lines = [
        "## What each answer does",
        "",
        f"- `accept_recommendation`: {reach if goes_on else 'nothing goes on; the hold stands'}.",
        "- `stricter`: nothing goes on; the notary orders a hold if none is in force.",
        (
            f"- `below_recommendation`: {reach}, without the safeguards; needs a reason and all "
            f"signers ({in_line(below.clause)})."
            if below is not None and _may_go_below(rules, verdict)
            else "- `below_recommendation`: not possible here."
        ),
    ]
    lines += [
        f"- response `{one.id}` ({in_line(one.clause)}): {', '.join(one.actions)}"
        + (f"; if {in_line(one.condition)}" if one.condition else "")
        + (f". A hold then ends by {' and '.join(one.resume)}" if one.resume else "")
        + "."
        for one in offered(policy, decision.recommendation)
    ]
    lines += [
        f"- {' and '.join(one.to)} {'approves' if one.approval else 'is told'}"
        f"{' before anything goes on' if one.before_permit else ''} ({in_line(one.clause)})"
        + (f", unless every signer says that this is not so: {in_line(one.condition or '')}"
           if one.waivable else "")
        + "."
        for one in applicable(policy, verdict, waived=frozenset())
    ]  # fmt: skip
    return "\n".join(lines)


def _holds(state: LedgerState, run_id: str) -> str:
    in_force = state.runs[run_id].holds_in_force
    if not in_force:
        return ""
    lines = [
        f"- {short(digest)} ({one.scope}{', ' if one.measures else ''}"
        f"{', '.join(one.measures)}): {in_line(one.reason)}"
        for digest, one in in_force.items()
    ]
    return "## Holds in force\n\n" + "\n".join(lines)


def _deviations(state: LedgerState, run_id: str) -> str:
    found = [
        one
        for one in state.records.values()
        if isinstance(one, r.Deviation) and one.run_id == run_id
    ]
    if not found:
        return "## Deviations\n\nNone recorded for this run."
    return "## Deviations\n\n" + "\n".join(
        f"- {one.finding}, {one.at:%Y-%m-%d %H:%M}: {in_line(one.message)}" for one in found
    )


def _people(state: LedgerState, rules: Rules, about: Subject) -> str:
    because = f": {in_line(about.asked_because)}" if about.asked_because else ""
    made = [
        f"- {in_line(holder)} {what}"
        for holder, what in authors_of(state, about.verdict, rules).items()
    ]
    if not rules.suite.authors:
        made.append("- who wrote the evaluation set is not said in the suite")
    return "\n".join(["## Who", "", f"- asked for by {in_line(about.asked_by)}{because}", *made])


def _provenance(checkpoint: r.Checkpoint, about: Subject) -> str:
    rows = {
        "checkpoint": checkpoint.digest,
        "effective compute (declared by the trainer)": (
            f"{checkpoint.manifest.effective_compute:.4g} FLOP"
        ),
        "verdict": about.verdict,
        "safeguards judgement": about.judgement or "none",
        "hold": about.hold or "none",
        "format": FORMAT,
    }
    return "## Records\n\n" + "\n".join(f"- {name}: `{value}`" for name, value in rows.items())
