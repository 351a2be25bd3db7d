"""The search index: one derived SQLite file behind the event log, with FTS5 over words and paths.

It can be deleted at any time and is rebuilt from the log. Events keep the log's sequence numbers.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.events import Stored
from selflow.core.paths import private_folder
from selflow.search.event_words import words_of
from selflow.search.records import Family, Question

SCHEMA = 1
"""Raise it with every change of the tables or of ``event_words``: older files are rebuilt."""
LOCK_S = 120.0
"""How long one asker waits for another that brings the index up to date."""
_POLL_S = 0.05
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, ts_us INTEGER NOT NULL, item INTEGER NOT NULL, step INTEGER NOT NULL,
    family INTEGER NOT NULL, action INTEGER NOT NULL, kind INTEGER NOT NULL,
    source INTEGER NOT NULL, app INTEGER NOT NULL, folder INTEGER NOT NULL
);
CREATE INDEX event_ts ON event (ts_us);
CREATE VIRTUAL TABLE text USING fts5(path, words, content='', tokenize='porter unicode61');
"""
_INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Rows = NDArray[np.int64]
"""(n, 4): seq, ts_us, item and step of events, by time, then seq."""


class SearchIndex:
    """One opened index. Not for threads: each asker opens one."""

    def __init__(self, folder: Path) -> None:
        """Open ``folder/search.db``, a new one if there is none or another schema in it.

        Raises:
            StoreError: The folder cannot be made.
            sqlite3.DatabaseError: The file is broken (``remove`` it).
        """
        private_folder(folder)
        path = file_of(folder)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        self._names: dict[str, int] = {}
        try:
            if self._db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
                self._begin_anew()
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def last_seq(self) -> int:
        """Up to here the log has been read."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'last_seq'").fetchone()
        return int(row[0]) if row else 0

    def event_count(self, upto_seq: int) -> int:
        """Events up to a number."""
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

        Cost: about 50 us an event.
        """
        with self._transaction():
            for stored in batch:
                self._add(stored)
            if batch:
                self._db.execute(
                    "INSERT OR REPLACE INTO meta VALUES ('last_seq', ?)", (batch[-1].seq,)
                )

    def match(self, question: Question, *, may_miss_words: bool = False) -> Rows:
        """The events for which every filter of the question holds; with ``may_miss_words`` any of
        its words is enough.

        Returns:
            (n, 4), see ``Rows``.

        Cost: up to 0.1 s for 130,000 matching events.
        """
        where, values = self._where(question, may_miss_words=may_miss_words)
        cursor = self._db.execute(
            f"SELECT seq, ts_us, item, step FROM event{where}",  # noqa: S608  (only our own conditions)
            values,
        )
        flat = np.fromiter((cell for row in cursor for cell in row), dtype=np.int64)
        rows: Rows = flat.reshape(-1, 4)
        return rows[np.lexsort((rows[:, 0], rows[:, 1]))]

    def ranked(self, question: Question, limit: int, *, may_miss_words: bool) -> list[int]:
        """Sequence numbers of matching events, best first by BM25, equally good ones newest first;
        newest first if the question has no words.
        """
        where, values = self._where(question, may_miss_words=may_miss_words)
        expression = _expression(question, may_miss_words=may_miss_words)
        if expression:
            query = (
                "SELECT event.seq FROM text JOIN event ON event.seq = text.rowid"  # noqa: S608
                f"{where} AND text MATCH ? ORDER BY round(bm25(text), 6), event.ts_us DESC LIMIT ?"
            )
            values = [*values, expression]
        else:
            query = f"SELECT seq FROM event{where} ORDER BY ts_us DESC, seq DESC LIMIT ?"  # noqa: S608
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

    def _add(self, stored: Stored) -> None:
        event, words = stored.event, words_of(stored.event)
        action = words.action.value if words.action else ""
        named = (words.item, words.step)
        rest = (action, event.kind, event.source, event.app, words.folder)
        item, step = map(self._name, named)
        numbers = list(map(self._name, rest))
        self._db.execute(
            _INSERT, (stored.seq, event.ts_us, item, step, int(words.family), *numbers)
        )
        self._db.execute(
            "INSERT INTO text (rowid, path, words) VALUES (?, ?, ?)",
            (stored.seq, words.path_words, words.words),
        )

    def _name(self, text: str) -> int:
        """The number of a text; 0 of the empty one."""
        if not text:
            return 0
        number = self._names.get(text)
        if number is None:
            row = self._db.execute("SELECT id FROM name WHERE text = ?", (text,)).fetchone()
            if row is None:
                cursor = self._db.execute("INSERT INTO name (text) VALUES (?)", (text,))
                row = (cursor.lastrowid,)
            number = self._names[text] = int(row[0])
        return number

    def _where(self, question: Question, *, may_miss_words: bool) -> tuple[str, list[object]]:
        conditions: list[tuple[str, list[object]]] = []
        if question.period:
            period = question.period
            conditions.append(
                ("ts_us >= ? AND ts_us < ?", [_int64(period.since_us), _int64(period.until_us)])
            )
        if question.family is not Family.OTHER:
            conditions.append(("family & ? = ?", [int(question.family)] * 2))
        if question.action:
            conditions.append(
                ("action = (SELECT id FROM name WHERE text = ?)", [question.action.value])
            )
        for folder in question.folders:
            inside = "folder IN (SELECT id FROM name WHERE instr(lower(text), ?))"
            conditions.append((inside, [folder.lower()]))
        if question.kinds:
            either = " OR ".join("text = ? OR substr(text, 1, ?) = ?" for _ in question.kinds)
            kinds: list[object] = []
            for kind in question.kinds:
                kinds += [kind, len(kind) + 1, f"{kind}."]
            among = f"kind IN (SELECT id FROM name WHERE {either})"  # noqa: S608
            conditions.append((among, kinds))
        expression = _expression(question, may_miss_words=may_miss_words)
        if expression:
            matches = "seq IN (SELECT rowid FROM text WHERE text MATCH ?)"
            conditions.append((matches, [expression]))
        text = " AND ".join(f"({condition})" for condition, _ in conditions)
        return (
            f" WHERE {text}" if text else " WHERE 1",
            [value for _, values in conditions for value in values],
        )

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
        tables = self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables:
            raise sqlite3.DatabaseError("the index has another schema")
        self._db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")


def file_of(folder: Path) -> Path:
    """Where the index lies in the folder of derived files."""
    return folder / "search.db"


def remove(folder: Path) -> None:
    """Delete the index: the next one is built from the log."""
    for name in ("search.db", "search.db-journal"):
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


def _expression(question: Question, *, may_miss_words: bool) -> str:
    """The question's words in the language of FTS5, each quoted: no word is an operator."""
    quoted = [_quoted(term) for term in question.words]
    required = [f"path : {_quoted(term)}" for term in question.path_words]
    if may_miss_words and len(quoted) > 1:
        quoted = [f"({' OR '.join(quoted)})"]
    return " AND ".join([*required, *quoted])


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""').replace("\0", " ") + '"'


def _int64(value: int) -> int:
    return max(-(1 << 63), min((1 << 63) - 1, value))
