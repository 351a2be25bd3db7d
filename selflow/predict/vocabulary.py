"""Labels as small numbers, with what their text tells."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import label_event
from selflow.predict.packing import Packed
from selflow.predict.table import Floats, Ids

_TOKEN = re.compile(r"[a-z]+|[0-9]+")
_MAX_PAIRS = 200_000


@dataclass(frozen=True, slots=True)
class Traits:
    """What a label's text tells: its folder and extension (hashed to 20 bits; 0 is none) and its
    name's words.
    """

    kind: str
    folder: int
    extension: int
    tokens: frozenset[str]


def traits_of(label: str) -> Traits:
    """The traits of a label: of its subject, if it is an event's label."""
    kind, subject = label_event(label)
    folder, _, name = subject.rpartition("/")
    extension = name.rpartition(".")[2] if "." in name else ""
    return Traits(
        kind, _hash20(folder), _hash20(extension), frozenset(_TOKEN.findall(subject.lower()))
    )


def _hash20(text: str) -> int:
    return zlib.crc32(text.encode()) & 0xFFFFF if text else 0


class Vocabulary:
    """Known labels, bounded. An id is given once and, after its label was forgotten, again."""

    def __init__(self, max_labels: int) -> None:
        self.max_labels = max_labels
        self._ids: dict[str, int] = {}  # in the order of last use
        self._labels: list[str | None] = []
        self._traits: list[Traits] = []
        self._marks: Ids = np.zeros((3, 1024), dtype=np.int64)
        self._free: list[int] = []
        self._looked_up: tuple[tuple[str, ...], Ids] | None = None
        self._like: dict[int, dict[int, float]] = {}
        self._pairs = 0

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def end(self) -> int:
        """One more than the largest id in use."""
        return len(self._labels)

    @property
    def marks(self) -> Ids:
        """(3, at least ``end``): hashes of each label's kind, folder and extension, by id."""
        return self._marks

    def find(self, label: str) -> int | None:
        """The id of a known label."""
        return self._ids.get(label)

    def ids(self, labels: tuple[str, ...]) -> Ids:
        """(n,): the ids of these labels, -1 for what is not known. Cost: O(n), O(1) for the tuple
        that was looked up last.
        """
        if self._looked_up is None or self._looked_up[0] is not labels:
            self._looked_up = (
                labels,
                np.array([self._ids.get(label, -1) for label in labels], dtype=np.int64),
            )
        return self._looked_up[1]

    def label(self, label_id: int) -> str:
        """The text of a known id."""
        return self._labels[label_id] or ""

    def traits(self, label_id: int) -> Traits:
        """What the label's text tells."""
        return self._traits[label_id]

    def use(self, label: str) -> int:
        """The id of a label that just came; a new one gets its id here."""
        label_id = self._ids.pop(label, None)
        if label_id is None:
            self._looked_up = None
            label_id = self._free.pop() if self._free else len(self._labels)
            if label_id == len(self._labels):
                self._labels.append(label)
                self._traits.append(traits_of(label))
            else:
                self._labels[label_id] = label
                self._traits[label_id] = traits_of(label)
            self._mark(label_id)
        self._ids[label] = label_id
        return label_id

    def _mark(self, label_id: int) -> None:
        if label_id >= self._marks.shape[1]:
            more = np.zeros((3, max(label_id, self._marks.shape[1])), dtype=np.int64)
            self._marks = np.concatenate([self._marks, more], axis=1)
        traits = self._traits[label_id]
        self._marks[:, label_id] = _hash20(traits.kind), traits.folder, traits.extension

    def surplus(self) -> frozenset[int]:
        """Labels to forget: none within the limit, else the tenth that was not used for longest."""
        over = len(self._ids) - self.max_labels
        if over <= 0:
            return frozenset()
        return frozenset(islice(self._ids.values(), over + self.max_labels // 10))

    def forget(self, gone: frozenset[int]) -> None:
        """Free the ids of labels; every table that knows them must forget them too."""
        for label_id in sorted(gone):
            del self._ids[self.label(label_id)]
            self._labels[label_id] = None
            self._free.append(label_id)
        self._like.clear()
        self._looked_up = None

    def likeness(self, labels: Sequence[int], around: Sequence[int]) -> Floats:
        """How alike each label's text is to the one of ``around`` that is most like it:
        ``test_app.py`` is like ``app.py``.

        Args:
            labels: n label ids.
            around: k label ids.

        Returns:
            (n,), in [0, 1]: the Jaccard index of the words; 0 for a label and itself.

        Cost: O(n k), cached by pair.
        """
        closest: Floats = np.array(
            [self._likeness(labels, a) for a in around] or [[0.0] * len(labels)]
        ).max(axis=0)
        return closest

    def _likeness(self, labels: Sequence[int], other: int) -> list[float]:
        row = self._like.setdefault(other, {other: 0.0})
        words = self._traits[other].tokens
        for y in labels:
            if y not in row:
                own = self._traits[y].tokens
                common = len(own & words)
                row[y] = common / (len(own) + len(words) - common) if common else 0.0
                self._pairs += 1
        likeness = [row[y] for y in labels]
        if self._pairs > _MAX_PAIRS:  # a cache of a pure function: clearing changes no answer
            self._like, self._pairs = {}, 0
        return likeness

    def state(self) -> Packed:
        return [self._labels, self._free, list(self._ids)]

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave."""
        self._labels, self._free, order = packed
        self._traits = [traits_of(label or "") for label in self._labels]
        for label_id in range(len(self._labels)):
            self._mark(label_id)
        index_of = {label: i for i, label in enumerate(self._labels) if label is not None}
        self._ids = {label: index_of[label] for label in order}
        self._like, self._looked_up = {}, None


def common_traits(vocabulary: Vocabulary, ids: Ids, around: Sequence[int]) -> Floats:
    """Whether a label has a trait in common with one of ``around``.

    Args:
        vocabulary: Whose labels they are.
        ids: (n,), label ids.
        around: k label ids.

    Returns:
        (3, n), 1 or 0: of kind, folder and extension. Cost: O(n k).
    """
    marks, present = vocabulary.marks[:, ids], vocabulary.marks[:, list(around)]
    is_common: NDArray[np.bool_] = (marks[:, :, None] == present[:, None, :]).any(axis=2)
    return is_common.astype(np.float64)
