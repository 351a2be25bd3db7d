"""The index of the log: one derived SQLite file with FTS5 over words and paths, and sums per hour.

It can be deleted at any time and is rebuilt from the log. Events keep the log's sequence numbers.
Many processes read it; who adds to it, or deletes it, holds the ``lock`` alone.
"""

import contextlib
import fcntl
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.events import Stored
from selflow.core.paths import private_folder
from selflow.search import folder_sums, inflections, rollups, spans
from selflow.search.conditions import expression_of, typed_expression, where
from selflow.search.event_words import words_of
from selflow.search.records import Question

if TYPE_CHECKING:
    from selflow.search.facts import Rows  # numpy: 20 MB that who only adds does not need

SCHEMA = 4
"""Raise it with every change of the tables or of ``event_words``: older files are rebuilt."""
LOCK_S = 120.0
"""How long one asker waits for another that brings the index up to date."""
_POLL_S = 0.05
MAX_NAMES = 10_000
"""That are remembered between two batches: some 2 MB."""
_CACHE_KIB = 2_000
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('last_seq', 0), ('events', 0)",
    # An index of 32 bits a name finds it as fast as one of the whole text, in a third of its room
    "CREATE TABLE name (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, text TEXT NOT NULL)",
    "CREATE INDEX name_crc ON name (crc)",
    """CREATE TABLE event (
  seq INTEGER PRIMARY KEY, ts_us INTEGER NOT NULL, item INTEGER NOT NULL, step INTEGER NOT NULL,
  family INTEGER NOT NULL, action INTEGER NOT NULL, kind INTEGER NOT NULL,
  folder INTEGER NOT NULL)""",
    "CREATE INDEX event_ts ON event (ts_us)",
    f"""CREATE VIRTUAL TABLE text USING fts5(
  path, words, about, number, content='', tokenize='{inflections.TOKENIZER}')""",
    *inflections.TABLES,
    *rollups.TABLES,
    *folder_sums.TABLES,
    *spans.TABLES,
)
_INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FILES = ("search.db", "search.db-journal", "search.db-wal", "search.db-shm")


class SearchIndex:
    """One opened index. Not for threads at once: each asker opens one, or they take turns."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder/search.db``, a new one if there is none or another schema in it.

        Raises:
            StoreError: The folder cannot be made.
            sqlite3.DatabaseError: The file is broken (``remove`` it).
        """
        private_folder(folder)
        path = file_of(folder)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._inode = path.stat().st_ino
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection = self._db
        """For the queries of ``selflow.search.rollups``."""
        self._names: dict[str, int] = {}
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            if self._version() != SCHEMA:
                self._begin_anew()
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def shrink(self) -> None:
        """Give back the pages that SQLite holds in memory, 2 MB after many events were added; the
        next query reads again those that it needs.
        """
        self._names.clear()
        self._db.execute("PRAGMA shrink_memory")

    @property
    def is_replaced(self) -> bool:
        """Whether another file, or none, lies now where this one was opened."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def last_seq(self) -> int:
        """Up to here the log has been read."""
        return self._meta("last_seq")

    def event_count(self, upto_seq: int) -> int:
        """Events up to a number."""
        if upto_seq >= self.last_seq():
            return self._meta("events")
        query = "SELECT count(*) FROM event WHERE seq <= ?"
        return int(self._db.execute(query, (upto_seq,)).fetchone()[0])

    def holds(self, stored: Stored) -> bool:
        """Whether the event of this number in the index is this very event."""
        row = self._db.execute(
            "SELECT e.ts_us, k.text, i.text FROM event e JOIN name k ON k.id = e.kind"
            " JOIN name i ON i.id = e.item WHERE e.seq = ?",
            (stored.seq,),
        ).fetchone()
        event = stored.event
        return row is not None and tuple(row) == (event.ts_us, event.kind, words_of(event).item)

    def add(self, batch: Sequence[Stored]) -> None:
        """Index a batch of the log in one transaction, and move the cursor behind it.

        Cost: about 60 us an event.
        """
        if not batch:
            return
        inflections.prepare(self._db)
        if len(self._names) > MAX_NAMES:
            self._names.clear()
        with self._transaction():
            texts = [text for stored in batch for text in self._add(stored)]
            inflections.add_words(self._db, texts)
            rollups.add_sums(self._db, batch)
            folder_sums.take_in(self._db, batch)
            spans.take_in(self._db, batch)
            moved = [("last_seq", batch[-1].seq), ("events", self._meta("events") + len(batch))]
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", moved)

    def match(self, question: Question, *, may_miss_words: bool = False) -> "Rows":
        """The events for which every filter of the question holds; with ``may_miss_words`` any of
        its words is enough.

        Returns:
            (n, 4), see ``Rows``.

        Cost: up to 0.1 s for 130,000 matching events.
        """
        import numpy as np

        condition, values = where(question, self._forms, may_miss_words=may_miss_words)
        cursor = self._db.execute(
            f"SELECT seq, ts_us, item, step FROM event{condition}",  # noqa: S608  (only our own conditions)
            values,
        )
        flat = np.fromiter((cell for row in cursor for cell in row), dtype=np.int64)
        rows: Rows = flat.reshape(-1, 4)
        return rows[np.lexsort((rows[:, 0], rows[:, 1]))]

    def ranked(self, question: Question, limit: int, *, may_miss_words: bool) -> list[int]:
        """Sequence numbers of matching events: first those with the words as they are written, best
        first by BM25, equally good ones newest first; newest first if the question has no words.
        """
        condition, values = where(question, self._forms, may_miss_words=may_miss_words)
        expression = expression_of(question, self._forms, may_miss_words=may_miss_words)
        if expression:
            query = (
                "SELECT event.seq FROM text JOIN event ON event.seq = text.rowid"  # noqa: S608
                f"{condition} AND text MATCH ?"
                " ORDER BY event.seq NOT IN (SELECT rowid FROM text WHERE text MATCH ?),"
                " round(bm25(text), 6), event.ts_us DESC LIMIT ?"
            )
            as_written = expression_of(question, _as_written, may_miss_words=may_miss_words)
            values = [*values, expression, as_written]
        else:
            query = f"SELECT seq FROM event{condition} ORDER BY ts_us DESC, seq DESC LIMIT ?"  # noqa: S608
        return [int(seq) for (seq,) in self._db.execute(query, (*values, limit))]

    def names(self, ids: Sequence[int]) -> list[str]:
        """The texts behind the numbers of items, kinds or steps."""
        marks = ", ".join("?" * len(ids))
        found_texts = dict(
            self._db.execute(f"SELECT id, text FROM name WHERE id IN ({marks})", tuple(ids))  # noqa: S608
        )
        return [found_texts[number] for number in ids]

    def shown(self, seqs: Sequence[int]) -> list[tuple[int, int, str, str]]:
        """Seq, moment, kind and item of events, in the given order."""
        marks = ", ".join("?" * len(seqs))
        rows = self._db.execute(
            "SELECT e.seq, e.ts_us, k.text, i.text FROM event e JOIN name k ON k.id = e.kind"  # noqa: S608
            f" JOIN name i ON i.id = e.item WHERE e.seq IN ({marks})",
            tuple(seqs),
        )
        by_seq = {row[0]: row for row in rows}
        return [by_seq[seq] for seq in seqs]

    def _forms(self, phrase: str) -> Sequence[str]:
        return inflections.forms_of(self._db, phrase)

    def _meta(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0])

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _add(self, stored: Stored) -> tuple[str, ...]:
        event, words = stored.event, words_of(stored.event)
        action = words.action.value if words.action else ""
        named = (words.item, words.step)
        rest = (action, event.kind, words.folder)
        item, step = map(self._name, named)
        numbers = list(map(self._name, rest))
        self._db.execute(
            _INSERT, (stored.seq, event.ts_us, item, step, int(words.family), *numbers)
        )
        texts = (words.path_words, words.words, words.about_words)
        self._db.execute(
            "INSERT INTO text (rowid, path, words, about, number) VALUES (?, ?, ?, ?, ?)",
            (stored.seq, *texts, words.number_words),
        )
        return texts

    def _name(self, text: str) -> int:
        """The number of a text; 0 of the empty one."""
        if not text:
            return 0
        number = self._names.get(text)
        if number is None:
            name = (zlib.crc32(text.encode()), text)
            query = "SELECT id FROM name WHERE crc = ? AND text = ?"
            row = self._db.execute(query, name).fetchone()
            if row is None:
                cursor = self._db.execute("INSERT INTO name (crc, text) VALUES (?, ?)", name)
                row = (cursor.lastrowid,)
            number = self._names[text] = int(row[0])
        return number

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._names.clear()  # numbers given out in it are free again
            raise
        self._db.execute("COMMIT")

    def _begin_anew(self) -> None:
        with self._transaction():
            if self._version() == SCHEMA:
                return  # another process was faster
            if self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise sqlite3.DatabaseError("the index has another schema")
            for statement in _TABLES:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")


def file_of(folder: Path) -> Path:
    """Where the index lies in the folder of derived files."""
    return folder / "search.db"


def remove(folder: Path) -> None:
    """Delete the index: the next one is built from the log."""
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def lock(folder: Path, clock: Clock, *, is_exclusive: bool) -> Iterator[None]:
    """Hold the index: many may read, or one may write.

    Raises:
        StoreError: Another process has it for longer than ``LOCK_S``.
    """
    private_folder(folder)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(folder / "search.lock", flags, 0o600)
    mode = fcntl.LOCK_EX if is_exclusive else fcntl.LOCK_SH
    deadline_s = clock.monotonic_s() + LOCK_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if clock.monotonic_s() >= deadline_s:
                    raise StoreError(
                        f"another process has held the search index for {LOCK_S:.0f} s",
                        "wait until it has built the index, then ask again",
                    ) from error
                clock.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _as_written(phrase: str) -> tuple[str]:
    return (phrase,)


def begins_with(
    connection: sqlite3.Connection, text: str, before_seq: int | None, limit_rows: int
) -> list[int]:
    """Sequence numbers of events that hold every word of a text, or words that begin so, newest
    first.
    """
    expression = typed_expression(text)
    if not expression:
        return []
    query = "SELECT rowid FROM text WHERE text MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    values = (expression, before_seq if before_seq is not None else 1 << 62, limit_rows)
    return [row[0] for row in connection.execute(query, values)]
