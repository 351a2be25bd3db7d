"""Between two cycles: new behaviour and drift, seen as the steps come."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from selflow.core.steps import Step, label_event
from selflow.discover.features import words
from selflow.discover.hashing import HashedLabel, hashed_label
from selflow.discover.naming import telling_terms
from selflow.discover.usual import UsualBehaviour
from selflow.discover.windows import (
    HOUR_US,
    LABELS_PER_STEP,
    LEAST_EVENTS,
    STRIDE_EVENTS,
    WINDOW_EVENTS,
)

USUAL_STEPS = 500
"""Steps that new behaviour is compared with, to name what is telling of it."""
KEPT_LABELS = 20_000
"""Labels whose hashed features are remembered; then they are computed again."""
SHOWN_TERMS, SHARED_TERMS = 5, 3
"""Words of new behaviour; from so many in common on, what comes on another day is the same."""
SLACK, ALARM = 0.25, 30.0
"""Of Page-Hinkley, in deviations of the distances: what a window may be farther than the mean, and
how much more than that adds up to an alarm.
"""
MOST_DEVIATIONS = 4.0
"""What one window counts at most: drift is what many agree on."""
LEAST_WINDOWS = 30
"""Windows of a mean that others are compared with."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not as the last cycle knew it: windows of new behaviour, or that windows
    have drifted away; from and to when, and the words of it.
    """

    kind: Literal["new", "drift"]
    started_us: int
    last_us: int
    windows: int
    terms: tuple[str, ...]


class PageHinkley:
    """An alarm once values are larger than their own mean for long.

    Source: Page 1954; the test of Hinkley 1971 with the running mean. Cost: O(1) per value.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._sum = self._least = 0.0

    def add(self, value: float) -> bool:
        """Whether this value raises the alarm."""
        self.count += 1
        self._mean += (value - self._mean) / self.count
        if self.count <= LEAST_WINDOWS:
            return False
        self._sum += value - self._mean - SLACK
        self._least = min(self._least, self._sum)
        return self._sum - self._least > ALARM


class BehaviourWatch:
    """Measures every window of the steps that it is fed by what was usual. It holds an hour, and
    forgets the rest; fed the same steps it says the same.
    """

    def __init__(self, usual: UsualBehaviour, least_windows: int) -> None:
        """Watch, with ``least_windows`` unusual windows within an hour as new behaviour."""
        self._usual = usual
        self._least_windows = least_windows
        self._hashed: dict[str, HashedLabel] = {}
        self._window: deque[HashedLabel] = deque(maxlen=WINDOW_EVENTS)
        self._since_last = 0
        self._ts_us = 0
        self._unusual: deque[Step] = deque()
        self._others: deque[Step] = deque(maxlen=USUAL_STEPS)
        self._new: Change | None = None
        self._earlier: dict[int, Change] = {}
        self._drift = PageHinkley()
        self._has_drifted = False

    def feed(self, steps: Sequence[Step]) -> list[Change]:
        """What there is new to say after these steps, oldest first; a change that goes on is said
        again with more windows. Steps an hour older than one before, as an import brings them,
        are left out.

        Cost: about 0.1 ms per step, and 3 us per letter of a label that was not seen lately.
        """
        changes: dict[tuple[str, int], Change] = {}
        for step in steps:
            if step.ts_us >= self._ts_us - HOUR_US:
                in_order = replace(step, ts_us=max(step.ts_us, self._ts_us))
                for change in self._one(in_order):
                    changes[change.kind, change.started_us] = change
        return list(changes.values())

    def _one(self, step: Step) -> list[Change]:
        if step.ts_us - self._ts_us > HOUR_US:
            self._window.clear()
            self._since_last = 0
        self._ts_us = step.ts_us
        labels = step.labels[:LABELS_PER_STEP]
        self._window.extend(self._hash(label) for label in labels)
        self._since_last += len(labels)
        while self._unusual and step.ts_us - self._unusual[0].ts_us > HOUR_US:
            self._unusual.popleft()
        if len(self._window) < LEAST_EVENTS:
            return []
        distance = self._usual.distance(self._window)
        changes = [self._as_new(step, is_unusual=distance > self._usual.limit)]
        if self._since_last >= STRIDE_EVENTS:
            self._since_last = 0
            changes.append(self._as_drift(step, distance))
        return [change for change in changes if change is not None]

    def _as_new(self, step: Step, *, is_unusual: bool) -> Change | None:
        if not is_unusual:
            self._others.append(step)
            return None
        self._unusual.append(step)
        before = self._new
        if before is not None and step.ts_us - before.last_us <= HOUR_US:
            self._new = replace(before, last_us=step.ts_us, windows=before.windows + 1)
        elif len(self._unusual) >= self._least_windows:
            self._new = self._begun(step)
        else:
            return None
        self._earlier[self._new.started_us] = self._new
        return self._new

    def _begun(self, step: Step) -> Change:
        """New behaviour, or some that went on another day already."""
        terms, windows = self._terms(), len(self._unusual)
        for change in self._earlier.values():
            if len(set(terms) & set(change.terms)) >= SHARED_TERMS:
                return replace(change, last_us=step.ts_us, windows=change.windows + windows)
        return Change("new", self._unusual[0].ts_us, step.ts_us, windows, terms)

    def _as_drift(self, step: Step, distance: float) -> Change | None:
        """Once: what has drifted stays so until the next cycle learns it."""
        away = (distance - self._usual.average) / max(self._usual.deviation, 1e-9)
        if not self._drift.add(min(away, MOST_DEVIATIONS)) or self._has_drifted:
            return None
        self._has_drifted = True
        return Change("drift", step.ts_us, step.ts_us, self._drift.count, ())

    def _hash(self, label: str) -> HashedLabel:
        hashed = self._hashed.get(label)
        if hashed is None:
            if len(self._hashed) >= KEPT_LABELS:
                self._hashed.clear()
            hashed = self._hashed[label] = hashed_label(label)
        return hashed

    def _terms(self) -> tuple[str, ...]:
        """The words of the unusual steps that the others lack, most telling first."""
        new, usual = (
            Counter(
                term
                for step in steps
                for label in step.labels
                for term in words(label_event(label)[1])
            )
            for steps in (self._unusual, self._others)
        )
        telling = telling_terms([new, usual]) if usual else telling_terms([new])
        return tuple(term for term, _ in telling[0][:SHOWN_TERMS])
