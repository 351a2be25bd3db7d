"""How likely a base, or an agent on it, holds each label to be in the next step."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from selflow.core.scores import LabelScores
from selflow.core.steps import Step
from selflow.lm.encoding import WINDOW, Encoded, fill, windows
from selflow.lm.loaded import LoadedBase

CONTEXT = 128
"""Tokens that every scored step has before it, or all of its past."""
BATCH = 16
_ROWS = 256
"""Rows of one product with the label tokens. No product's shape depends on how many steps there
are: only then are a
step's scores the same bits whatever comes later."""

Floats = NDArray[np.float32]


def score_steps(
    loaded: LoadedBase,
    adapter: str | None,
    steps: Sequence[Step],
    first: int,
    last: int,
    batch: int = BATCH,
) -> tuple[Floats, Floats]:
    """What an agent (None: the base alone) says before each of ``steps[first:last]``, from the
    steps before it.

    Returns:
        (n, L) chances of the base's labels, and (n,) of all others; each row sums to 1.

    Cost: 11,000 tokens of steps per second on one core for the embedded base.
    """
    return score_targets(
        loaded, adapter, loaded.lines.encode(steps[:last]), range(first, last), batch
    )


def score_targets(
    loaded: LoadedBase,
    adapter: str | None,
    encoded: Encoded,
    targets: Sequence[int],
    batch: int = BATCH,
) -> tuple[Floats, Floats]:
    """The same for any steps, in ascending order; ``batch`` windows are read side by side."""
    cut, hidden = windows(encoded.starts, targets, CONTEXT), []
    with torch.inference_mode():
        for begin in range(0, len(cut), batch):
            ids, rows, columns = fill(encoded, cut[begin : begin + batch], batch)
            hidden.append(
                loaded.hidden(torch.from_numpy(ids).to(loaded.device), [adapter] * batch)[
                    rows, columns
                ]
            )
        hidden.append(
            torch.zeros(
                -len(targets) % _ROWS, loaded.model.config.hidden_size, device=loaded.device
            )
        )
        every = torch.cat(hidden)
        parts = [
            _chances(loaded, every[begin : begin + _ROWS])
            for begin in range(0, max(1, len(every)), _ROWS)
        ]
    p = np.concatenate(parts)[: len(targets)]
    return p[:, :-1], p[:, -1]


def score_next(
    loaded: LoadedBase, adapters: Sequence[str | None], history: Sequence[Step], now_us: int
) -> list[LabelScores]:
    """What each of these agents says of the step after ``history`` (oldest first), asked at
    ``now_us``.

    Cost: one pass for all; 14 ms for one agent on the embedded base and 24 steps (95 tokens).
    """
    recent = history[-WINDOW:]
    head = loaded.lines.head(now_us, recent[-1].ts_us if recent else None)
    ids = [*loaded.lines.encode(recent).ids.tolist(), *head][-WINDOW:]
    with torch.inference_mode():
        rows = torch.tensor([ids] * len(adapters), device=loaded.device)
        every = _chances(loaded, loaded.hidden(rows, adapters)[:, -1])
    return [LabelScores(loaded.epoch.labels, p[:-1], float(p[-1])) for p in every]


def head_logits(loaded: LoadedBase, hidden: torch.Tensor) -> torch.Tensor:
    """(k, L + 1) for hidden states (k, D) where labels begin: the base's labels, and ``<text>`` for
    all others.
    """
    tokens = torch.tensor([*loaded.epoch.label_ids, loaded.epoch.text_id], device=hidden.device)
    weight: torch.Tensor = loaded.model.get_output_embeddings().weight
    return hidden @ weight[tokens].T


def bits(p: Floats, other_p: Floats, truth: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """(n,) mean over a step's members (``StepEncoder.members``) of -log2 of their chance."""
    every = np.maximum(np.concatenate([p, other_p[:, None]], axis=1, dtype=np.float64), 1e-30)
    return np.array([-np.log2(row[own]).mean() for row, own in zip(every, truth, strict=True)])


def _chances(loaded: LoadedBase, hidden: torch.Tensor) -> Floats:
    return torch.softmax(head_logits(loaded, hidden).double(), -1).float().cpu().numpy()
