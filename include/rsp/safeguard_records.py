"""The records of safeguards: evidence, exemptions, judgements, reports, drills."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.interim import InterimMeasures
from include.rsp.record_parts import Envelope, RecordBase, RecordRef
from include.rsp.results import BlobRef
from include.rsp.safeguard_evidence import Exemption, SafeguardEvidence
from include.rsp.safeguards import StandardJudgement
from include.rsp.vocabulary import Scenario


class Evidence(RecordBase):
    """Evidence for a safeguard."""

    kind: Literal["evidence"] = "evidence"
    evidence: SafeguardEvidence
    envelope: Envelope | None = Field(
        default=None, description="the collector's signature; null: nobody signed"
    )


class Exempted(RecordBase):
    """That a requirement does not apply: claimed by one person, accepted by another."""

    kind: Literal["exemption"] = "exemption"
    exemption: Exemption
    claimed: Envelope
    accepted: Envelope


class InterimPlan(RecordBase):
    """Measures that are to stand in for standards that do not hold. It counts once officers
    signed a packet that holds it.
    """

    kind: Literal["interim_plan"] = "interim_plan"
    verdict: RecordRef
    plan: InterimMeasures


class SafeguardsJudgement(RecordBase):
    """Whether the standards that a verdict requires hold."""

    kind: Literal["safeguards_judgement"] = "safeguards_judgement"
    verdict: RecordRef
    ledger_index: int = Field(ge=0, description="evidence up to this index was judged")
    standards: list[StandardJudgement]
    interim: RecordRef | None = Field(
        default=None, description="the plan of measures that was judged beside the standards"
    )
    broken: dict[Digest, str] = Field(
        default_factory=dict,
        description="by record, why evidence did not count whose attachments do not read; the "
        "notary looked when it chained this",
    )
    holds: bool = Field(description="the standards hold, or measures stand in for what does not")


class SafeguardsReport(RecordBase):
    """All that is known of the safeguards of a checkpoint, written only from records."""

    kind: Literal["safeguards_report"] = "safeguards_report"
    judgement: RecordRef
    document: BlobRef = Field(description="Markdown")
    page: BlobRef = Field(description="the same as HTML")


class DrillStep(Document):
    """One step of a drill, timed."""

    name: str = Field(min_length=1)
    at: Moment
    seconds: float = Field(ge=0, description="since the step before; of the first: since the start")
    done: bool
    note: str


class Drill(RecordBase):
    """A readiness drill: what was played, how long each step took, what did not work."""

    kind: Literal["drill"] = "drill"
    scenario: Scenario
    started_at: Moment
    steps: list[DrillStep] = Field(min_length=1)
    gaps: list[str]
    run: str = Field(description="`module:function` that played it")
    asked_by: Identifier | str
    simulated: bool
