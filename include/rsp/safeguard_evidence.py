"""Evidence for safeguards: dated, digested, never edited (lifecycle steps 20 and 21)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Digest, Document, Identifier, Moment
from include.rsp.results import BlobRef
from include.rsp.safeguard_plan import PlannedProbe

PROBE = "probe"
"""Before the id of the probe, where nobody but a machine collected something."""


class ProbeRun(Document):
    """How a probe came by a piece of evidence."""

    id: Identifier = Field(description="of the planned probe in the suite")
    probe: Identifier = Field(description="the kind of probe")
    started_at: Moment
    seconds: float = Field(ge=0)


class SafeguardEvidence(Document):
    """One dated piece of evidence for one requirement, on the surfaces that it names."""

    standard: Identifier
    criterion: Identifier = Field(description="the requirement; mostly called as its criterion")
    type: Identifier
    shows: bool = Field(description="False: it shows that the requirement is not met")
    statement: str = Field(min_length=1, max_length=4000)
    collected_at: Moment
    collector: str = Field(min_length=1, max_length=200)
    expires_at: Moment | None = Field(
        default=None, description="null: as old as the requirement lets it be"
    )
    surfaces: list[Identifier] = Field(
        default_factory=list, description="none: it is about the organisation"
    )
    checkpoint: Digest | None = Field(
        default=None, description="the checkpoint it is about; null: the standard in general"
    )
    attachments: list[BlobRef] = Field(default_factory=list)
    supersedes: Digest | None = Field(
        default=None, description="record of the evidence that it replaces; that stays readable"
    )
    probe: ProbeRun | None = Field(default=None, description="null: a person collected it")
    simulated: bool

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.expires_at is not None and self.expires_at <= self.collected_at:
            raise ValueError(
                f"expires_at {self.expires_at:%Y-%m-%d %H:%M:%S} is not after collected_at "
                f"{self.collected_at:%Y-%m-%d %H:%M:%S}: it would never count"
            )
        return self


@dataclass(frozen=True, slots=True)
class Shown:
    """A chained piece of evidence, and what is known of who stands behind it."""

    piece: SafeguardEvidence
    by: str | None = None
    """Whose signature it carries, or `probe …`; None: it says who collected it, nobody shows it."""
    broken: str | None = None
    """Why its attachments are not what it says, if they are not."""


class Exemption(Document):
    """That a requirement does not apply on a surface: one person's reason, accepted by another."""

    standard: Identifier
    criterion: Identifier
    surface: Identifier
    because: str = Field(min_length=3, max_length=4000)
    claimed_at: Moment
    until: Moment = Field(description="then it has to be claimed and accepted anew")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.until <= self.claimed_at:
            raise ValueError(f"until {self.until} is not after claimed_at {self.claimed_at}")
        return self


def is_planned(piece: SafeguardEvidence, probes: Iterable[PlannedProbe]) -> bool:
    """Whether a suite plans just the probe that is said to have seen something."""
    said = piece.probe
    return said is not None and any(
        (one.id, one.probe, one.standard, one.requirement, one.type, one.surfaces)
        == (said.id, said.probe, piece.standard, piece.criterion, piece.type, piece.surfaces)
        for one in probes
    )


Known = Mapping[Digest, Shown]


def counts_at(piece: SafeguardEvidence, at: datetime, closed_at: datetime | None) -> bool:
    """Whether it could have been known: what speaks for a safeguard has to be there before the
    packet is closed that people sign, what speaks against it counts at any time.
    """
    return piece.collected_at <= at and not (
        piece.shows and closed_at is not None and piece.collected_at > closed_at
    )
