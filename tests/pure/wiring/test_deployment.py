"""Deployment: only with people, only while nothing forbids it, and readable by standard tools."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from client.deployment import DeploymentGate
from client.envelopes import TrustedKeys
from include.adapters.verification import verify_store
from include.cli import main as command
from include.rsp import records as r
from include.rsp.canonical import digest_bytes, digest_of
from include.rsp.deployment import admit
from include.rsp.vocabulary import Identification, OccasionKind, Scope
from include.wiring import assessment, deploying, registration
from tests.support.begun import assessed
from tests.support.factories import X, with_deletion
from tests.support.people import determine, packet_on, permit_on, say, sign_all
from tests.support.refusing import refused
from tests.support.world import RUN, World

BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
WEIGHTS = digest_bytes(b"abc")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A run with an assessed checkpoint, by the real clock: the command line reads that one."""
    return assessed(tmp_path, with_deletion, now=BEGUN, multiple=1, addition=5, shown=False)


def checkpoint_of(world: World) -> r.Checkpoint:
    return next(iter(world.state.runs[RUN].checkpoints.values()))


def deployed(world: World, verdict: str | None = None) -> str:
    """A deployment permit that all signed for; its record's digest."""
    packet = packet_on(world, verdict, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    return digest_of(permit_on(world, packet))


def gate_of(world: World) -> DeploymentGate:
    return DeploymentGate(
        store=world.root / "store", run_id=RUN, keys=TrustedKeys.read(world.folders.trust_root),
        clock=world.desk.clock,
    )  # fmt: skip


def rsp(monkeypatch: pytest.MonkeyPatch, capsys: Any, *words: str) -> tuple[int, str]:
    """(exit code, what it said) of the command line, errors included."""
    monkeypatch.setattr(sys, "argv", ["rsp", *words])
    with pytest.raises(SystemExit) as left:
        command.main()
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out + said.err


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., Any]:
    """`rsp permit verify` on the world's store."""

    def ask(digest: str, *more: str) -> tuple[int, str]:
        store = ("--store", str(world.root / "store"))
        return rsp(monkeypatch, capsys, "permit", "verify", "--digest", digest, *store, *more)

    return ask


def request(world: World, **changes: Any) -> r.PermitRequest:
    newest = world.state.runs[RUN].newest_verdict
    assert newest is not None
    plain: dict[str, Any] = {
        "at": world.now, "by": "test", "stamp": world.desk.stamp, "purpose": "deployment",
        "run_id": RUN, "verdict": {"record": newest[0]}, "packet": None, "hold": None,
        "seen_index": world.state.length - 1,
    }  # fmt: skip
    return r.PermitRequest.model_validate(plain | changes)


def test_no_machine_deploys_even_where_it_may_continue_training(world: World) -> None:
    with refused("signature_missing"):
        world.desk.ask(request(world))
    assessment.request_permit(world.desk, next(iter(world.state.assessments)))
    answer = admit(world.state, checkpoint_of(world).digest, at=world.now)
    assert (answer.admitted, answer.because) == (False, "run-1/x1 has no deployment permit")
    assert gate_of(world).may_deploy(checkpoint_of(world).digest).code == "no_permit"


def test_a_permit_that_people_signed_admits_that_checkpoint_by_any_of_its_digests(
    world: World, asked: Callable[..., Any]
) -> None:
    digest = deployed(world)
    permit = world.state.expect(digest, r.Permit)
    assert permit.expires_at == permit.at + timedelta(days=7)
    assert permit.identification is Identification.SIGNED
    for one in (checkpoint_of(world).digest, WEIGHTS):
        code, said = asked(one)
        assert code == 0
        assert said.startswith("ADMITTED: run-1/x1 by permit ")
        assert "(SIGNED, SIMULATED)" in said
    code, said = asked(WEIGHTS, "--json", "--trust-root", str(world.folders.trust_root))
    assert (code, json.loads(said)["permit"]) == (0, digest)
    assert gate_of(world).may_deploy(permit.checkpoint or "").allowed
    assert not gate_of(world).may_deploy("sha256:" + "0" * 64).allowed


def test_a_deployment_permit_lets_no_training_go_on(world: World) -> None:
    before = world.gate().may_continue(5 * X)
    deployed(world)
    world.pass_time(seconds=1)
    after = world.gate().may_continue(5 * X)
    assert (before.code, after.code) == ("ceiling", "ceiling")
    assert after.ceiling_flop == pytest.approx(6e9)


def test_a_permit_runs_out(world: World) -> None:
    deployed(world)
    digest = checkpoint_of(world).digest
    world.pass_time(days=6, hours=23)
    assert admit(world.state, digest, at=world.now).admitted
    world.pass_time(hours=1)
    answer = admit(world.state, digest, at=world.now)
    assert not answer.admitted
    assert "is over" in answer.because
    assert gate_of(world).may_deploy(digest).code == "permit_expired"


@pytest.mark.parametrize("office", ["rso", "ceo", "second-line"])
def test_one_officer_alone_ends_a_permit(
    world: World, asked: Callable[..., Any], office: str
) -> None:
    permit = deployed(world)
    world.pass_time(seconds=1)
    say(world, "revocation", permit, office, "revoke", reason="it leaks")
    world.notary.step()
    gate = gate_of(world)
    answer = gate.may_deploy(checkpoint_of(world).digest)
    assert (answer.code, "it leaks" in answer.reason) == ("revoked", True)
    assert asked(WEIGHTS)[0] == 1
    assert verify_store(world.store).problems == []


def test_who_has_no_say_ends_no_permit_and_nobody_ends_it_twice(world: World) -> None:
    permit = deployed(world)
    with refused("wrong_office"):
        say(world, "revocation", permit, "board", "revoke")
    say(world, "revocation", permit, "rso", "revoke")
    world.pass_time(seconds=1)
    with refused("answered_already"):
        say(world, "revocation", permit, "rso", "revoke")


def test_a_revocation_on_the_command_line(
    world: World, asked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    permit = deployed(world)
    code, said = rsp(
        monkeypatch, capsys, "sign", "--about", permit, "--office", "ceo", "--answer", "revoke",
        "--reason", "it leaks", "--key", str(world.folders.officer("ceo")), "--submit",
        "--store", str(world.root / "store"),
    )  # fmt: skip
    assert code == 0
    world.now = datetime.now(UTC)
    world.notary.step()
    assert isinstance(world.state.records[said.strip()], r.Revocation)
    assert asked(WEIGHTS)[0] == 1


def test_locked_weights_are_not_deployed(world: World, asked: Callable[..., Any]) -> None:
    world.assess(4, addition=190)
    world.add_evidence()
    deployed(world)
    digest = list(world.state.runs[RUN].checkpoints.values())[1].digest
    assert gate_of(world).may_deploy(digest).allowed
    determine(world, packet_on(world), "rso", "stricter", response="delete")
    world.notary.step()
    assert gate_of(world).may_deploy(digest).code == "held"
    code, said = asked(digest)
    assert code == 1
    assert "run-1 is held" in said
    assert "the rso chose delete" in said


def test_weights_that_are_held_in_one_run_are_not_deployed_as_another_runs(world: World) -> None:
    deployed(world)
    assert admit(world.state, WEIGHTS, at=world.now).admitted
    world.gate("run-2")
    world.pass_time(seconds=1)
    world.publish(1, run_id="run-2")
    world.evaluate(world.due(), addition=190)
    verdict = assessment.reach_verdict(world.desk, list(world.state.assessments)[-1])[0]
    determine(world, packet_on(world, verdict), "rso", "stricter", response="delete")
    world.notary.step()
    answer = admit(world.state, WEIGHTS, at=world.now)
    assert (answer.admitted, "run-2 is held" in answer.because) == (False, True)


def test_what_nobody_registered_or_cannot_be_told_is_no_yes(
    world: World, asked: Callable[..., Any], tmp_path: Path
) -> None:
    deployed(world)
    code, said = asked("sha256:" + "0" * 64)
    assert (code, "no registered checkpoint" in said) == (1, True)
    assert asked("nonsense")[0] == 3
    assert asked(WEIGHTS, "--trust-root", str(tmp_path / "nowhere"))[0] == 3
    other = World(tmp_path / "other").folders.trust_root
    code, said = asked(WEIGHTS, "--trust-root", str(other))
    assert (code, "another trust root" in said) == (3, True)
    code, said = asked(WEIGHTS, "--trust-root", str(newest_record(world, "permit")))
    assert (code, "expected a trust root" in said) == (3, True)


def newest_record(world: World, kind: str) -> Path:
    return sorted((world.root / "store" / "records" / kind).iterdir())[-1]


def test_an_unsound_store_admits_nothing(world: World, asked: Callable[..., Any]) -> None:
    deployed(world)
    blob = next(iter((world.root / "store" / "blobs").rglob("*")))
    path = next(one for one in blob.rglob("*") if one.is_file()) if blob.is_dir() else blob
    path.write_bytes(path.read_bytes() + b" ")
    code, said = asked(WEIGHTS)
    assert (code, "unsound" in said) == (3, True)


def test_a_store_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    code, said = rsp(
        monkeypatch, capsys, "permit", "verify", "--digest", WEIGHTS, "--store", "/nowhere/at/all"
    )
    assert (code, "No ledger is in" in said) == (3, True)


def attestation(world: World) -> Path:
    (path,) = (world.root / "store" / "runs" / RUN / "attestations").iterdir()
    assert path.name.endswith("-deployment.json")
    return path


def test_the_attestation_is_read_by_standard_tools_alone(world: World) -> None:
    """securesystemslib and in-toto's own package; nothing of Redline reads it here."""
    digest = deployed(world)
    root = json.loads(world.folders.trust_root.read_bytes())
    pem = next(one["public"] for one in root["keys"] if one["role"] == "permit")
    key = SSlibKey.from_crypto(load_pem_public_key(pem.encode()))
    envelope = dsse.Envelope.from_dict(json.loads(attestation(world).read_bytes()))
    envelope.verify([key], 1)
    with pytest.raises(VerificationError):
        envelope.verify([CryptoSigner.generate_ed25519().public_key], 1)
    assert envelope.payload_type == "application/vnd.in-toto+json"

    parsed = json_format.Parse(envelope.payload, statement_pb2.Statement())
    read = Statement.copy_from_pb(parsed)
    read.validate()
    made = checkpoint_of(world)
    assert [(one.name, one.digest["sha256"]) for one in read.pb.subject] == [
        ("run-1/x1", made.digest.removeprefix("sha256:")),
        ("run-1/x1/weights.npz", WEIGHTS.removeprefix("sha256:")),
    ]
    assert read.pb.predicate_type == "https://slsa.dev/verification_summary/v1"

    plain = json_format.MessageToDict(read.pb.predicate)
    ours = plain.pop("redline")
    # an array by the specification; the package's own message (0.9.3) has room for one text only
    assert plain.pop("verifiedLevels") == ["REDLINE_DEPLOYMENT_PERMITTED"]
    summary = json_format.ParseDict(plain, vsa_pb2.VerificationSummary())
    assert summary.verification_result == "PASSED"
    assert summary.verifier.id == "urn:redline:notary"
    assert summary.time_verified.ToDatetime(UTC) == world.state.expect(digest, r.Permit).at
    assert summary.policy.digest["sha256"] == world.state.adoption[1].policy.blob[7:]  # type: ignore[index]
    basis = world.state.expect(digest, r.Permit).basis
    assert [one.digest["sha256"] for one in summary.input_attestations] == [
        one.record.removeprefix("sha256:") for one in basis
    ]
    assert (ours["permit"], ours["simulated"], ours["below_recommendation"]) == (
        digest,
        True,
        False,
    )


def test_a_changed_byte_of_the_attestation_is_found(world: World) -> None:
    deployed(world)
    path = attestation(world)
    original = path.read_bytes()
    name = str(path.relative_to(world.root / "store"))
    assert verify_store(world.store).problems == []
    places = [*range(0, len(original), 97), len(original) - 1]
    assert len(places) > 10
    for place in places:
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        assert name in [one.where for one in verify_store(world.store).problems], place
    path.write_bytes(original)


def test_an_attestation_of_other_weights_signed_by_another_key_is_found(world: World) -> None:
    deployed(world)
    path = attestation(world)
    plain = json.loads(path.read_bytes())
    payload = base64.b64decode(plain["payload"]).replace(
        WEIGHTS[7:].encode(), digest_bytes(b"evil")[7:].encode()
    )
    forged = dsse.Envelope(payload, plain["payloadType"], {})
    forged.sign(CryptoSigner.generate_ed25519())
    path.write_text(json.dumps(forged.to_dict(), sort_keys=True, separators=(",", ":")))
    (problem,) = verify_store(world.store).problems
    assert problem.where.endswith("-deployment.json")


def look_again(world: World, addition: int) -> str:
    """An officer wants the same checkpoint assessed once more; the new verdict."""
    (checkpoint,) = world.state.runs[RUN].checkpoints
    world.pass_time(seconds=1)
    key = registration.raise_occasion(
        world.desk, RUN, checkpoint, OccasionKind.OFFICER, "look again"
    )
    world.evaluate(key, addition=addition)
    return assessment.reach_verdict(world.desk, key)[0]


def test_a_new_verdict_on_the_checkpoint_ends_what_was_signed_on_the_old_one(world: World) -> None:
    old = deploying.verdict_on(world.desk, RUN, "x1")
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    new = look_again(world, addition=5)
    assert deploying.verdict_on(world.desk, RUN, "x1") == new
    with refused("not_newest_verdict"):
        permit_on(world, packet)
    with refused("not_newest_verdict"):
        packet_on(world, old, purpose=Scope.DEPLOYMENT)
    assert deployed(world, new)
    assert verify_store(world.store).problems == []


def test_a_verdict_is_permitted_once_for_each_purpose(world: World) -> None:
    deployed(world)
    world.pass_time(seconds=1)
    assessment.request_permit(world.desk, next(iter(world.state.assessments)))  # training as well
    packet = packet_on(world, purpose=Scope.DEPLOYMENT)
    sign_all(world, packet)
    with refused("already_permitted"):
        permit_on(world, packet)


def test_an_older_checkpoint_may_be_deployed_while_training_is_held(world: World) -> None:
    verdict = deploying.verdict_on(world.desk, RUN, "x1")
    world.assess(4, addition=190)
    deployed(world, verdict)
    assert admit(world.state, checkpoint_of(world).digest, at=world.now).admitted
    assert len(world.state.runs[RUN].held(Scope.TRAINING)) == 1


def test_what_was_not_assessed_has_no_verdict_to_deploy_on(world: World) -> None:
    world.publish(2)
    registration.register_new(world.desk)
    with refused("no_verdict"):
        deploying.verdict_on(world.desk, RUN, "x2")
    for run_id, name in ((RUN, "x9"), ("run-9", "x1")):
        with refused("unknown_checkpoint"):
            deploying.verdict_on(world.desk, run_id, name)
