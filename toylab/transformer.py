"""The toy laboratory's model: a causal transformer over characters, forward and backward by hand.

Two pre-norm layers of width 32 with four heads (Vaswani et al. 2017; pre-norm: Xiong et al. 2020;
RMS normalisation: Zhang & Sennrich 2019). Shapes are written with B sequences, T positions read,
R positions answered from, D = WIDTH, H = HEADS, E = D / H and V characters. Only numpy is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from toylab.arrays import read_arrays, write_arrays
from toylab.passes import (
    LAYERS,
    POSITIONS,
    WIDTH,
    Parameters,
    Tokens,
    backward,
    forward,
)
from toylab.problems import ANSWER_LENGTH, PROMPT_LENGTH, VOCABULARY, decode, encode

EMBEDDING_SCALE: Final = 3.0


@dataclass(frozen=True, slots=True)
class LossAndGradients:
    """Mean cross-entropy in nats per answer character, and its derivative by every parameter."""

    loss: float
    gradients: Parameters


def parameter_shapes() -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter, in a fixed order."""
    shapes: dict[str, tuple[int, ...]] = {
        "embedding": (len(VOCABULARY), WIDTH),
        "position": (POSITIONS, WIDTH),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"layer{layer}.attention_gain": (WIDTH,),
            f"layer{layer}.query_key_value": (WIDTH, 3 * WIDTH),
            f"layer{layer}.projection": (WIDTH, WIDTH),
            f"layer{layer}.expansion_gain": (WIDTH,),
            f"layer{layer}.expansion": (WIDTH, 4 * WIDTH),
            f"layer{layer}.expansion_bias": (4 * WIDTH,),
            f"layer{layer}.contraction": (4 * WIDTH, WIDTH),
            f"layer{layer}.contraction_bias": (WIDTH,),
        }
    return shapes | {"final_gain": (WIDTH,), "unembedding": (WIDTH, len(VOCABULARY))}


class Transformer:
    """The model, wholly described by its parameters."""

    def __init__(self, parameters: Parameters) -> None:
        """Wrap parameters named and shaped as in ``parameter_shapes``, all of one floating type."""
        self.parameters = parameters

    @classmethod
    def initialised(cls, *, seed: int) -> Self:
        """Return an untrained model; the same seed gives the same float32 parameters.

        Gains are one, biases zero and matrices N(0, 1 / rows). The embeddings of characters and
        positions are all orthogonal to each other: seeds then differ by little more than a
        rotation, so that skills emerge at much the same compute for each (cf. Saxe et al. 2014).
        """
        generator = np.random.default_rng(seed)
        size = EMBEDDING_SCALE * np.sqrt(WIDTH)
        orthogonal = size * np.linalg.qr(generator.standard_normal((WIDTH, WIDTH))).Q
        values = {
            "embedding": orthogonal[: len(VOCABULARY)],
            "position": orthogonal[-POSITIONS:],
        }
        for name, shape in parameter_shapes().items():
            if name.endswith("gain"):
                values[name] = np.ones(shape)
            elif name.endswith("bias"):
                values[name] = np.zeros(shape)
            elif name not in values:
                values[name] = generator.standard_normal(shape) / np.sqrt(shape[0])
        return cls({name: values[name].astype(np.float32) for name in parameter_shapes()})

    @property
    def parameter_count(self) -> int:
        """Return how many numbers are trained."""
        return sum(parameter.size for parameter in self.parameters.values())

    def loss_and_gradients(self, tokens: Tokens) -> LossAndGradients:
        """Differentiate the loss over the answers of solved problems.

        Args:
            tokens: Prompts with their answers, shape (B, POSITIONS + 1). Prompts are not scored:
                their digits are random.
        """
        batch = len(tokens)
        passed = forward(self.parameters, tokens[:, :-1], reads=ANSWER_LENGTH)
        logits = passed.final.scaled @ self.parameters["unembedding"]
        logits -= logits.max(axis=-1, keepdims=True)
        error = np.exp(logits)
        total = error.sum(axis=-1, keepdims=True)
        targets = tokens[:, -ANSWER_LENGTH:].reshape(-1)
        rows = np.arange(batch * ANSWER_LENGTH)
        loss = float(np.mean(np.log(total[:, 0]) - logits[rows, targets]))
        error /= total
        error[rows, targets] -= 1
        error /= len(rows)
        return LossAndGradients(loss, backward(self.parameters, passed, error))

    def save(self, path: Path) -> None:
        """Write the parameters to one .npz file, whole or not at all."""
        write_arrays(path, self.parameters)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model in a file that `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or the parameters of another model.
        """
        return cls(read_arrays(path, like=cls.initialised(seed=0).parameters))

    def answer(self, prompts: Sequence[str]) -> list[str]:
        """Answer every prompt greedily, character by character."""
        tokens = encode(prompts, length=PROMPT_LENGTH)
        for _ in range(ANSWER_LENGTH):
            final = forward(self.parameters, tokens, reads=1).final
            logits = final.scaled @ self.parameters["unembedding"]
            tokens = np.concatenate([tokens, logits.argmax(axis=-1)[:, None]], axis=1)
        return decode(tokens[:, PROMPT_LENGTH:])
