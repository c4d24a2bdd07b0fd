"""A human study in a suite: its results are delivered by people, not made by a machine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import CENTURY_DAYS

DeliveryFormat = Literal["inspect", "lm-eval", "nemo-evaluator", "csv", "parquet"]


class HumanStudy(Document):
    """What to deliver, who may, and by when.

    `scorer` and `cluster` stand in the suite, so that nobody chooses them once the scores are
    known. A table (CSV, Parquet) has one score and one cluster by the columns that it names.
    """

    formats: list[DeliveryFormat] = Field(min_length=1)
    due_days: float = Field(gt=0, le=CENTURY_DAYS, description="after the plan")
    producers: list[Identifier] = Field(
        default_factory=list, description="holders that may deliver; empty: any evaluator's key"
    )
    scorer: str | None = Field(
        default=None, min_length=1, description="whose score counts: Inspect's scorer, lm-eval's "
        "`metric,filter`, NeMo's score; null: the only one",
    )  # fmt: skip
    cluster: str | None = Field(
        default=None, min_length=1,
        description="the key of a sample's metadata (lm-eval: of its doc) that names its family",
    )  # fmt: skip
    instructions: str = Field(min_length=1)

    def due(self, planned_at: datetime) -> datetime:
        """When the wait for results ends."""
        return planned_at + timedelta(days=self.due_days)
