"""Beginning: keys, the trust root, and the first adoption of a policy and a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from include.adapters.catalogue_files import Fetch, beside, store_catalogues
from include.adapters.ledger import write_record
from include.adapters.policy_files import read_policy, read_suite
from include.adapters.signing import KeyFile, public_entry
from include.adapters.stamp import code_stamp
from include.adapters.store import Store, put_blob
from include.rsp import records as r
from include.rsp.adoption_records import ApprovalPart
from include.rsp.attestation import Predicate, statement
from include.rsp.canonical import Digest, canonical_bytes, iso
from include.rsp.errors import InvalidDocument
from include.rsp.reading import parse_record
from include.rsp.suite_fit import problems_between
from include.rsp.vocabulary import KeyRole

NOTARY_KEYS = (KeyRole.LEDGER, KeyRole.PERMIT, KeyRole.HOLD)
TRUST_ROOT = "trust_root.json"
NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyFolders:
    """Each holder's keys in a folder of their own, so that each can be given to one process."""

    root: Path

    @property
    def notary(self) -> Path:
        """The notary's keys and the trust root that it starts from."""
        return self.root / "notary"

    def officer(self, office: str) -> Path:
        """An officer's key."""
        return self.root / "officers" / f"{office}.pem"

    @property
    def trainer(self) -> Path:
        """The trainer's key."""
        return self.root / "trainer" / "trainer.pem"

    @property
    def deployer(self) -> Path:
        """The key of who deploys, and keeps the weights."""
        return self.root / "deployer" / "deployer.pem"

    @property
    def trust_root(self) -> Path:
        """The public keys; everybody may read it."""
        return self.notary / TRUST_ROOT


def holder_name(office: str, *, simulated: bool) -> str:
    """The person in an office: one made up, or whoever has its key."""
    return f"simulated-{office}" if simulated else office


def make_trust_root(
    folders: KeyFolders,
    offices: Sequence[str],
    *,
    simulated: bool,
    at: datetime,
    users: Mapping[str, str] = NOBODY,
    evaluators: Mapping[str, str] = NOBODY,
) -> r.TrustRoot:
    """Make what keys are missing and write the trust root; an existing one is kept.

    Args:
        users: by office, the user name in Airflow whose answers Airflow may attest.
        evaluators: by holder, the public key (PEM) of who may deliver results of studies.
    """
    if folders.trust_root.exists():
        root = parse_record(folders.trust_root.read_bytes(), where=str(folders.trust_root))
        if not isinstance(root, r.TrustRoot):
            raise InvalidDocument(f"{folders.trust_root} holds a {root.kind}.")
        return root
    keys = [
        KeyFile.create(folders.notary / f"{role.value}.pem").entry(role, "notary")
        for role in NOTARY_KEYS
    ]
    for office in offices:
        officer = KeyFile.create(folders.officer(office))
        holder = holder_name(office, simulated=simulated)
        keys.append(officer.entry(KeyRole.OFFICER, holder, office=office, simulated=simulated))
    keys.append(KeyFile.create(folders.trainer).entry(KeyRole.TRAINER, "trainer"))
    keys.append(KeyFile.create(folders.deployer).entry(KeyRole.DEPLOYER, "deployer"))
    keys += [public_entry(pem, KeyRole.EVALUATOR, one) for one, pem in sorted(evaluators.items())]
    accounts = _accounts(offices, users, simulated=simulated)
    root = r.TrustRoot(at=at, by="rsp init", stamp=code_stamp(), keys=keys, accounts=accounts)
    folders.trust_root.write_bytes(canonical_bytes(root))
    return root


def _accounts(
    offices: Sequence[str], users: Mapping[str, str], *, simulated: bool
) -> list[r.AccountEntry]:
    return [
        r.AccountEntry(
            user=users[office],
            holder=holder_name(office, simulated=simulated),
            office=office,
            simulated=simulated,
        )
        for office in offices
        if office in users
    ]


def adopt(
    store: Store,
    folders: KeyFolders,
    policy: bytes,
    suite: bytes,
    *,
    at: datetime,
    catalogues: Fetch | None = None,
) -> Digest:
    """Write the first adoption of a policy and a suite, signed with the officers' keys at hand.

    Args:
        catalogues: where the policy's catalogues of safeguards are read; None: the library.

    Raises:
        InvalidDocument: either does not read, or they do not fit each other.
    """
    parsed = read_policy(policy, where="the policy")
    store_catalogues(store, parsed, catalogues or beside())
    problems = problems_between(parsed, read_suite(suite, where="the suite"))
    if problems:
        raise InvalidDocument("Policy and suite do not fit: " + "; ".join(problems))
    policy_ref = put_blob(store, policy, name=f"{parsed.id}-{parsed.version}.policy.yaml")
    suite_ref = put_blob(store, suite, name=f"{parsed.id}.suite.yaml")
    payload = statement(
        Predicate.ADOPTION, policy_ref.blob, {"suite": suite_ref.blob, "supersedes": None}
    )
    return write_record(
        store,
        r.Adoption(
            at=at,
            by="rsp init",
            stamp=code_stamp(),
            policy=policy_ref,
            suite=suite_ref,
            signatures=[
                KeyFile(folders.officer(office)).sign(payload) for office in parsed.sign_off.roles
            ],
        ),
    )


def sign_approval(
    key: KeyFile, review: Digest, *, office: str, part: ApprovalPart, decision: str, reason: str,
    at: datetime,
) -> r.Envelope:  # fmt: skip
    """What an office says of a reviewed proposal, signed."""
    body = {
        "office": office,
        "part": part.value,
        "decision": decision,
        "reason": reason,
        "signed_at": iso(at),
    }
    return key.sign(statement(Predicate.APPROVAL, review, body))


def approval(
    trust: r.TrustRoot, key: KeyFile, review: Digest, *, part: ApprovalPart, decision: str,
    reason: str, at: datetime,
) -> r.Approval:  # fmt: skip
    """The record of an approval, signed with a key of the trust root; the key names the office.

    Raises:
        InvalidDocument: the trust root does not know the key as an officer's.
    """
    known = {one.keyid: one for one in trust.keys if one.role is KeyRole.OFFICER}
    if key.keyid not in known:
        raise InvalidDocument(
            f"The key {key.keyid[:12]} is no officer's in the trust root (expected one of "
            f"{sorted(str(one.office) for one in known.values())})."
        )
    entry = known[key.keyid]
    office = str(entry.office)
    envelope = sign_approval(
        key, review, office=office, part=part, decision=decision, reason=reason, at=at
    )
    return r.Approval.model_validate(
        {
            "at": at, "by": entry.holder, "stamp": code_stamp(), "review": {"record": review},
            "office": office, "part": part, "decision": decision, "reason": reason,
            "signed_at": at, "simulated": entry.simulated, "envelope": envelope,
        }
    )  # fmt: skip
