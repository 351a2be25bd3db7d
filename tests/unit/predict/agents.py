"""A scorer without a model, and scores that were recorded."""

from collections.abc import Sequence

import numpy as np

from selflow.core.errors import NotRunningError
from selflow.core.scores import LabelScores
from selflow.core.steps import Step
from selflow.predict.agents import RecordedExpert

LABELS = tuple(f"src/part{i % 3}/file{i}.py" for i in range(0, 40, 2))
"""Every second label of ``worlds.work``; some are long unknown, and many known ones have no token.
"""


class Parrot:
    """Says that the last step comes again; has a token for every second label."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.name = "parrot"
        self.is_broken = is_broken
        self.heard: list[tuple[list[Step], int]] = []

    def score(self, history: Sequence[Step], now_us: int) -> LabelScores:
        self.heard.append((list(history), now_us))
        if self.is_broken:
            raise NotRunningError("the model is away")
        last = history[-1].labels if history else ()
        p = np.array([0.02 + 0.5 * (label in last) for label in LABELS])
        whole = p.sum() + 0.2
        return LabelScores(LABELS, (p / whole).astype(np.float32), float(0.2 / whole))


def recorded(rows: int = 120, seed: int = 3) -> RecordedExpert:
    """Any scores, one row per step."""
    scores = (
        np.random.default_rng(seed)
        .dirichlet(np.ones(len(LABELS) + 1), size=rows)
        .astype(np.float32)
    )
    return RecordedExpert("tape", LABELS, scores[:, :-1], scores[:, -1])


def knowing(
    steps: Sequence[Step], labels: Sequence[str], sure: float = 0.9, name: str = "seer"
) -> RecordedExpert:
    """An agent that gives ``sure`` to the first label of the step that comes."""
    p = np.full((len(steps), len(labels)), 0.05 / len(labels), np.float32)
    for row, step in enumerate(steps):
        p[row, list(labels).index(step.labels[0])] += sure
    return RecordedExpert(name, tuple(labels), p, 1.0 - p.sum(axis=1))
