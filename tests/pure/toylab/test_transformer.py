"""The model: its gradients, its determinism, and what its checkpoint file refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from toylab.passes import Parameters, forward
from toylab.problems import (
    ANSWER_LENGTH,
    PROMPT_LENGTH,
    VOCABULARY,
    Kind,
    encode,
    held_out_problems,
    training_batch,
)
from toylab.transformer import Transformer, parameter_shapes

SHIFT = 1e-7


def make_precise_model(seed: int = 0) -> Transformer:
    """A model in float64 at a point where no gain is one and no bias zero."""
    generator = np.random.default_rng([seed, 1])
    return Transformer(
        {
            name: value.astype(np.float64) + 0.1 * generator.standard_normal(value.shape)
            for name, value in Transformer.initialised(seed=seed).parameters.items()
        }
    )


def loss_beside(
    model: Transformer, name: str, shift: npt.NDArray[Any], tokens: npt.NDArray[np.int64]
) -> float:
    shifted: Parameters = dict(model.parameters)
    shifted[name] = shifted[name] + shift
    return Transformer(shifted).loss_and_gradients(tokens).loss


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(parameter_shapes()))
def test_a_gradient_is_the_slope_of_the_loss(name: str) -> None:
    """Central differences in float64; a larger shift would cross kinks of the perceptrons."""
    model = make_precise_model()
    tokens = training_batch(np.random.default_rng(1), size=6)
    gradient = model.loss_and_gradients(tokens).gradients[name]
    assert gradient.shape == model.parameters[name].shape
    generator = np.random.default_rng([2, *name.encode()])
    directions = [generator.standard_normal(gradient.shape) for _ in range(2)]
    for _ in range(2):
        one = np.zeros(gradient.size)
        one[generator.integers(gradient.size)] = 1.0
        directions.append(one.reshape(gradient.shape))
    for direction in directions:
        higher = loss_beside(model, name, SHIFT * direction, tokens)
        lower = loss_beside(model, name, -SHIFT * direction, tokens)
        expected = (higher - lower) / (2 * SHIFT)
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_every_parameter_has_a_gradient_of_its_own_type() -> None:
    model = Transformer.initialised(seed=0)
    result = model.loss_and_gradients(training_batch(np.random.default_rng(1), size=4))
    assert result.gradients.keys() == model.parameters.keys()
    assert {gradient.dtype for gradient in result.gradients.values()} == {np.dtype(np.float32)}


def test_an_untrained_model_knows_about_as_much_as_chance() -> None:
    tokens = training_batch(np.random.default_rng(1), size=256)
    loss = Transformer.initialised(seed=0).loss_and_gradients(tokens).loss
    assert 0.8 * np.log(len(VOCABULARY)) < loss < 2 * np.log(len(VOCABULARY))


def test_the_model_is_as_small_as_stated() -> None:
    model = Transformer.initialised(seed=0)
    assert model.parameter_count == 26_208
    assert {name: value.shape for name, value in model.parameters.items()} == parameter_shapes()


def test_the_seed_alone_makes_the_model() -> None:
    first, again, other = (Transformer.initialised(seed=seed).parameters for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["unembedding"], other["unembedding"])


def test_no_position_sees_what_comes_after_it() -> None:
    model = make_precise_model()
    tokens = training_batch(np.random.default_rng(1), size=4)[:, :-1]
    changed = tokens.copy()
    changed[:, -1] = (changed[:, -1] + 1) % 10
    before, after = (
        forward(model.parameters, one, reads=3).final.scaled for one in (tokens, changed)
    )
    rows = np.arange(len(before)).reshape(4, 3)
    assert np.array_equal(before[rows[:, :2]], after[rows[:, :2]])
    assert not np.allclose(before[rows[:, 2]], after[rows[:, 2]])


def test_answers_are_three_characters_whatever_the_company() -> None:
    model = make_precise_model()
    prompts = [problem.prompt for problem in held_out_problems(Kind.ADDITION, count=20, seed=0)]
    answers = model.answer(prompts)
    assert answers == [model.answer([prompt])[0] for prompt in prompts]
    assert all(len(answer) == ANSWER_LENGTH for answer in answers)
    assert set("".join(answers)) <= set(VOCABULARY)


def test_each_character_is_the_likeliest_after_those_before_it() -> None:
    model = make_precise_model()
    text = "+1234="
    for character in model.answer([text])[0]:
        final = forward(model.parameters, encode([text], length=len(text)), reads=1).final
        likeliest = int((final.scaled @ model.parameters["unembedding"]).argmax())
        assert character == VOCABULARY[likeliest]
        text += character


@pytest.mark.parametrize("prompt", ["", "+123=", "+1234=0", "?1234="])
def test_an_unreadable_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match=f"expected {PROMPT_LENGTH}"):
        Transformer.initialised(seed=0).answer(["+1234=", prompt])


def test_a_saved_model_is_the_same_model_and_the_same_bytes(tmp_path: Path) -> None:
    model = Transformer.initialised(seed=5)
    model.save(tmp_path / "one.npz")
    model.save(tmp_path / "two")
    loaded = Transformer.load(tmp_path / "one.npz").parameters
    assert loaded.keys() == model.parameters.keys()
    assert all(np.array_equal(loaded[name], model.parameters[name]) for name in loaded)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two"]


@pytest.mark.parametrize("kept", [0, 1, 100, 50_000, -1])
def test_a_truncated_checkpoint_is_refused_clearly(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "weights.npz"
    Transformer.initialised(seed=0).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"weights\.npz is damaged"):
        Transformer.load(path)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    Transformer.initialised(seed=0).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.npz is damaged"):
        Transformer.load(path)


def test_another_shape_or_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    parameters = Transformer.initialised(seed=0).parameters
    for odd in (parameters["unembedding"].T, parameters["unembedding"].astype(np.float64)):
        save_arrays(path, {**parameters, "unembedding": odd})
        with pytest.raises(ValueError, match="unembedding"):
            Transformer.load(path)


def test_missing_or_additional_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    parameters = Transformer.initialised(seed=0).parameters
    fewer = {name: value for name, value in parameters.items() if name != "position"}
    for odd in (fewer, {**parameters, "surplus": np.zeros(1)}, {}):
        save_arrays(path, dict(odd))
        with pytest.raises(ValueError, match=r"weights\.npz holds"):
            Transformer.load(path)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    parameters = Transformer.initialised(seed=0).parameters
    save_arrays(path, {**parameters, "position": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match="damaged"):
        Transformer.load(path)


def test_a_missing_checkpoint_is_named_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Transformer.load(tmp_path / "weights.npz")
