"""How policy documents are read: an Allow as wide, a Deny as narrow as it can be.

Tables of what somebody would write who wants the check to pass, without giving anything up.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.adapters.probes.aws_client import Aws
from include.adapters.probes.aws_policy import all_but, bucket_denies, strangers_in
from include.adapters.probes.aws_readers import Readers, Reading, readers_in
from include.adapters.probes.aws_statements import Unreadable, covers, overlaps, statements_of
from include.adapters.probes.aws_trails import EVERYTHING, recorded_by
from include.adapters.probing import Look
from tests.support.aws_gateway import ACCOUNT
from tests.support.aws_lab import (
    BUCKET,
    BUCKET_ARN,
    ENDPOINT,
    KEEPER,
    LET_IN,
    OUTSIDE,
    READER,
    REGION,
    STRANGERS,
    TLS,
    allow,
    deny,
    document,
)

OBJECTS = f"{BUCKET_ARN}/*"
KNOWN = frozenset({READER, KEEPER})
ROLE = f"arn:aws:iam::{ACCOUNT}:role/some/path/someone"
FOREIGN = "arn:aws:iam::999999999999:role/partner"
WHAT = Reading(account=ACCOUNT, region=REGION, objects=f"{BUCKET_ARN}/models/*")
POINT = f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint"
AWS = Aws(Look(settings={"account": ACCOUNT, "region": REGION, "bucket": BUCKET}))

TLS_DENIED: list[tuple[str, list[dict[str, Any]]]] = [
    ("as AWS shows it", [deny(TLS)]),
    ("AWS *", [deny(TLS, Principal={"AWS": "*"})]),
    ("a list of one", [deny(TLS, Principal={"AWS": ["*"]}, Action=["s3:*"])]),
    ("truth value", [deny({"Bool": {"aws:SecureTransport": False}})]),
    ("other case", [deny({"bool": {"AWS:securetransport": ["false"]}}, Action="S3:*")]),
    ("if exists", [deny({"BoolIfExists": {"aws:SecureTransport": "false"}})]),
    ("in two parts", [deny(TLS, Resource=BUCKET_ARN), deny(TLS, Resource=OBJECTS)]),
    ("wider", [deny(TLS, Action="*", Resource="*")]),
    ("wider ARN", [deny(TLS, Resource=f"{BUCKET_ARN}*")]),
    ("nobody at all", [deny(None)]),
    ("all but other services", [deny(TLS, Action=None, NotAction="ec2:*")]),
]
TLS_OPEN: list[tuple[str, list[dict[str, Any]]]] = [
    ("no statement", []),
    ("an Allow with TLS", [{**LET_IN, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]),
    ("an Allow without TLS", [deny(TLS, Effect="Allow")]),
    ("denies TLS", [deny({"Bool": {"aws:SecureTransport": "true"}})]),
    ("another key in it", [deny({"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService":
                                          "false"}})]),
    ("another operator", [deny({**TLS, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})]),
    ("negated", [deny({"StringNotEquals": {"aws:SecureTransport": "false"}})]),
    ("null", [deny({"Null": {"aws:SecureTransport": "true"}})]),
    ("for all values", [deny({"ForAllValues:Bool": {"aws:SecureTransport": "false"}})]),
    ("reads only", [deny(TLS, Action="s3:Get*")]),
    ("long list of actions", [deny(TLS, Action=["s3:GetObject", "s3:PutObject", "s3:List*"])]),
    ("all but one action", [deny(TLS, Action=None, NotAction="s3:GetObject")]),
    ("bucket only", [deny(TLS, Resource=BUCKET_ARN)]),
    ("objects only", [deny(TLS, Resource=OBJECTS)]),
    ("a prefix", [deny(TLS, Resource=[BUCKET_ARN, f"{BUCKET_ARN}/models/*"])]),
    ("one sign", [deny(TLS, Resource=[BUCKET_ARN, f"{BUCKET_ARN}/?*"])]),
    ("other bucket", [deny(TLS, Resource=["arn:aws:s3:::weight", "arn:aws:s3:::weight/*"])]),
    ("all but objects", [deny(TLS, Resource=None, NotResource=OBJECTS)]),
    ("variable", [deny(TLS, Resource=[BUCKET_ARN, f"{BUCKET_ARN}/${{aws:username}}*"])]),
    ("one principal", [deny(TLS, Principal={"AWS": READER})]),
    ("one account", [deny(TLS, Principal={"AWS": ACCOUNT})]),
    ("services", [deny(TLS, Principal={"Service": "*"})]),
    ("not principal", [deny(TLS, Principal=None, NotPrincipal={"AWS": READER})]),
    ("not principal *", [deny(TLS, Principal=None, NotPrincipal="*")]),
]  # fmt: skip
CLOSED: list[tuple[str, dict[str, Any]]] = [
    ("as it should be", STRANGERS),
    ("one of them", {"StringNotEquals": {"aws:PrincipalArn": READER}}),
    ("ARN operator", {"ArnNotLike": {"aws:PrincipalARN": [READER, KEEPER]}}),
    ("if exists", {"StringNotEqualsIfExists": {"aws:PrincipalArn": [READER]}}),
]
UNCLOSED: list[tuple[str, dict[str, Any]]] = [
    ("somebody else too", {"StringNotEquals": {"aws:PrincipalArn": [READER, ROLE]}}),
    ("wildcard", {"StringNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}}),
    ("variable", {"StringNotEquals": {"aws:PrincipalArn": [READER, "${aws:PrincipalArn}"]}}),
    ("second key", {"StringNotEquals": {"aws:PrincipalArn": READER, "aws:SourceVpce": ENDPOINT}}),
    ("second operator", {**STRANGERS, **TLS}),
    ("services let off", {**STRANGERS, "Bool": {"aws:PrincipalIsAWSService": "false"}}),
    ("for any value", {"ForAnyValue:StringNotEquals": {"aws:PrincipalArn": READER}}),
    ("not negated", {"StringEquals": {"aws:PrincipalArn": READER}}),
    ("tag", {"StringNotEquals": {"aws:PrincipalTag/weights": "yes"}}),
    ("organisation", {"StringNotEquals": {"aws:PrincipalOrgID": "o-1234567890"}}),
    ("no value", {"StringNotEquals": {"aws:PrincipalArn": []}}),
]


def ids(rows: list[Any]) -> list[str]:
    return [str(row[0]) for row in rows]


def denied(*rows: dict[str, Any]) -> bool:
    read = statements_of(document(*rows))
    return bucket_denies(AWS, [one for one in read if one.demands_only_plain_http()])


@pytest.mark.parametrize(("name", "rows"), TLS_DENIED, ids=ids(TLS_DENIED))
def test_plain_http_is_denied(name: str, rows: list[dict[str, Any]]) -> None:
    assert denied(*rows)


@pytest.mark.parametrize(("name", "rows"), TLS_OPEN, ids=ids(TLS_OPEN))
def test_plain_http_is_not_denied(name: str, rows: list[dict[str, Any]]) -> None:
    assert not denied(*rows)


def closed(condition: dict[str, Any], key: str, known: frozenset[str]) -> bool:
    return bool(all_but(statements_of(document(deny(condition))), key, known))


@pytest.mark.parametrize(("name", "condition"), CLOSED, ids=ids(CLOSED))
def test_unknown_principals_are_denied(name: str, condition: dict[str, Any]) -> None:
    assert closed(condition, "aws:PrincipalArn", KNOWN)


@pytest.mark.parametrize(("name", "condition"), UNCLOSED, ids=ids(UNCLOSED))
def test_unknown_principals_are_not_denied(name: str, condition: dict[str, Any]) -> None:
    assert not closed(condition, "aws:PrincipalArn", KNOWN)


def test_the_vpc_is_not_the_endpoint() -> None:
    only = frozenset({ENDPOINT})
    assert closed(OUTSIDE, "aws:SourceVpce", only)
    assert not closed({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}, "aws:SourceVpce", only)
    assert not closed({"StringNotLike": {"aws:SourceVpce": "vpce-*"}}, "aws:SourceVpce", only)
    assert not closed({"Null": {"aws:SourceVpce": "true"}}, "aws:SourceVpce", only)


@pytest.mark.parametrize(
    ("principal", "unknown"),
    [
        ({"AWS": READER}, set()),
        ({"AWS": [READER, ROLE]}, {ROLE}),
        ("*", {"*"}),
        ({"AWS": "*"}, {"*"}),
        ({"AWS": ACCOUNT}, {f"arn:aws:iam::{ACCOUNT}:root"}),
        ({"AWS": "AROAEXAMPLE"}, {"AROAEXAMPLE"}),
        ({"Service": "cloudfront.amazonaws.com"}, {"cloudfront.amazonaws.com"}),
        ({"Federated": "accounts.google.com"}, {"accounts.google.com"}),
        ({"CanonicalUser": "79a59d"}, {"79a59d"}),
    ],
)
def test_whom_an_allow_names(principal: Any, unknown: set[str]) -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    (one,) = statements_of(document({**LET_IN, "Principal": principal, "Condition": condition}))
    assert strangers_in(AWS, one, KNOWN) == unknown


def test_an_allow_for_all_but_some_is_for_strangers() -> None:
    row = {key: value for key, value in LET_IN.items() if key != "Principal"}
    for more in ({"NotPrincipal": {"AWS": READER}}, {}):
        (one,) = statements_of(document({**row, **more}))
        assert strangers_in(AWS, one, KNOWN)


UNREADABLE: list[Any] = [
    "", "{", "[]", "null", "{}", '{"Statement": 3}', '{"Statement": [[]]}',
    document({"Effect": "Allow"}),
    document({**allow(), "Effect": "allow"}),
    document({**allow(), "Effect": None}),
    document({**allow(), "NotAction": "s3:*"}),
    document({**allow(), "Resources": "*"}),
    document({**allow(), "Action": []}),
    document({**allow(), "Action": ""}),
    document({**allow(), "Action": {"a": 1}}),
    document({**allow(), "Condition": []}),
    document({**allow(), "Condition": None}),
    document(deny({"Bool": {}})),
    document(deny(None, Principal="somebody")),
    {"Statement": [{**allow(), "Resource": None}]},
]  # fmt: skip


@pytest.mark.parametrize("text", UNREADABLE, ids=str)
def test_what_is_no_policy_is_not_read_as_one(text: Any) -> None:
    with pytest.raises(Unreadable, match="policy"):
        statements_of(text)


# Readers --------------------------------------------------------------------------------------


def page(*, roles: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": [], **more
    }  # fmt: skip


def role(*statements: dict[str, Any], arn: str = ROLE, **more: Any) -> dict[str, Any]:
    text = json.loads(document(*statements))
    return {"Arn": arn, "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": text}], **more}


def read(*roles: dict[str, Any], bucket: tuple[dict[str, Any], ...] = (), **more: Any) -> Readers:
    policy = statements_of(document(*bucket), "bucket policy")
    return readers_in([page(roles=list(roles), **more)], policy, WHAT)


CAN_READ: list[tuple[str, list[dict[str, Any]]]] = [
    ("plain", [allow(resource=OBJECTS)]),
    ("everything", [allow("*")]),
    ("s3:*", [allow("s3:*")]),
    ("Get*", [allow(["ec2:*", "S3:get*"])]),
    ("one sign", [allow("s3:GetObjec?")]),
    ("versions only", [allow("s3:GetObjectVersion")]),
    ("replication", [allow("s3:GetObjectVersionForReplication")]),
    ("one object", [allow(resource=f"{BUCKET_ARN}/models/a/b")]),
    ("wildcard in the bucket", [allow(resource="arn:aws:s3:::w?ight*/*")]),
    ("any bucket", [allow(resource="arn:aws:s3:::*")]),
    ("a wider prefix", [allow(resource=f"{BUCKET_ARN}/m*")]),
    ("a suffix", [allow(resource=f"{BUCKET_ARN}/*.safetensors")]),
    ("variable", [allow(resource=f"{BUCKET_ARN}/${{aws:username}}/*")]),
    ("not action", [{"Effect": "Allow", "NotAction": ["iam:*", "s3:Put*"], "Resource": "*"}]),
    ("not resource", [{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::b/*"}]),
    ("under a condition", [allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})]),
    ("access point", [allow(resource=f"{POINT}/x/object/*")]),
    ("any access point", [allow(resource="arn:aws:s3:*:*:accesspoint/*")]),
    ("a region's", [allow(resource=f"arn:aws:s3:{REGION}:*")]),
    ("of more regions", [allow(resource=f"arn:aws:s3::{ACCOUNT}:accesspoint/*")]),
    ("of another account", [allow(resource=f"{POINT}/x/*".replace(ACCOUNT, "9" * 12))]),
    ("denied but there", [allow(resource=f"{POINT}/x/*"), deny(None, Principal=None)]),
    ("conditional deny", [allow(), deny(TLS, Principal=None, Resource="*")]),
    ("deny of one action", [allow("s3:*"), deny(None, Principal=None, Action="s3:GetObject")]),
    ("deny of some objects", [allow(), deny(None, Principal=None,
                                            Resource=f"{BUCKET_ARN}/models/a*")]),
    ("deny with a variable", [allow(), deny(None, Principal=None, Resource="*${aws:username}*")]),
    ("deny but for", [allow(), deny(None, Principal=None, Action=None, NotAction="s3:GetObject",
                                    Resource="*")]),
    ("deny but not access points", [allow(), deny(None, Principal=None)]),
]  # fmt: skip
CANNOT_READ: list[tuple[str, list[dict[str, Any]]]] = [
    ("nothing", []),
    ("other actions", [allow(["s3:ListBucket", "s3:PutObject", "s3:GetObjectTagging"])]),
    ("other bucket", [allow(resource="arn:aws:s3:::weights-2/*")]),
    ("bucket only", [allow("s3:*", BUCKET_ARN)]),
    ("other prefix", [allow(resource=f"{BUCKET_ARN}/datasets/*")]),
    ("not action", [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]),
    ("not resource", [{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3*"}]),
    ("denied", [allow(), deny(None, Principal=None, Resource="*")]),
    ("access points denied", [allow("*"), deny(None, Principal=None, Resource=[
        OBJECTS, "arn:aws:s3:*:accesspoint/*"])]),
    ("denied but others", [allow(), deny(None, Principal=None, Resource=None,
                                         NotResource="arn:aws:s3:::x/*")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows"), CAN_READ, ids=ids(CAN_READ))
def test_an_identity_that_can_read(name: str, rows: list[dict[str, Any]]) -> None:
    assert ROLE in read(role(*rows)).readers


@pytest.mark.parametrize(("name", "rows"), CANNOT_READ, ids=ids(CANNOT_READ))
def test_an_identity_that_cannot(name: str, rows: list[dict[str, Any]]) -> None:
    found = read(role(*rows))
    assert found.readers == {}
    assert found.examined == 1


BUCKET_DENIES: list[tuple[str, dict[str, Any], bool]] = [
    ("all but the known", deny(STRANGERS), True),
    ("all", deny(None), True),
    ("this one", deny(None, Principal={"AWS": ROLE}), True),
    ("its account", deny(None, Principal={"AWS": ACCOUNT}), True),
    ("its account's root", deny(None, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), True),
    ("reads of the models", deny(STRANGERS, Action="s3:Get*", Resource=WHAT.objects), True),
    ("another", deny(None, Principal={"AWS": READER}), False),
    ("another account", deny(None, Principal={"AWS": "999999999999"}), False),
    ("it is let off", deny({"StringNotEquals": {"aws:PrincipalArn": ROLE}}), False),
    ("by a wildcard", deny({"ArnNotLike": {"aws:PrincipalArn": f"*:{ACCOUNT}:role/*"}}), False),
    ("by a variable", deny({"ArnNotLike": {"aws:PrincipalArn": "${aws:x}"}}), False),
    ("without TLS", deny(TLS), False),
    ("writes", deny(STRANGERS, Action="s3:Put*"), False),
    ("one of the reads", deny(STRANGERS, Action="s3:GetObject"), False),
    ("a part", deny(STRANGERS, Resource=f"{BUCKET_ARN}/models/a*"), False),
    ("not principal", deny(None, Principal=None, NotPrincipal={"AWS": READER}), False),
]


@pytest.mark.parametrize(("name", "row", "kept_out"), BUCKET_DENIES, ids=ids(BUCKET_DENIES))
def test_a_deny_of_the_bucket_against_an_admin(
    name: str, row: dict[str, Any], kept_out: bool
) -> None:
    assert (ROLE not in read(role(allow("*")), bucket=(row,)).readers) is kept_out


def test_the_buckets_policy_lets_in_without_an_identity_policy() -> None:
    assert ROLE in read(role(), bucket=({**LET_IN, "Principal": {"AWS": ROLE}},)).readers
    root = {**LET_IN, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    assert read(role(), bucket=(root,)) == Readers(examined=1)
    assert read(role(), bucket=({**LET_IN, "Action": "s3:ListBucket"},)).readers == {}


def test_a_role_of_another_account_counts_as_one() -> None:
    row = {**LET_IN, "Principal": {"AWS": [FOREIGN, f"{FOREIGN}2"]}}
    found = read(bucket=(row,))
    assert set(found.readers) == {FOREIGN, f"{FOREIGN}2"}
    assert found.uncountable == []
    own_root = deny(None, Principal={"AWS": ACCOUNT})
    assert FOREIGN in read(bucket=(row, own_root)).readers
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
    assert session in read(bucket=({**LET_IN, "Principal": {"AWS": session}},)).readers


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "999999999999"},
        {"AWS": "arn:aws:iam::999999999999:root"},
        {"AWS": "AROAEXAMPLE"},
        {"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"},
        {"Service": "cloudfront.amazonaws.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
        {"CanonicalUser": "79a59d"},
        None,
    ],
)
def test_whom_nobody_can_count(principal: Any) -> None:
    row = {**LET_IN, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    row = row | ({"Principal": principal} if principal else {})
    if principal is None:
        row = {key: value for key, value in row.items() if key != "Principal"}
        row |= {"NotPrincipal": {"AWS": READER}}
    assert read(bucket=(row,)).uncountable


def test_a_policy_that_is_not_in_the_answer_may_say_anything() -> None:
    attached = [{"PolicyName": "hidden", "PolicyArn": "arn:aws:iam::aws:policy/Hidden"}]
    one = {"Arn": ROLE, "AttachedManagedPolicies": attached}
    assert "in doubt" in read(one).readers[ROLE]
    without = [{"Arn": attached[0]["PolicyArn"], "PolicyVersionList": []}]
    assert "in doubt" in read(one, Policies=without).readers[ROLE]
    text = json.loads(document(allow("ec2:*")))
    version = {"Document": text, "IsDefaultVersion": True}
    with_it = [{"Arn": attached[0]["PolicyArn"], "PolicyVersionList": [version]}]
    assert read(one, Policies=with_it).readers == {}
    assert read(one, bucket=(deny(STRANGERS),)).readers == {}  # a Deny holds whatever it says


def test_only_the_version_in_force_counts() -> None:
    old = {"Document": json.loads(document(allow("ec2:*"))), "IsDefaultVersion": False}
    new = {"Document": json.loads(document(allow("s3:*"))), "IsDefaultVersion": True}
    policy = {"Arn": "arn:p", "PolicyVersionList": [old, new]}
    one = {"Arn": ROLE, "AttachedManagedPolicies": [{"PolicyName": "p", "PolicyArn": "arn:p"}]}
    assert ROLE in read(one, Policies=[policy]).readers


def test_a_user_reads_through_a_group_and_an_unknown_group_is_in_doubt() -> None:
    text = json.loads(document(allow("s3:*")))
    group = {"GroupName": "g", "GroupPolicyList": [{"PolicyName": "p", "PolicyDocument": text}]}
    user = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/u", "GroupList": ["g"]}
    assert user["Arn"] in read(UserDetailList=[user], GroupDetailList=[group]).readers
    assert "in doubt" in read(UserDetailList=[user]).readers[str(user["Arn"])]


def test_a_policy_that_does_not_read_is_in_doubt() -> None:
    one = {"Arn": ROLE, "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": "%7B"}]}
    assert "in doubt" in read(one).readers[ROLE]


def test_readers_are_counted_over_all_pages() -> None:
    first = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role(allow())]}
    second = {"RoleDetailList": [role(allow(), arn=READER)], "Policies": []}
    assert set(readers_in([first, second], [], WHAT).readers) == {ROLE, READER}
    with pytest.raises(LookupError, match="has no Policies"):
        readers_in([first], [], WHAT)


# Patterns and selectors -------------------------------------------------------------------------

PATTERNS = st.text(alphabet="ab*?", max_size=6)
TEXTS = st.text(alphabet="ab", max_size=6)


@given(PATTERNS, PATTERNS, TEXTS)
def test_patterns_by_what_they_match(one: str, other: str, text: str) -> None:
    """A text that both match is an overlap; what is covered matches wherever the other does."""
    if covers(one, text) and covers(other, text):
        assert overlaps(one, other)
        assert overlaps(other, one)
    if covers(one, other) and covers(other, text):
        assert covers(one, text)


@given(TEXTS, TEXTS)
def test_patterns_without_wildcards_match_themselves_only(one: str, other: str) -> None:
    assert overlaps(one, other) is (one == other)
    assert covers(one, other) is (one == other)


OBJECT = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
DATA = {"Field": "eventCategory", "Equals": ["Data"]}
UNDER = f"{BUCKET_ARN}/models/"


def basic(*values: str, kind: str = "All", of: str = "AWS::S3::Object") -> dict[str, Any]:
    resource = {"Type": of, "Values": list(values)}
    return {"EventSelectors": [{"ReadWriteType": kind, "DataResources": [resource]}]}


def fields(*more: dict[str, Any]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": [DATA, OBJECT, *more]}]}


@pytest.mark.parametrize(
    "selectors",
    [
        basic("arn:aws:s3"),
        basic("arn:aws:s3:::"),
        basic(f"{BUCKET_ARN}/"),
        basic("arn:aws:s3:::other/", UNDER),
        fields(),
        fields({"Field": "readOnly", "Equals": ["true", "false"]}),
        fields({"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::x/", f"{BUCKET_ARN}/mod"]}),
        fields({"Field": "resources.ARN", "StartsWith": [UNDER], "Equals": []}),
    ],
)
def test_selectors_that_record_all_of_it(selectors: dict[str, Any]) -> None:
    assert recorded_by(selectors, UNDER) == EVERYTHING


@pytest.mark.parametrize(
    "selectors",
    [
        {},
        {"EventSelectors": None, "AdvancedEventSelectors": []},
        {"EventSelectors": [{"ReadWriteType": "All", "DataResources": []}]},
        basic(BUCKET_ARN),
        basic(f"{UNDER}big/"),
        basic("arn:aws:s3:::weights-2/"),
        basic("arn:aws:s3", of="AWS::Lambda::Function"),
        {"AdvancedEventSelectors": [{"FieldSelectors": [OBJECT]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [DATA]}]},
        fields(DATA),
        fields({"Field": "eventName", "Equals": ["GetObject"]}),
        fields({"Field": "userIdentity.arn", "NotEquals": [READER]}),
        fields({"Field": "resources.ARN", "Equals": [UNDER]}),
        fields({"Field": "resources.ARN", "EndsWith": [".bin"]}),
        fields({"Field": "resources.ARN", "NotStartsWith": [UNDER]}),
        fields({"Field": "resources.ARN", "StartsWith": [UNDER], "NotEquals": [f"{UNDER}x"]}),
        fields({"Field": "resources.ARN", "StartsWith": [f"{UNDER}big/"]}),
        fields({"Field": "readOnly", "NotEquals": ["true"]}),
    ],
)
def test_selectors_that_do_not(selectors: dict[str, Any]) -> None:
    assert recorded_by(selectors, UNDER) == frozenset()


def test_reads_and_writes_are_told_apart() -> None:
    assert recorded_by(basic("arn:aws:s3", kind="ReadOnly"), UNDER) == {"reads"}
    assert recorded_by(fields({"Field": "readOnly", "Equals": ["false"]}), UNDER) == {"writes"}
