"""How many can read the weights, from what IAM and the bucket's policy say; in doubt, one can.

Not asked: `iam:SimulatePrincipalPolicy`. It answers for one request, and a condition whose key it
is not told of reads as "no access", which is the wrong side to err on. What could only take rights
away (permission boundaries, service control policies, the key's policy, conditions) is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.adapters.probes.aws_statements import (
    Statement,
    Unreadable,
    overlaps,
    statements_of,
)

READING = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectTorrent",
)
"""Actions that hand out the content of an object, or copy it elsewhere."""
_SINGLE = r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[^*?]+"
_SESSION = r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/[^*?]+"
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: `objects` is a pattern of ARNs, `region` is that of the bucket."""

    account: str
    region: str
    objects: str

    @property
    def access_points(self) -> tuple[str, ...]:
        """Patterns of the account's access points, by which the bucket can be read as well."""
        start = f"{self.service}:"
        return tuple(
            f"{start}{region}:{self.account}:accesspoint/*" for region in (self.region, "")
        )

    @property
    def service(self) -> str:
        """`arn:aws:s3`, in the account's partition."""
        return ":".join(self.objects.split(":")[:3])


@dataclass(slots=True)
class Readers:
    """Who can read.

    Args:
        readers: by ARN, why.
        uncountable: whom the bucket's policy lets in, and who may be any number of people.
        examined: how many users and roles were looked at.
    """

    readers: dict[str, str] = field(default_factory=dict)
    uncountable: list[str] = field(default_factory=list)
    examined: int = 0


@dataclass(slots=True)
class _Identity:
    """A user, group or role: what its policies say, and what is in doubt."""

    statements: list[Statement] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def add(self, name: str, document: Any) -> None:
        try:
            self.statements += statements_of(document, f"policy {name!r}")
        except Unreadable as error:
            self.doubts.append(str(error))

    def join(self, other: _Identity) -> None:
        self.statements += other.statements
        self.doubts += other.doubts


def readers_in(
    pages: Sequence[Mapping[str, Any]], of_bucket: Sequence[Statement], what: Reading
) -> Readers:
    """Who can read, by the pages of GetAccountAuthorizationDetails and the bucket's policy.

    Raises:
        LookupError: the pages lack what they always have.
    """
    lists = {name: _all_of(pages, name) for name in _LISTS}
    texts = {one["Arn"]: _text_in_force(one) for one in lists["Policies"]}
    groups = {
        one["GroupName"]: _identity(one, "GroupPolicyList", texts)
        for one in lists["GroupDetailList"]
    }
    found = Readers()
    identities: dict[str, _Identity] = {}
    for user in lists["UserDetailList"]:
        identities[user["Arn"]] = _identity(user, "UserPolicyList", texts)
        for group in user.get("GroupList", []):
            identities[user["Arn"]].join(groups.get(group, _unknown(f"group {group!r}")))
    for role in lists["RoleDetailList"]:
        identities[role["Arn"]] = _identity(role, "RolePolicyList", texts)
    found.examined = len(identities)
    for one in of_bucket:
        if one.allows and _may_read(one, what):
            _let_in(one, what, identities=identities, found=found)
    for arn, identity in identities.items():
        why = _why(arn, identity, of_bucket, what)
        if why:
            found.readers[arn] = why
    return found


def _why(
    arn: str, identity: _Identity, of_bucket: Sequence[Statement], what: Reading
) -> str | None:
    """Why an identity may read; None: it surely cannot."""
    by_bucket = [one for one in of_bucket if _surely_of(one, arn, what)]
    own = [one for one in identity.statements if not one.demands]
    named = [one for one in of_bucket if one.allows and ("AWS", arn) in one.principals]
    for action in READING:
        if any(one.surely_denies(action, what.objects) for one in by_bucket):
            continue  # also through an access point: the bucket's policy counts there too
        if identity.doubts:
            return f"in doubt: {identity.doubts[0]}"
        by = _allowed_by([*identity.statements, *named], own, action, what)
        if by:
            return f"{action} by {by.label}"
    return None


def _allowed_by(
    statements: Sequence[Statement], denials: Sequence[Statement], action: str, what: Reading
) -> Statement | None:
    """The first statement by which an action may be open, in spite of an identity's denials."""
    for target in (what.objects, *what.access_points):
        if not any(one.surely_denies(action, target) for one in denials):
            for one in statements:
                if one.may_allow(action, target):
                    return one
    if any(one.surely_denies(action, f"{what.service}:*:accesspoint/*") for one in denials):
        return None
    # An access point of another account, or of another region, may lead to the bucket too.
    points = (one for one in statements if one.names("accesspoint/"))
    return next((one for one in points if one.may_allow(action, "*")), None)


def _surely_of(statement: Statement, arn: str, what: Reading) -> bool:
    """Whether a statement of the bucket's policy applies to every request of an identity."""
    if statement.inverted_principals:
        return False
    account = arn.split(":")[4]
    own = {arn, account, _root(what, account)}
    if not statement.of_everyone and not own & {name for _, name in statement.principals}:
        return False
    let_off = statement.applies_unless("aws:PrincipalArn")
    return let_off is not None and not any(overlaps(_wide(one), arn) for one in let_off)


def _let_in(
    statement: Statement, what: Reading, *, identities: dict[str, _Identity], found: Readers
) -> None:
    """Note whom an Allow of the bucket's policy lets in, beside the account's own identities."""
    if statement.inverted_principals or not statement.principals:
        found.uncountable.append(f"{statement.label}: NotPrincipal")
    for kind, name in () if statement.inverted_principals else statement.principals:
        single = kind == "AWS" and re.fullmatch(f"{_SINGLE}|{_SESSION}", name)
        if name in {what.account, _root(what, what.account)}:
            continue  # hands the question to the account's identities, which are counted
        if not single:
            found.uncountable.append(f"{statement.label}: {kind} {name}")
        else:
            identities.setdefault(name, _Identity())
            if re.fullmatch(_SESSION, name):
                found.readers[name] = f"named by {statement.label}"


def _may_read(statement: Statement, what: Reading) -> bool:
    return any(statement.may_allow(action, what.objects) for action in READING)


def _root(what: Reading, account: str) -> str:
    return f"arn:{what.objects.split(':')[1]}:iam::{account}:root"


def _wide(pattern: str) -> str:
    return "*" if "${" in pattern else pattern


def _identity(one: Mapping[str, Any], inline: str, texts: Mapping[str, Any]) -> _Identity:
    identity = _Identity()
    for policy in one.get(inline, []):
        identity.add(policy["PolicyName"], policy["PolicyDocument"])
    for attached in one.get("AttachedManagedPolicies", []):
        identity.add(attached["PolicyName"], texts.get(attached["PolicyArn"], {}))
    return identity


def _unknown(what: str) -> _Identity:
    return _Identity(doubts=[f"{what} is not in the answer"])


def _text_in_force(policy: Mapping[str, Any]) -> Any:
    """The default version's document; nothing readable if the answer has none."""
    versions: Iterable[Mapping[str, Any]] = policy.get("PolicyVersionList", [])
    return next((one["Document"] for one in versions if one["IsDefaultVersion"]), {})


def _all_of(pages: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    if not any(name in page for page in pages):
        raise LookupError(f"GetAccountAuthorizationDetails has no {name}")
    return [one for page in pages for one in page.get(name, [])]
