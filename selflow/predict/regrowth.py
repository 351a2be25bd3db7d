"""Where in a file agents are grown again, whose they are, and what they said before each step.

Agents belong to one owner: they are grown from that user's own steps and asked about that user's
own later steps alone. They are grown at fixed shares of the owner's steps, each time from all steps
before; between two growths the caller lets them adapt, predicting each step first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from selflow.core.errors import UsageError
from selflow.core.scores import LabelScores
from selflow.core.steps import Step
from selflow.predict.agents import VersionedExpert
from selflow.predict.experts import Expert

GROWN_FRACTIONS = (0.5, 0.7, 0.85)
"""Shares of an owner's steps after which agents are grown; the first is where judging begins."""
LEAST_STEPS = 300
"""An owner with fewer has no agents: half of them would be no past to learn from."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One growth of one owner's agents."""

    owner: int
    """Counted from 0, in the order of first steps among those who have agents."""
    owners: int
    steps: Sequence[Step]
    """The owner's steps up to the next growth: nothing later is known to whoever grows."""
    first: int
    """Agents are grown from the steps before it and asked from it on."""

    @property
    def predicted_steps(self) -> int:
        """Steps that the agents predict."""
        return len(self.steps) - self.first


@dataclass(frozen=True, slots=True)
class Answers:
    """What one agent says of each of a growth's steps from ``first`` on."""

    name: str
    said: Sequence[LabelScores]


@dataclass(frozen=True, slots=True)
class Grown:
    """What agents said of a stream, and which of its steps count."""

    is_judged: Sequence[bool]
    """By step; the first one is where agents enter."""
    agents: Sequence[Expert]


Grow = Callable[[Growth], Sequence[Answers]]


def grow_by_owner(steps: Sequence[Step], grow: Grow) -> Grown:
    """Grow agents at each fixed point of each owner's stream.

    Every owner's steps from the first point on are judged, with agents or without.

    Args:
        steps: In time order, of one user or of several.
        grow: Grows one owner's agents and asks them.

    Returns:
        One expert for each name, silent where no agent of that name exists, and from the first
        judged step on one answer for each step.

    Raises:
        UsageError: Nobody has enough steps.
    """
    indices = _indices(steps)
    is_judged = [False] * len(steps)
    for own in indices:
        for index in own[int(len(own) * GROWN_FRACTIONS[0]) :]:
            is_judged[index] = True
    said: dict[str, dict[int, LabelScores]] = {}
    for growth, own in _growths(steps, [own for own in indices if len(own) >= LEAST_STEPS]):
        for answers in grow(growth):
            by_index = said.setdefault(answers.name, {})
            by_index.update(zip(own[growth.first :], answers.said, strict=False))
    first = is_judged.index(True)
    agents = [
        VersionedExpert(name, [by_index.get(index) for index in range(first, len(steps))])
        for name, by_index in said.items()
    ]
    return Grown(is_judged, agents)


def _indices(steps: Sequence[Step]) -> list[list[int]]:
    """Each user's indices in the stream.

    Raises:
        UsageError: Nobody has enough of them.
    """
    indices: dict[str, list[int]] = {}
    for index, step in enumerate(steps):
        indices.setdefault(step.user, []).append(index)
    most = max(map(len, indices.values()), default=0)
    if most < LEAST_STEPS:
        raise UsageError(
            f"{most:,} steps of one user are too few to grow agents from",
            f"agents need {LEAST_STEPS:,}; leave out --agents",
        )
    return list(indices.values())


def _growths(
    steps: Sequence[Step], owners: Sequence[list[int]]
) -> Iterator[tuple[Growth, list[int]]]:
    for owner, indices in enumerate(owners):
        own = [steps[index] for index in indices]
        points = [int(len(own) * fraction) for fraction in GROWN_FRACTIONS]
        for first, last in zip(points, [*points[1:], len(own)], strict=True):
            yield Growth(owner, len(owners), own[:last], first), indices
