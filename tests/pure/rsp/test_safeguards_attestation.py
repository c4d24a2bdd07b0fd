"""A level stands in the attestation under its own name only if all of it was shown to hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from include.rsp import records as r
from include.rsp.canonical import canonical_bytes, iso
from include.rsp.errors import UnknownReference
from include.rsp.safeguard_plan import ORGANISATION
from include.rsp.safeguards_attestation import safeguards_summary
from include.rsp.vocabulary import CriterionOutcome
from tests.support.factories import CHECKPOINT, START
from tests.support.judged import (
    DEPLOYMENT,
    FILE,
    NEXT,
    POLICY,
    SECURITY,
    Lab,
    interim_lab,
    measures,
    troubled,
    whole,
)


def said(lab: Lab, digest: str) -> dict[str, Any]:
    """The predicate."""
    return dict(json.loads(safeguards_summary(lab.state, lab.rules, digest))["predicate"])


def without(surface: str) -> Lab:
    lab = Lab()
    lab.add(lambda plain: None if (plain["surfaces"] or [ORGANISATION]) == [surface] else plain)
    return lab


def only_exempt() -> Lab:
    lab = Lab()
    lab.add(standards={DEPLOYMENT})
    lab.exempt(SECURITY, "weights-listed", "vault")
    return lab


@pytest.mark.parametrize(
    ("made", "how", "levels"),
    [
        (whole, {}, ["TOY-3"]),
        (whole, {"standards": (SECURITY,)}, ["TOY-3_PARTIAL"]),
        (whole, {"standards": (DEPLOYMENT,)}, ["TOY-3_PARTIAL"]),
        (lambda: whole(simulated=True), {}, ["TOY-3_SIMULATED"]),
        (lambda: whole(simulated=True), {"standards": (SECURITY,)}, ["TOY-3_PARTIAL_SIMULATED"]),
        (interim_lab, {"interim": measures()}, ["TOY-3_INTERIM"]),
        (interim_lab, {"interim": measures(), "standards": (SECURITY,)},
         ["TOY-3_INTERIM_PARTIAL"]),
        (lambda: interim_lab(shown=False), {"interim": measures()}, ["FAILED"]),
        (whole, {"days": 8}, ["FAILED"]),
        (whole, {"papers": True}, ["FAILED"]),
        (whole, {"standards": (DEPLOYMENT, SECURITY, NEXT)}, ["FAILED"]),
        (whole, {"standards": (NEXT,)}, ["FAILED"]),
        (troubled, {"days": 8}, ["FAILED"]),
        (only_exempt, {}, ["FAILED"]),
        (Lab, {}, ["FAILED"]),
        *((lambda surface=one: without(surface), {}, ["FAILED"])
          for one in ("app", "public-api", "vault", ORGANISATION)),
    ],
)  # fmt: skip
def test_the_level_says_no_more_than_was_shown(
    made: Callable[[], Lab], how: dict[str, Any], levels: list[str]
) -> None:
    lab, how = made(), dict(how)
    predicate = said(lab, lab.judge(*how.pop("standards", ()), **how))
    assert predicate["verifiedLevels"] == levels
    passed = levels != ["FAILED"]
    assert predicate["verificationResult"] == ("PASSED" if passed else "FAILED")
    assert (predicate["redline"]["expires_at"] is not None) is passed


def test_documents_alone_are_no_level() -> None:
    lab = Lab()
    record = lab.state.expect(lab.judge(SECURITY, papers=True), r.SafeguardsJudgement)
    (_, paper) = record.standards
    row = paper.criteria[0].model_copy(
        update={"outcome": CriterionOutcome.MET, "good_until": START}
    )
    filed = paper.model_copy(update={"holds": True, "criteria": [row]})
    digest = lab.chain(record.model_copy(update={"standards": [filed], "holds": True}))
    assert said(lab, digest)["verifiedLevels"] == ["REDLINE_DOCUMENTS_FILED"]
    nothing = lab.chain(record.model_copy(update={"standards": [], "holds": True}))
    assert said(lab, nothing)["verificationResult"] == "FAILED"


def test_it_ends_when_the_first_thing_does() -> None:
    lab = whole()
    assert said(lab, lab.judge())["redline"]["expires_at"] == iso(START + timedelta(days=7))
    lab = interim_lab()
    digest = lab.judge(interim=measures(days=2))
    assert said(lab, digest)["redline"]["expires_at"] == iso(START + timedelta(days=2))


def test_what_has_lapsed_and_is_stood_in_for_does_not_end_it_at_once() -> None:
    """The stale row's own time has passed; what counts is the measure that stands in for it."""
    lab = Lab()
    fresh = {"collected_at": START + timedelta(days=30)}
    lab.add(lambda plain: plain if plain["surfaces"] == ["vault"] else plain | fresh)
    lab.add_measure("isolate", "network-review", at=START + timedelta(days=30))
    predicate = said(lab, lab.judge(days=31, interim=measures(days=35)))
    assert predicate["verifiedLevels"] == ["TOY-3_INTERIM"]
    assert predicate["redline"]["expires_at"] == iso(START + timedelta(days=30))


def test_standard_tools_read_it() -> None:
    """in-toto's own package; nothing of Redline reads it here."""
    lab = whole()
    digest = lab.judge()
    payload = safeguards_summary(lab.state, lab.rules, digest)
    read = Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement()))
    read.validate()
    made = lab.state.expect(lab.made, r.Checkpoint)
    assert [(one.name, one.digest["sha256"]) for one in read.pb.subject] == [
        ("run-1/x1", made.digest.removeprefix("sha256:")),
        ("run-1/x1/weights.npz", CHECKPOINT.removeprefix("sha256:")),
    ]
    assert read.pb.predicate_type == "https://slsa.dev/verification_summary/v1"
    plain = json_format.MessageToDict(read.pb.predicate)
    ours = plain.pop("redline")
    # an array by the specification; the package's own message has room for one text only
    assert plain.pop("verifiedLevels") == ["TOY-3"]
    summary = json_format.ParseDict(plain, vsa_pb2.VerificationSummary())
    assert summary.verification_result == "PASSED"
    assert summary.time_verified.ToDatetime(UTC) == START + timedelta(days=1)
    assert summary.policy.digest["sha256"] == POLICY.removeprefix("sha256:")
    assert (ours["judgement"], ours["interim"], ours["simulated"]) == (digest, False, False)
    assert [one["id"] for one in ours["standards"]] == [DEPLOYMENT, SECURITY]
    assert canonical_bytes(json.loads(payload)) == payload


def test_it_names_every_record_that_it_follows_from() -> None:
    lab = interim_lab()
    digest = lab.judge(interim=measures())
    record = lab.state.expect(digest, r.SafeguardsJudgement)
    assert record.interim is not None
    named = {one["digest"]["sha256"] for one in said(lab, digest)["inputAttestations"]}
    wanted = {digest, record.interim.record, *lab.state.evidence}
    assert named == {one.removeprefix("sha256:") for one in wanted}


def test_an_accepted_exemption_is_named_and_one_for_something_else_is_not() -> None:
    lab = Lab()
    lab.add(lambda plain: plain if plain["surfaces"] else None)
    lab.exempt(DEPLOYMENT, "drill-held", ORGANISATION)
    lab.exempt(SECURITY, "weights-listed", "app")
    digest = lab.judge()
    used, other = lab.state.exemptions
    named = {one["digest"]["sha256"] for one in said(lab, digest)["inputAttestations"]}
    assert used.removeprefix("sha256:") in named
    assert other.removeprefix("sha256:") not in named


def test_nothing_is_said_of_a_judgement_that_is_not_in_the_ledger() -> None:
    lab = whole()
    with pytest.raises(UnknownReference):
        safeguards_summary(lab.state, lab.rules, FILE)
    with pytest.raises(UnknownReference, match="expected SafeguardsJudgement"):
        safeguards_summary(lab.state, lab.rules, lab.verdict)


def test_the_same_records_give_the_same_bytes() -> None:
    one, other = whole(), whole()
    assert safeguards_summary(one.state, one.rules, one.judge()) == (
        safeguards_summary(other.state, other.rules, other.judge())
    )
