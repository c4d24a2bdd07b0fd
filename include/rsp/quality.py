"""What a suite asks of the result data of an evaluation before it may count (lifecycle step 10).

The defaults are the strict side: what a suite does not allow by name does not count. Where each
rule is applied, and what happens to results that break one, is told in docs/validation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from include.rsp.canonical import Digest, Document, digest_of

Rate = Annotated[float, Field(ge=0, le=1)]
Canary = Annotated[str, Field(min_length=8, description="shorter ones are met by chance")]


class SecondGrader(Document):
    """Another scorer of the same samples, and how often it has to say the same.

    The share is taken over the samples that the counted scorer scored, each in each epoch. A score
    that the second grader does not give does not agree.
    """

    scorer: str = Field(min_length=1, description="name of the scorer in the result table")
    min_agreement: float = Field(gt=0, le=1, description="share of equal scores")
    within: float = Field(default=0, ge=0, description="scores that differ by no more are equal")


class Quality(Document):
    """What is asked of the samples of one evaluation, beside their number, range and errors."""

    max_limit_rate: Rate = Field(
        default=0, description="share of samples stopped by a limit (tokens, messages, time, cost)"
    )
    max_refusal_rate: Rate = Field(
        default=0, description="share of samples in which the model refused"
    )
    max_format_failure_rate: Rate | None = Field(
        default=0, description="share of samples whose answer the scorer could not read; it has "
        "to say so of every sample. null: the scorer does not say, and nobody asks",
    )  # fmt: skip
    second_grader: SecondGrader | None = Field(default=None, description="null: one grader")
    canaries: list[Canary] = Field(
        default_factory=list,
        description="strings that the model must neither be shown nor say: whoever says one has "
        "seen the dataset in training",
    )
    sample_ids: Digest | None = Field(
        default=None,
        description="of the sorted list of all sample ids of the dataset (RFC 8785); null: only "
        "their number is known",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        description="times each sample is put, where people deliver; null: inspect.epochs, else 1",
    )
    regression_tolerance: float = Field(
        default=0, ge=0, description="how far a score may fall behind the run's earlier "
        "checkpoint before a person has to look at it, in the unit of the metric",
    )  # fmt: skip
    rerun_once: bool = Field(
        default=False, description="run again, once, when the results do not pass validation"
    )


def ids_digest(sample_ids: Iterable[str]) -> Digest:
    """The digest that `sample_ids` states: of the sorted list without repetitions."""
    return digest_of(sorted(set(sample_ids)))


def canaries_in(text: str, canaries: Sequence[str]) -> list[str]:
    """The canaries that occur in a text, whatever its case and line breaks."""
    plain = _plain(text)
    return [one for one in canaries if _plain(one) in plain]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
