"""The records of a ledger as an auditor keeps them: what is in force, who said what, and when."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from include.rsp import records as r
from include.rsp.policy import Policy
from include.rsp.rules import Rules
from tests.support.histories import FakeAirflow

ENDS = {"training": {"training", "weights"}, "deployment": {"deployment"}}


class Broken(AssertionError):  # noqa: N818 - what an invariant is, then
    """An invariant does not hold."""


def must(holds: object, what: str) -> None:
    """Fail with words of our own."""
    if not holds:
        raise Broken(what)


@dataclass(slots=True)
class Audit:
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
        return [key for key, x in self.in_force.items() if (x.run_id, x.scope) == (run_id, scope)]

    def _end_holds(self, permit: r.Permit) -> None:
        if permit.releases is None:
            return
        named = self.in_force.get(permit.releases.record)
        must(named is not None, "a permit releases what is not in force")
        must(named and named.scope == permit.purpose, "a permit releases another scope's hold")
        for key, one in list(self.in_force.items()):
            if one.run_id == permit.run_id and one.scope.value in ENDS[permit.purpose.value]:
                del self.in_force[key]

    def check_permit(self, permit: r.Permit) -> None:
        """Look at a permit before it is taken in."""
        raise NotImplementedError

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
        must(
            "sha256:" + subject["digest"]["sha256"] == answer.about.record, "signed another packet"
        )
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
        must(
            answer.about.record[7:23] in now.options[0], "Airflow's answer is about another packet"
        )
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
                for scope in self.rules_in_force().policy.hold.scopes:
                    must((key, scope.value) in ordered, "a verdict to pause has no hold")
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
        """A lease was signed while nothing forbade it, by the ledger up to the index it names."""
        index, run_id = int(lease["ledger_index"]), lease["run_id"]
        before = type(self)(self.rules, self.airflow)
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
