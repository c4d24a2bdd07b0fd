"""What must hold of a ledger in which people decide, said a second time and in another way.

Nothing here calls a rule of `include/rsp`: a permit is looked at from its end, as an auditor would,
with nothing but the records before it, the policy's data, and what the fake Airflow says.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from include.rsp import records as r
from include.rsp.policy import Policy
from include.rsp.rules import Rules
from tests.support.histories import FakeAirflow

ENDS = {"training": {"training", "weights"}, "deployment": {"deployment"}}
ASSESSMENT_EVENTS = {"verdict", "determination", "standard_required", "hold"}
PASTES = {"opinion": "opinion", "determination": "determination", "receipt": "receipt"}


class Broken(AssertionError):
    """An invariant does not hold."""


def must(holds: object, what: str) -> None:
    """Fail with words of our own."""
    if not holds:
        raise Broken(what)


@dataclass(slots=True)
class Oracle:
    """The records of one ledger in order, and what they mean."""

    rules: Mapping[tuple[str, str], Rules]
    airflow: FakeAirflow
    order: list[str] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    in_force: dict[str, r.Hold] = field(default_factory=dict)
    permits: dict[str, r.Permit] = field(default_factory=dict)

    def take(self, records: Mapping[str, r.Record], *, look: bool = True) -> None:
        """Take in what was chained since, and look at every permit among it."""
        for digest in list(records)[len(self.order) :]:
            record = records[digest]
            if look and isinstance(record, r.Permit):
                self.check_permit(record)
            if isinstance(record, r.Permit):
                self._end_holds(record)
                self.permits[digest] = record
            if isinstance(record, r.Hold):
                self.in_force[digest] = record
            self.order.append(digest)
            self.records[digest] = record

    def of(self, kind: type[Any]) -> list[tuple[str, Any]]:
        """The records of a kind, in order."""
        return [(one, x) for one, x in self.records.items() if isinstance(x, kind)]

    def index(self, digest: str) -> int:
        """Where a record stands."""
        return self.order.index(digest)

    def rules_in_force(self) -> Rules:
        """What the newest adoption says."""
        adoption = self.of(r.Adoption)[-1][1]
        return self.rules[adoption.policy.blob, adoption.suite.blob]

    def run_of(self, verdict: r.Verdict) -> str:
        """The run that a verdict is about."""
        return str(self.records[verdict.checkpoint.record].manifest.run_id)

    def held(self, run_id: str, scope: str) -> list[str]:
        """The holds in force, oldest first."""
        return [
            key for key, x in self.in_force.items() if (x.run_id, x.scope) == (run_id, scope)
        ]

    def _end_holds(self, permit: r.Permit) -> None:
        if permit.releases is None:
            return
        named = self.in_force.get(permit.releases.record)
        must(named is not None, "a permit releases what is not in force")
        must(named and named.scope == permit.purpose, "a permit releases another scope's hold")
        for key, one in list(self.in_force.items()):
            if one.run_id == permit.run_id and one.scope.value in ENDS[permit.purpose.value]:
                del self.in_force[key]

    # What one permit rests on

    def check_permit(self, permit: r.Permit) -> None:
        """A permit has what the policy demands."""
        asked = self.records[permit.reply_to.record]
        if isinstance(asked, r.TrainingRun):
            must("genesis" in self.rules_in_force().policy.machine_determination.outcomes,
                 "a genesis permit that the policy leaves to people")  # fmt: skip
            return
        must(isinstance(asked, r.PermitRequest), "a permit that nobody asked for")
        must((permit.purpose, permit.run_id, permit.releases)
             == (asked.purpose, asked.run_id, asked.hold), "another permit than was asked for")  # fmt: skip
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
        must(not any(x.purpose == permit.purpose and asked.verdict in x.basis
                     for x in self.permits.values()), "a second permit on one verdict")  # fmt: skip
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
             == (asked.verdict, asked.hold, asked.purpose), "a packet about something else")  # fmt: skip
        opinion = self._check_opinion(policy, packet)
        every = [(key, x) for key, x in self.of(r.Determination) if x.about == asked.packet]
        said = {x.office: (key, x) for key, x in every}
        must(not any(x.choice == "stricter" for _, x in every), "somebody said no on this packet")
        self._check_no_later_no(asked, {key for key, _ in said.values()})
        self._check_signers(policy, packet, said, permit)
        answers = [(packet.opinion.record, opinion), *said.values()]
        holders = [self.check_identity(policy, key, x) for key, x in answers]
        must(len(set(holders)) == len(holders), f"not distinct: {holders}")
        self._check_no_author(verdict, holders)
        receipts = self._check_receipts(policy, verdict, asked, said, permit)
        named = {one.record for one in permit.basis}
        must({key for key, _ in said.values()} | receipts <= named, "the basis leaves out an answer")
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
        """Nobody who signed has since said no on another packet about the same question."""
        last = max((self.index(one) for one in counted), default=0)
        offices = {self.records[one].office: self.index(one) for one in counted}
        for key, one in self.of(r.Determination):
            report = self.records[self.records[one.about.record].report.record]
            same = (report.verdict, report.purpose) == (asked.verdict, asked.purpose)
            later = self.index(key) > offices.get(one.office, last)
            must(not (same and later and one.choice == "stricter"), "a later no was passed over")

    def _check_signers(
        self, policy: Policy, packet: r.Packet, said: dict[str, Any], permit: r.Permit
    ) -> None:
        rule = policy.sign_off
        needed = rule.quorum or len(rule.roles)
        must(len(set(said) & set(rule.roles)) >= needed, f"signed only by {sorted(said)}")
        must(set(said) <= set(rule.roles), "an office signed that has no say")
        begun, until = packet.at, packet.at + timedelta(hours=rule.answer_within_hours)
        times = [said[one][1].signed_at for one in rule.roles if one in said]
        must(all(begun <= one <= until for one in times), "signed out of time")
        must(permit.at <= until, "permitted after the packet's time")
        if rule.quorum is None:
            must(times == sorted(times), "signed out of turn")

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
                fits = last.choice == "approved" or (last.choice == "received" and not notice.approval)
                must(fits, f"{office}: {last.choice}")
                must(not any(x.choice == "rejected" for _, x in given), f"{office} rejects")
                must(signed <= last.signed_at <= permit.at + timedelta(seconds=20), "told too early")
                self.check_identity(policy, key, last)
                found.add(key)
        return found

    def _check_safeguards(self, permit: r.Permit, asked: Any, verdict: r.Verdict) -> None:
        """The judgement that was shown holds, and all evidence there is now still shows it."""
        report = self.records[self.records[asked.packet.record].report.record]
        must(report.judgement is not None, "no safeguards were judged")
        judged = self.records[report.judgement.record]
        must(judged.holds and judged.verdict == asked.verdict, "the safeguards were not verified")
        policy = self.rules_in_force().policy
        lines = [line for line in verdict.decision.red_lines if line.demands]
        wanted = {one for line in lines for one in line.required_standards}
        for standard in (one for one in policy.standards if one.id in wanted):
            must(standard.criteria, "a standard without criteria was held to hold")
            for criterion in standard.criteria:
                seen = [
                    (x.evidence.collected_at, not x.evidence.shows) for _, x in self.of(r.Evidence)
                    if (x.evidence.standard, x.evidence.criterion, x.evidence.type)
                    == (standard.id, criterion.id, criterion.evidence)
                ]  # fmt: skip
                must(seen and not max(seen)[1], f"{criterion.id} is not shown")
                ends = max(seen)[0] + timedelta(days=criterion.max_age_days or 0)
                must(permit.at <= ends, f"the evidence for {criterion.id} is too old")
                must(permit.expires_at <= ends, f"the permit outlives the evidence {criterion.id}")

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

    # Who said it

    def check_identity(self, policy: Policy, digest: str, answer: Any) -> str:
        """The holder; fails unless a key signed exactly this, or Airflow says exactly this now."""
        if answer.envelope is None:
            return self._attested(policy, answer)
        trust = self.of(r.TrustRoot)[0][1]
        keyid = answer.envelope.signatures[0]["keyid"]
        (key,) = [x for x in trust.keys if x.keyid == keyid and x.role == "officer"]
        payload = base64.b64decode(answer.envelope.payload)
        kind = answer.envelope.payloadType
        text = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        try:
            load_pem_public_key(key.public.encode()).verify(  # type: ignore[union-attr,call-arg]
                base64.b64decode(answer.envelope.signatures[0]["sig"]), text
            )
        except InvalidSignature:
            raise Broken(f"{digest} is not signed") from None
        plain = json.loads(payload)
        (subject,) = plain["subject"]
        must("sha256:" + subject["digest"]["sha256"] == answer.about.record, "signed another packet")
        said = plain["predicate"]
        shown = answer.model_dump(mode="json")
        must(all(shown[name] == one for name, one in said.items()), "signed something else")
        must({"office", "choice", "signed_at", "reason"} <= set(said), "signed too little")
        must(key.office == answer.office, "signed with another office's key")
        return str(key.holder)

    def _attested(self, policy: Policy, answer: Any) -> str:
        must("airflow" in policy.sign_off.accepts, "the policy does not take Airflow's word")
        must(not self.airflow.open_to_all, "Airflow was open to all")
        said = answer.attested
        now = self.airflow.tasks.get((said.dag_run_id, said.task_id))
        must(now is not None, "Airflow knows no such answer")
        assert now is not None
        must(now.user == said.user and now.assigned == [said.user], "answered by another")
        must((now.options, now.params) == (said.options, said.params), "Airflow says another thing")
        must(now.answered_at == answer.signed_at, "Airflow says another time")
        must(answer.about.record[7:23] in now.options[0], "Airflow's answer is about another packet")
        must(not now.params.get("signature"), "the person signed; that was passed over")
        trust = self.of(r.TrustRoot)[0][1]
        (account,) = [x for x in trust.accounts if (x.user, x.office) == (said.user, answer.office)]
        return str(account.holder)

    # What must be there, and what must not

    def check_holds(self, held_by_notary: Mapping[str, set[str]]) -> None:
        """No hold is lost, and every one that is due is there."""
        for run_id, known in held_by_notary.items():
            mine = {key for key, x in self.in_force.items() if x.run_id == run_id}
            must(mine == known, f"holds of {run_id}: {len(mine)} in force, the notary has {known}")
        ordered = {(x.reply_to.record, x.scope.value) for _, x in self.of(r.Hold)}
        for key, verdict in self.of(r.Verdict):
            if verdict.decision.recommendation != "continue":
                must((key, "training") in ordered, "a verdict to pause has no hold")
        for key, one in self.of(r.Determination):
            if one.choice == "stricter":
                self._check_no_is_obeyed(key, one)

    def _check_no_is_obeyed(self, key: str, one: r.Determination) -> None:
        report = self.records[self.records[one.about.record].report.record]
        run_id = self.run_of(self.records[report.verdict.record])
        since = any(
            x.purpose == report.purpose and x.run_id == run_id and self.index(k) > self.index(key)
            for k, x in self.permits.items()
        )
        must(since or self.held(run_id, report.purpose), "an officer's no stopped nothing")

    def check_lease(self, lease: Mapping[str, Any], issued_at: datetime) -> None:
        """A lease was signed while nothing forbade it, by the ledger up to the index that it names."""
        index, run_id = int(lease["ledger_index"]), lease["run_id"]
        before = Oracle(self.rules, self.airflow)
        before.take({key: self.records[key] for key in self.order[: index + 1]}, look=False)
        must(not before.held(run_id, "training"), "a lease while the run was held")
        mine = [
            (key, x) for key, x in before.permits.items()
            if x.run_id == run_id and x.purpose == "training"
        ]  # fmt: skip
        must(mine and mine[-1][0] == lease["permit"], "a lease beside an older permit")
        key, permit = mine[-1]
        must(issued_at < permit.expires_at, "a lease beside an expired permit")
        must(datetime.fromisoformat(lease["expires_at"]) <= permit.expires_at, "it outlives it")
        must(not any(x.about.record == key for _, x in before.of(r.Revocation)),
             "a lease beside a revoked permit")  # fmt: skip
        for adopted, adoption in before.of(r.Adoption):
            if before.index(adopted) > before.index(key):
                said = [x.until for x in adoption.dispositions if x.record.record == key]
                must(said and said[0] and issued_at < said[0], "a lease that an adoption ended")
