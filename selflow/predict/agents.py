"""Agents as experts of the pool: what a language model says of the next step, over the known labels
and NEW.

A label that the model has a token for gets the model's own chance, or gives it to NEW while nobody
knows the label. What the model leaves for all others (``other_p``) is shared by known labels
without a token, by decayed counts of how often they came, and NEW. A model that fails leaves
everything: then the
counts speak alone.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import SelFlowError, ShapeError
from selflow.core.scores import BASE_EXPERT, LabelScores, NextScorer
from selflow.predict.experts import View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats, Ids
from selflow.predict.vocabulary import Vocabulary

PREFIX = "agent:"
_DECAY = 2.0 ** (-1 / 200)
_PROPOSED = 16
_SILENCE = LabelScores((), np.zeros(0, np.float32), 1.0)


class RecentCounts:
    """What came, in counts that are worth half after 200 steps; a member counts its part of the
    step.
    """

    def __init__(self) -> None:
        self.decayed: Floats = np.zeros(0)  # by label id
        self.fresh = 0.0

    def learn(self, view: View, members: Sequence[int], fresh: int) -> None:
        missing = view.vocabulary.end - len(self.decayed)
        if missing > 0:
            self.decayed = np.concatenate([self.decayed, np.zeros(missing + len(self.decayed))])
        self.decayed *= _DECAY
        self.decayed[list(members)] += 1.0 / len(members)
        self.fresh = self.fresh * _DECAY + fresh / len(members)

    def forget(self, gone: frozenset[int]) -> None:
        self.decayed[[y for y in gone if y < len(self.decayed)]] = 0.0

    def state(self) -> Packed:
        return [pack_array(self.decayed), self.fresh]

    def load_state(self, packed: Packed) -> None:
        decayed, self.fresh = packed
        self.decayed = unpack_array(decayed)


class AgentExpert(RecentCounts):
    """A language model as an expert: an agent, or the base alone."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.names = (name if name == BASE_EXPERT else PREFIX + name,)

    def begin(self, past: RecentCounts) -> None:
        """Enter a pool that has learned before: what came then counts as if it had been there."""
        self.decayed, self.fresh = past.decayed.copy(), past.fresh


class ModelExpert(AgentExpert):
    """An agent that is asked as it goes; ``failures`` counts the questions that its scorer could
    not answer.
    """

    def __init__(self, scorer: NextScorer) -> None:
        super().__init__(scorer.name)
        self._scorer = scorer
        self.failures = 0

    def ask(self, view: View) -> "AgentAnswer":
        try:
            scores = self._scorer.score(view.steps(), view.now_us)
        except SelFlowError:
            self.failures += 1
            scores = _SILENCE
        return AgentAnswer(scores, self, view.vocabulary)


class RecordedExpert(AgentExpert):
    """An agent whose scores were made beforehand, in batches: one row per step, in the order of
    learning.

    ``p`` (n, L) are the chances of ``labels``, ``other_p`` (n,) is the rest of each row.
    """

    def __init__(
        self,
        name: str,
        labels: tuple[str, ...],
        p: NDArray[np.float32],
        other_p: NDArray[np.floating],
    ) -> None:
        super().__init__(name)
        self._record = name, labels, p, other_p
        self._row = 0

    def anew(self) -> "RecordedExpert":
        """The same record from its first row on; nothing counted."""
        return RecordedExpert(*self._record)

    def ask(self, view: View) -> "AgentAnswer":
        name, labels, p, other_p = self._record
        if self._row >= len(p):
            raise ShapeError(
                f"{name} was recorded for {len(p):,} steps",
                "record it for every step that it is asked",
            )
        return AgentAnswer(
            LabelScores(labels, p[self._row], float(other_p[self._row])), self, view.vocabulary
        )

    def learn(self, view: View, members: Sequence[int], fresh: int) -> None:
        super().learn(view, members, fresh)
        self._row += 1

    def state(self) -> Packed:
        return [*super().state(), self._row]

    def load_state(self, packed: Packed) -> None:
        *counts, self._row = packed
        super().load_state(counts)


class AgentAnswer:
    """One agent's forecast at one moment. Cost: about 50 us for 2,000 labels."""

    def __init__(self, scores: LabelScores, seen: RecentCounts, vocabulary: Vocabulary) -> None:
        places = vocabulary.places(scores.labels)
        p = scores.p.astype(np.float64)
        whole = float(p.sum()) + scores.other_p
        is_known, left = places >= 0, scores.other_p / whole
        self._places, self._p = places[is_known], p[is_known] / whole
        others = len(vocabulary) - len(self._places)
        counts = np.zeros(vocabulary.end)
        counts[: len(seen.decayed)] = seen.decayed[: len(counts)]
        counts[self._places] = 0.0
        total = float(counts.sum())
        new = (seen.fresh + 0.5) / (max(total, seen.fresh) + 1.0) if others else 1.0
        self._curve = (counts + 1.0 / max(1, others)) * (left * (1.0 - new) / (total + 1.0))
        self._curve[self._places] = self._p
        self._fresh = np.array([left * new + float(p[~is_known].sum()) / whole])

    def candidates(self) -> list[int]:
        found: list[int] = self._places[np.argsort(-self._p, kind="stable")[:_PROPOSED]].tolist()
        return found

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        return self._curve[ids][None], self._fresh
