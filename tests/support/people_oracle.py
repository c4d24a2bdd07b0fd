"""What a permit must rest on, said a second time and in another way than in `include/rsp`.

Nothing here calls a rule of `include/rsp`: a permit is looked at from its end, as an auditor would,
with nothing but the records before it, the policy's data, and what the fake Airflow says.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from include.rsp import records as r
from include.rsp.policy import Policy
from tests.support.audit import Audit, must

ASSESSMENT_EVENTS = {"verdict", "determination", "standard_required", "hold"}


class Oracle(Audit):
    """An auditor who looks at every permit."""

    def check_permit(self, permit: r.Permit) -> None:
        """A permit has what the policy demands."""
        asked = self.records[permit.reply_to.record]
        if isinstance(asked, r.TrainingRun):
            must("genesis" in self.rules_in_force().policy.machine_determination.outcomes,
                 "a genesis permit that the policy leaves to people")  # fmt: skip
            return
        must(isinstance(asked, r.PermitRequest), "a permit that nobody asked for")
        must((permit.purpose, permit.run_id, permit.releases)
             == (asked.purpose, asked.run_id, asked.hold), "not what was asked for")  # fmt: skip
        verdict = self.records[asked.verdict.record]
        must(permit.basis[0] == asked.verdict, "the basis does not begin with the verdict")
        self._check_newest(permit, asked, verdict)
        self._check_held(permit, asked)
        demands = any(line.demands for line in verdict.decision.red_lines)
        if asked.packet is None:
            self._check_machine(permit, verdict)
            below, safe = False, False
        else:
            below = self._check_people(permit, asked, verdict)
            safe = demands and not below
        if safe:
            self._check_safeguards(permit, asked, verdict)
        must(permit.below_recommendation == below, "below, and does not say so")
        self._check_resume(asked, verdict, below=below, safe=safe)

    def _check_newest(self, permit: r.Permit, asked: Any, verdict: r.Verdict) -> None:
        mine = [(key, x) for key, x in self.of(r.Verdict) if self.run_of(x) == permit.run_id]
        if permit.purpose == "deployment":
            mine = [(key, x) for key, x in mine if x.checkpoint == verdict.checkpoint]
        must(mine and mine[-1][0] == asked.verdict.record, "not the newest verdict")
        must(permit.checkpoint == self.records[verdict.checkpoint.record].digest, "other weights")
        occasion = next(
            x for _, x in self.of(r.Occasion) if x.assessment_id == verdict.assessment_id
        )
        adopted = self.of(r.Adoption)[-1][1]
        must((occasion.policy, occasion.suite) == (adopted.policy.blob, adopted.suite.blob),
             "a verdict under a policy that is no longer in force")  # fmt: skip
        ordered_by = self.in_force[asked.hold.record].reply_to.record if asked.hold else None
        again = [key for key, x in self.permits.items()
                 if x.purpose == permit.purpose and asked.verdict in x.basis]  # fmt: skip
        must(
            set(again) <= {ordered_by} or again[-1] == ordered_by, "a second permit on one verdict"
        )
        concerning = [
            self.index(key) for key, x in self.records.items()
            if isinstance(x, r.Adoption)
            or (isinstance(x, r.Hold | r.Permit) and x.run_id == permit.run_id)
            or (isinstance(x, r.Verdict) and self.run_of(x) == permit.run_id)
            or (isinstance(x, r.Revocation)
                and self.records[x.about.record].run_id == permit.run_id)
        ]  # fmt: skip
        must(max(concerning) <= asked.seen_index < len(self.order), "asked without having read")

    def _check_held(self, permit: r.Permit, asked: Any) -> None:
        held = self.held(permit.run_id, permit.purpose)
        newest = held[-1] if held else None
        must(newest == (asked.hold.record if asked.hold else None), "the newest hold is not named")
        if permit.purpose == "deployment":
            must(not self.held(permit.run_id, "weights"), "deployed, and the weights are locked")

    def _check_machine(self, permit: r.Permit, verdict: r.Verdict) -> None:
        rule = self.rules_in_force().policy.machine_determination
        must("continue" in rule.outcomes, "a machine determined; the policy lets none")
        must(verdict.decision.recommendation == "continue", "a machine let go on what must pause")
        must(permit.purpose == "training", "a machine deployed")
        must(not self.held(permit.run_id, "training"), "a machine ended a hold")
        must(permit.identification == "MACHINE", "a machine's word that does not say so")
        about = verdict.checkpoint.record
        must(not any(x.about.record == about for _, x in self.of(r.Deviation)),
             "a machine let go on what deviates")  # fmt: skip

    def _check_people(self, permit: r.Permit, asked: Any, verdict: r.Verdict) -> bool:
        """Opinion, determinations, receipts; whether the officers went below."""
        policy, packet = self.rules_in_force().policy, self.records[asked.packet.record]
        report = self.records[packet.report.record]
        must((report.verdict, report.hold, report.purpose)
             == (asked.verdict, asked.hold, asked.purpose), "another packet")  # fmt: skip
        opinion = self._check_opinion(policy, packet)
        every = [(key, x) for key, x in self.of(r.Determination) if x.about == asked.packet]
        said = {x.office: (key, x) for key, x in every}
        must(not any(x.choice == "stricter" for _, x in every), "somebody said no on this packet")
        self._check_no_later_no(asked, {key for key, _ in said.values()})
        first = {x.office: x.signed_at for _, x in reversed(every)}
        self._check_signers(policy, packet, said, first, permit)
        answers = [(packet.opinion.record, opinion), *said.values()]
        holders = [self.check_identity(policy, key, x) for key, x in answers]
        must(len(set(holders)) == len(holders), f"not distinct: {holders}")
        self._check_no_author(verdict, holders)
        receipts = self._check_receipts(policy, verdict, asked, said, permit)
        named = {one.record for one in permit.basis}
        must(
            {key for key, _ in said.values()} | receipts <= named, "the basis leaves out an answer"
        )
        return self._check_choice(policy, verdict, said, permit)

    def _check_opinion(self, policy: Policy, packet: r.Packet) -> Any:
        rule = policy.sign_off.second_line
        heard = [(k, x) for k, x in self.of(r.Opinion) if x.about == packet.report]
        must(heard and heard[-1][0] == packet.opinion.record, "not the second line's last word")
        opinion = heard[-1][1]
        must(opinion.choice != "need_more", "the second line needs more")
        must(opinion.office == rule.office, "another office spoke as second line")
        begun = self.records[packet.report.record].at
        must(begun <= opinion.signed_at <= begun + timedelta(hours=rule.answer_within_hours),
             "the second line answered out of time")  # fmt: skip
        return opinion

    def _check_no_later_no(self, asked: Any, counted: set[str]) -> None:
        """Nobody has said no on another packet about the same question and not answered since."""
        offices = {self.records[one].office: self.index(one) for one in counted}
        for key, one in self.of(r.Determination):
            report = self.records[self.records[one.about.record].report.record]
            same = (report.verdict, report.purpose) == (asked.verdict, asked.purpose)
            later = self.index(key) > offices.get(one.office, -1)
            must(not (same and later and one.choice == "stricter"), "a later no was passed over")

    def _check_signers(
        self, policy: Policy, packet: r.Packet, said: dict[str, Any], first: dict[str, datetime],
        permit: r.Permit,
    ) -> None:  # fmt: skip
        rule = policy.sign_off
        needed = rule.quorum or len(rule.roles)
        must(len(set(said) & set(rule.roles)) >= needed, f"signed only by {sorted(said)}")
        must(set(said) <= set(rule.roles), "an office signed that has no say")
        begun, until = packet.at, packet.at + timedelta(hours=rule.answer_within_hours)
        times = [said[one][1].signed_at for one in rule.roles if one in said]
        must(all(begun <= one <= until for one in times), "signed out of time")
        must(permit.at <= until, "permitted after the packet's time")
        if rule.quorum is None:
            turns = [first[one] for one in rule.roles]
            must(turns == sorted(turns), "signed out of turn")

    def _check_choice(
        self, policy: Policy, verdict: r.Verdict, said: dict[str, Any], permit: r.Permit
    ) -> bool:
        choices = {x.choice.value for _, x in said.values()}
        must(choices in ({"accept_recommendation"}, {"below_recommendation"}), f"said {choices}")
        kinds = {one.id: one.kind for one in policy.responses}
        named = {kinds[x.response] for _, x in said.values() if x.response}
        must(named <= {"cap_training"}, f"a response was chosen: {named}")
        compute = self.records[verdict.checkpoint.record].manifest.effective_compute
        caps = [x.cap_ratio for _, x in said.values() if x.cap_ratio is not None]
        if permit.purpose == "training" and caps:
            must(permit.ceiling_flop <= compute * min(caps), "beyond the officers' cap")
        below = choices == {"below_recommendation"}
        lines = [line for line in verdict.decision.red_lines if line.demands]
        rule = policy.sign_off.below_recommendation
        may = rule is not None and lines and all(
            line.status in rule.statuses and line.status != "crossed" for line in lines
        )  # fmt: skip
        must(may or not below, "below the recommendation, which the policy does not allow")
        return below

    def _check_no_author(self, verdict: r.Verdict, holders: list[str]) -> None:
        run = next(x for _, x in self.of(r.TrainingRun) if x.run_id == self.run_of(verdict))
        authors = {run.by, *self.rules_in_force().suite.authors}
        must(not authors & set(holders), f"an author judged: {authors & set(holders)}")

    def _check_receipts(
        self, policy: Policy, verdict: r.Verdict, asked: Any, said: dict[str, Any],
        permit: r.Permit,
    ) -> set[str]:  # fmt: skip
        waived = set.intersection(*(set(x.not_applicable) for _, x in said.values()))
        demands = any(line.demands for line in verdict.decision.red_lines)
        signed = max(x.signed_at for _, x in said.values())
        found = set()
        for notice in policy.notices:
            about_lines = notice.event in ("standard_required", "hold")
            if notice.event not in ASSESSMENT_EVENTS or not notice.before_permit:
                continue
            if (about_lines and not demands) or (notice.condition and notice.id in waived):
                continue
            for office in notice.to:
                given = [
                    (key, x) for key, x in self.of(r.Receipt)
                    if x.about == asked.packet and (x.notice, x.office) == (notice.id, office)
                ]  # fmt: skip
                must(given, f"{office} was not told ({notice.id})")
                key, last = given[-1]
                fits = last.choice == "approved" or (
                    last.choice == "received" and not notice.approval
                )
                must(fits, f"{office}: {last.choice}")
                must(not any(x.choice == "rejected" for _, x in given), f"{office} rejects")
                must(
                    signed <= last.signed_at <= permit.at + timedelta(seconds=20), "told too early"
                )
                self.check_identity(policy, key, last)
                found.add(key)
        return found

    def _check_safeguards(self, permit: r.Permit, asked: Any, verdict: r.Verdict) -> None:
        """The judgement that was shown holds, and all evidence there is now still shows it."""
        report = self.records[self.records[asked.packet.record].report.record]
        must(report.judgement is not None, "no safeguards were judged")
        judged = self.records[report.judgement.record]
        must(judged.holds and judged.verdict == asked.verdict, "the safeguards were not verified")
        rules = self.rules_in_force()
        policy = rules.policy
        lines = [line for line in verdict.decision.red_lines if line.demands]
        wanted = {one for line in lines for one in line.required_standards}
        for standard in (one for one in policy.standards if one.id in wanted):
            must(standard.criteria, "a standard without criteria was held to hold")
            asked_for = {x.id: x for x in rules.catalogues[standard.catalogue.sha256].of(
                standard.id).requirements}  # fmt: skip
            must({x.criterion for x in asked_for.values()} == {x.id for x in standard.criteria},
                 "a criterion was left out")  # fmt: skip
            for name, one in asked_for.items():
                kinds = {x.value for x in one.surfaces}
                there = [x.id for x in rules.suite.safeguards.surfaces if x.kind.value in kinds]
                must(bool(there) == bool(kinds), f"{name} was looked for nowhere")
                for surface in there or [None]:
                    self._check_requirement(permit, standard.id, one, surface)

    def _check_requirement(
        self, permit: r.Permit, standard: str, requirement: Any, surface: str | None
    ) -> None:
        seen = [
            (x.evidence.collected_at, not x.evidence.shows) for _, x in self.of(r.Evidence)
            if (x.evidence.standard, x.evidence.criterion) == (standard, requirement.id)
            and x.evidence.type in requirement.evidence
            and (surface in x.evidence.surfaces if surface else not x.evidence.surfaces)
            and (x.envelope is not None or not x.evidence.shows or requirement.verifier == "self")
        ]  # fmt: skip
        name = f"{requirement.id} on {surface}"
        must(seen and not max(seen)[1], f"{name} is not shown")
        ends = max(seen)[0] + timedelta(days=requirement.max_age_days)
        must(permit.at <= ends, f"the evidence for {name} is too old")
        must(permit.expires_at <= ends, f"the permit outlives the evidence for {name}")

    def _check_resume(self, asked: Any, verdict: r.Verdict, *, below: bool, safe: bool) -> None:
        if asked.hold is None:
            return
        oldest = self.held(asked.run_id, asked.purpose)[0]
        since = self.index(oldest)
        anew = verdict.decision.recommendation == "continue" and (
            self.index(asked.verdict.record) > since
            or isinstance(self.records[self.in_force[oldest].reply_to.record], r.Determination)
        )
        adopted = any(self.index(key) > since for key, _ in self.of(r.Adoption))
        must(below or safe or anew or adopted, "a hold ended for which nothing has changed")
