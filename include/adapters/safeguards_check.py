"""Whether records of safeguards may be chained: signatures, plans, and derivation again."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import replace
from datetime import timedelta

from include.adapters import signing
from include.adapters.evidence_store import judge_intact, keys_of
from include.adapters.rederivation import RuleBook
from include.adapters.report_page import page_of
from include.adapters.store import Store
from include.rsp import records as r
from include.rsp.attestation import Predicate
from include.rsp.canonical import Digest, digest_bytes, digest_of
from include.rsp.errors import Refused
from include.rsp.evidence_check import CLOCK_TOLERANCE
from include.rsp.judgement import Asked, judge_required, verified_by
from include.rsp.rules import Rules
from include.rsp.safeguard_evidence import PROBE, Exemption, SafeguardEvidence
from include.rsp.safeguards_report import report_markdown
from include.rsp.state import LedgerState
from include.rsp.vocabulary import KeyRole

REPORT_WITHIN = timedelta(minutes=10)
"""So soon after a judgement its report is written: the time to approve runs from the report."""
PROBE_GRACE_SECONDS = 60
"""So long beyond its limit a probe may have taken, on a machine that is busy."""
LONGEST_TEXT = 4000
MOST_PARTS = 100
"""Of attachments, surfaces, gaps, steps, measures: what people are shown can be read by people."""
MOST_REPLACED = 5000


class SafeguardsCheck:
    """Admits evidence, exemptions, plans, judgements, reports and drills."""

    def __init__(self, store: Store, rulebook: RuleBook, *, live: bool) -> None:
        self.store, self.rulebook, self.live = store, rulebook, live

    def _in_force(self, state: LedgerState) -> Rules:
        rules = self.rulebook.in_force(state)
        if rules is None:
            raise Refused("no_policy", "No policy is in force.")
        return rules

    def check_evidence(self, state: LedgerState, record: r.Evidence) -> None:
        """It may be chained only if (1) it is not dated in the future; (2) whoever is said to have
        collected it signed it, if anybody did; (3) a probe is said to have collected it only if the
        suite plans that probe for just this; (4) what it replaces is evidence of the same signer,
        about the same. What nobody signed is not replaced: newer evidence decides instead;
        (5) it is not just what its signer replaced; (6) it can be read.
        """
        piece = record.evidence
        if piece.collected_at > record.at + CLOCK_TOLERANCE:  # (1)
            raise Refused("post_dated", "The evidence was collected in the future.")
        if record.envelope is not None:  # (2)
            _check_signed(state, record.envelope, piece)
        if piece.probe is not None:  # (3)
            self._check_planned(state, record)
        if piece.supersedes is not None:  # (4)
            _check_superseding(state, record, piece.supersedes)
        replaced = {one.supersedes for one in state.evidence.values()} if record.envelope else ()
        if any(piece == state.evidence.get(one or "") for one in replaced):  # (5)
            raise Refused("taken_back", "Just this evidence was replaced. Collect it anew.")
        _check_lengths("evidence", parts=[piece.attachments, piece.surfaces])  # (6)

    def _check_planned(self, state: LedgerState, record: r.Evidence) -> None:
        piece, probe = record.evidence, record.evidence.probe
        named = {one.id: one for one in self._in_force(state).suite.safeguards.probes}
        planned = named.get(probe.id) if probe else None
        if probe is None or planned is None:
            raise Refused("unplanned_probe", f"The suite plans no such probe (got {probe}).")
        said = (piece.standard, piece.criterion, piece.type, piece.surfaces, probe.probe)
        expected = (
            planned.standard, planned.requirement, planned.type, planned.surfaces, planned.probe,
        )  # fmt: skip
        if said != expected or piece.collector != f"{PROBE} {planned.id}" or record.envelope:
            raise Refused(
                "unplanned_probe",
                f"The evidence says {said} by {piece.collector!r}; the suite plans {expected}.",
            )
        longest = planned.timeout_seconds + PROBE_GRACE_SECONDS
        fits = piece.collected_at == probe.started_at and probe.seconds <= longest
        if not fits or probe.started_at + timedelta(seconds=probe.seconds) > (
            record.at + CLOCK_TOLERANCE
        ):
            raise Refused(
                "unplanned_probe",
                f"The probe began at {probe.started_at}, took {probe.seconds:g} s and is said to "
                f"have seen it at {piece.collected_at} (expected that it saw it as it began, took "
                f"{longest:g} s at most, and had ended by {record.at}).",
            )

    def check_exemption(self, state: LedgerState, record: r.Exempted) -> None:
        """Two distinct people of the trust root signed just this, the second of them an officer who
        signs or the second line; it ends by itself within the time of an approval.
        """
        one, rules = record.exemption, self._in_force(state)
        first = _signer(state, record.claimed, one, officers=False)
        second = _signer(state, record.accepted, one, officers=True)
        signing_rule = rules.policy.sign_off
        offices = [*signing_rule.roles, signing_rule.second_line.office]
        if second.office not in offices:
            raise Refused(
                "wrong_office",
                f"{second.holder} ({second.office}) may not accept it (expected one of {offices}).",
            )
        if first.holder == second.holder:
            raise Refused(
                "not_distinct", f"{first.holder} claimed it and may not accept it as well."
            )
        if one.claimed_at > record.at + CLOCK_TOLERANCE:
            raise Refused("post_dated", "The exemption was claimed in the future.")
        said = rules.requirements_of(one.standard)
        days = said.reapproval_days if said else 365
        if one.until > one.claimed_at + timedelta(days=days):
            raise Refused(
                "too_long",
                f"It lasts until {one.until:%Y-%m-%d} (expected {days:g} days at most).",
            )

    def check_plan(self, state: LedgerState, record: r.InterimPlan) -> None:
        """The policy knows interim measures, the plan ends within its time and can be read."""
        verdict = state.expect(record.verdict.record, r.Verdict)
        rule = self.rulebook.of_assessment(state, verdict.assessment_id).policy.interim_measures
        if rule is None:
            raise Refused("not_offered", "The policy knows no interim measures.")
        latest = record.at + timedelta(days=rule.longest_days)
        if not record.at < record.plan.until <= latest:
            raise Refused(
                "too_long",
                f"The plan ends {record.plan.until:%Y-%m-%d %H:%M} (expected after now, "
                f"{latest:%Y-%m-%d %H:%M} at the latest; {rule.clause}).",
            )
        plan = record.plan
        texts = [plan.because, *(one.text for one in plan.measures)]
        _check_lengths("plan", parts=[plan.measures], texts=texts)
        _check_lengths("plan", parts=[one.replaces for one in plan.measures], most=MOST_REPLACED)

    def check_judgement(self, state: LedgerState, record: r.SafeguardsJudgement) -> None:
        """It follows from all evidence that there is, and is not dated before any of it."""
        verdict = state.expect(record.verdict.record, r.Verdict)
        rules = self.rulebook.of_assessment(state, verdict.assessment_id)
        known = [*state.evidence, *state.exemptions]
        if any(state.index_of[one] > record.ledger_index for one in known):
            raise Refused("stale_index", "Evidence was added since. Judge the safeguards again.")
        newest = max((one.collected_at for one in state.evidence.values()), default=record.at)
        if newest > record.at + CLOCK_TOLERANCE:
            raise Refused(
                "back_dated",
                f"The judgement is dated {record.at:%Y-%m-%d %H:%M:%S}; evidence was collected at "
                f"{newest:%Y-%m-%d %H:%M:%S}. Judge the safeguards again, as of now.",
            )
        asked = Asked(
            verdict=record.verdict.record,
            ledger_index=record.ledger_index,
            at=record.at,
            interim=record.interim.record if record.interim else None,
        )
        if self.live:
            derived = judge_intact(self.store, state, rules, asked)
        else:  # what could be read then is believed, by the notary's signature
            asked = replace(asked, broken=record.broken)
            derived = (*judge_required(state, rules, asked), record.broken)
        if derived != (record.standards, record.holds, record.broken):
            raise Refused("not_derivable", "The judgement does not follow from the evidence.")

    def check_report(self, state: LedgerState, record: r.SafeguardsReport) -> None:
        """Its text follows from the records; it is the only one on its judgement, is written
        soon after it, and nothing was added since that speaks against what was judged.
        """
        judgement = state.expect(record.judgement.record, r.SafeguardsJudgement)
        verdict = state.expect(judgement.verdict.record, r.Verdict)
        rules = self.rulebook.of_assessment(state, verdict.assessment_id)
        text = report_markdown(state, rules, record.judgement.record)
        shown = (digest_bytes(text.encode()), digest_bytes(page_of(text)))
        if shown != (record.document.blob, record.page.blob):
            raise Refused("not_derivable", "The report's text does not follow from the records.")
        _check_current(state, record, judgement)

    def check_drill(self, state: LedgerState, record: r.Drill) -> None:
        """The suite plans it, its steps lie in order between its start and now, it can be read,
        and says that people are SIMULATED if any of the trust root is.
        """
        planned = {one.scenario: one.run for one in self._in_force(state).suite.safeguards.drills}
        if planned.get(record.scenario) != record.run:
            raise Refused(
                "unplanned_drill",
                f"The suite plans {planned.get(record.scenario)} for a drill of {record.scenario} "
                f"(got {record.run}).",
            )
        times = [record.started_at, *(one.at for one in record.steps)]
        if times != sorted(times) or times[-1] > record.at + CLOCK_TOLERANCE:
            raise Refused(
                "post_dated", "The steps of the drill are not in order, or in the future."
            )
        texts = [one.name + one.note for one in record.steps]
        _check_lengths(
            "drill",
            parts=[record.gaps, record.steps],
            texts=[record.asked_by, *record.gaps, *texts],
        )
        if not record.simulated and any(one.simulated for one in keys_of(state.trust)):
            raise Refused("not_simulated", "The drill's people are SIMULATED, and it is not.")


def _check_superseding(state: LedgerState, record: r.Evidence, before: Digest) -> None:
    """Nobody can make what another said disappear, nor say it again about something else."""
    piece, old = record.evidence, state.evidence.get(before)
    if old is None:
        raise Refused("not_superseding", f"{before} is no evidence. See `rsp evidence list`.")
    signer = verified_by(state, before)
    own = _keyid(record) == _keyid(state.expect(before, r.Evidence))
    if signer is None or old.probe is not None or record.envelope is None or not own:
        raise Refused(
            "not_superseding",
            f"{before} is of {signer or 'nobody who signed it'}; only who signed it can replace "
            "it. Add newer evidence instead: the newest decides.",
        )
    about = ("standard", "criterion", "type", "checkpoint", "surfaces")
    changed = [name for name in about if getattr(piece, name) != getattr(old, name)]
    replaced = {one.supersedes for one in state.evidence.values()}
    if changed or before in replaced or piece.collected_at < old.collected_at:
        raise Refused(
            "not_superseding",
            f"{before} is about another {' and '.join(changed)}, newer, or replaced already. See "
            "`rsp evidence list`.",
        )


def _keyid(record: r.Evidence) -> str | None:
    return record.envelope.signatures[0].get("keyid") if record.envelope else None


def _check_current(
    state: LedgerState, record: r.SafeguardsReport, judgement: r.SafeguardsJudgement
) -> None:
    about = record.judgement
    if any(
        isinstance(one, r.SafeguardsReport) and one.judgement == about
        for one in state.records.values()
    ):
        raise Refused("already_counted", f"There is a report on {about.record} already.")
    if record.at > judgement.at + REPORT_WITHIN:
        raise Refused(
            "report_too_old",
            f"The judgement is of {judgement.at:%Y-%m-%d %H:%M:%S}, the report of "
            f"{record.at:%Y-%m-%d %H:%M:%S}. Judge the safeguards again.",
        )
    standards = {one.standard for one in judgement.standards}
    if any(
        piece.standard in standards
        and state.index_of[digest] > judgement.ledger_index
        and (not piece.shows or piece.supersedes is not None)
        for digest, piece in state.evidence.items()
    ):
        raise Refused("stale_index", "Evidence was added against it. Judge the safeguards again.")


def _check_lengths(
    what: str,
    *,
    parts: Sequence[Sized] = (),
    texts: Sequence[str] = (),
    most: int = MOST_PARTS,
) -> None:
    many = max(map(len, parts), default=0)
    longest = max(map(len, texts), default=0)
    if many > most or longest > LONGEST_TEXT:
        raise Refused(
            "too_long",
            f"The {what} has {many} parts of a kind and a text of {longest} signs (expected "
            f"{most} and {LONGEST_TEXT} at most). Attach what is longer as a file.",
        )


def _check_signed(state: LedgerState, envelope: r.Envelope, piece: SafeguardEvidence) -> None:
    key, subject, body = signing.verify(
        envelope, keys_of(state.trust), Predicate.SAFEGUARD_EVIDENCE
    )
    if subject != digest_of(piece) or body != piece.model_dump(mode="json"):
        raise Refused("bad_signature", f"{key.holder} signed other evidence than this.")
    if piece.collector != key.holder or (key.simulated and not piece.simulated):
        raise Refused(
            "bad_signature",
            f"Signed by {key.holder}{' (SIMULATED)' if key.simulated else ''}; the evidence names "
            f"{piece.collector}{' (SIMULATED)' if piece.simulated else ''}.",
        )


def _signer(
    state: LedgerState, envelope: r.Envelope, exemption: Exemption, *, officers: bool
) -> r.KeyEntry:
    keys = signing.keys_for(state.trust, KeyRole.OFFICER) if officers else keys_of(state.trust)
    key, subject, body = signing.verify(envelope, keys, Predicate.EXEMPTION)
    if subject != digest_of(exemption) or body != exemption.model_dump(mode="json"):
        raise Refused("bad_signature", f"{key.holder} signed another exemption than this.")
    return key
