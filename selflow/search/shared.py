"""The index as the threads of one process share it: one follows the log, many ask."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import RLock

from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.ports import EventFeed
from selflow.search import folder_sums, rollups
from selflow.search import index as index_file
from selflow.search.folder_sums import FolderSum
from selflow.search.follow import BATCH_EVENTS, follow_batch, is_current
from selflow.search.index import SearchIndex
from selflow.search.rollups import Activity, Diversity, Group, SourceSeen


class SharedIndex:
    """Keeps one file open, and opens it again when another one lies in its place: what was deleted
    from the log is then found no more. Safe for threads: one call at a time.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = RLock()
        self._index: SearchIndex | None = None
        self._has_read_much = False

    def follow(self, feed: EventFeed) -> int:
        """Take in at most ``BATCH_EVENTS`` new events, and return how many; an index that does not
        fit the log, or is broken, is computed again.

        Raises:
            StoreError: The disk or the log refuses.

        Cost: O(events); ``python -m bench.console`` measures it.
        """
        try:
            with self._open() as index:
                if is_current(index, feed.fill()):
                    self._shrink_behind(0)
                    return 0
        except StoreError:
            self.close()  # what is broken is found again below, where it may be deleted
        with index_file.lock(self._folder, self._clock, is_exclusive=True):
            for _ in range(2):
                try:
                    with self._open() as index:
                        taken, reason = follow_batch(index, feed)
                except StoreError as error:
                    if not isinstance(error.__cause__, sqlite3.DatabaseError):
                        raise
                    taken, reason = 0, "broken"
                if not reason:
                    self._shrink_behind(taken)
                    return taken
                self.close()
                index_file.remove(self._folder)
        raise StoreError(
            f"cannot write the search index in {self._folder}", "free some space on its disk"
        )

    def activity(
        self, since_us: int, until_us: int, bin_us: int, group: Group, limit_rows: int
    ) -> list[Activity]:
        """At most ``limit_rows`` bins, oldest first."""
        with self._open() as index:
            between_us = (since_us, until_us)
            return rollups.activity(index.connection, between_us, bin_us, group, limit_rows)

    def hours_with(
        self, groups: Mapping[Group, str | None], since_us: int, until_us: int
    ) -> list[int]:
        """The beginnings of the hours with events of these groups, newest first; None is any."""
        with self._open() as index:
            return rollups.hours_with(index.connection, groups, (since_us, until_us))

    def events_between(self, since_us: int, until_us: int) -> int:
        """Events of the hours that begin in this time."""
        with self._open() as index:
            return rollups.events_between(index.connection, (since_us, until_us))

    def folders(
        self, since_us: int, until_us: int, within: str | None
    ) -> tuple[list[FolderSum], int]:
        """Files by folder in whole UTC days, and how many folders more (``folder_sums``)."""
        with self._open() as index:
            return folder_sums.folder_sums(index.connection, since_us, until_us, within)

    def sources(self) -> list[SourceSeen]:
        """Every source that ever sent something, by name."""
        with self._open() as index:
            return rollups.sources(index.connection)

    def diversity(self) -> Diversity:
        """How many labels and days the log holds."""
        with self._open() as index:
            return rollups.diversity(index.connection)

    def search(self, text: str, before_seq: int | None, limit_rows: int) -> list[int]:
        """Sequence numbers of events that hold every word of a text, or words that begin so,
        newest first.
        """
        with self._open() as index:
            return index_file.begins_with(index.connection, text, before_seq, limit_rows)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The opened file, for the queries of ``rollups`` and ``spans``."""
        with self._open() as index:
            yield index.connection

    def close(self) -> None:
        """Let go of the file. A later call opens it again."""
        with self._lock:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _shrink_behind(self, taken: int) -> None:
        """Give memory back once many batches have been read; not with each one of a few events."""
        with self._lock:
            if taken < BATCH_EVENTS and self._has_read_much and self._index is not None:
                self._index.shrink()
            self._has_read_much = taken == BATCH_EVENTS

    @contextlib.contextmanager
    def _open(self) -> Iterator[SearchIndex]:
        with self._lock:
            try:
                if self._index is not None and self._index.is_replaced:
                    self.close()
                if self._index is None:
                    self._index = SearchIndex(self._folder)
                yield self._index
            except sqlite3.DatabaseError as error:
                self.close()
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                raise StoreError(
                    f"cannot use the search index in {self._folder} ({name})",
                    "it is computed again; try again",
                ) from error
