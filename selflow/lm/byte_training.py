"""Training of the byte model that ships, from rows of tokens; bench/make_base.py hands them in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as hf_logging

from selflow.core.errors import TrainingDivergedError

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]
"""(batch, tokens) ids, and how much each token counts in the loss."""
Progress = Callable[[int, int, float], None]
"""Optimiser steps done, steps in all, bits per token of the last steps."""
_REPORT_STEPS = 50
_WARM_FRACTION, _DECAY_FRACTION = 0.04, 0.6


@dataclass(frozen=True, slots=True)
class ByteShape:
    """The size of the model; chosen by docs/decisions/0038-size-and-tokens-of-the-byte-model.md."""

    vocabulary: int
    end_id: int
    layers: int = 4
    width: int = 192
    heads: int = 6
    kv_heads: int = 2
    inner_width: int = 512
    rope_theta: float = 1_000.0


@dataclass(frozen=True, slots=True)
class BytePlan:
    """How long and how fast it learns."""

    steps: int
    matrix_rate: float = 0.02
    """Of Muon, which orthogonalises the update of each matrix (Jordan et al. 2024)."""
    rate: float = 4e-3
    """Of AdamW, for embeddings and norms."""
    seed: int = 1


def untrained(shape: ByteShape, seed: int) -> Any:  # noqa: ANN401  (a LlamaForCausalLM; transformers is untyped here)
    """A Llama with random weights: tied embeddings, RMSNorm, rotary positions, SwiGLU."""
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=2_048,
        initializer_range=0.04,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=shape.end_id,
        pad_token_id=shape.end_id,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def train_byte_model(
    shape: ByteShape,
    plan: BytePlan,
    batches: Iterator[Batch],
    progress: Progress,
    checkpoint: Path | None = None,
) -> Any:  # noqa: ANN401
    """Train from nothing; the same batches give the same model on the same machine and threads.

    Args:
        shape: The size of the model.
        plan: How long and how fast it learns.
        batches: What it learns, from the first step on.
        progress: Called every 50 steps and at the end.
        checkpoint: Where an interrupted training is kept; a later one of the same shape and plan
            goes on there, to the same bits, and passes over the batches that were learned.

    Raises:
        TrainingDivergedError: The loss is no number.

    Cost: about 7,000 tokens per processor second for 1.6 M parameters.
    """
    run = _Run(shape, plan)
    if checkpoint is not None:
        run.load(checkpoint)
        for _ in range(len(run.losses)):
            next(batches)
    while (done := len(run.losses)) < plan.steps:
        run.step(*next(batches))
        if (done + 1) % _REPORT_STEPS == 0 or done + 1 == plan.steps:
            progress(done + 1, plan.steps, float(np.mean(run.losses[-_REPORT_STEPS:])))
            if checkpoint is not None:
                run.save(checkpoint)
    return run.model.eval()


class _Run:
    """A model in training, with its optimizers."""

    def __init__(self, shape: ByteShape, plan: BytePlan) -> None:
        self._plan, self._identity = plan, repr((shape, plan))
        self.model = untrained(shape, plan.seed)
        self.losses: list[float] = []
        """Bits a token, of each step."""
        named = list(self.model.named_parameters())
        matrices = [held for name, held in named if held.ndim == 2 and "embed" not in name]
        others = [held for name, held in named if held.ndim != 2 or "embed" in name]
        self._optimizers: tuple[Any, ...] = (
            torch.optim.Muon(matrices, lr=plan.matrix_rate, momentum=0.95, weight_decay=0.01),
            torch.optim.AdamW(others, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.0),
        )

    def step(self, ids: NDArray[np.int64], counts: NDArray[np.float32]) -> None:
        """Learn one batch."""
        plan, done = self._plan, len(self.losses)
        share = min(
            1.0,
            (done + 1) / (_WARM_FRACTION * plan.steps),
            (plan.steps - done) / (_DECAY_FRACTION * plan.steps),
        )
        rates = (plan.matrix_rate, plan.rate)
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share
        loss = weighted_loss(self.model, ids, counts)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.losses.append(float(loss.detach()) / float(np.log(2.0)))
        if not np.isfinite(self.losses[-1]):
            raise TrainingDivergedError("the byte model", f"{plan}")

    def save(self, path: Path) -> None:
        """Write all that the next step depends on, whole or not at all."""
        written = path.with_suffix(".new")
        parts = {
            "identity": self._identity,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "losses": self.losses,
        }
        torch.save(parts, written)
        written.replace(path)

    def load(self, path: Path) -> None:
        """Go on where another run of the same shape and plan stopped, if one is there."""
        parts = torch.load(path, weights_only=True) if path.is_file() else {}
        if parts.get("identity") != self._identity:
            return
        self.model.load_state_dict(parts["model"])
        for optimizer, state in zip(self._optimizers, parts["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.losses = list(parts["losses"])


def weighted_loss(
    model: Any,  # noqa: ANN401
    ids: NDArray[np.int64],
    counts: NDArray[np.float32],
) -> torch.Tensor:
    """Mean -log p in nats of the tokens that count, each from those before it in its row."""
    tokens, weights = torch.from_numpy(ids), torch.from_numpy(counts)[:, 1:]
    logits = model(input_ids=tokens).logits[:, :-1]
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return (nats * weights.flatten()).sum() / weights.sum().clamp(min=1.0)


def write_byte_model(model: Any, folder: Path) -> None:  # noqa: ANN401
    """Write config.json and model.safetensors in half precision, as stock transformers reads
    them.
    """
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.half().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
