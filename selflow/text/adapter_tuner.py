"""A LoRA adapter of the byte model that goes on learning, a few steps at a time, without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.core.errors import ArtifactError
from selflow.core.lora import Float32s, LoraAdapter
from selflow.core.ports import TokenRow
from selflow.text.adapter_gradient import ADAPTED, AdapterGradient, Factors, matrix_name
from selflow.text.byte_model import ByteModel, one_thread

_BETAS, _EPS, _MAX_NORM = (0.9, 0.99), 1e-8, 1.0


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """How the adapter learns; rank and rate were fitted on people whom no bench scores."""

    rank: int = 8
    rate: float = 6e-3
    steps: int = 2
    """Optimiser steps of one call of ``learn``."""
    seed: int = 1


class AdapterTuner:
    """One owner's adapter in training; the base never changes.

    All its numbers lie in one vector, so that a step of AdamW (Loshchilov and Hutter 2019) is a
    handful of operations. A starts uniform within 1 / sqrt(in) and B at 0, as PEFT does.
    """

    def __init__(
        self, base: ByteModel, plan: AdapterPlan | None = None, start: LoraAdapter | None = None
    ) -> None:
        """An adapter that has learned nothing of its owner.

        Args:
            base: What is adapted.
            plan: How it learns.
            start: An adapter of the same base to begin with; without it the base alone.

        Raises:
            ArtifactError: ``start`` was trained on another base.
        """
        self._base, self._plan = base, plan or AdapterPlan()
        self._sizes = {
            name: base.weights[name].shape
            for layer in range(base.shape.layers)
            for name in (matrix_name(layer, module) for module in ADAPTED)
        }
        numbers = self._plan.rank * sum(map(sum, self._sizes.values()))
        self._learned, self._mean, self._square = np.zeros((3, numbers), np.float32)
        self._steps, self._rate = 0, self._plan.rate
        rng = np.random.default_rng(self._plan.seed)
        for down, _ in self._factors(self._learned).values():
            down[:] = rng.uniform(-1.0, 1.0, down.shape) / np.sqrt(down.shape[1])
        if start is not None:
            self._begin_with(start)

    def learn(self, rows: Sequence[TokenRow]) -> LoraAdapter:
        """A few steps on these rows, and the adapter after them.

        Cost: ``steps`` passes forward and back over all tokens.
        """
        for _ in self.learn_in_pieces(rows):
            pass
        return self.adapter()

    def learn_in_pieces(self, rows: Sequence[TokenRow]) -> Iterator[None]:
        """The same, with a pause wherever it yields: every few milliseconds. Until it has ended
        ``adapter`` and ``state`` are between two states.
        """
        work = self._work(rows)
        while True:
            with one_thread():
                if next(work, _END) is _END:
                    return
            yield

    def adapter(self) -> LoraAdapter:
        """As it is now."""
        factors = self._factors(self._learned)
        copies = {name: (down.copy(), up.copy()) for name, (down, up) in factors.items()}
        return LoraAdapter(self._base.sha256, copies)

    def state(self) -> bytes:
        """The adapter and its optimiser's moments."""
        from safetensors.numpy import save

        vectors = {"learned": self._learned, "mean": self._mean, "square": self._square}
        numbers = {"steps": np.array([self._steps]), "rate": np.array([self._rate])}
        return bytes(save({**vectors, **numbers}))

    def load_state(self, state: bytes) -> None:
        """Go on from what ``state`` gave, at the rate of that time.

        Raises:
            ValueError: It is that of an adapter of another size.
        """
        from safetensors.numpy import load

        held = load(state)
        vectors = [held[name].copy() for name in ("learned", "mean", "square")]
        if any(vector.shape != self._learned.shape for vector in vectors):
            raise ValueError(vectors[0].shape)
        self._learned, self._mean, self._square = vectors
        self._steps, self._rate = int(held["steps"][0]), float(held["rate"][0])

    def _factors(self, vector: Float32s) -> Factors:
        """Views of A and B into a vector."""
        rank, start, factors = self._plan.rank, 0, {}
        for name, (out, into) in self._sizes.items():
            middle, end = start + rank * into, start + rank * (into + out)
            down, up = vector[start:middle].reshape(rank, into), vector[middle:end]
            factors[name] = (down, up.reshape(out, rank))
            start = end
        return factors

    def _work(self, rows: Sequence[TokenRow]) -> Iterator[None]:
        """The steps, in pieces."""
        weights = [np.array(counts, np.float32) for _, counts in rows]
        total = max(1.0, float(sum(counts[1:].sum() for counts in weights)))
        for _ in range(self._plan.steps):
            gradient = np.zeros_like(self._learned)
            passes = AdapterGradient(
                self._base.shape,
                self._base.weights,
                self._factors(self._learned),
                self._factors(gradient),
            )
            for (tokens, _), counts in zip(rows, weights, strict=True):
                yield from passes.add(tokens, counts, total)
            self._descend(gradient)
            yield

    def _descend(self, gradient: Float32s) -> None:
        """One step of AdamW without decay, on a gradient of length 1 at most; none on one that is
        no number, so that no line breaks an adapter.
        """
        length = float(np.linalg.norm(gradient))
        if not np.isfinite(length):
            return
        self._steps += 1
        gradient *= min(1.0, _MAX_NORM / (length + 1e-6))
        first, second = _BETAS
        self._mean += (1.0 - first) * (gradient - self._mean)
        self._square += (1.0 - second) * (gradient * gradient - self._square)
        size = self._rate / (1.0 - first**self._steps)
        spread = np.sqrt(self._square / (1.0 - second**self._steps)) + _EPS
        self._learned -= size * self._mean / spread

    def _begin_with(self, start: LoraAdapter) -> None:
        """What ``start`` adds is added here too, as far as the rank allows."""
        if start.base_sha256 != self._base.sha256:
            raise ArtifactError(
                f"the adapter to start from belongs to the base {start.base_sha256[:12]}, "
                f"not to {self._base.sha256[:12]}",
                "start from the base",
            )
        factors = self._factors(self._learned)
        for name, of_start in start.factors.items():
            (down, up), (start_down, start_up) = factors[name], of_rank(*of_start, self._plan.rank)
            down[: len(start_down)], up[:, : len(start_down)] = start_down, start_up


_END = object()


def of_rank(down: Float32s, up: Float32s, rank: int) -> tuple[Float32s, Float32s]:
    """A and B of at most a rank, whose product is nearest to that of these.

    Args:
        down: A, (rank before, in).
        up: B, (out, rank before).
        rank: The most that is allowed.

    Cost: one singular value decomposition of (out, in), where the rank falls.
    """
    if len(down) <= rank:
        return down, up
    left, strengths, right = np.linalg.svd(up @ down, full_matrices=False)
    roots = np.sqrt(strengths[:rank])
    return roots[:, None] * right[:rank], left[:, :rank] * roots
