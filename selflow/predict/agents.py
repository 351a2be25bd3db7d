"""Agents as experts of the pool: what a language model says of the next step, over the known labels
and NEW.

A label that the model has a token for gets the model's own probability, or gives it to NEW while
nobody knows the label. What the model leaves for all others (``other_p``) is shared by known labels
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
"""Per step: a half-life of 200 steps."""
_PROPOSED = 16
_SILENCE = LabelScores((), np.zeros(0, np.float32), 1.0)


class RecentCounts:
    """What came, in counts with a half-life of 200 steps; a member of a step of n counts 1 / n.

    ``decayed`` holds them by label id, ``decayed_new`` is that of labels when they were new. Cost:
    O(labels) per step.
    """

    def __init__(self) -> None:
        self.decayed: Floats = np.zeros(0)
        self.decayed_new = 0.0

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        missing = view.vocabulary.end - len(self.decayed)
        if missing > 0:
            self.decayed = np.concatenate([self.decayed, np.zeros(missing + len(self.decayed))])
        self.decayed *= _DECAY
        self.decayed[list(members)] += 1.0 / len(members)
        self.decayed_new = self.decayed_new * _DECAY + n_new / len(members)

    def forget(self, gone: frozenset[int]) -> None:
        self.decayed[[y for y in gone if y < len(self.decayed)]] = 0.0

    def state(self) -> Packed:
        return [pack_array(self.decayed), self.decayed_new]

    def load_state(self, packed: Packed) -> None:
        decayed, self.decayed_new = packed
        self.decayed = unpack_array(decayed)


class AgentExpert(RecentCounts):
    """A language model as an expert: an agent, or the base alone."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.names = (name if name == BASE_EXPERT else PREFIX + name,)

    def begin(self, past: RecentCounts) -> None:
        """Enter a pool that has learned before: what came then counts as if it had been there."""
        self.decayed, self.decayed_new = past.decayed.copy(), past.decayed_new


class ModelExpert(AgentExpert):
    """An agent whose scorer is called at each step; ``failures`` counts the calls that failed."""

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


class _RowExpert(AgentExpert):
    """An agent whose answers were computed beforehand, one row per step; it knows its row."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._row = 0

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        super().learn(view, members, n_new)
        self._row += 1

    def state(self) -> Packed:
        return [*super().state(), self._row]

    def load_state(self, packed: Packed) -> None:
        *counts, self._row = packed
        super().load_state(counts)


class RecordedExpert(_RowExpert):
    """An agent whose scores were computed beforehand, in batches: one row per step, in the order of
    learning.

    ``p`` (n, L) are the probabilities of ``labels``, ``other_p`` (n,) is the rest of each row.
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

    def rewound(self) -> "RecordedExpert":
        """A copy at the first row of the record, without counts."""
        return RecordedExpert(*self._record)

    def ask(self, view: View) -> "AgentAnswer":
        name, labels, p, other_p = self._record
        if self._row >= len(p):
            raise ShapeError(
                f"the recorded scores of {name} end after {len(p):,} steps",
                "record scores for every step of the replay",
            )
        return AgentAnswer(
            LabelScores(labels, p[self._row], float(other_p[self._row])), self, view.vocabulary
        )


class VersionedExpert(_RowExpert):
    """An agent that is grown again and again, for several owners: at each step it says what the
    version of that step's owner said beforehand.

    ``said`` has one entry per step, in the order of learning; None where nobody has such an agent.
    """

    def __init__(self, name: str, said: Sequence[LabelScores | None]) -> None:
        super().__init__(name)
        self._said = said

    def said_at(self, row: int) -> LabelScores | None:
        """What was said of a step, counted from where it entered."""
        return self._said[row]

    def ask(self, view: View) -> "AgentAnswer":
        return AgentAnswer(self.said_at(self._row) or _SILENCE, self, view.vocabulary)


class AgentAnswer:
    """One agent's forecast at one moment, over the L labels of its base and all known ones.

    ``seen`` shares what the model leaves for all other labels. Cost: O(L + known labels), about
    50 us for 2,000 labels.
    """

    def __init__(self, scores: LabelScores, seen: RecentCounts, vocabulary: Vocabulary) -> None:
        ids = vocabulary.ids(scores.labels)
        p = scores.p.astype(np.float64)
        whole = float(p.sum()) + scores.other_p
        is_known, left = ids >= 0, scores.other_p / whole
        self._ids, self._p = ids[is_known], p[is_known] / whole
        others = len(vocabulary) - len(self._ids)
        counts = np.zeros(vocabulary.end)
        counts[: len(seen.decayed)] = seen.decayed[: len(counts)]
        counts[self._ids] = 0.0
        total = float(counts.sum())
        new = (seen.decayed_new + 0.5) / (max(total, seen.decayed_new) + 1.0) if others else 1.0
        self._curve = (counts + 1.0 / max(1, others)) * (left * (1.0 - new) / (total + 1.0))
        self._curve[self._ids] = self._p
        self._p_new = np.array([left * new + float(p[~is_known].sum()) / whole])

    def candidates(self) -> list[int]:
        likely: list[int] = self._ids[np.argsort(-self._p, kind="stable")[:_PROPOSED]].tolist()
        return likely

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        return self._curve[ids][None], self._p_new
