"""The problems: what is asked, what is right, and that nothing held out is ever trained on."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from toylab.problems import (
    ANSWER_LENGTH,
    LIMIT,
    PROMPT_LENGTH,
    VOCABULARY,
    Kind,
    Problem,
    decode,
    encode,
    held_out,
    held_out_problems,
    solve,
    training_batch,
    training_pairs,
)

EVERY_PAIR = [(left, right) for left in range(LIMIT) for right in range(LIMIT)]


@pytest.mark.parametrize(
    ("problem", "prompt", "answer"),
    [
        (Problem(Kind.COPY, 7, 42), "c0742=", "007"),
        (Problem(Kind.MAX, 7, 42), "m0742=", "042"),
        (Problem(Kind.MAX, 50, 50), "m5050=", "050"),
        (Problem(Kind.ADDITION, 7, 42), "+0742=", "049"),
        (Problem(Kind.ADDITION, 99, 99), "+9999=", "198"),
        (Problem(Kind.ADDITION, 0, 0), "+0000=", "000"),
    ],
)
def test_a_problem_is_text_in_the_vocabulary(problem: Problem, prompt: str, answer: str) -> None:
    assert problem.prompt == prompt
    assert problem.answer == answer
    assert len(prompt) == PROMPT_LENGTH
    assert len(answer) == ANSWER_LENGTH
    assert set(prompt + answer) <= set(VOCABULARY)


@pytest.mark.parametrize("pair", [(-1, 0), (0, -1), (LIMIT, 0), (0, LIMIT)])
def test_a_number_that_two_digits_cannot_hold_is_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.99"):
        Problem(Kind.MAX, *pair)
    with pytest.raises(ValueError, match=r"outside 0\.\.99"):
        held_out(pair)


def test_exactly_half_of_the_pairs_is_held_out() -> None:
    assert sum(held_out(pair) for pair in EVERY_PAIR) == len(EVERY_PAIR) // 2


def test_a_pair_and_its_mirror_image_are_on_the_same_side() -> None:
    assert all(held_out((left, right)) == held_out((right, left)) for left, right in EVERY_PAIR)


def test_the_split_is_the_same_on_every_machine() -> None:
    """A changed split would let old checkpoints have seen what is now held out."""
    bits = "".join(str(int(held_out(pair))) for pair in EVERY_PAIR)
    assert hashlib.sha256(bits.encode()).hexdigest()[:16] == "620dfb0044488bf4"


def test_both_halves_together_are_every_pair() -> None:
    trained = {(left, right) for left, right in training_pairs().tolist()}
    assert trained == {pair for pair in EVERY_PAIR if not held_out(pair)}


def test_training_pairs_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        training_pairs()[0, 0] = 1


@pytest.mark.parametrize("kind", list(Kind))
def test_held_out_problems_are_distinct_held_out_and_repeatable(kind: Kind) -> None:
    problems = held_out_problems(kind, count=300, seed=5)
    assert len({problem.prompt for problem in problems}) == 300
    assert all(problem.kind is kind for problem in problems)
    assert all(held_out((problem.left, problem.right)) for problem in problems)
    assert problems == held_out_problems(kind, count=300, seed=5)
    assert problems != held_out_problems(kind, count=300, seed=6)


def test_all_that_is_held_out_can_be_drawn() -> None:
    assert len(set(held_out_problems(Kind.COPY, count=5000, seed=0))) == 5000


@pytest.mark.parametrize("count", [-1, 0, 5001])
def test_an_empty_or_impossible_selection_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.\.5000"):
        held_out_problems(Kind.COPY, count=count, seed=0)


def test_what_training_draws_is_solved_and_never_held_out() -> None:
    kinds = {kind.operator: kind for kind in Kind}
    texts = decode(training_batch(np.random.default_rng(3), size=20_000))
    seen = set()
    for text in texts:
        problem = Problem(kinds[text[0]], int(text[1:3]), int(text[3:5]))
        assert text == problem.prompt + problem.answer
        seen.add((problem.left, problem.right))
    assert len(seen) > 4500
    assert not any(held_out(pair) for pair in seen)


def test_training_draws_kinds_in_the_stated_mixture() -> None:
    texts = decode(training_batch(np.random.default_rng(4), size=20_000))
    shares = [sum(text[0] == kind.operator for text in texts) / len(texts) for kind in Kind]
    weights = np.array([kind.training_weight for kind in Kind])
    assert shares == pytest.approx(list(weights / weights.sum()), abs=0.015)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_planted_solver_solves_every_held_out_problem(kind: Kind) -> None:
    problems = held_out_problems(kind, count=5000, seed=0)
    assert [solve(problem.prompt) for problem in problems] == [one.answer for one in problems]


@pytest.mark.parametrize("text", ["", "+0742", "+0742= ", "x0742=", "+07a2="])
def test_the_planted_solver_refuses_what_is_no_prompt(text: str) -> None:
    with pytest.raises(ValueError, match="is no prompt"):
        solve(text)


def test_text_survives_encoding() -> None:
    texts = ["+0742=", "c9999="]
    assert decode(encode(texts, length=PROMPT_LENGTH)) == texts
    assert encode([], length=PROMPT_LENGTH).shape == (0, PROMPT_LENGTH)


@pytest.mark.parametrize("text", ["", "+0742", "+0742= ", "x0742=", "+０742="])
def test_text_that_the_model_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Cannot read"):
        encode([text], length=PROMPT_LENGTH)
