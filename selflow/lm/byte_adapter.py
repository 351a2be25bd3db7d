"""A LoRA adapter of the byte model that goes on learning, a few steps at a time."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load, save
from transformers import AutoModelForCausalLM
from transformers.utils import logging as hf_logging

from selflow.core.errors import ArtifactError
from selflow.core.lora import Float32s, LoraAdapter
from selflow.core.ports import TokenRow
from selflow.lm.byte_training import weighted_loss
from selflow.lm.loaded import MODULES

WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """How the adapter learns; rank and rate were fitted on people whom no bench scores."""

    rank: int = 8
    rate: float = 6e-3
    steps: int = 2
    """Optimiser steps of one call of ``learn``."""
    seed: int = 1


class ByteTuner:
    """One owner's adapter in training; the base never changes."""

    def __init__(
        self, folder: Path, plan: AdapterPlan | None = None, start: LoraAdapter | None = None
    ) -> None:
        """An adapter that has learned nothing of its owner.

        Args:
            folder: The base as transformers writes it.
            plan: How it learns.
            start: An adapter of the same base to begin with; without it the base alone.

        Raises:
            ArtifactError: ``start`` was trained on another base.
        """
        hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._plan = plan or AdapterPlan()
        self._base_sha256 = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=self._plan.rank,
            lora_alpha=self._plan.rank,
            target_modules=list(MODULES),
        )
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self._plan.seed)
            self._model = get_peft_model(base, config)
        if start is not None:
            self._begin_with(start)
        self._learned = [held for held in self._model.parameters() if held.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._learned, lr=self._plan.rate, betas=(0.9, 0.99), weight_decay=0.0
        )

    def learn(self, rows: Sequence[TokenRow]) -> LoraAdapter:
        """A few steps on these rows, and the adapter after them.

        Cost: ``steps`` passes forward and back over all tokens.
        """
        length = max(len(ids) for ids, _ in rows)
        ids = np.zeros((len(rows), length), np.int64)
        counts = np.zeros((len(rows), length), np.float32)
        for index, (tokens, weights) in enumerate(rows):
            ids[index, : len(tokens)], counts[index, : len(weights)] = tokens, weights
        for _ in range(self._plan.steps):
            weighted_loss(self._model, ids, counts).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._learned, 1.0)
            self._optimizer.step()
            self._optimizer.zero_grad()
        return self.adapter()

    def adapter(self) -> LoraAdapter:
        """As it is now."""
        factors = {}
        for matrix, module in self._adapted_modules():
            down, up = (
                held["default"].weight.detach().numpy().copy()
                for held in (module.lora_A, module.lora_B)
            )
            factors[matrix] = (down, up * module.scaling["default"])
        return LoraAdapter(self._base_sha256, factors)

    def state(self) -> bytes:
        """The adapter and its optimiser's moments."""
        tensors = {f"p{index}": held.detach() for index, held in enumerate(self._learned)}
        for index, held in enumerate(self._learned):
            for name, moment in self._optimizer.state[held].items():
                tensors[f"{name}{index}"] = moment.reshape(-1).clone()
        return save(tensors)

    def load_state(self, state: bytes) -> None:
        """Go on from what ``state`` gave."""
        tensors = load(state)
        for index, held in enumerate(self._learned):
            held.data.copy_(tensors[f"p{index}"])
            moments = {
                name: tensors[f"{name}{index}"]
                for name in ("step", "exp_avg", "exp_avg_sq")
                if f"{name}{index}" in tensors
            }
            self._optimizer.state[held] = {
                name: moment.reshape(() if name == "step" else held.shape)
                for name, moment in moments.items()
            }

    def _begin_with(self, start: LoraAdapter) -> None:
        """What ``start`` adds is added here too, as far as the rank allows."""
        if start.base_sha256 != self._base_sha256:
            raise ArtifactError(
                f"the adapter to start from belongs to the base {start.base_sha256[:12]}, "
                f"not to {self._base_sha256[:12]}",
                "start from the base",
            )
        for matrix, module in self._adapted_modules():
            down, up = of_rank(*start.factors[matrix], self._plan.rank)
            rank, scale = len(down), module.scaling["default"]
            module.lora_A["default"].weight.data[:rank] = torch.from_numpy(down)
            module.lora_B["default"].weight.data[:, :rank] = torch.from_numpy(up / scale)

    def _adapted_modules(self) -> Iterator[tuple[str, Any]]:
        """The modules that PEFT has wrapped, by the name of the base's matrix."""
        for name, module in self._model.named_modules():
            if hasattr(module, "lora_A"):
                yield name.removeprefix("base_model.model.") + ".weight", module


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
