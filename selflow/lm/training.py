"""Descending a loss, keeping its state over a restart, and the training of a base out of whole
epochs.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn import functional

from selflow.core.clock import Clock
from selflow.core.errors import TrainingDivergedError
from selflow.core.events import Json
from selflow.core.settings import LmSettings
from selflow.core.training_steps import OnStep, StepReport
from selflow.lm.encoding import Ids
from selflow.lm.tiny import UntrainedBase

HEAD_WEIGHT = 0.1
"""What the loss on gaps and hours counts for in a base; labels and words count 1."""
_EXPLODED = 3.0


class Optimization:
    """AdamW over the weights that require a gradient, for a number of steps known beforehand, saved
    in one file.
    """

    def __init__(
        self, model: torch.nn.Module, what: str, rate: float, beta2: float, steps: int
    ) -> None:
        """``what`` names the training in errors. The learning rate rises over a twentieth of
        ``steps``, then falls.
        """
        self._weights = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self._optimiser = torch.optim.AdamW(
            self._weights.values(), rate, (0.9, beta2), weight_decay=0.0, fused=True
        )
        self._what, self._rate, self.steps = what, rate, steps
        self.losses: list[float] = []
        """Bits, one per step so far."""

    def step(self, loss: torch.Tensor) -> None:
        """Go one step down.

        Raises:
            TrainingDivergedError: The loss is no number, or its mean over 20 steps is three times
            that of the first.
        """
        self.losses.append(loss.item() / math.log(2))
        recent, done = float(np.mean(self.losses[-20:])), len(self.losses)
        if not recent <= _EXPLODED * max(1.0, self.losses[0]):  # NaN is not less than anything
            raise TrainingDivergedError(self._what, f"learning rate {self._rate:.2e}")
        share = min(1.0, 20 * done / self.steps, 1.0 - 0.95 * (done - 1) / self.steps)
        self._optimiser.param_groups[0]["lr"] = self._rate * share
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._weights.values(), 1.0)
        self._optimiser.step()

    def save(self, path: Path, document: Mapping[str, Json]) -> None:
        """Write weights, moments, losses and a document into one safetensors file, whole or not at
        all.
        """
        state = self._optimiser.state_dict()["state"]
        tensors = {
            f"{key}/{index}": value
            for index, moments in state.items()
            for key, value in moments.items()
        }
        tensors |= {f"weight/{name}": weight.detach() for name, weight in self._weights.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            tensors,
            path.with_suffix(".new"),
            {"selflow": json.dumps({**document, "losses": self.losses})},
        )
        path.with_suffix(".new").replace(path)

    def load(self, path: Path, of: str) -> dict[str, Any]:
        """Go on from a saved state whose document says the same ``of``; without one ``{}``, and
        nothing changes.
        """
        try:
            with safe_open(path, "pt") as file:
                document: dict[str, Any] = json.loads(file.metadata()["selflow"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return {}
        if document["of"] != of:
            return {}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "weight":
                self._weights[rest].data.copy_(tensor)
            else:
                moments.setdefault(int(rest), {})[kind] = tensor
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": moments})
        self.losses = document["losses"]
        return document


@dataclass(frozen=True, slots=True)
class BaseReport:
    """How a base was made: ``tokens`` are those of one epoch, losses bits per token over ten
    optimiser steps each.
    """

    name: str
    parameters: int
    labels: int
    tokens: int
    epochs: int
    loss_first: float
    loss_last: float
    seconds: float

    def document(self) -> dict[str, Json]:
        """For the cycle's journal."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a base reads: (N, T) tokens of each epoch, as many in each; how many rows at once; how
    fast it learns.
    """

    origin: str
    blocks: Callable[[int], Ids]
    batch: int
    rate: float


def train_base(
    draft: UntrainedBase,
    plan: TrainingPlan,
    settings: LmSettings,
    device: str,
    out: Path,
    clock: Clock,
    on_step: OnStep,
) -> BaseReport:
    """Train what requires a gradient and write the base to ``out``, as ``grow_tiny`` says."""
    began_s, blocks, state = (
        clock.monotonic_s(),
        plan.blocks(0),
        out / "partial" / "state.safetensors",
    )
    of = f"{plan.origin} {settings.base_epochs} {draft.vocabulary}"
    of = hashlib.sha256(of.encode() + blocks.tobytes()).hexdigest()
    per_epoch = math.ceil(len(blocks) / plan.batch)
    model = draft.model.to(device).train()
    descent = Optimization(
        model,
        f"the base {draft.vocabulary.name}",
        plan.rate,
        0.95,
        per_epoch * settings.base_epochs,
    )
    before_s = spent_s = float(descent.load(state, of).get("spent_s", 0.0))
    done, read = len(descent.losses) // per_epoch, 0
    while done < settings.base_epochs and (
        done == 0 or spent_s * (done + 1) / done <= settings.base_budget_s
    ):
        for part in np.split(plan.blocks(done), range(plan.batch, len(blocks), plan.batch)):
            descent.step(_loss(draft, torch.from_numpy(part).to(device)))
            read += part.size
            on_step(StepReport(len(descent.losses), descent.steps, descent.losses[-1], read))
        done, spent_s = done + 1, before_s + clock.monotonic_s() - began_s
        descent.save(state, {"of": of, "spent_s": spent_s})
    draft.write(out)
    shutil.rmtree(state.parent)
    first, last = (float(np.mean(few)) for few in (descent.losses[:10], descent.losses[-10:]))
    labels = len(draft.vocabulary.labels)
    return BaseReport(
        draft.vocabulary.name,
        model.num_parameters(),
        labels,
        blocks.size,
        done,
        first,
        last,
        spent_s,
    )


def _loss(draft: UntrainedBase, ids: torch.Tensor) -> torch.Tensor:
    logits = draft.model(ids, use_cache=False).logits[:, :-1]
    counts = torch.ones(logits.shape[-1], device=ids.device)
    counts[[*draft.vocabulary.gap_ids, *draft.vocabulary.hour_ids]] = HEAD_WEIGHT
    return functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), weight=counts)
