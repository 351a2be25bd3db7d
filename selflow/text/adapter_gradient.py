"""Forward and backward pass of the byte model with an adapter, in numpy: what an adapter learns by
where no torch is loaded.

The base stands still, so no gradient of its matrices is made. With y = (W + B A) h the gradients of
A and B need products of the rank alone: dB = dy' (h A'), dA = (dy B)' h (Hu et al. 2021).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.core.lora import Float32s
from selflow.text.byte_model import HIDDEN, Shape, Weights

ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
OUTPUT, DOWN = "self_attn.o_proj", "mlp.down_proj"
GATE_UP = ("mlp.gate_proj", "mlp.up_proj")
ADAPTED = (*ATTENTION, OUTPUT, *GATE_UP, DOWN)
"""The matrices of a layer that are adapted: all of them."""
Factors = Mapping[str, tuple[Float32s, Float32s]]
"""A (rank, in) and B (out, rank) by the matrix's name."""


def matrix_name(layer: int, module: str) -> str:
    """As transformers names it."""
    return f"model.layers.{layer}.{module}.weight"


@dataclass(slots=True)
class _Seen:
    """What the way back through a layer needs of the way forward; T tokens."""

    normed: tuple[Float32s, Float32s]
    """Of the input: (T, width) with power 1, and (T, 1) what it was multiplied by."""
    turned: tuple[Float32s, Float32s, Float32s]
    """Queries (kv_heads, groups, T, head_width), keys and values (kv_heads, 1, T, head_width)."""
    attention: Float32s
    """(kv_heads, groups, T, T) shares."""
    mixed: Float32s
    """(T, width)"""
    normed_after: tuple[Float32s, Float32s]
    gate: Float32s
    """(T, inner width)"""
    up: Float32s
    sigmoid: Float32s


class AdapterGradient:
    """The loss of rows of tokens under one state of an adapter, and its gradients.

    Args:
        shape: Of the base.
        weights: The base's, as transformers names and lays them out, (out, in).
        factors: The adapter's. They are merged once, here.
        gradients: The same shapes; what is found is added to them.
    """

    def __init__(
        self, shape: Shape, weights: Weights, factors: Factors, gradients: Factors
    ) -> None:
        self._shape, self._weights = shape, weights
        self._factors, self._gradients = factors, gradients
        self._merged = [
            {
                part: np.concatenate([self._matrix(layer, name) for name in part])
                for part in (ATTENTION, (OUTPUT,), GATE_UP, (DOWN,))
            }
            for layer in range(shape.layers)
        ]

    def add(
        self, tokens: Sequence[int], counts: Float32s, total: float
    ) -> Generator[None, None, float]:
        """Add the gradients of one row, in pieces of a few milliseconds.

        Args:
            tokens: (T,)
            counts: (T,) how much each token counts, said from those before it.
            total: By which the loss is divided: all that counts in all rows.

        Returns:
            The row's part of the loss in nats.

        Cost: four operations per weight and token, half of them on the way back; bench/messages.py
        prints the time of a line. Memory: about 20 kB per token.
        """
        x = self._weights["model.embed_tokens.weight"][list(tokens)]
        turn = self._turn(len(tokens))
        seen = []
        for layer in range(self._shape.layers):
            x, layer_seen = yield from self._forward(layer, x, turn)
            seen.append(layer_seen)
            yield
        loss, dx = self._loss(x, tokens, counts, total)
        yield
        for layer in reversed(range(self._shape.layers)):
            dx = yield from self._backward(layer, dx, seen[layer], turn)
            yield
        return loss

    def _matrix(self, layer: int, module: str) -> Float32s:
        name = matrix_name(layer, module)
        down, up = self._factors[name]
        return np.asarray(self._weights[name] + up @ down)

    def _turn(self, n: int) -> tuple[Float32s, Float32s]:
        """Cosine and sine (n, head_width / 2) of rotary positions."""
        half = self._shape.head_width // 2
        frequencies = self._shape.rope_theta ** -(np.arange(half) / half)
        angles = np.arange(n)[:, None] * frequencies
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def _norm(self, layer: int, name: str) -> Float32s:
        return self._weights[f"model.layers.{layer}.{name}.weight"]

    def _forward(
        self, layer: int, x: Float32s, turn: tuple[Float32s, Float32s]
    ) -> Generator[None, None, tuple[Float32s, _Seen]]:
        """(T, width) behind a layer."""
        merged, eps = self._merged[layer], self._shape.norm_eps
        normed = _normed(x, eps)
        qkv = (normed[0] * self._norm(layer, "input_layernorm")) @ merged[ATTENTION].T
        turned = self._heads(qkv, turn)
        attention, mixed = _attend(*turned)
        x = x + mixed @ merged[OUTPUT,].T
        yield
        after = _normed(x, eps)
        gate_up = (after[0] * self._norm(layer, "post_attention_layernorm")) @ merged[GATE_UP].T
        gate, up = np.split(gate_up, 2, axis=1)
        sigmoid = 1.0 / (1.0 + np.exp(-gate))
        x = x + (gate * sigmoid * up) @ merged[DOWN,].T
        return x, _Seen(normed, turned, attention, mixed, after, gate, up, sigmoid)

    def _heads(
        self, qkv: Float32s, turn: tuple[Float32s, Float32s]
    ) -> tuple[Float32s, Float32s, Float32s]:
        """Queries, scaled, and keys, both turned, and values; shapes as in ``_Seen``."""
        shape, n = self._shape, len(qkv)
        by_head = qkv.reshape(n, -1, shape.head_width).swapaxes(0, 1)
        queries = _turned(by_head[: shape.heads], turn) * np.float32(shape.head_width**-0.5)
        keys = _turned(by_head[shape.heads : shape.heads + shape.kv_heads], turn)
        values = by_head[shape.heads + shape.kv_heads :]
        grouped = queries.reshape(shape.kv_heads, -1, n, shape.head_width)
        return grouped, keys[:, None], np.ascontiguousarray(values[:, None])

    def _loss(
        self, x: Float32s, tokens: Sequence[int], counts: Float32s, total: float
    ) -> tuple[float, Float32s]:
        """The loss, and its gradient (T, width) behind the last layer."""
        embedding, norm = (
            self._weights["model.embed_tokens.weight"],
            self._weights["model.norm.weight"],
        )
        normed = _normed(x, self._shape.norm_eps)
        logits = (normed[0] * norm) @ embedding.T
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        rows, targets = np.arange(len(tokens) - 1), list(tokens[1:])
        shares = np.zeros((len(tokens), 1), np.float32)
        shares[:-1, 0] = counts[1:] / total
        loss = -float((shares[:-1, 0] * np.log(p[rows, targets])).sum())
        p[rows, targets] -= 1.0
        return loss, _norm_back((p * shares) @ embedding, norm, normed)

    def _backward(
        self, layer: int, dx: Float32s, seen: _Seen, turn: tuple[Float32s, Float32s]
    ) -> Generator[None, None, Float32s]:
        """The gradient before a layer from that behind it."""
        merged = self._merged[layer]
        gated = seen.gate * seen.sigmoid
        self._learn(layer, DOWN, gated * seen.up, dx)
        inner = dx @ merged[DOWN,]
        dgate = inner * seen.up * seen.sigmoid * (1.0 + seen.gate - gated)
        dgate_up = np.concatenate([dgate, inner * gated], axis=1)
        norm = self._norm(layer, "post_attention_layernorm")
        self._learn_all(layer, GATE_UP, seen.normed_after[0] * norm, dgate_up)
        yield
        dx = dx + _norm_back(dgate_up @ merged[GATE_UP], norm, seen.normed_after)
        self._learn(layer, OUTPUT, seen.mixed, dx)
        dqkv = self._attend_back(dx @ merged[OUTPUT,], seen, turn)
        norm = self._norm(layer, "input_layernorm")
        self._learn_all(layer, ATTENTION, seen.normed[0] * norm, dqkv)
        return dx + _norm_back(dqkv @ merged[ATTENTION], norm, seen.normed)

    def _attend_back(
        self, dmixed: Float32s, seen: _Seen, turn: tuple[Float32s, Float32s]
    ) -> Float32s:
        """(T, queries, keys and values) from (T, width)."""
        shape, n = self._shape, len(dmixed)
        queries, keys, values = seen.turned
        heads = dmixed.reshape(n, shape.heads, shape.head_width).swapaxes(0, 1)
        do = heads.reshape(shape.kv_heads, -1, n, shape.head_width)
        ds = do @ values.swapaxes(2, 3)
        ds -= np.einsum("kgij,kgij->kgi", ds, seen.attention)[..., None]
        ds *= seen.attention
        dqueries = (ds @ keys).reshape(shape.heads, n, -1) * np.float32(shape.head_width**-0.5)
        dkeys = (ds.swapaxes(2, 3) @ queries).sum(axis=1)
        dvalues = (seen.attention.swapaxes(2, 3) @ do).sum(axis=1)
        back = (turn[0], -turn[1])
        by_head = np.concatenate(
            [_turned(np.asarray(dqueries, np.float32), back), _turned(dkeys, back), dvalues]
        )
        return by_head.swapaxes(0, 1).reshape(n, -1)

    def _learn_all(self, layer: int, modules: Sequence[str], h: Float32s, dy: Float32s) -> None:
        """The same for matrices that lie one below the other."""
        start = 0
        for module in modules:
            end = start + len(self._weights[matrix_name(layer, module)])
            self._learn(layer, module, h, dy[:, start:end])
            start = end

    def _learn(self, layer: int, module: str, h: Float32s, dy: Float32s) -> None:
        """Add the gradients of A and B where (T, in) went in and (T, out) is wanted of what came
        out.
        """
        name = matrix_name(layer, module)
        (down, up), (ddown, dup) = self._factors[name], self._gradients[name]
        dup += dy.T @ (h @ down.T)
        ddown += (dy @ up).T @ h


def _normed(x: Float32s, eps: float) -> tuple[Float32s, Float32s]:
    """RMSNorm (Zhang and Sennrich 2019) without its weights, and by what was multiplied."""
    power = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1]
    scale = np.asarray(1.0 / np.sqrt(power + eps), np.float32)
    return np.asarray(x * scale, np.float32), scale


def _norm_back(dh: Float32s, norm: Float32s, normed: tuple[Float32s, Float32s]) -> Float32s:
    """The gradient before an RMSNorm from that behind it."""
    values, scale = normed
    dn = dh * norm
    along = np.einsum("ij,ij->i", dn, values)[:, None] / np.float32(values.shape[1])
    return np.asarray(scale * (dn - values * along))


def _turned(heads: Float32s, turn: tuple[Float32s, Float32s]) -> Float32s:
    """Each head's halves turned against each other: (heads, T, head_width)."""
    cosine, sine = turn
    one, other = np.split(heads, 2, axis=2)
    return np.concatenate([one * cosine - other * sine, other * cosine + one * sine], axis=2)


def _attend(queries: Float32s, keys: Float32s, values: Float32s) -> tuple[Float32s, Float32s]:
    """Shares (kv_heads, groups, T, T), and (T, width) of what they mix."""
    n = queries.shape[2]
    scores = queries @ keys.swapaxes(2, 3)
    scores += np.where(np.tri(n, dtype=bool), np.float32(0.0), HIDDEN)
    scores -= scores.max(axis=3, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=3, keepdims=True)
    mixed = (scores @ values).reshape(-1, n, values.shape[3])
    return np.asarray(scores), np.asarray(mixed.swapaxes(0, 1).reshape(n, -1), np.float32)
