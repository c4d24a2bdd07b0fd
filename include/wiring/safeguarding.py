"""Safeguards, sign-off and holds: what follows when a red line is not ruled out.

Lifecycle steps 16 to 20 and 23. The hold itself is the notary's; these stages judge the evidence,
close the packet, bring in what officers signed, and ask for the permit that ends the hold.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from include.adapters import signing
from include.adapters.ledger import wait_for
from include.adapters.store import get_blob, put_blob
from include.rsp import records as r
from include.rsp.attestation import Predicate
from include.rsp.canonical import Digest, short
from include.rsp.errors import Refused
from include.rsp.judgement import judge_required
from include.rsp.packet import packet_markdown
from include.rsp.vocabulary import CriterionOutcome, KeyRole
from include.wiring.desk import Desk

log = logging.getLogger("redline.safeguards")


def hold_in_force(desk: Desk, run_id: str) -> tuple[Digest, r.Hold]:
    """The newest hold of a run that nobody has released.

    Raises:
        Refused: there is none.
    """
    run = desk.state.runs.get(run_id)
    in_force = list(run.holds_in_force.items()) if run else []
    if not in_force:
        raise Refused(
            "no_such_hold",
            f"No hold is in force on the run {run_id!r} (known runs: {sorted(desk.state.runs)}).",
        )
    return in_force[-1]


def hold_of_verdict(desk: Desk, verdict: Digest) -> tuple[Digest, r.Hold]:
    """The hold that the notary ordered because of a verdict; waits until it is there.

    Raises:
        NotaryUnreachable: the notary has not ordered it in time.
    """
    digest = wait_for(desk.reader, verdict, seconds=desk.notary_seconds, reply=True)
    return digest, desk.state.expect(digest, r.Hold)


def judge(desk: Desk, verdict: Digest) -> tuple[Digest, r.SafeguardsJudgement]:
    """Judge the standards that a verdict requires against the evidence there is now."""
    state = desk.state
    assessment_id = state.expect(verdict, r.Verdict).assessment_id
    rules = desk.rulebook.of_assessment(state, assessment_id)
    at, index = desk.now(), state.length - 1
    standards, holds = judge_required(state, rules.policy, verdict, ledger_index=index, at=at)
    digest = desk.submit(
        r.SafeguardsJudgement(
            at=at,
            by=desk.author,
            stamp=desk.stamp,
            verdict=r.RecordRef(record=verdict),
            ledger_index=index,
            standards=standards,
            holds=holds,
        )
    )
    return digest, desk.state.expect(digest, r.SafeguardsJudgement)


def shortfalls(judgement: r.SafeguardsJudgement) -> list[str]:
    """Every criterion that is not met, with the reason."""
    return [
        f"{row.criterion} ({row.clause}) is {row.outcome}: {row.because}"
        for standard in judgement.standards
        for row in standard.criteria
        if row.outcome is not CriterionOutcome.MET
    ]


def close_packet(desk: Desk, judgement: Digest, hold: Digest, *, author: str) -> tuple[Digest, str]:
    """Write down everything that the signers are shown; (packet's digest, its text)."""
    state = desk.state
    judged = state.expect(judgement, r.SafeguardsJudgement)
    verdict = state.expect(judged.verdict.record, r.Verdict)
    rules = desk.rulebook.of_assessment(state, verdict.assessment_id)
    text = packet_markdown(
        state,
        rules.policy,
        verdict_digest=judged.verdict.record,
        judgement_digest=judgement,
        hold_digest=hold,
    )
    digest = desk.submit(
        r.Packet(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            verdict=judged.verdict,
            judgement=r.RecordRef(record=judgement),
            hold=r.RecordRef(record=hold),
            document=put_blob(desk.store, text.encode(), name="packet.md"),
            author=author,
        )
    )
    return digest, text


def packet_text(desk: Desk, packet: Digest) -> str:
    """The text of a closed packet."""
    return get_blob(desk.store, desk.state.expect(packet, r.Packet).document.blob).decode()


def record_determination(desk: Desk, packet: Digest, office: str, signature: str | None) -> Digest:
    """Record what an officer signed; the notary checks the signature again.

    Args:
        signature: the JSON envelope that `rsp sign` printed, as pasted into the human task.

    Raises:
        Refused: there is no signature, it is not by that office, or it is of another packet.
    """
    if not signature:
        raise Refused(
            "signature_missing",
            f"The {office}'s answer holds no signature. Run `rsp sign --packet {packet}` with the "
            "own key and paste what it prints.",
        )
    try:
        envelope = r.Envelope.model_validate(json.loads(signature))
    except (ValueError, ValidationError) as error:
        raise Refused(
            "bad_signature", f"The {office}'s signature does not read: {error}"
        ) from error
    keys = signing.keys_for(desk.state.trust, KeyRole.OFFICER)
    key, subject, body = signing.verify(envelope, keys, Predicate.DETERMINATION)
    if subject != packet or key.office != office:
        raise Refused(
            "wrong_packet",
            f"Signed by {key.holder} ({key.office}) for the packet {short(subject)} (expected the "
            f"{office} and {short(packet)}).",
        )
    try:
        record = r.Determination.model_validate(
            {
                **body,
                "at": desk.now(),
                "by": key.holder,
                "stamp": desk.stamp,
                "packet": {"record": packet},
                "simulated": key.simulated,
                "envelope": envelope,
            }
        )
    except ValidationError as error:
        raise Refused(
            "bad_signature", f"What the {office} signed does not read: {error}"
        ) from error
    return desk.submit(record)


def release(
    desk: Desk, packet: Digest, answers: Mapping[str, str | None]
) -> tuple[Digest, r.Permit]:
    """Bring in the officers' signatures and ask for the permit that ends the hold.

    Args:
        answers: by office, the signature pasted into its human task.

    Raises:
        Refused: a signature is missing or wrong, or the notary refuses the permit.
    """
    closed = desk.state.expect(packet, r.Packet)
    given = _given_already(desk, closed)
    if given is not None:
        return given
    signed = [record_determination(desk, packet, office, text) for office, text in answers.items()]
    state = desk.state
    verdict = state.expect(closed.verdict.record, r.Verdict)
    digest = desk.ask(
        r.PermitRequest(
            at=desk.now(),
            by=desk.author,
            stamp=desk.stamp,
            run_id=state.occasion(verdict.assessment_id).run_id,
            verdict=closed.verdict,
            packet=r.RecordRef(record=packet),
            determinations=[r.RecordRef(record=one) for one in signed],
            hold=closed.hold,
            seen_index=state.length - 1,
        )
    )
    return digest, desk.state.expect(digest, r.Permit)


def _given_already(desk: Desk, closed: r.Packet) -> tuple[Digest, r.Permit] | None:
    """The permit that this packet's verdict has, if a try before this one got it."""
    verdict = desk.state.expect(closed.verdict.record, r.Verdict)
    run = desk.state.runs[desk.state.occasion(verdict.assessment_id).run_id]
    for digest, permit in run.permits.items():
        if closed.verdict in permit.basis:
            return digest, permit
    return None


def newest_verdict(desk: Desk, run_id: str) -> Digest:
    """The verdict that a release has to rest on: the newest, not the one that ordered the hold.

    Raises:
        Refused: the run has none.
    """
    run = desk.state.runs.get(run_id)
    if run is None or run.newest_verdict is None:
        raise Refused("no_verdict", f"The run {run_id!r} has no verdict to release it on.")
    return run.newest_verdict[0]


def is_acknowledged(desk: Desk, hold: Digest) -> bool:
    """Whether the trainer has answered the hold."""
    record = desk.state.expect(hold, r.Hold)
    return hold in desk.state.runs[record.run_id].acknowledgements


def verify_stop(desk: Desk, hold: Digest) -> dict[str, Any]:
    """What shows that the run stands still.

    Raises:
        Refused: the trainer has not acknowledged, or trained on after it did.
    """
    record = desk.state.expect(hold, r.Hold)
    run = desk.state.runs[record.run_id]
    answer = run.acknowledgements.get(hold)
    if answer is None:
        raise Refused(
            "not_acknowledged",
            f"The trainer of {record.run_id!r} has not acknowledged the hold {short(hold)} by "
            f"{record.acknowledge_by:%H:%M:%S}. The hold stands and no lease is renewed; look at "
            "the trainer.",
        )
    later = [
        one.manifest.checkpoint_id
        for one in run.checkpoints.values()
        if one.manifest.step > answer.last_step
    ]
    if later:
        raise Refused(
            "trained_while_held",
            f"Checkpoints {later} are newer than the step {answer.last_step} that the trainer "
            "acknowledged. The notary has recorded the deviation.",
        )
    return {"state": answer.state, "last_step": answer.last_step, "last_flop": answer.last_flop}
