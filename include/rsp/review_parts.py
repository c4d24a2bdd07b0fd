"""What a suite asks of a transcript review, and the parts that a review is made of.

A score says what a model did only if somebody has looked at how it came about (RSP 2.2 §3.2.2;
METR, elicitation protocol). Which transcripts are looked at nobody chooses: they follow from the
plan, the results and the suite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import CENTURY_DAYS, refuse_doubles
from include.rsp.vocabulary import AnomalyKind, Impression

Trial = tuple[str, int]
"""(sample id, epoch) of one sample put to the model once."""


class TranscriptReview(Document):
    """How many transcripts of a run people read, which in any case, who, and by when."""

    share: float = Field(ge=0, le=1, description="of all trials, drawn by lot")
    at_least: int = Field(ge=0, description="drawn by lot however small the share is")
    at_most: int = Field(gt=0, le=200, description="that one reviewer can read in one task")
    triggers: list[AnomalyKind] = Field(description="what always goes to review")
    within_hours: float = Field(gt=0, le=24 * CENTURY_DAYS, description="then it is too late")
    reviewers: list[Identifier] = Field(min_length=1, description="offices, any one of which reads")
    max_invalidated: float = Field(
        ge=0, lt=1, description="share of all trials; of more, the rest shows nothing"
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        refuse_doubles("review.triggers", [one.value for one in self.triggers])
        refuse_doubles("review.reviewers", self.reviewers)
        if self.share == 0 and self.at_least == 0 and not self.triggers:
            raise ValueError("review: share 0, at_least 0 and no triggers: nothing is ever read")
        if self.at_least > self.at_most:
            raise ValueError(
                f"review: at_least {self.at_least} exceeds at_most {self.at_most}, so nothing "
                "could ever be ruled out"
            )
        return self

    def by_lot(self, trials: int) -> int:
        """How many of so many trials are drawn by lot."""
        return min(trials, max(self.at_least, math.ceil(self.share * trials - 1e-9)))


class DrawnTrial(Document):
    """One transcript that has to be read, and why this one."""

    sample_id: str = Field(min_length=1)
    epoch: int = Field(ge=1)
    because: str

    @property
    def trial(self) -> Trial:
        """What it is a transcript of."""
        return self.sample_id, self.epoch


@dataclass(frozen=True, slots=True)
class Selection:
    """What has to be read of one run.

    Attributes:
        trials: the transcripts, in the order in which they are shown.
        unread: how many more had to be read than one reviewer can.
        alerts: what speaks of the run as a whole.
    """

    trials: Sequence[DrawnTrial]
    unread: int
    alerts: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be read."""
        return not self.trials and self.unread == 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one reviewer answered; `invalid`: reasons by the number under which a trial is shown."""

    office: str
    at: datetime
    impression: Impression
    reason: str
    invalid: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Review:
    """All that is known of the review of one run.

    Attributes:
        rule: the one that the selection was made by.
        selection: what has to be read, derived now; None: that cannot be derived.
        asked: what the reviewer was shown; None: nobody was asked.
        due: the end of the reviewer's time; None: nobody was asked.
        heard: the answers that were counted.
    """

    rule: TranscriptReview
    selection: Selection | None
    asked: Sequence[DrawnTrial] | None = None
    due: datetime | None = None
    heard: Sequence[Heard] = ()


class NotDue(StrEnum):
    """Why a run is looked at before anybody could have read its transcripts."""

    BEFORE_VALIDATION = "before_validation"
    """A preliminary answer or a trigger: what follows is asked again with the review."""
