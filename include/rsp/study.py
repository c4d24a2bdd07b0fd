"""A human study in a suite: its results are delivered by people, not made by a machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.rsp.canonical import Document, Identifier
from include.rsp.clause import CENTURY_DAYS

DeliveryFormat = Literal["inspect", "lm-eval", "nemo-evaluator", "csv", "parquet"]


class HumanStudy(Document):
    """What to deliver, who may, and by when."""

    formats: list[DeliveryFormat] = Field(min_length=1)
    due_days: float = Field(gt=0, le=CENTURY_DAYS, description="after the plan")
    producers: list[Identifier] = Field(
        default_factory=list, description="holders that may deliver; empty: any evaluator's key"
    )
    instructions: str = Field(min_length=1)
