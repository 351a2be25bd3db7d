"""What is remembered of one user: the last steps, and when each label came last."""

from collections.abc import Sequence
from copy import copy
from itertools import islice
from typing import NamedTuple

from selflow.core.scores import HISTORY_STEPS
from selflow.predict.packing import Packed
from selflow.predict.recency import RANKS

_LAST_MEMBERS, _EARLIER_MEMBERS = 32, 12


class Seen(NamedTuple):
    """One label in one user's past."""

    step: int
    ts_us: int
    times: int


class UserMemory:
    """Bounded by the vocabulary: a label that is forgotten there is forgotten here."""

    def __init__(self, user: int) -> None:
        self.user = user
        self.steps = 0
        self.history: tuple[tuple[int, ...], ...] = ()
        self.moments: tuple[int, ...] = ()
        self.last_members = 0
        self.seen: dict[int, Seen] = {}  # the label that came last stands last

    def recent(self) -> tuple[int, ...]:
        """The labels that came last, the latest first."""
        return tuple(islice(reversed(self.seen), RANKS))

    def touch(self, ts_us: int, members: Sequence[int]) -> None:
        for y in reversed(members):
            old = self.seen.pop(y, None)
            self.seen[y] = Seen(self.steps, ts_us, old.times + 1 if old else 1)
        earlier = (
            *self.history[1 - HISTORY_STEPS : -1],
            *(step[:_EARLIER_MEMBERS] for step in self.history[-1:]),
        )
        self.history = (*earlier, tuple(members[:_LAST_MEMBERS]))
        self.moments = (*self.moments[1 - HISTORY_STEPS :], ts_us)
        self.last_members = len(members)
        self.steps += 1

    def fork(self) -> "UserMemory":
        """A copy that may go its own way. Cost: O(labels)."""
        other = copy(self)
        other.seen = dict(self.seen)
        return other

    def forget(self, gone: frozenset[int]) -> None:
        """Take labels out."""
        self.history = tuple(tuple(y for y in step if y not in gone) for step in self.history)
        for y in gone:
            self.seen.pop(y, None)

    def state(self) -> Packed:
        flat = [x for y, s in self.seen.items() for x in (y, s.step, s.ts_us, s.times)]
        return [
            self.user,
            self.steps,
            self.moments,
            [list(s) for s in self.history],
            self.last_members,
            flat,
        ]

    @classmethod
    def load_state(cls, packed: Packed) -> "UserMemory":
        user, steps, moments, history, last_members, flat = packed
        memory = cls(user)
        memory.steps, memory.moments, memory.last_members = steps, tuple(moments), last_members
        memory.history = tuple(tuple(step) for step in history)
        memory.seen = {flat[i]: Seen(*flat[i + 1 : i + 4]) for i in range(0, len(flat), 4)}
        return memory
