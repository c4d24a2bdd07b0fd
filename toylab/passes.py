"""The transformer's forward and backward pass, by hand.

Shapes are written with B sequences, T positions read, R positions answered from, D = WIDTH,
H = HEADS, E = D / H and V characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from toylab.problems import ANSWER_LENGTH, PROMPT_LENGTH, VOCABULARY

WIDTH: Final = 32
HEADS: Final = 4
LAYERS: Final = 2
POSITIONS: Final = PROMPT_LENGTH + ANSWER_LENGTH - 1
"""Characters that the model reads for one problem: an answer's last one is only written."""

_EPSILON: Final = 1e-6
_SCORE_SCALE: Final = (WIDTH // HEADS) ** -0.5
_FUTURE: Final = np.triu(np.full((POSITIONS, POSITIONS), -np.inf, dtype=np.float32), k=1)

Floats = npt.NDArray[np.floating[Any]]
Tokens = npt.NDArray[np.int64]
Parameters = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class _Normalised:
    direction: Floats
    inverse_size: Floats
    scaled: Floats


@dataclass(frozen=True, slots=True)
class _Attention:
    source: _Normalised
    query: Floats
    key: Floats
    value: Floats
    weights: Floats
    mixed: Floats


@dataclass(frozen=True, slots=True)
class _Expansion:
    source: _Normalised
    hidden: Floats


@dataclass(frozen=True, slots=True)
class Pass:
    tokens: Tokens
    layers: list[tuple[_Attention, _Expansion]]
    final: _Normalised


def forward(parameters: Parameters, tokens: Tokens, *, reads: int) -> Pass:
    batch, length = tokens.shape
    stream = parameters["embedding"][tokens] + parameters["position"][:length]
    layers = []
    for layer in range(LAYERS):
        rows = reads if layer == LAYERS - 1 else length
        attention = _attend(parameters, layer, stream, rows=rows)
        stream = stream[:, -rows:] + (
            attention.mixed @ parameters[f"layer{layer}.projection"]
        ).reshape(batch, rows, WIDTH)
        expansion = _expand(parameters, layer, stream)
        written = expansion.hidden @ parameters[f"layer{layer}.contraction"]
        written += parameters[f"layer{layer}.contraction_bias"]
        stream = stream + written.reshape(stream.shape)
        layers.append((attention, expansion))
    return Pass(tokens, layers, _normalise(stream, parameters["final_gain"]))


def backward(parameters: Parameters, passed: Pass, error: Floats) -> Parameters:
    batch, length = passed.tokens.shape
    gradients: Parameters = {"unembedding": passed.final.scaled.T @ error}
    flow: Floats = error @ parameters["unembedding"].T
    flow, gradients["final_gain"] = _normalise_backward(
        flow, passed.final, parameters["final_gain"]
    )
    for layer in reversed(range(LAYERS)):
        attention, expansion = passed.layers[layer]
        flow += _expand_backward(parameters, layer, flow, expansion, gradients)
        before = _attend_backward(parameters, layer, flow, attention, gradients)
        before = before.reshape(batch, length, WIDTH)
        rows = len(flow) // batch
        before[:, -rows:] += flow.reshape(batch, rows, WIDTH)
        flow = before.reshape(-1, WIDTH)
    one_hot = passed.tokens.reshape(-1, 1) == np.arange(len(VOCABULARY))
    gradients["embedding"] = one_hot.T.astype(flow.dtype) @ flow
    gradients["position"] = flow.reshape(batch, length, WIDTH).sum(axis=0)
    return gradients


def _attend(parameters: Parameters, layer: int, stream: Floats, *, rows: int) -> _Attention:
    batch, length, _ = stream.shape
    source = _normalise(stream, parameters[f"layer{layer}.attention_gain"])
    triple = source.scaled @ parameters[f"layer{layer}.query_key_value"]
    heads = triple.reshape(batch, length, 3, HEADS, -1).transpose(2, 0, 3, 1, 4)
    query, key, value = heads[0, :, :, -rows:], heads[1], heads[2]
    weights = query @ key.swapaxes(-1, -2)
    weights *= _SCORE_SCALE
    weights += _FUTURE[length - rows : length, :length]
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    mixed = (weights @ value).swapaxes(1, 2).reshape(-1, WIDTH)
    return _Attention(source, query, key, value, weights, mixed)


def _attend_backward(
    parameters: Parameters,
    layer: int,
    flow: Floats,
    attention: _Attention,
    gradients: Parameters,
) -> Floats:
    name = f"layer{layer}."
    q, k, v, w = attention.query, attention.key, attention.value, attention.weights
    gradients[name + "projection"] = attention.mixed.T @ flow
    b, h, r, t = w.shape
    dm = (flow @ parameters[name + "projection"].T).reshape(b, r, h, -1).swapaxes(1, 2)
    triple: Floats = np.zeros((b, t, 3, h, WIDTH // HEADS), dtype=flow.dtype)
    dq, dk, dv = triple.transpose(2, 0, 3, 1, 4)
    np.matmul(w.swapaxes(-1, -2), dm, out=dv)
    dw = dm @ v.swapaxes(-1, -2)
    dw -= np.einsum("bhrt,bhrt->bhr", dw, w)[..., None]
    dw *= w
    dw *= _SCORE_SCALE
    np.matmul(dw, k, out=dq[:, :, -r:])
    np.matmul(dw.swapaxes(-1, -2), q, out=dk)
    triple = triple.reshape(-1, 3 * WIDTH)
    gradients[name + "query_key_value"] = attention.source.scaled.T @ triple
    dx, gradients[name + "attention_gain"] = _normalise_backward(
        triple @ parameters[name + "query_key_value"].T,
        attention.source,
        parameters[name + "attention_gain"],
    )
    return dx


def _expand(parameters: Parameters, layer: int, stream: Floats) -> _Expansion:
    source = _normalise(stream, parameters[f"layer{layer}.expansion_gain"])
    hidden = source.scaled @ parameters[f"layer{layer}.expansion"]
    hidden += parameters[f"layer{layer}.expansion_bias"]
    np.maximum(hidden, 0, out=hidden)
    return _Expansion(source, hidden)


def _expand_backward(
    parameters: Parameters,
    layer: int,
    flow: Floats,
    expansion: _Expansion,
    gradients: Parameters,
) -> Floats:
    name = f"layer{layer}."
    gradients[name + "contraction"] = expansion.hidden.T @ flow
    gradients[name + "contraction_bias"] = flow.sum(axis=0)
    dh = flow @ parameters[name + "contraction"].T
    dh *= expansion.hidden > 0
    gradients[name + "expansion"] = expansion.source.scaled.T @ dh
    gradients[name + "expansion_bias"] = dh.sum(axis=0)
    dx, gradients[name + "expansion_gain"] = _normalise_backward(
        dh @ parameters[name + "expansion"].T, expansion.source, parameters[name + "expansion_gain"]
    )
    return dx


def _normalise(stream: Floats, gain: Floats) -> _Normalised:
    """RMS normalisation over the last axis; rows are flattened to (rows, D)."""
    x = stream.reshape(-1, WIDTH)
    inv = 1 / np.sqrt(np.einsum("nd,nd->n", x, x)[:, None] / WIDTH + _EPSILON)
    direction = x * inv
    return _Normalised(direction, inv, direction * gain)


def _normalise_backward(
    flow: Floats, normalised: _Normalised, gain: Floats
) -> tuple[Floats, Floats]:
    """(derivative by the input, derivative by the gain)."""
    by_gain = np.einsum("nd,nd->d", flow, normalised.direction)
    flow = flow * gain
    along = np.einsum("nd,nd->n", flow, normalised.direction)[:, None] / WIDTH
    flow -= normalised.direction * along
    flow *= normalised.inverse_size
    return flow, by_gain
