"""The toy laboratory's problems: three kinds, the characters they are written in, the split.

Copying, choosing the larger of two numbers and two-digit addition stand in for capabilities that
emerge at different amounts of training compute; none of them is dangerous.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

LIMIT: Final = 100
"""Both numbers of a problem are below this, so that two digits hold each."""

PROMPT_LENGTH: Final = 6
ANSWER_LENGTH: Final = 3

VOCABULARY: Final = "0123456789cm+="
"""Every character that the model reads or writes; a character's token is its index here."""

_SPLIT_SALT: Final = "toylab split 1"
_TOKENS: Final = {character: token for token, character in enumerate(VOCABULARY)}


class Kind(StrEnum):
    """What a problem asks to be done with its two numbers."""

    COPY = "copy"
    MAX = "max"
    ADDITION = "addition"

    @property
    def operator(self) -> str:
        """The character that opens a prompt of this kind."""
        match self:
            case Kind.COPY:
                return "c"
            case Kind.MAX:
                return "m"
            case Kind.ADDITION:
                return "+"
            case _:
                assert_never(self)

    @property
    def training_weight(self) -> int:
        """This kind's parts among what training draws."""
        match self:
            case Kind.COPY:
                return 2
            case Kind.MAX | Kind.ADDITION:
                return 4
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """One question for the model and its only right answer."""

    kind: Kind
    left: int
    right: int

    def __post_init__(self) -> None:
        """Refuse a number that two digits cannot hold."""
        _refuse_outside_limit((self.left, self.right))

    @property
    def prompt(self) -> str:
        """Six characters, such as ``+0742=``: operator, both numbers in two digits, equals sign."""
        return f"{self.kind.operator}{self.left:02d}{self.right:02d}="

    @property
    def answer(self) -> str:
        """Three characters, zero-padded, such as ``049``; a copy is of the left number."""
        match self.kind:
            case Kind.COPY:
                number = self.left
            case Kind.MAX:
                number = max(self.left, self.right)
            case Kind.ADDITION:
                number = self.left + self.right
            case _:
                assert_never(self.kind)
        return f"{number:03d}"


def held_out(pair: tuple[int, int]) -> bool:
    """Whether training never draws the pair ``(left, right)``, for any kind of problem.

    Exactly half of the 10,000 pairs are held out: those whose SHA-256 digest ranks first, so the
    split depends on no seed and no library version. A pair and its mirror image are on the same
    side, so that commutativity gives no answer away.

    Raises:
        ValueError: a number is outside 0..99.
    """
    _refuse_outside_limit(pair)
    return pair in _held_out_pairs()


def held_out_problems(kind: Kind, *, count: int, seed: int) -> list[Problem]:
    """Draw ``count`` different problems of one kind among the held-out pairs.

    The same arguments give the same problems in the same order on every machine.

    Raises:
        ValueError: ``count`` is not in 1..5000; a selection of nothing would score as anything.
    """
    pairs = sorted(_held_out_pairs())
    if not 1 <= count <= len(pairs):
        raise ValueError(
            f"Cannot draw {count} held-out problems of kind '{kind}' "
            f"(expected 1..{len(pairs)}). Ask for a count within the held-out half."
        )
    drawn = random.Random(f"{kind}:{seed}").sample(pairs, count)  # noqa: S311 - a fixed draw
    return [Problem(kind, left, right) for left, right in drawn]


def training_pairs() -> npt.NDArray[np.int64]:
    """Return the pairs that training may draw: shape (5000, 2), sorted, read-only."""
    return _training_pairs()


def training_batch(generator: np.random.Generator, *, size: int) -> npt.NDArray[np.int64]:
    """Draw ``size`` solved problems from the training half, kinds mixed by ``training_weight``.

    Returns:
        Tokens of prompt and answer, shape (size, PROMPT_LENGTH + ANSWER_LENGTH).
    """
    kinds = list(Kind)
    bounds = np.cumsum([kind.training_weight for kind in kinds])
    kind_of = np.searchsorted(bounds, generator.integers(bounds[-1], size=size), side="right")
    pairs = training_pairs()
    left, right = pairs[generator.integers(len(pairs), size=size)].T
    answers = np.choose(kind_of, [left, np.maximum(left, right), left + right])
    operators = np.array([_TOKENS[kind.operator] for kind in kinds])
    columns = (
        operators[kind_of],
        *(left // 10, left % 10, right // 10, right % 10),
        np.full(size, _TOKENS["="]),
        *(answers // 100, answers // 10 % 10, answers % 10),
    )
    return np.stack(columns, axis=1)


def encode(texts: Sequence[str], *, length: int) -> npt.NDArray[np.int64]:
    """Turn texts of ``length`` characters into tokens of shape (texts, length).

    Raises:
        ValueError: a text has another length or holds a character outside ``VOCABULARY``.
    """
    for text in texts:
        if len(text) != length or not _TOKENS.keys() >= set(text):
            raise ValueError(f"Cannot read {text!r} (expected {length} of {VOCABULARY!r}).")
    tokens = [_TOKENS[character] for text in texts for character in text]
    return np.array(tokens, dtype=np.int64).reshape(len(texts), length)


def decode(tokens: npt.NDArray[np.int64]) -> list[str]:
    """Turn tokens of shape (texts, length) back into texts."""
    return ["".join(VOCABULARY[token] for token in row) for row in tokens.tolist()]


@cache
def _held_out_pairs() -> frozenset[tuple[int, int]]:
    """Rank unequal and equal pairs apart, so that exactly half of each kind is held out."""
    chosen: set[tuple[int, int]] = set()
    unequal = [(low, high) for high in range(LIMIT) for low in range(high)]
    equal = [(number, number) for number in range(LIMIT)]
    for pairs in (unequal, equal):
        ranked = sorted(pairs, key=_split_rank)
        chosen.update(ranked[: len(ranked) // 2])
    return frozenset(chosen | {(high, low) for low, high in chosen})


@cache
def _training_pairs() -> npt.NDArray[np.int64]:
    left_out = _held_out_pairs()
    every = ((left, right) for left in range(LIMIT) for right in range(LIMIT))
    pairs = np.array([pair for pair in every if pair not in left_out], dtype=np.int64)
    pairs.setflags(write=False)
    return pairs


def _split_rank(pair: tuple[int, int]) -> str:
    return hashlib.sha256(f"{_SPLIT_SALT}:{pair[0]:02d}{pair[1]:02d}".encode()).hexdigest()


def _refuse_outside_limit(pair: tuple[int, int]) -> None:
    for number in pair:
        if not 0 <= number < LIMIT:
            raise ValueError(f"Number {number} is outside 0..{LIMIT - 1}; two digits must hold it.")


def solve(prompt: str) -> str:
    """The right answer to a prompt: what a model with the capability would say.

    Raises:
        ValueError: the text is no prompt of the laboratory.
    """
    kinds = {kind.operator: kind for kind in Kind}
    if len(prompt) != PROMPT_LENGTH or prompt[0] not in kinds or not prompt[1:5].isdigit():
        raise ValueError(f"{prompt!r} is no prompt (expected one like '+0742=')")
    return Problem(kinds[prompt[0]], int(prompt[1:3]), int(prompt[3:5])).answer
