"""Steps to events, events to sessions, sessions to windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import Step

Ints = NDArray[np.int64]
LABELS_PER_STEP = 12
"""Of a step: a commit of hundreds is one act, not hundreds."""
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
SHORT_EVENTS, WINDOW_EVENTS, STRIDE_EVENTS = 8, 16, 8
"""Half windows overlap, so that what a cut divides stands whole in the next window."""
SESSION_EVENTS = 64
"""Of a session so far: what a step is told by, so that its cost does not grow with the session."""
LEAST_EVENTS = 4
"""Of a window: the mean of fewer says more of chance than of what was done."""


@dataclass(frozen=True, slots=True)
class Events:
    """e rows, one per label of a step; the rows of one user lie together, oldest first.

    ``label`` (e,) are indices into the different ``labels``, ``ts_us`` (e,) UTC microseconds,
    ``user`` (e,) users numbered in the order of their names, ``step`` (e,) indices into the steps.
    """

    labels: tuple[str, ...]
    label: Ints
    ts_us: Ints
    user: Ints
    step: Ints


@dataclass(frozen=True, slots=True)
class Windows:
    """n runs of rows, (n,) each: from ``start`` to before ``stop``, of a session from ``first`` to
    before ``last``; a ``day`` (UTC, counted from 1970) is the one on which their session began.
    """

    start: Ints
    stop: Ints
    first: Ints
    last: Ints
    day: Ints


def events_of(steps: Sequence[Step]) -> Events:
    """At most 12 labels of every step. Steps of one user stand in order of time.

    Cost: O(n log n) for n labels.
    """
    labels: dict[str, int] = {}
    users = {user: index for index, user in enumerate(sorted({step.user for step in steps}))}
    rows = [
        (labels.setdefault(label, len(labels)), step.ts_us, users[step.user], index)
        for index, step in sorted(enumerate(steps), key=lambda item: item[1].user)
        for label in step.labels[:LABELS_PER_STEP]
    ]
    return Events(tuple(labels), *np.array(rows, np.int64).reshape(-1, 4).T.copy())


def windows_of(events: Events) -> Windows:
    """Windows of 8 to 16 events of one session, each 8 events after the one before; a short session
    is one window.

    A session ends after an hour without events; a session of under 8 events is joined to its
    neighbour of the same day, and left out if it still has under 4. Cost: O(events).
    """
    rows = [
        (start, min(start + WINDOW_EVENTS, stop), first, stop, events.ts_us[first] // DAY_US)
        for first, stop in _sessions(events)
        if stop - first >= LEAST_EVENTS
        for start in range(first, max(first + 1, stop - SHORT_EVENTS), STRIDE_EVENTS)
    ]
    return Windows(*np.array(rows, np.int64).reshape(-1, 5).T)


def windows_before(events: Events, steps: int) -> Windows:
    """For each step the at most 16 events of its user before it, of the session of the last one;
    and of that session so far at most 64.

    Args:
        events: Of those steps.
        steps: How many steps there are.

    Returns:
        One window per step, empty where nothing came before; ``day`` is not set. Cost: O(events).
    """
    start, stop, first = np.zeros((3, steps), np.int64)
    index, row = np.unique(events.step, return_index=True)
    cuts = np.concatenate([[0], _cuts(events)])
    begin = cuts[np.searchsorted(cuts, row - 1, "right") - 1]
    known = (row > 0) & (events.user[row] == events.user[row - 1])
    stop[index] = np.where(known, row, 0)
    start[index] = np.where(known, np.maximum(begin, row - WINDOW_EVENTS), 0)
    first[index] = np.where(known, np.maximum(begin, row - SESSION_EVENTS), 0)
    return Windows(start, stop, first, stop, start)


def rows_of(windows: Windows, own: Ints) -> Ints:
    """Events that are in at least one of these windows, in their order."""
    edges = np.zeros(windows.stop.max(initial=0) + 1, np.int64)
    np.add.at(edges, windows.start[own], 1)
    np.add.at(edges, windows.stop[own], -1)
    return np.flatnonzero(np.cumsum(edges))


def _cuts(events: Events) -> Ints:
    """Rows with which a session begins, but the first."""
    return np.flatnonzero((np.diff(events.user) != 0) | (np.diff(events.ts_us) > HOUR_US)) + 1


def _sessions(events: Events) -> list[tuple[int, int]]:
    day = events.ts_us // DAY_US
    sessions: list[tuple[int, int]] = []
    for first, stop in pairwise([0, *_cuts(events).tolist(), len(day)]):
        begin, _ = sessions[-1] if sessions else (first, first)
        is_short = min(stop - first, first - begin) < SHORT_EVENTS
        is_near = (
            events.user[first - 1] == events.user[first] and day[first - 1] == day[first]
            if sessions
            else False
        )
        if is_short and is_near:
            sessions[-1] = (begin, stop)
        elif stop > first:
            sessions.append((first, stop))
    return sessions
