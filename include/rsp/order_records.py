"""Permits and holds: asked for, ordered, answered, watched. Permits and holds are the notary's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.record_parts import Envelope, RecordBase, RecordRef
from include.rsp.vocabulary import Identification, Scope

DeviationKind = Literal[
    "not_acknowledged",
    "trained_while_held",
    "heartbeat_while_held",
    "stop_not_shown",
    "acknowledgement_refused",
    "run_id_changed",
    "ceiling_exceeded",
    "sign_off_bypassed",
    "answer_refused",
]


class PermitRequest(RecordBase):
    """Somebody asks the notary to let training or deployment go on."""

    kind: Literal["permit_request"] = "permit_request"
    purpose: Literal[Scope.TRAINING, Scope.DEPLOYMENT]
    run_id: Identifier
    verdict: RecordRef
    packet: RecordRef | None = Field(description="null: a machine is to determine")
    hold: RecordRef | None = Field(description="the hold to be released, if there is one")
    seen_index: int = Field(ge=0, description="the newest ledger index that the asker had read")


class Permit(RecordBase):
    """Training, or the deployment of one checkpoint, may go on. Only the notary writes it."""

    kind: Literal["permit"] = "permit"
    purpose: Literal[Scope.TRAINING, Scope.DEPLOYMENT]
    run_id: Identifier
    reply_to: RecordRef
    checkpoint: Digest | None = Field(description="None: the genesis permit")
    policy: Digest
    suite: Digest
    basis: list[RecordRef] = Field(description="the verdict first, then what was signed")
    releases: RecordRef | None = Field(
        description="the hold that this permit ends, with all older ones of its scope"
    )
    ledger_index: int
    ledger_head: Digest
    due_flop: float = Field(gt=0)
    ceiling_flop: float = Field(gt=0, description="deployment: the checkpoint's own compute")
    expires_at: Moment
    identification: Identification = Field(description="the weakest among those who determined")
    below_recommendation: bool
    simulated: bool


class Hold(RecordBase):
    """Something must stop. Only the notary writes it; only a signed-for permit ends it."""

    kind: Literal["hold"] = "hold"
    scope: Scope
    measures: list[str] = Field(
        description="what beside stopping is ordered, for example de_deploy"
    )
    run_id: Identifier
    reply_to: RecordRef
    reason: str
    epoch: int = Field(ge=1, description="the how-manieth hold of the run")
    acknowledge_by: Moment


class Acknowledgement(RecordBase):
    """The signed answer to a hold, of the trainer or the deployer."""

    kind: Literal["acknowledgement"] = "acknowledgement"
    run_id: Identifier
    hold: RecordRef
    state: str
    last_step: int = Field(ge=0)
    last_flop: float = Field(ge=0)
    last_checkpoint: Digest | None
    envelope: Envelope


class StopFinding(Document):
    """One thing that shows that something still moves, or that nobody can tell."""

    finding: DeviationKind
    message: str


class StopCheck(RecordBase):
    """Whether what was held stands still, looked at after the policy's grace."""

    kind: Literal["stop_check"] = "stop_check"
    run_id: Identifier
    hold: RecordRef
    ledger_index: int = Field(ge=0, description="what was chained up to this index was looked at")
    heartbeat: Envelope | None = Field(description="the newest signed sign of life, if any")
    findings: list[StopFinding]
    stands_still: bool


class Escalation(RecordBase):
    """A rung of the ladder was reached: a hold is not shown to be obeyed."""

    kind: Literal["escalation"] = "escalation"
    run_id: Identifier
    hold: RecordRef
    rung: int = Field(ge=1)
    to: list[Identifier]
    because: str


class Deviation(RecordBase):
    """Something that was asked for did not happen, or was tried another way."""

    kind: Literal["deviation"] = "deviation"
    run_id: Identifier
    about: RecordRef
    finding: DeviationKind
    message: str
