"""An agent's adapter: its data, and a training of it that can stop, go on, and start again on the
loaded base.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model

from selflow.core.errors import ArtifactError, ShapeError
from selflow.core.settings import LoraSettings
from selflow.core.training_steps import OnStep, StepReport
from selflow.lm.data import AgentData
from selflow.lm.encoding import fill, windows
from selflow.lm.loaded import MODULES, key, load_base, remove_adapter, write_adapter
from selflow.lm.lower_layers import LowerLayers, can_hold
from selflow.lm.scoring import bits, score_targets, targets_loss
from selflow.lm.training import Optimization

_CONTEXT = 64
"""Tokens before the first target of a window in training; fewer than in scoring, so that less is
read twice.
"""
Config = Mapping[str, float]
_NAME = "agent"
_STATE = "run.safetensors"


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a training is (``fraction`` of the full run), and how good its adapter.

    ``tune_bits`` is the mean over the tune steps of -log2 of their members' probability,
    ``train_loss_bits`` the same over the targets of the last twenty optimiser steps. ``tokens`` and
    ``steps`` are those so far.
    """

    fraction: float
    tune_bits: float
    train_loss_bits: float
    tokens: int
    steps: int


class LoraRun:
    """One adapter in training. The base is loaded once and never changes."""

    def __init__(
        self,
        base_folder: Path,
        data: AgentData,
        lora: LoraSettings,
        config: Config,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Load the base and begin, as ``reset`` says.

        Raises:
            ArtifactError: The folder is no base. ShapeError: There is nothing to learn or nothing
            to tune on.
        """
        if not data.train or not data.tune:
            raise ShapeError(
                f"not enough data for an agent: {len(data.train)} steps to learn from, "
                f"{len(data.tune)} to tune on"
            )
        self._loaded = load_base(base_folder, device)
        self._data, self._lora = data, lora
        self._encoded = self._loaded.encoder.encode(data.steps)
        self._truth = [self._loaded.encoder.members(step) for step in data.steps]
        self._windows = windows(self._encoded.starts, data.train, _CONTEXT)
        self.lower = self._read_lower()
        """What the layers below the adapter say, where that is the same in every epoch."""
        self.reset(config, seed)

    def reset(self, config: Config, seed: int) -> None:
        """Start again with a new adapter. ``config`` may name its ``learning_rate`` and ``rank``;
        alpha keeps its ratio to the rank. Source: LoRA, Hu et al. 2021, as PEFT implements it.
        """
        loaded, lora = self._loaded, self._lora
        remove_adapter(loaded, _NAME)
        rank, rate = (
            int(config.get("rank", lora.rank)),
            float(config.get("learning_rate", lora.learning_rate)),
        )
        adapter = LoraConfig(
            task_type="CAUSAL_LM",
            r=rank,
            lora_alpha=lora.alpha / lora.rank * rank,  # type: ignore[arg-type]
            lora_dropout=lora.dropout,
            target_modules=list(MODULES),
            layers_to_transform=list(range(self._cut, loaded.model.config.num_hidden_layers)),
            layers_pattern="layers",
        )
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            loaded.model = get_peft_model(loaded.model, adapter, adapter_name=key(_NAME))
        loaded.adapters.add(_NAME)
        self._per_epoch = math.ceil(len(self._windows) / lora.batch_size)
        self._descent = Optimization(
            loaded.model, f"an agent of rank {rank}", rate, 0.99, self._per_epoch * lora.epochs
        )
        names = f"{seed} {rank} {rate} {lora} {loaded.sha256} {list(self._data.train)}".encode()
        self._of = hashlib.sha256(names + self._encoded.ids.tobytes()).hexdigest()
        self._seed, self._tokens, self._epoch = seed, 0, -1

    def advance(
        self,
        to_fraction: float,
        should_stop: Callable[[], bool] | None = None,
        on_step: OnStep | None = None,
    ) -> Advance:
        """Train up to this part of the full run, or until ``should_stop`` says so between two
        steps; then score. ``on_step`` hears of each step.

        Raises:
            TrainingDivergedError: The loss is no number, or explodes.
        """
        descent, model = self._descent, self._loaded.model.train()
        while len(descent.losses) < math.ceil(to_fraction * descent.steps):
            if should_stop is not None and should_stop():
                break
            dropout_seed = np.random.SeedSequence([self._seed, len(descent.losses)]).generate_state(
                1
            )
            with torch.random.fork_rng(devices=()):
                # Dropout depends on the position in the run alone: nothing to save
                torch.manual_seed(int(dropout_seed[0]))
                descent.step(self._loss(*divmod(len(descent.losses), self._per_epoch)))
            if on_step is not None:
                done = len(descent.losses)
                on_step(StepReport(done, descent.steps, descent.losses[-1], self._tokens))
        model.eval()
        p, other_p = score_targets(self._loaded, _NAME, self._encoded, self._data.tune)
        tune_bits = float(bits(p, other_p, [self._truth[i] for i in self._data.tune]).mean())
        done, recent = len(descent.losses), descent.losses[-20:] or [tune_bits]
        return Advance(done / descent.steps, tune_bits, float(np.mean(recent)), self._tokens, done)

    def save(self, folder: Path) -> None:
        """Keep all that ``load`` needs to go on bit for bit."""
        self._descent.save(folder / _STATE, {"of": self._of, "tokens": self._tokens})

    def load(self, folder: Path) -> None:
        """Go on from what was saved.

        Raises:
            ArtifactError: Nothing was, or by a run of another base, data or configuration.
        """
        document = self._descent.load(folder / _STATE, self._of)
        if not document:
            raise ArtifactError(
                f"{folder.name} holds no state of this run", "start the search again"
            )
        self._tokens = document["tokens"]

    def export(self, folder: Path) -> None:
        """Write the adapter as PEFT reads it, with ``agent.json``."""
        write_adapter(self._loaded, _NAME, folder)

    @property
    def _cut(self) -> int:
        """The first layer that is adapted."""
        layers = int(self._loaded.model.config.num_hidden_layers)
        return 0 if self._lora.layers == "all" else layers - max(1, layers // 3)

    def _read_lower(self) -> LowerLayers | None:
        """None where every epoch reads other tokens (members are shuffled), or too many."""
        is_fixed = all(len(step.labels) == 1 for step in self._data.steps)
        if not (is_fixed and self._cut and can_hold(self._loaded, len(self._windows))):
            return None
        size = self._lora.batch_size
        return LowerLayers(self._loaded, self._cut, self._encoded, self._windows, size)

    def _loss(self, epoch: int, batch: int) -> torch.Tensor:
        """The loss of one batch of windows.

        Args:
            epoch: Counted from 0; each shuffles members and windows by a seed of its own.
            batch: Counted from 0 within the epoch.

        Returns:
            A scalar in nats: the mean over the batch's targets of the mean over a target's members
            of -log p. Cost: one forward pass of (batch_size, WINDOW) tokens, of the adapted layers
            alone where those below are held.
        """
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._shuffled = self._loaded.encoder.encode(self._data.steps, rng)
            self._order, self._epoch = rng.permutation(len(self._windows)), epoch
        size = self._lora.batch_size
        chosen = self._order[batch * size : (batch + 1) * size].tolist()
        group = [self._windows[i] for i in chosen]
        ids, rows, columns = fill(self._shuffled, group, len(group))
        self._tokens += ids.size
        if self.lower is not None:
            hidden = self.lower.hidden(chosen)
        else:
            hidden = self._loaded.hidden(torch.from_numpy(ids).to(self._loaded.device))
        truth = [self._truth[target] for window in group for target in window.targets]
        return targets_loss(self._loaded, hidden[rows, columns], truth)
