"""Streams as steps. A step is what happens at once: a commit, a save burst, one command; its labels
are a set.

Predicting inside a burst would leak (the files of one commit come in alphabetical order), so bursts
are collapsed before anything is predicted or learned.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgpack
import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import ShapeError
from selflow.core.events import NOT_DONE, Event
from selflow.core.steps import Step, event_label

STATE_SCHEMA = "selflow.predict.steps/1"
K = TypeVar("K")
BURST_GAP_S = 2.0
"""File events of one source that follow each other at most this closely are one save burst."""


def steps_from_rows(rows: Iterable[tuple[int, str, str | None, str]]) -> list[Step]:
    """Rows of (ts_us, label, group, user) as steps in time order.

    The sort is stable. Rows of one user with the same group are one step at the moment of the last
    of them: before that, not all of it is known. A row without a group (None or empty) is a step of
    its own.

    Cost: O(n log n); 29,000 rows in 0.1 s. The rows are read once and held as columns: 32 bytes per
    row and each different text once, and about 100 bytes per step.
    """
    texts, users, groups = _Numbers[str](), _Numbers[str](), _Numbers[tuple[str, str]]()
    moments, *columns = (array("q") for _ in range(4))
    for ts_us, label, group, user in rows:
        moments.append(ts_us)
        columns[0].append(texts.of(label))
        columns[1].append(users.of(user))
        columns[2].append(groups.of((user, group)) if group else -1)
    order = np.argsort(np.frombuffer(moments, np.int64), kind="stable")
    last = {group: index for index in order.tolist() if (group := columns[2][index]) >= 0}
    labels, names = [(text,) for text in texts], list(users)
    open_groups: dict[int, dict[str, None]] = {}
    steps: list[Step] = []
    for index in order.tolist():
        text, user, group = (column[index] for column in columns)
        members = labels[text]
        if group >= 0:
            open_groups.setdefault(group, {})[members[0]] = None
            if last[group] != index:
                continue
            members = tuple(open_groups.pop(group))
        steps.append(Step(moments[index], members, names[user]))
    return steps


class _Numbers(dict[K, int]):
    """Each different value once, numbered from 0."""

    def of(self, value: K) -> int:
        """The number of a value."""
        return self.setdefault(value, len(self))


def switches(steps: Iterable[Step]) -> list[Step]:
    """Steps with repeats collapsed: each holds only labels that its predecessor (same user) does
    not hold.

    A step of which nothing is left is dropped, so two neighbouring steps of a user never share a
    label; whoever predicts such a stream bars the current labels
    (``Predictor(bars_current=True)``).
    """
    last: dict[str, frozenset[str]] = {}
    switched: list[Step] = []
    for step in steps:
        labels = tuple(
            label for label in step.labels if label not in last.get(step.user, frozenset())
        )
        if labels:
            last[step.user] = frozenset(labels)
            switched.append(Step(step.ts_us, labels, step.user))
    return switched


@dataclass(slots=True)
class _Open:
    """A burst that may still grow."""

    first_us: int
    last_us: int
    key: str | None
    labels: dict[str, None] = field(default_factory=dict)

    def step(self) -> Step:
        return Step(self.first_us, tuple(self.labels))


class StepBuilder:
    """Stored events, in the order of the log, as steps. What comes out depends on the events alone.

    Events of one source with the same ``data["step"]`` are one step. Without it, file events
    (``file.*``) of one source are one step as long as each comes at most ``burst_gap_s`` after the
    one before. Every other event is a step of its own. A burst is complete when its source reports
    something that does not belong to it, or when any event is more than ``burst_gap_s`` later; no
    clock is read, so a replay of the log gives the same steps. Until then ``open_steps`` shows it,
    for use as context.

    >>> builder = StepBuilder(burst_gap_s=2.0)
    >>> builder.feed(Event(0, "files", "file.modify", "a.py"))
    []
    >>> builder.feed(Event(1_000_000, "files", "file.modify", "b.py"))
    []
    >>> [len(step.labels) for step in builder.open_steps()]
    [2]
    >>> later = Event(9_000_000, "shell", "shell.command", "ls")
    >>> [len(step.labels) for step in builder.feed(later)]
    [2, 1]
    """

    def __init__(self, burst_gap_s: float = BURST_GAP_S) -> None:
        self._gap_us = round(burst_gap_s * 1e6)
        self._open: dict[str, _Open] = {}

    def feed(self, event: Event) -> list[Step]:
        """Take the next event; returns the steps that are complete now, oldest first.

        A commit's message and a document's text are part of no step.
        """
        if event.kind in NOT_DONE:
            return []
        key = _burst_key(event)
        current = self._open.get(event.source)
        if current is not None and self._belongs(current, key, event.ts_us):
            current.last_us = max(current.last_us, event.ts_us)
            current.labels[event_label(event.kind, event.subject)] = None
            return self._complete_before(event.ts_us, keep=event.source)
        done = [self._open.pop(event.source).step()] if current is not None else []
        done += self._complete_before(event.ts_us, keep="")
        burst = _Open(event.ts_us, event.ts_us, key, {event_label(event.kind, event.subject): None})
        if key is None:
            done.append(burst.step())
        else:
            self._open[event.source] = burst
        return done

    def open_steps(self) -> list[Step]:
        """The bursts that are not complete yet, oldest first."""
        return sorted((burst.step() for burst in self._open.values()), key=lambda step: step.ts_us)

    def close(self) -> list[Step]:
        """End of the stream: what was open is complete."""
        done = self.open_steps()
        self._open.clear()
        return done

    def save(self) -> bytes:
        """The open bursts, for a restart."""
        bursts = [
            [source, b.first_us, b.last_us, b.key, list(b.labels)]
            for source, b in self._open.items()
        ]
        return cast("bytes", msgpack.packb([STATE_SCHEMA, self._gap_us, bursts]))

    @classmethod
    def load(cls, state: bytes) -> "StepBuilder":
        """The builder that was saved.

        Raises:
            ShapeError: The bytes are not a saved builder of this version.
        """
        try:
            schema, gap_us, bursts = msgpack.unpackb(state)
            if schema != STATE_SCHEMA:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the bytes)
            builder = cls(gap_us / 1e6)
            for source, first_us, last_us, key, labels in bursts:
                builder._open[source] = _Open(first_us, last_us, key, dict.fromkeys(labels))
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise ShapeError(
                f"the {len(state):,} bytes are not saved steps ({STATE_SCHEMA})",
                "replay the event log instead",
            ) from error
        return builder

    def _belongs(self, burst: _Open, key: str | None, ts_us: int) -> bool:
        if key is None or burst.key != key:
            return False
        return key != "" or abs(ts_us - burst.last_us) <= self._gap_us

    def _complete_before(self, ts_us: int, keep: str) -> list[Step]:
        late = [
            s
            for s, burst in self._open.items()
            if s != keep and ts_us - burst.last_us > self._gap_us
        ]
        return sorted(
            (self._open.pop(source).step() for source in late), key=lambda step: step.ts_us
        )


def _burst_key(event: Event) -> str | None:
    """The step that the event names, ``""`` for an unnamed file burst, None for an event of its
    own.
    """
    named = event.data.get("step")
    if isinstance(named, str | int) and not isinstance(named, bool) and named != "":
        return f"={named}"
    return "" if event.kind.startswith("file.") else None


@dataclass(frozen=True, slots=True)
class StepTable:
    """Steps in time order as columns, the form in which they cross from process to process: readers
    map it without copying. About 12 bytes per label and 16 per step, and each different
    label once.
    """

    ts_us: NDArray[np.int64]
    """(n,)"""
    starts: NDArray[np.int64]
    """(n + 1,): where each step's labels begin in ``ids``."""
    ids: NDArray[np.int32]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "StepTable":
        """The columns of these steps."""
        numbers: dict[str, int] = {}
        ids = [numbers.setdefault(label, len(numbers)) for step in steps for label in step.labels]
        starts = np.cumsum([0, *(len(step.labels) for step in steps)])
        return cls(
            np.array([step.ts_us for step in steps], dtype=np.int64),
            starts.astype(np.int64),
            np.array(ids, dtype=np.int32),
            tuple(numbers),
        )

    def steps(self) -> list[Step]:
        """The steps again."""
        names = [self.labels[i] for i in self.ids.tolist()]
        starts = self.starts.tolist()
        spans = zip(self.ts_us.tolist(), starts, starts[1:], strict=False)
        return [Step(ts_us, tuple(names[a:b])) for ts_us, a, b in spans]
