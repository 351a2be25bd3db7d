"""How likely a base, or an agent on it, holds each label to be in the next step."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from selflow.core.scores import HISTORY_STEPS, LabelScores
from selflow.core.steps import Step
from selflow.lm.encoding import WINDOW, Encoded, Ids, fill, windows
from selflow.lm.loaded import LoadedBase

CONTEXT = 128
"""Tokens that every target of a search has before it, or all of its past."""
BATCH = 16
"""Rows of one pass through the model."""
_WIDTH = 64
"""Rows of one pass are as long as the next multiple of this."""
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
    """What an agent (None: the base alone) says before each of ``steps[first:last]``.

    It reads what it would read live (``score_next``): the last ``HISTORY_STEPS`` steps before each.

    Args:
        loaded: A base of L labels, and the adapters on it.
        adapter: The adapter's name.
        steps: The stream, oldest first.
        first: The first step to score.
        last: One after the last step to score.
        batch: Rows of one pass through the model.

    Returns:
        (n, L) probabilities of the base's labels, and (n,) of all others; each row sums to 1.

    Cost: a pass over all those tokens for each step, 9 ms on one core for the embedded base.
    """
    rows = _histories(loaded, steps, first, last)
    size: int = loaded.model.config.hidden_size
    hidden = torch.zeros(len(rows) + -len(rows) % _ROWS, size, device=loaded.device)
    widths = np.array([-(-len(row) // _WIDTH) * _WIDTH for row in rows], np.int64)
    with torch.inference_mode():
        for width in np.unique(widths).tolist():
            alike = np.flatnonzero(widths == width)
            for begin in range(0, len(alike), batch):
                group = alike[begin : begin + batch].tolist()
                ids, ends = np.zeros((batch, width), np.int64), []
                for row, index in enumerate(group):
                    ids[row, : len(rows[index])] = rows[index]
                    ends.append(len(rows[index]) - 1)
                out = loaded.hidden(torch.from_numpy(ids).to(loaded.device), [adapter] * batch)
                hidden[group] = out[range(len(group)), ends]
    return _all_probabilities(loaded, hidden, last - first)


def _histories(loaded: LoadedBase, steps: Sequence[Step], first: int, last: int) -> list[Ids]:
    """The tokens that stand before the labels of each of ``steps[first:last]``."""
    encoded = loaded.encoder.encode(steps[:last])
    rows = []
    for index in range(first, last):
        begin = max(0, index - HISTORY_STEPS)
        ids = encoded.ids[encoded.starts[begin] : encoded.starts[index] + 2].copy()
        ids[0], _ = loaded.encoder.head(steps[begin].ts_us, None)
        rows.append(ids[-WINDOW:])
    return rows


def score_targets(
    loaded: LoadedBase,
    adapter: str | None,
    encoded: Encoded,
    targets: Sequence[int],
    batch: int = BATCH,
) -> tuple[Floats, Floats]:
    """What it says before any steps, in ascending order, from at least ``CONTEXT`` tokens before
    each, which several steps of one window share: an estimate for a search.

    Args:
        loaded: A base of L labels, and the adapters on it.
        adapter: The adapter's name; None is the base alone.
        encoded: The stream as tokens.
        targets: n steps, ascending.
        batch: Windows of one pass through the model.

    Returns:
        As ``score_steps``.

    Cost: 11,000 tokens of steps per second on one core for the embedded base; ``batch`` windows are
    read side by side.
    """
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
    return _all_probabilities(loaded, every, len(targets))


def score_next(
    loaded: LoadedBase, adapters: Sequence[str | None], history: Sequence[Step], now_us: int
) -> list[LabelScores]:
    """What each of these agents says of the step after ``history`` (oldest first), asked at
    ``now_us``.

    Cost: one pass for all; 14 ms for one agent on the embedded base and 24 steps (95 tokens).
    """
    recent = history[-HISTORY_STEPS:]
    head = loaded.encoder.head(now_us, recent[-1].ts_us if recent else None)
    ids = [*loaded.encoder.encode(recent).ids.tolist(), *head][-WINDOW:]
    with torch.inference_mode():
        rows = torch.tensor([ids] * len(adapters), device=loaded.device)
        every = _probabilities(loaded, loaded.hidden(rows, adapters)[:, -1])
    return [LabelScores(loaded.vocabulary.labels, p[:-1], float(p[-1])) for p in every]


def _all_probabilities(loaded: LoadedBase, hidden: torch.Tensor, n: int) -> tuple[Floats, Floats]:
    """The first ``n`` rows of hidden states (a multiple of _ROWS, D) as (n, L) probabilities of the
    labels and (n,) of all others.
    """
    with torch.inference_mode():
        parts = [
            _probabilities(loaded, hidden[begin : begin + _ROWS])
            for begin in range(0, max(1, len(hidden)), _ROWS)
        ]
    p = np.concatenate(parts)[:n]
    return p[:, :-1], p[:, -1]


def head_logits(loaded: LoadedBase, hidden: torch.Tensor) -> torch.Tensor:
    """Logits of what a step may hold.

    Args:
        loaded: A base of L labels.
        hidden: (k, D), of the last layer, where labels begin.

    Returns:
        (k, L + 1): the base's labels, and ``<text>`` for all others. Cost: O(k L D).
    """
    tokens = torch.tensor(
        [*loaded.vocabulary.label_ids, loaded.vocabulary.text_id], device=hidden.device
    )
    weight: torch.Tensor = loaded.model.get_output_embeddings().weight
    return hidden @ weight[tokens].T


def bits(p: Floats, other_p: Floats, truth: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """The log-loss of each step.

    Args:
        p: (n, L), probabilities of the base's labels.
        other_p: (n,), of all others.
        truth: n steps' members as ``StepEncoder.members`` gives them; L stands for all others.

    Returns:
        (n,), the mean over a step's members of -log2 p, in bits; a probability below 1e-30 counts
        as that. Cost: O(n L).
    """
    every = np.maximum(np.concatenate([p, other_p[:, None]], axis=1, dtype=np.float64), 1e-30)
    return np.array([-np.log2(row[own]).mean() for row, own in zip(every, truth, strict=True)])


def targets_loss(
    loaded: LoadedBase, hidden: torch.Tensor, truth: Sequence[Sequence[int]]
) -> torch.Tensor:
    """The loss of some targets, by the very rule that scores them (``bits``).

    Args:
        loaded: A base of L labels.
        hidden: (k, D), of the last layer, where the targets' labels begin.
        truth: k steps' members as ``StepEncoder.members`` gives them.

    Returns:
        A scalar in nats: the mean over the targets of the mean over a target's members of -log p.
    """
    log_p = torch.log_softmax(head_logits(loaded, hidden), -1)
    sizes = np.array([len(members) for members in truth])
    share = torch.from_numpy(1.0 / np.repeat(sizes, sizes) / len(truth)).to(log_p)
    return -(log_p[np.repeat(np.arange(len(truth)), sizes), np.concatenate(truth)] * share).sum()


def _probabilities(loaded: LoadedBase, hidden: torch.Tensor) -> Floats:
    return torch.softmax(head_logits(loaded, hidden).double(), -1).float().cpu().numpy()
