"""What can be said about the events that match a question: figures over arrays, and the sentences
around them. Nothing here was written by a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from selflow.core.clock import as_datetime
from selflow.search.records import Action, Fact, FactValue, Family, Question, Wanted

SESSION_GAP_US = 3_600_000_000
"""An hour without an event ends a session (learned cuts belong to discovery; this one is shown)."""
MAX_SEQS = 100
"""Newest events that a sentence names as those behind it."""
TOP = 5
MAX_TOGETHER = 5_000
"""Matching events up to which their neighbours are looked for without being asked for."""
_DAY_US = 86_400_000_000
_NOUNS = {
    Family.COMMANDS: ("command", "different line"),
    Family.COMMITS: ("event", "file or message"),
    Family.FILES: ("change", "file"),
    Family.DOCUMENTS: ("change", "document"),
    Family.APPS: ("event", "window"),
}
_ACTION_NOUNS = {
    Action.CREATED: "creation",
    Action.CHANGED: "change",
    Action.DELETED: "deletion",
    Action.MOVED: "move",
}
Rows = NDArray[np.int64]
"""(n, 4): seq, ts_us, item and step of events, by time, then seq."""
Names = Callable[[Sequence[int]], list[str]]
"""Gives the texts behind numbers of items."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The events that a question means, by time, and what is needed to speak about them."""

    question: Question
    rows: Rows
    names: Names
    everything: Callable[[], Rows]
    """All events of the log, for those around the matching ones."""
    zone: tzinfo


def compose(matches: Matches) -> tuple[Fact, ...]:
    """The facts that the question wants, else those that say most: how many, from when to when, of
    what, on which days, together with what.

    Cost: 50 ms for 130,000 events, and as much again where all events are read.
    """
    if not len(matches.rows):
        return ()
    question = matches.question
    default: tuple[Wanted, ...] = ("count", "first", "last", "items", "days")
    has_names = question.words or question.path_words or question.folders
    if has_names and len(matches.rows) <= MAX_TOGETHER:
        default = (*default, "together")
    wanted = question.wanted or default
    if "count" not in wanted:
        wanted = (*wanted, "count")
    facts = [_MAKERS[kind_of_fact](matches) for kind_of_fact in wanted]
    return tuple(fact for fact in facts if fact is not None)


def count(matches: Matches) -> Fact:
    """How many events, different items and commits."""
    rows, question = matches.rows, matches.question
    items, commits = len(np.unique(rows[:, 2])), len(np.unique(rows[rows[:, 3] > 0, 3]))
    noun, item_noun = _nouns(question)
    text = f"{_many(len(rows), noun)} of {_many(items, item_noun)}"
    if commits and question.family == Family.COMMITS:
        text = f"{_many(commits, 'commit')}: {text}"
    elif commits:
        text += f" in {_many(commits, 'commit')}"
    values = [FactValue("events", len(rows)), FactValue("items", items)]
    values += [FactValue("commits", commits)] if commits else []
    return _fact("count", f"{text}.", values, rows)


def first(matches: Matches) -> Fact:
    """The earliest event."""
    return _edge(matches, "first", 0)


def last(matches: Matches) -> Fact:
    """The latest event."""
    return _edge(matches, "last", -1)


def items(matches: Matches) -> Fact:
    """The most frequent items; of equally frequent ones the more recent."""
    ids, counts = _top(matches.rows[:, 2])
    values = [
        FactValue(name, int(number))
        for name, number in zip(matches.names(ids.tolist()), counts, strict=True)
    ]
    listed = ", ".join(f"{value.label} ({value.number:,})" for value in values)
    rows = matches.rows[np.isin(matches.rows[:, 2], ids)]
    return _fact("items", f"Most often: {listed}.", values, rows)


def days(matches: Matches) -> Fact:
    """On how many days of the owner's calendar, and the days with the most events."""
    numbers = local_days(matches.rows[:, 1], matches.zone)
    unique, counts = np.unique(numbers, return_counts=True)
    best = np.lexsort((unique, -counts))[:TOP]
    values = [FactValue("days", len(unique))] + [
        FactValue(str(date.fromordinal(int(unique[i]))), int(counts[i])) for i in best
    ]
    listed = ", ".join(f"{value.label} ({value.number:,})" for value in values[1:])
    rows = matches.rows[np.isin(numbers, unique[best])]
    text = f"On {_many(len(unique), 'day')}; most on {listed}."
    return _fact("days", text, values, rows)


def gap(matches: Matches) -> Fact | None:
    """The longest time between two neighbours; none for a single event."""
    ts_us = matches.rows[:, 1]
    if len(ts_us) < 2:
        return None
    gaps = np.diff(ts_us)
    index = int(np.argmax(gaps))
    seconds = int(gaps[index]) // 1_000_000
    pair = matches.rows[index : index + 2]
    low, high = (_moment(int(moment), matches.zone) for moment in pair[:, 1])
    text = f"The longest gap is {_span(seconds)}, from {low} to {high}."
    return _fact("gap", text, [FactValue("gap_s", seconds, int(pair[0, 1]))], pair)


def together(matches: Matches) -> Fact | None:
    """Which other items came in the same sessions, by the number of sessions they share."""
    everything = matches.everything()
    session = np.cumsum(np.diff(everything[:, 1], prepend=everything[0, 1]) > SESSION_GAP_US)
    is_match = np.isin(everything[:, 0], matches.rows[:, 0])
    is_near = np.isin(session, session[is_match])
    is_near &= ~np.isin(everything[:, 2], matches.rows[:, 2])
    near, near_session = everything[is_near], session[is_near]
    if not len(near):
        return None
    # One row for an item in a session, its last one
    pairs = (near_session << 32) | near[:, 2]
    _, reverse_index = np.unique(pairs[::-1], return_index=True)
    once = near[np.sort(len(near) - 1 - reverse_index)]
    ids, counts = _top(once[:, 2])
    values = [
        FactValue(name, int(number))
        for name, number in zip(matches.names(ids.tolist()), counts, strict=True)
    ]
    listed = ", ".join(f"{value.label} ({_many(value.number, 'session')})" for value in values)
    text = f"In the same sessions: {listed}."
    return _fact("together", text, values, near[np.isin(near[:, 2], ids)])


def local_days(ts_us: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    """The owner's calendar day of each moment, as proleptic Gregorian ordinals.

    Args:
        ts_us: (n,), ascending.
        zone: Offsets are asked once for each day of UTC, and for each moment on the days on which
            they change.

    Returns:
        (n,).
    """
    day = ts_us // _DAY_US
    unique, inverse = np.unique(day, return_inverse=True)
    offsets = np.array([_offset_us(int(number) * _DAY_US, zone) for number in unique])
    following = np.array([_offset_us((int(number) + 1) * _DAY_US, zone) for number in unique])
    offset = offsets[inverse]
    for index in np.flatnonzero((offsets != following)[inverse]):
        offset[index] = _offset_us(int(ts_us[index]), zone)
    days_since_1970: NDArray[np.int64] = (ts_us + offset) // _DAY_US
    return days_since_1970 + date(1970, 1, 1).toordinal()


def _offset_us(ts_us: int, zone: tzinfo) -> int:
    offset = as_datetime(ts_us).astimezone(zone).utcoffset() or timedelta(0)
    return offset // timedelta(microseconds=1)


def _edge(matches: Matches, wanted: Wanted, index: int) -> Fact:
    row = matches.rows[index]
    (name,) = matches.names([int(row[2])])
    text = f"{wanted.capitalize()} on {_moment(int(row[1]), matches.zone)}: {name}."
    return _fact(wanted, text, [FactValue(name, 1, int(row[1]))], row.reshape(1, -1))


def _top(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The most frequent numbers and how often they occur; of equals the one that came last."""
    unique, reverse_index, counts = np.unique(ids[::-1], return_index=True, return_counts=True)
    order = np.lexsort((reverse_index, -counts))[:TOP]
    return unique[order], counts[order]


def _fact(wanted: Wanted, text: str, values: Sequence[FactValue], rows: Rows) -> Fact:
    seqs = tuple(int(seq) for seq in rows[-MAX_SEQS:, 0][::-1])
    return Fact(wanted, text, tuple(values), seqs, len(rows))


def _nouns(question: Question) -> tuple[str, str]:
    family = next((f for f in _NOUNS if f in question.family), None)
    noun, item_noun = _NOUNS[family] if family else ("event", "item")
    return (_ACTION_NOUNS[question.action] if question.action else noun), item_noun


def _many(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    plural = noun.replace("file or message", "files or message")
    return f"{number:,} {plural}s"


def _moment(ts_us: int, zone: tzinfo) -> str:
    local: datetime = as_datetime(ts_us).astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: int) -> str:
    for unit, size_s in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds / size_s:.1f} {unit}s"
    return f"{seconds} seconds"


_MAKERS: dict[Wanted, Callable[[Matches], Fact | None]] = {
    "count": count,
    "first": first,
    "last": last,
    "items": items,
    "days": days,
    "gap": gap,
    "together": together,
}
