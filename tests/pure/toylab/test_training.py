"""Training: deterministic, exactly resumable, and honest about the compute it spent."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from toylab.passes import POSITIONS
from toylab.training import (
    BASE_STEPS,
    BATCH,
    DEFAULT_SEED,
    FLOP_PER_STEP,
    Training,
    learning_rate,
)


def assert_same_weights(one: Training, other: Training) -> None:
    assert one.step == other.step
    for name, value in one.model.parameters.items():
        assert np.array_equal(value, other.model.parameters[name]), name


def test_training_learns() -> None:
    training = Training(seed=0)
    assert training.advance(30) > training.advance(30) > training.advance(30) > 0


def test_the_seed_alone_decides_where_training_goes() -> None:
    one, same, other = Training(seed=1), Training(seed=1), Training(seed=2)
    losses = [training.advance(6) for training in (one, same, other)]
    assert_same_weights(one, same)
    assert losses[0] == losses[1] != losses[2]


def test_strides_do_not_matter_so_a_longer_run_passes_through_a_shorter_one() -> None:
    strides, whole = Training(seed=1), Training(seed=1)
    for steps in (1, 2, 4):
        strides.advance(steps)
    whole.advance(7)
    assert_same_weights(strides, whole)


def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, begun = Training(seed=4), Training(seed=4)
    whole.advance(12)
    begun.advance(5)
    begun.save_state(tmp_path / "state.npz")
    resumed = Training.load_state(tmp_path / "state.npz")
    assert (resumed.seed, resumed.step, resumed.flop) == (4, 5, begun.flop)
    resumed.advance(3)
    resumed.save_state(tmp_path / "state.npz")
    resumed = Training.load_state(tmp_path / "state.npz")
    resumed.advance(4)
    assert_same_weights(resumed, whole)
    whole.save_state(tmp_path / "whole.npz")
    resumed.save_state(tmp_path / "resumed.npz")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "resumed.npz").read_bytes()


def test_a_run_can_be_resumed_before_its_first_step(tmp_path: Path) -> None:
    Training(seed=4).save_state(tmp_path / "state.npz")
    resumed, whole = Training.load_state(tmp_path / "state.npz"), Training(seed=4)
    resumed.advance(2)
    whole.advance(2)
    assert_same_weights(resumed, whole)


def test_compute_is_six_per_parameter_and_token() -> None:
    training = Training()
    assert training.seed == DEFAULT_SEED
    assert (training.step, training.flop, training.compute_multiple) == (0, 0.0, 0.0)
    training.advance(BASE_STEPS // 4)
    parameters, tokens = training.model.parameter_count, BASE_STEPS // 4 * BATCH * POSITIONS
    assert training.flop == 6.0 * parameters * tokens
    assert training.flop == FLOP_PER_STEP * training.step
    assert training.compute_multiple == 0.25


def test_the_learning_rate_is_positive_and_rises_before_it_falls() -> None:
    rates = [learning_rate(step) for step in range(1, 128 * BASE_STEPS + 1)]
    peak = rates.index(max(rates))
    assert all(rate > 0 for rate in rates)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


@pytest.mark.parametrize("steps", [-1, 0])
def test_the_mean_loss_of_no_steps_is_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Training().advance(steps)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_a_state_cannot_hold_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        Training(seed=seed)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_diverged_run_stops_and_does_not_count_the_step() -> None:
    training = Training(seed=0)
    training.advance(2)
    training.model.parameters["unembedding"][0, 0] = math.nan
    with pytest.raises(FloatingPointError, match="diverged at step 3"):
        training.advance(1)
    assert training.step == 2


@pytest.mark.parametrize("kept", [0, 1000, -1])
def test_a_truncated_state_is_refused_clearly(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state.npz"
    Training(seed=0).save_state(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"state\.npz is damaged"):
        Training.load_state(path)


def test_a_checkpoint_is_no_training_state(tmp_path: Path) -> None:
    Training(seed=0).model.save(tmp_path / "weights.npz")
    with pytest.raises(ValueError, match=r"weights\.npz holds"):
        Training.load_state(tmp_path / "weights.npz")


def test_a_missing_state_is_named_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Training.load_state(tmp_path / "state.npz")
