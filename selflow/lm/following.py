"""An adapter that follows its owner: it predicts each step first, then learns it in small steps.

Between two whole trainings this keeps it near what its owner does now. Steps are predicted in
blocks of ``EVERY_STEPS``; after each block the adapter goes one step down on that block and on an
earlier one, drawn at random, so that it does not forget.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from selflow.core.errors import TrainingDivergedError
from selflow.core.scores import HISTORY_STEPS
from selflow.core.steps import Step
from selflow.lm.encoding import fill, windows
from selflow.lm.loaded import LoadedBase, key
from selflow.lm.scoring import BATCH, Floats, score_steps, targets_loss

EVERY_STEPS = BATCH
"""Steps between two times that it learns; one pass of the model scores them."""
RATE_FRACTION = 0.1
"""Of the learning rate that won the search: small steps."""
_CONTEXT = 64
"""Tokens before the first step that is learned from, as in a whole training."""


def follow(
    loaded: LoadedBase,
    adapter: str,
    steps: Sequence[Step],
    is_own: Sequence[bool],
    first: int,
    *,
    learning_rate: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """What an adapter says before each of ``steps[first:]`` while it learns from those before.

    Args:
        loaded: A base of L labels with the adapter on it, which is changed.
        adapter: The adapter's name.
        steps: The stream, oldest first.
        is_own: Whether each step is one that the adapter learns from.
        first: The first step to score.
        learning_rate: What the adapter was trained with.
        seed: Draws the earlier blocks.

    Returns:
        As ``score_steps``: (n, L) and (n,). Nothing depends on a later step.

    Raises:
        TrainingDivergedError: The loss is no number.

    Cost: of ``score_steps``, and two passes and a gradient of each for every ``EVERY_STEPS`` steps.
    """
    optimiser = torch.optim.Adam(
        _weights(loaded, adapter), learning_rate * RATE_FRACTION, (0.9, 0.99)
    )
    scores = []
    for begin in range(first, len(steps), EVERY_STEPS):
        end = min(begin + EVERY_STEPS, len(steps))
        since = max(0, begin - HISTORY_STEPS)
        scores.append(score_steps(loaded, adapter, steps[since:end], begin - since, end - since))
        if end < len(steps):
            _learn(loaded, adapter, steps, _blocks(is_own, begin, end, seed), optimiser)
    p, other_p = zip(*scores, strict=True)
    return np.concatenate(p), np.concatenate(other_p)


def _blocks(is_own: Sequence[bool], begin: int, end: int, seed: int) -> Iterator[list[int]]:
    """The steps to learn from: the owner's of the newest block, and of an earlier one."""
    earlier = int(np.random.default_rng([seed, begin]).integers(0, max(1, begin - EVERY_STEPS + 1)))
    for since, until in ((begin, end), (earlier, min(earlier + EVERY_STEPS, begin))):
        if own := [index for index in range(since, until) if is_own[index]]:
            yield own


def _learn(
    loaded: LoadedBase,
    adapter: str,
    steps: Sequence[Step],
    blocks: Iterator[list[int]],
    optimiser: torch.optim.Optimizer,
) -> None:
    losses = [_loss(loaded, adapter, steps, own) for own in blocks]
    if not losses:
        return
    loss = torch.stack(losses).mean()
    if not torch.isfinite(loss):
        rate = optimiser.param_groups[0]["lr"]
        raise TrainingDivergedError("an agent online", f"learning rate {rate:.2e}")
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()


def _loss(
    loaded: LoadedBase, adapter: str, steps: Sequence[Step], own: Sequence[int]
) -> torch.Tensor:
    """The loss on these steps behind what came before them, in nats per step."""
    since = max(0, own[0] - HISTORY_STEPS)
    encoded = loaded.encoder.encode(steps[since : own[-1] + 1])
    group = windows(encoded.starts, [index - since for index in own], _CONTEXT)
    ids, rows, columns = fill(encoded, group, len(group))
    tokens = torch.from_numpy(ids).to(loaded.device)
    hidden = loaded.hidden(tokens, [adapter] * len(group))[rows, columns]
    return targets_loss(loaded, hidden, [loaded.encoder.members(steps[index]) for index in own])


def _weights(loaded: LoadedBase, adapter: str) -> list[torch.nn.Parameter]:
    """The adapter's own weights, made to learn; those of the base and of other agents stand."""
    weights = [
        weight for name, weight in loaded.model.named_parameters() if f".{key(adapter)}." in name
    ]
    for weight in weights:
        weight.requires_grad_()
    return weights
