"""Each kind of result that a person has to see before it counts, and none without a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from include.rsp.anomalies import Anomaly, Compared, Scored, anomalies
from include.rsp.results import Sample
from include.rsp.vocabulary import AnomalyKind
from tests.support.factories import CHECKPOINT
from tests.support.results import small_evaluation

OTHER = "sha256:" + "d" * 64
N = 20
RULE = small_evaluation()
MIXED = [float(index % 3 == 0) for index in range(N)]


def scored(scores: Sequence[float | None] = MIXED, **changes: Any) -> Scored:
    """Columns of samples without anything to see."""
    n = len(scores)
    plain: dict[str, Any] = {
        "sample_ids": [f"p{index}" for index in range(n)], "epochs": [1] * n,
        "scores": np.array([np.nan if one is None else one for one in scores]),
        "refused": np.zeros(n, bool), "format_failure": np.zeros(n, bool),
        "flags": [[] for _ in range(n)],
    }  # fmt: skip
    return Scored(**plain | changes)


def of_another(scores: Sequence[float | None], name: str = "run-1/x4") -> Compared:
    return Compared(checkpoint=OTHER, name=name, scored=scored(scores))


def found(own: Scored, **more: Any) -> list[Anomaly]:
    return anomalies(RULE, own, checkpoint=CHECKPOINT, **more)


def at(index: int) -> np.ndarray:
    return np.arange(N) == index


def test_a_sound_result_has_none() -> None:
    assert found(scored()) == []
    worse, other = of_another([0.0] * N), of_another([1.0, 1.0, *MIXED[2:]])
    assert found(scored(), earlier=worse, others=[worse, other]) == []


ONE: dict[AnomalyKind, dict[str, Any]] = {
    AnomalyKind.REFUSED: {"refused": at(7)},
    AnomalyKind.FORMAT_FAILURE: {"format_failure": at(7)},
    AnomalyKind.CHEATING: {"flags": [["cheating"] if i == 7 else [] for i in range(N)]},
    AnomalyKind.SANDBAGGING: {"flags": [["Sandbagging?"] if i == 7 else [] for i in range(N)]},
    AnomalyKind.FLAGGED: {"flags": [["odd"] if i == 7 else [] for i in range(N)]},
}


@pytest.mark.parametrize("kind", sorted(ONE))
def test_one_sample_is_told_by_its_id_and_epoch(kind: AnomalyKind) -> None:
    (anomaly,) = found(scored(**ONE[kind]))
    assert (anomaly.kind, anomaly.sample_id, anomaly.epoch) == (kind, "p7", 1)


def test_all_of_the_lowest_score_is_told_of_the_whole() -> None:
    (anomaly,) = found(scored([0.0] * N))
    assert (anomaly.kind, anomaly.sample_id, anomaly.epoch) == (AnomalyKind.ALL_LOWEST, None, None)
    assert found(scored([0.0] * (N - 1) + [1.0])) == []
    assert [one.kind for one in found(scored([0.0] * (N - 1) + [None]))] == ["all_lowest"]


def test_a_score_that_fell_is_told_of_the_whole_and_of_each_sample() -> None:
    earlier = of_another([1.0, 1.0, *MIXED[2:]])
    told = found(scored([0.0, *MIXED[1:]]), earlier=earlier)
    assert [(one.kind, one.sample_id) for one in told] == [
        (AnomalyKind.REGRESSED, None),
        (AnomalyKind.REGRESSED, "p0"),
        (AnomalyKind.REGRESSED, "p1"),
    ]
    assert "fell from 0.4 (run-1/x4) to 0.3" in told[0].because


def test_a_fall_within_the_suites_tolerance_needs_no_person() -> None:
    rule = small_evaluation({"regression_tolerance": 1.0})
    earlier = of_another([1.0] * N)
    assert anomalies(rule, scored(), checkpoint=CHECKPOINT, earlier=earlier) == []


def test_the_scores_of_another_model_are_told() -> None:
    (anomaly,) = found(scored(), others=[of_another(MIXED, "run-0/x4")])
    assert anomaly.kind is AnomalyKind.COPY
    assert anomaly.because == "the scores of all 20 samples are those of run-0/x4"


def test_the_mean_of_another_model_to_the_last_digit_is_told_of_enough_samples() -> None:
    turned = MIXED[1:] + MIXED[:1]
    (anomaly,) = found(scored(), others=[of_another(turned)])
    assert anomaly.kind is AnomalyKind.COPY
    assert "mean score 0.35 is that of run-1/x4" in anomaly.because
    fewer = [*turned[:-1], None]
    fewer[fewer.index(0.0)] = None
    assert found(scored(), others=[of_another(fewer)]) == []


@pytest.mark.parametrize("everywhere", [0.0, 1.0])
def test_equal_extremes_are_no_copy(everywhere: float) -> None:
    told = found(scored([everywhere] * N), others=[of_another([everywhere] * N)])
    assert AnomalyKind.COPY not in [one.kind for one in told]


def test_a_constant_between_the_extremes_can_be_a_copy() -> None:
    (anomaly,) = found(scored([0.5] * N), others=[of_another([0.5] * N)])
    assert anomaly.kind is AnomalyKind.COPY


def test_results_of_the_checkpoint_itself_are_not_compared_with() -> None:
    itself = Compared(CHECKPOINT, "itself", scored([1.0] * N))
    assert found(scored([0.5] * N), earlier=itself, others=[itself]) == []
    assert found(scored(), others=[Compared(CHECKPOINT, "itself", scored())]) == []


def test_stored_samples_become_columns() -> None:
    samples = [
        Sample(sample_id="a", epoch=1, score=1.0, refused=True, flags=["cheating"]),
        Sample(sample_id="b", epoch=2, error="crashed", format_failure=True),
    ]
    kinds = [(one.kind, one.sample_id, one.epoch) for one in found(Scored.of(samples))]
    assert kinds == [
        (AnomalyKind.REFUSED, "a", 1),
        (AnomalyKind.CHEATING, "a", 1),
        (AnomalyKind.FORMAT_FAILURE, "b", 2),
    ]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        scored(epochs=[1])


def test_every_kind_has_a_case_here() -> None:
    told = {one.kind for one in found(scored([0.0] * N))}
    told |= {one.kind for one in found(scored(), others=[of_another(MIXED)])}
    told |= {one.kind for one in found(scored(), earlier=of_another([1.0] * N))}
    assert told | set(ONE) == set(AnomalyKind)
