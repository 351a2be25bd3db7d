"""What an expert is: anything that returns a distribution over the known labels and NEW."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, Self

import numpy as np

from selflow.core.steps import Step
from selflow.predict.packing import Packed
from selflow.predict.table import Floats, Ids
from selflow.predict.vocabulary import Vocabulary

MAX_MEMBERS = 12
"""Of a step that serves as context at most so many labels count: a commit of hundreds is one
context, not hundreds.
"""


@dataclass(frozen=True)
class View:
    """What may be known when the next step is asked for. Nothing in it is from later."""

    user: int
    now_us: int
    history: tuple[tuple[int, ...], ...]
    """The user's last 24 steps as label ids, the latest last."""
    recent: tuple[int, ...]
    """The user's labels, the one used last first; at most 64."""
    vocabulary: Vocabulary
    moments: tuple[int, ...] = ()
    """When each step of the history was."""

    def steps(self) -> list[Step]:
        """The history in texts; labels that were forgotten are left out."""
        label = self.vocabulary.label
        past = zip(self.moments, self.history, strict=True)
        return [Step(ts_us, tuple(map(label, members))) for ts_us, members in past if members]

    @cached_property
    def gap(self) -> float:
        """Log of the seconds since the user's last step, over ten."""
        since_us = self.now_us - self.moments[-1] if self.moments else 0
        return math.log1p(max(0.0, since_us / 1e6)) / 10.0

    @cached_property
    def rank(self) -> dict[int, int]:
        """Where each of the ``recent`` labels stands."""
        return {y: index for index, y in enumerate(self.recent)}

    @cached_property
    def last(self) -> tuple[int, ...]:
        """The members of the last step."""
        return self.history[-1][:MAX_MEMBERS] if self.history else ()

    @cached_property
    def before(self) -> tuple[int, ...]:
        """The members of the step before the last."""
        return self.history[-2][:MAX_MEMBERS] if len(self.history) > 1 else ()

    @cached_property
    def third(self) -> tuple[int, ...]:
        """The members of the third step from the end."""
        return self.history[-3][:MAX_MEMBERS] if len(self.history) > 2 else ()


class Answer(Protocol):
    """One expert's forecast on one view; may hold several distributions (variants)."""

    def candidates(self) -> Sequence[int]:
        """Label ids that are likely; together with the other experts' they are what is ranked."""
        ...

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        """The probabilities of some labels and of NEW, for k variants.

        Args:
            ids: (n,), known labels.

        Returns:
            (k, n) and (k,). Over all known labels and NEW each variant sums to 1.
        """
        ...


class Distributions(NamedTuple):
    """What k variants of experts say of m known labels and of NEW, one row per variant."""

    p: Floats
    """(k, m)"""
    p_new: Floats
    """(k,)"""

    @classmethod
    def of(cls, answers: Iterable[Answer], ids: Ids) -> Self:
        """Those of all answers, one after the other. Cost: that of the answers."""
        scores = [cls(*answer.score(ids)) for answer in answers]
        if not scores:
            return cls(np.zeros((0, len(ids))), np.zeros(0))
        return cls(
            np.concatenate([score.p for score in scores]),
            np.concatenate([score.p_new for score in scores]),
        )


class ListedAnswer:
    """Listed labels with a probability each, one for every other known label, and NEW."""

    def __init__(
        self, rank: dict[int, int], curve: Floats, p_new: float, proposed: Sequence[int]
    ) -> None:
        """Take the distribution.

        Args:
            rank: By label id, its index in the curve.
            curve: (listed + 1,): their probabilities, then that of each label that is not listed.
            p_new: The probability of NEW.
            proposed: Label ids of likely candidates.
        """
        self._rank, self._curve, self._p_new, self._proposed = rank, curve, p_new, proposed

    def candidates(self) -> Sequence[int]:
        return self._proposed

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        end = len(self._rank)
        return self._curve.take([[self._rank.get(y, end) for y in ids.tolist()]]), np.array(
            [self._p_new]
        )


class Expert(Protocol):
    """A learner of what comes next. ``learn`` gets the outcome of every step: full feedback."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name per variant."""
        ...

    def ask(self, view: View) -> Answer:
        """A forecast; no state changes."""
        ...

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        """The step that came: its distinct label ids, known ones first; the last ``n_new`` of them
        are new.
        """
        ...

    def forget(self, gone: frozenset[int]) -> None:
        """Drop all that is known under these ids: they may be given to other labels."""
        ...

    def state(self) -> Packed:
        """The state as msgpack values."""
        ...

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave."""
        ...
