"""What a language model says of the next step, in values that any floor may hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import Step

BASE_EXPERT = "lm_base"
"""Name of the base alone among the experts; no agent can bear it, for its underscore."""
HISTORY_STEPS = 24
"""What a model hears of the past, when it is judged and when it serves: the user's last steps."""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """The chances that a member of the next step is each of these labels; together with ``other_p``
    they sum to 1.
    """

    labels: tuple[str, ...]
    """Labels that the model has a token for; the same tuple in every answer of one base."""
    p: NDArray[np.float32]
    """(len(labels),)"""
    other_p: float
    """Everything the model has no token for: labels it was never shown, and labels too rare for a
    token.
    """


class NextScorer(Protocol):
    """One agent (or the base) as a judge of what comes next: ``selflow.lm`` makes it,
    ``selflow.predict`` asks it.
    """

    @property
    def name(self) -> str:
        """The agent's name."""
        ...

    def score(self, history: Sequence[Step], now_us: int) -> LabelScores:
        """The next step after ``history`` (oldest first), asked at ``now_us``."""
        ...
