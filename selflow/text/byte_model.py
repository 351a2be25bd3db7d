"""The forward pass of a small Llama over bytes, in numpy: a service at rest loads no torch.

Tokens are those of ``selflow/text/byte_context.py``. Positions of a line form a tree: each reads
its own ancestors alone, so that a search, the next keystroke and a whole line read at once share
what was computed (as in SpecInfer, Miao et al. 2023).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.text.byte_context import VOCABULARY
from selflow.text.lines import SYMBOLS, Floats

Float32s = NDArray[np.float32]
Weights = Mapping[str, Float32s]
"""Tensors by the names that transformers gives a Llama's."""
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
BASE = Path(str(files("selflow.text"))) / "base"
"""The folder of the byte model that ships."""
HIDDEN = np.float32(-1e9)
"""Added to the score of what a position may not see."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a Llama's config.json that its forward pass needs."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    rope_theta: float
    norm_eps: float

    @property
    def head_width(self) -> int:
        """Numbers of one head's query."""
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's matrices, each (in, out), with the norms before them multiplied in."""

    qkv: Float32s
    output: Float32s
    gate_up: Float32s
    down: Float32s


class ByteModel:
    """A Llama with tied embeddings; read only, so that cursors of many lines share it."""

    def __init__(self, shape: Shape, weights: Weights, sha256: str) -> None:
        """``weights``: as transformers names and lays them out, (out, in); ``sha256``: of the
        base's file.

        Raises:
            ArtifactError: A tensor is missing or of another size.
        """
        self.shape = shape
        self.weights, self.sha256 = weights, sha256
        try:
            self._layers = [_layer(shape, weights, index) for index in range(shape.layers)]
            embedding = weights["model.embed_tokens.weight"].reshape(VOCABULARY, shape.width)
            norm = weights["model.norm.weight"].reshape(shape.width)
        except (KeyError, ValueError) as error:
            raise ArtifactError(
                "the byte model's tensors do not fit its config.json",
                "install SelFlow again, or write the model again with bench/make_base.py",
            ) from error
        self._embedding = np.ascontiguousarray(embedding, np.float32)
        self._head = np.ascontiguousarray((embedding[:SYMBOLS] * norm).T, np.float32)
        halves = np.arange(shape.head_width // 2) * 2.0 / shape.head_width
        self._frequencies = shape.rope_theta**-halves

    def adapted(self, adapter: LoraAdapter) -> "ByteModel":
        """This model with an adapter merged into its matrices: W + B A.

        Raises:
            ArtifactError: The adapter was trained on another base.
        """
        if adapter.base_sha256 != self.sha256:
            raise ArtifactError(
                f"the adapter belongs to the base {adapter.base_sha256[:12]}, "
                f"not to {self.sha256[:12]}",
                "grow the agent again on this base",
            )
        merged = {
            name: self.weights[name] + up @ down for name, (down, up) in adapter.factors.items()
        }
        return ByteModel(self.shape, {**self.weights, **merged}, self.sha256)

    def forward(
        self,
        tokens: Sequence[int],
        positions: NDArray[np.intp],
        cache: "KeyValues",
        slots: NDArray[np.intp],
        visible: "Visible",
    ) -> Float32s:
        """One pass over ``n`` positions.

        Args:
            tokens: (n,)
            positions: (n,) how many tokens stand before each.
            cache: Keys and values by slot; those of the ``n`` are written to ``slots``.
            slots: (n,)
            visible: The slots that are read, and which of the ``n`` reads which.

        Returns:
            (n, 257) logits of each byte and END.

        Cost: two operations per weight and position; bench/text.py prints the time of a step.
        """
        x = self._embedding[list(tokens)]
        angles = positions[:, None] * self._frequencies
        turn = np.exp(1j * angles).astype(np.complex64)[:, None, :]
        with one_thread():
            return self._pass(x, turn, cache, slots, visible)

    def _pass(
        self,
        x: Float32s,
        turn: NDArray[np.complex64],
        cache: "KeyValues",
        slots: NDArray[np.intp],
        visible: "Visible",
    ) -> Float32s:
        """All layers; ``turn`` (n, 1, head_width / 2) rotates queries and keys by position."""
        shape, n = self.shape, len(x)
        turned = shape.heads + shape.kv_heads
        groups = shape.heads // shape.kv_heads
        for index, layer in enumerate(self._layers):
            qkv = (_normed(x, shape.norm_eps) @ layer.qkv).reshape(n, -1, shape.head_width)
            qkv.view(np.complex64)[:, :turned] *= turn
            cache.keys[index][:, slots] = qkv[:, shape.heads : turned].swapaxes(0, 1)
            cache.values[index][:, slots] = qkv[:, turned:].swapaxes(0, 1)
            queries = qkv[:, : shape.heads].reshape(n, shape.kv_heads, groups, -1)
            mixed = _attend(queries, cache.keys[index], cache.values[index], visible)
            x = x + mixed @ layer.output
            gate, up = np.split(_normed(x, shape.norm_eps) @ layer.gate_up, 2, axis=1)
            x = x + (gate * up / (1.0 + np.exp(-gate))) @ layer.down
        return np.asarray(_normed(x, shape.norm_eps) @ self._head)


def one_thread() -> AbstractContextManager[object]:
    """Products this small take longer on several threads, much longer on a busy machine."""
    limit: AbstractContextManager[object] = _threads().limit(limits=1)
    return limit


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


@dataclass(frozen=True, slots=True)
class Visible:
    """What positions may read."""

    slots: NDArray[np.intp] | slice
    mask: Float32s | None
    """(n, slots): 0, or very low where a position may not read; None if all may read all."""


class KeyValues:
    """Keys and values of every layer by slot; grows as slots are taken."""

    __slots__ = ("keys", "length", "values")

    def __init__(self, shape: Shape, capacity: int = 64) -> None:
        sizes = (shape.layers, shape.kv_heads, capacity, shape.head_width)
        self.keys, self.values = np.zeros(sizes, np.float32), np.zeros(sizes, np.float32)
        self.length = 0

    def take(self, n: int) -> NDArray[np.intp]:
        """The next ``n`` slots."""
        self._reserve(self.length + n)
        self.length += n
        return np.arange(self.length - n, self.length)

    def copy(self, length: int, room: int) -> "KeyValues":
        """The first ``length`` slots, with room for more."""
        other = KeyValues.__new__(KeyValues)
        other.keys, other.values, other.length = (
            _enlarged(self.keys[:, :, :length], length + room),
            _enlarged(self.values[:, :, :length], length + room),
            length,
        )
        return other

    def _reserve(self, slots: int) -> None:
        if slots > self.keys.shape[2]:
            capacity = max(slots, 2 * self.keys.shape[2])
            self.keys = _enlarged(self.keys[:, :, : self.length], capacity)
            self.values = _enlarged(self.values[:, :, : self.length], capacity)


def _enlarged(held: Float32s, capacity: int) -> Float32s:
    layers, heads, length, width = held.shape
    larger = np.zeros((layers, heads, capacity, width), np.float32)
    larger[:, :, :length] = held
    return larger


def _normed(x: Float32s, eps: float) -> Float32s:
    """RMSNorm (Zhang and Sennrich 2019) without its weights: those are in the next matrix."""
    power = np.einsum("ij,ij->i", x, x) / x.shape[1]
    return np.asarray(x * (1.0 / np.sqrt(power + eps)).astype(np.float32)[:, None])


def _attend(queries: Float32s, keys: Float32s, values: Float32s, visible: Visible) -> Float32s:
    """(n, heads * width): values by the softmax of query times key; heads share keys in groups.

    Args:
        queries: (n, kv_heads, groups, width)
        keys: (kv_heads, slots, width)
        values: the same
        visible: which slots
    """
    n, kv_heads, groups, width = queries.shape
    rows = queries.swapaxes(0, 1).reshape(kv_heads, n * groups, width)
    read_keys, read_values = keys[:, visible.slots], values[:, visible.slots]
    scores = rows @ read_keys.swapaxes(1, 2)
    if visible.mask is not None:
        by_position = scores.reshape(kv_heads, n, groups, -1)
        by_position += visible.mask[None, :, None, :]
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    mixed = scores @ read_values / scores.sum(axis=2, keepdims=True)
    return np.asarray(mixed.reshape(kv_heads, n, groups, width).swapaxes(0, 1).reshape(n, -1))


def _layer(shape: Shape, weights: Weights, index: int) -> _Layer:
    prefix = f"model.layers.{index}."

    def matrix(name: str, rows: int) -> Float32s:
        held = weights[f"{prefix}{name}.weight"]
        if held.shape[0] != rows and rows:
            raise ValueError
        return held

    width, kv_width = shape.head_width, shape.kv_heads * shape.head_width
    query = _interleaved(matrix("self_attn.q_proj", shape.width), width) * width**-0.5
    key = _interleaved(matrix("self_attn.k_proj", kv_width), width)
    value = matrix("self_attn.v_proj", kv_width)
    before, after = (weights[f"{prefix}{name}.weight"] for name in _NORMS)
    gate_up = np.concatenate([matrix("mlp.gate_proj", 0), matrix("mlp.up_proj", 0)])
    return _Layer(
        _transposed(np.concatenate([query, key, value]) * before),
        _transposed(matrix("self_attn.o_proj", shape.width)),
        _transposed(gate_up * after),
        _transposed(matrix("mlp.down_proj", shape.width)),
    )


_NORMS = ("input_layernorm", "post_attention_layernorm")


def _transposed(matrix: Float32s) -> Float32s:
    return np.ascontiguousarray(matrix.T, np.float32)


def _interleaved(matrix: Float32s, head_width: int) -> Float32s:
    """Rows of each head reordered so that a pair that is turned together lies side by side: a
    complex number.
    """
    halves = matrix.reshape(-1, 2, head_width // 2, matrix.shape[1])
    return halves.swapaxes(1, 2).reshape(matrix.shape)


def load_byte_model(folder: Path) -> ByteModel:
    """The model in a folder as transformers writes it, any precision.

    Raises:
        ArtifactError: It is missing, damaged, or no Llama over our tokens.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        config = json.loads((folder / CONFIG_FILE).read_bytes())
        data = (folder / WEIGHTS_FILE).read_bytes()
        weights = load(data)
        shape = _shape(config)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"the byte model in {folder.name} cannot be read",
            "install SelFlow again; text is completed without the model meanwhile",
        ) from error
    wide = {name: held.astype(np.float32) for name, held in weights.items()}
    return ByteModel(shape, wide, hashlib.sha256(data).hexdigest())


def _shape(config: Mapping[str, Any]) -> Shape:
    if config["model_type"] != "llama" or config["vocab_size"] != VOCABULARY:
        raise ValueError(config["model_type"])
    return Shape(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        rope_theta=config["rope_parameters"]["rope_theta"],
        norm_eps=config["rms_norm_eps"],
    )


def log_softmax(logits: Float32s) -> Floats:
    """Log probabilities of each row, in double precision: they sum to 1 to the last digits."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True)))


@cache
def shipped_base() -> ByteModel:
    """The byte model that ships; its weights are read when it is first asked for.

    Raises:
        ArtifactError: It is missing or damaged.

    Cost: bench/text.py prints time and memory.
    """
    return load_byte_model(BASE)
