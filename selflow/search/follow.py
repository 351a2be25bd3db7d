"""Bring the search index to where the log is: what was added is read, what was deleted is gone."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.events import Fill, Stored
from selflow.core.ports import EventFeed
from selflow.search import index as index_file
from selflow.search.index import SearchIndex

BATCH_EVENTS = 500
"""Read and written at once. Over 130,000 events the console's memory grew by 7.2 MB with batches of
2,000, and by 2.9 MB with these and the cache shrunk behind them.
"""
Progress = Callable[[int, int], None]
"""Takes how many events are indexed, and how many the log holds."""


class EmptyLog:
    """Where nothing was ever stored."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:  # noqa: ARG002
        """Nothing."""
        return ()

    def fill(self) -> Fill:
        """All zero."""
        return Fill(events=0, size_bytes=0, last_seq=0, budget_bytes=0, new_events=0)


def catch_up(
    folder: Path, feed: EventFeed, clock: Clock, progress: Progress = lambda _done, _total: None
) -> tuple[str, ...]:
    """Read the log behind the index's own cursor, in batches of ``BATCH_EVENTS``.

    The index is rebuilt from an empty file if the log has lost events (deleted or expired ones
    leave no trace in a new file), if it is another log, and if the file is broken or older.

    Args:
        folder: ``<root>/derived``.
        feed: The log.
        clock: Waits for another process that has the index.
        progress: Is called after each batch.

    Returns:
        Why the index was rebuilt, as sentences for the owner; empty if it was not.

    Raises:
        StoreError: The log cannot be read, or another process has held the index for too long.

    Cost: 0.1 ms for an event that is new; an index that is up to date answers in a millisecond.
    """
    with index_file.lock(folder, clock, is_exclusive=True):
        try:
            reason = _follow(folder, feed, progress)
        except sqlite3.DatabaseError:
            reason = "the search index was broken or of another version"
        if not reason:
            return ()
        index_file.remove(folder)
        try:
            _follow(folder, feed, progress)
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"cannot write the search index in {folder} ({type(error).__name__})",
                "free some space on its disk, then ask again",
            ) from error
        return (f"{reason}: it was rebuilt from the event log",)


def follow_batch(index: SearchIndex, feed: EventFeed) -> tuple[int, str]:
    """Take in at most ``BATCH_EVENTS`` new events; the caller holds the lock.

    Returns:
        How many, and why the index has to be rebuilt, else ``""``.
    """
    fill, last_seq = feed.fill(), index.last_seq()
    newest = feed.read(last_seq - 1, 1) if last_seq else ()
    is_other = fill.last_seq < last_seq or (
        bool(newest) and newest[0].seq == last_seq and not index.holds(newest[0])
    )
    if is_other:
        return 0, "the search index belonged to another event log"
    batch = feed.read(last_seq, BATCH_EVENTS) if last_seq < fill.last_seq else ()
    index.add(batch)
    # All that the log held up to here is in the index, and a number is never given twice
    is_behind = len(batch) == BATCH_EVENTS and batch[-1].seq < fill.last_seq
    if index.event_count(fill.last_seq) > fill.events and not is_behind:
        return len(batch), "events were deleted from the log"
    return len(batch), ""


def is_current(index: SearchIndex, fill: Fill) -> bool:
    """Whether the index holds as many events as the log, up to the same number."""
    last_seq = index.last_seq()
    return last_seq == fill.last_seq and index.event_count(last_seq) == fill.events


def _follow(folder: Path, feed: EventFeed, progress: Progress) -> str:
    """Read what is new; why the index has to be rebuilt, else ``""``."""
    index = SearchIndex(folder)
    try:
        while True:
            taken, reason = follow_batch(index, feed)
            if reason or not taken:
                return reason
            total = feed.fill().events
            progress(min(index.event_count(index.last_seq()), total), total)
    finally:
        index.close()
