"""Published rows and determinations for tests."""

from __future__ import annotations

from include.rsp.published import Determination, PublishedResult


def make_result(**changed: object) -> PublishedResult:
    """A row of an evaluation, with what is given in place of the defaults."""
    plain = {
        "row": 2, "model": "M", "framework": "RSP v2.2", "domain": "CBRN", "evaluation": "a test",
        "unit": "x", "score": 2.0, "threshold": None, "threshold_kind": "none",
        "lower_is_capable": False, "source": "A card p1",
    }  # fmt: skip
    return PublishedResult.model_validate({**plain, **changed})


def make_determination(model: str, standard: str, *, date: str = "") -> Determination:
    """What was determined of a model."""
    return Determination(
        model=model, required_standard=standard, determination="d", published_reason="r", date=date
    )
