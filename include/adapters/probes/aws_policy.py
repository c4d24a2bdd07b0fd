"""Probes of who can reach the weights: the bucket's policy, and the identities of the account.

They read policy documents by `aws_statements`: an Allow as wide, a Deny as narrow as it can be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from include.adapters.probes.aws_bucket import region_of_weights
from include.adapters.probes.aws_client import Aws, Judged, aws_probe
from include.adapters.probes.aws_readers import Reading, readers_in
from include.adapters.probes.aws_settings import named, whole
from include.adapters.probes.aws_statements import Statement, statements_of

EVERY_ACTION = "s3:*"
_NAMED = r"arn:aws[a-z-]*:(iam|sts)::\d{12}:[^*?$]+|[a-z0-9.-]+\.amazonaws\.com(\.cn)?"
_ENDPOINT = r"vpce-[0-9a-f]{8,17}"


@aws_probe("bucket", "principals")
def bucket_policy(aws: Aws) -> Judged:
    """The bucket's policy keeps out plain HTTP and whoever the suite does not name.

    1. Deny statements for everyone and every S3 action, on the bucket and on its objects, whose
       only condition is the missing TLS.
    2. The same, whose only condition is an `aws:PrincipalArn` that is none of `principals`.
    3. No Allow for anybody else than `principals`.
    """
    known = named(
        aws.look, "principals", pattern=_NAMED, expected="whole ARNs or services, no wildcard"
    )
    statements = _policy_of(aws)
    faults = []
    if not bucket_denies(aws, [one for one in statements if one.demands_only_plain_http()]):  # (1)
        faults.append("no Deny of every request without TLS")
    if not bucket_denies(aws, all_but(statements, "aws:PrincipalArn", known)):  # (2)
        faults.append("no Deny of every principal that is not in `principals`")
    faults += [  # (3)
        f"statement {one.label} allows {sorted(unknown)}"
        for one in statements
        if one.allows and (unknown := strangers_in(aws, one, known))
    ]
    return _judged(
        aws,
        faults,
        seen="TLS is demanded, and nobody but the named principals is let in",
        expected="Deny statements for Principal * and s3:* on the bucket and its objects, each "
        "with the one condition aws:SecureTransport false or aws:PrincipalArn none of "
        f"{len(known)} known, and no Allow for others",
    )


@aws_probe("bucket", "endpoints")
def vpc_endpoint_only(aws: Aws) -> Judged:
    """The bucket's policy denies every request that comes through none of the `endpoints`."""
    known = named(
        aws.look, "endpoints", pattern=_ENDPOINT, expected="ids such as vpce-0123456789abcdef0"
    )
    closed = bucket_denies(aws, all_but(_policy_of(aws), "aws:SourceVpce", known))
    return _judged(
        aws,
        [] if closed else ["no Deny of every request from outside the endpoints"],
        seen=f"only {sorted(known)} let requests through",
        expected="Deny statements for Principal * and s3:* on the bucket and its objects, with the "
        f"one condition aws:SourceVpce none of {sorted(known)}",
    )


@aws_probe("bucket", "prefix", "limit")
def weight_readers(aws: Aws) -> Judged:
    """No more than `limit` IAM users and roles can read the weights; in doubt, one can.

    1. Object ACLs are off, so that policies alone give access.
    2. The bucket's policy lets nobody in whom it is impossible to count.
    3. Users and roles of the account, and single ones of others, are within the limit.
    """
    limit = whole(aws.look, "limit")
    controls = aws.s3("get_bucket_ownership_controls", absent=["OwnershipControlsNotFoundError"])
    rules = controls["OwnershipControls"]["Rules"] if controls else []
    faults = []
    if not rules or any(one["ObjectOwnership"] != "BucketOwnerEnforced" for one in rules):  # (1)
        faults.append("object ACLs are in force, so that nobody can count who reads")
    pages = list(aws.pages("iam", "get_account_authorization_details"))
    what = Reading(aws.account, region_of_weights(aws), f"{aws.bucket_arn}/{aws.prefix}*")
    found = readers_in(pages, _policy_of(aws), what)
    if found.uncountable:  # (2)
        faults.append(f"the bucket's policy lets in an unknown number: {found.uncountable}")
    if len(found.readers) > limit:  # (3)
        faults.append(f"more readers than {limit}")
    some = "; ".join(f"{arn} ({why})" for arn, why in sorted(found.readers.items())[:20])
    count = f"{len(found.readers)} of {found.examined} users and roles can read: {some or 'none'}"
    aws.calls.append({"readers": found.readers, "uncountable": found.uncountable})
    return Judged(
        shows=not faults,
        looked_at=f"Readers of {aws.bucket_arn}/{aws.prefix}*",
        saw="; ".join([*faults, count]),
        expected=f"at most {limit} that can read, by identity and bucket policies",
        next_step="Take the right away from those who do not need it (a Deny in the bucket's "
        "policy of every aws:PrincipalArn but the needed ones counts), or correct `limit`.",
    )


def _policy_of(aws: Aws) -> list[Statement]:
    """The bucket's policy; no statement when it has none."""
    answer = aws.s3("get_bucket_policy", absent=["NoSuchBucketPolicy"])
    return statements_of(answer["Policy"], "bucket policy") if answer else []


def all_but(statements: Sequence[Statement], key: str, known: frozenset[str]) -> list[Statement]:
    """Statements that let off known values of the key at most."""
    let_off = [(one, one.applies_unless(key)) for one in statements]
    return [one for one, values in let_off if values is not None and known.issuperset(values)]


def bucket_denies(aws: Aws, statements: Sequence[Statement]) -> bool:
    """Whether the statements deny everyone every action, on the bucket and on its objects."""
    everyone = [one for one in statements if one.of_everyone]
    return all(
        any(one.surely_denies(EVERY_ACTION, target) for one in everyone)
        for target in (aws.bucket_arn, f"{aws.bucket_arn}/*")
    )


def strangers_in(aws: Aws, statement: Statement, known: frozenset[str]) -> set[str]:
    """Whom an Allow names that the suite does not."""
    if statement.inverted_principals or not statement.principals:
        return {
            "everybody but some (NotPrincipal)" if statement.principals else "nobody knows whom"
        }
    root = f"arn:{aws.partition}:iam::{{}}:root"
    names = {
        root.format(name) if kind == "AWS" and re.fullmatch(r"\d{12}", name) else name
        for kind, name in statement.principals
    }
    return names - known


def _judged(aws: Aws, faults: list[str], *, seen: str, expected: str) -> Judged:
    return Judged(
        shows=not faults,
        looked_at=f"Policy of bucket {aws.bucket!r}",
        saw="; ".join(faults) or seen,
        expected=expected,
        next_step="Correct the bucket's policy: a Deny with another condition, other principals, "
        "some actions or a part of the objects does not count (docs/probes-aws.md).",
    )
