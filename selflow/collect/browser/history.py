"""The visits of a browser's history database, read from a copy.

A running browser locks its database, so that the file is copied together with its write-ahead log
(or rollback journal), and SQLite puts the two together in the copy.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from selflow.collect.browser.profiles import Family
from selflow.core.errors import StoreError
from selflow.core.paths import private_folder

_JOURNALS = ("-wal", "-journal")
_COPY_ATTEMPTS = 3
_MAX_VM_STEPS = 400_000_000
"""Of SQLite's machine for one read, about ten seconds: a damaged or hostile file cannot hold us."""
_CHROMIUM_EPOCH_US = 11_644_473_600_000_000
"""From 1601 to 1970: Chromium counts from the former."""

_CORE_MASK, _SUBFRAMES, _CHAIN_END = 0xFF, frozenset({3, 4}), 0x20000000
_FIREFOX_FRAMES = frozenset({4, 8})
_CHROMIUM_WAYS = {0: "link", 1: "typed", 2: "bookmark", 5: "typed", 7: "form", 8: "reload"}
_FIREFOX_WAYS = {1: "link", 2: "typed", 3: "bookmark", 5: "link", 6: "link", 7: "download"}
_FIREFOX_WAYS[9] = "reload"

_ROWS: dict[Family, str] = {
    "firefox": """
        SELECT v.id, v.visit_date, p.url, p.title, v.visit_type, coalesce(p.hidden, 0)
        FROM moz_historyvisits v LEFT JOIN moz_places p ON p.id = v.place_id
        WHERE v.id > ? AND v.id <= ? ORDER BY v.id LIMIT ?""",
    "chromium": """
        SELECT v.id, v.visit_time, u.url, u.title, v.transition, 0
        FROM visits v LEFT JOIN urls u ON u.id = v.url
        WHERE v.id > ? AND v.id <= ? ORDER BY v.id LIMIT ?""",
}
_TIME = {
    "firefox": "SELECT visit_date FROM moz_historyvisits WHERE id = ?",
    "chromium": "SELECT visit_time FROM visits WHERE id = ?",
}
_LAST_UNTIL = {
    "firefox": "SELECT max(id) FROM moz_historyvisits WHERE visit_date <= ?",
    "chromium": "SELECT max(id) FROM visits WHERE visit_time <= ?",
}
_COUNT = {
    "firefox": "SELECT count(*) FROM moz_historyvisits",
    "chromium": "SELECT count(*) FROM visits",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One row of the table of visits."""

    row_id: int
    ts_us: int
    url: str
    title: str
    way: str
    """How the page was reached: ``link``, ``typed``, ``bookmark``, ...; empty if unknown."""
    is_page: bool
    """False for what no person sees: frames, and addresses that led on to another."""


class History:
    """An open copy of a history."""

    def __init__(self, connection: sqlite3.Connection, family: Family) -> None:
        self._connection = connection
        self._family = family
        self._shift_us = _CHROMIUM_EPOCH_US if family == "chromium" else 0

    def visits(self, after_id: int, until_id: int, limit: int) -> list[Visit]:
        """The next rows by number, those of frames included."""
        rows = self._connection.execute(_ROWS[self._family], (after_id, until_id, limit))
        return [self._visit(*row) for row in rows]

    def time_us(self, row_id: int) -> int | None:
        """When the visit of a row was; None if there is no such row."""
        row = self._connection.execute(_TIME[self._family], (row_id,)).fetchone()
        return None if row is None else _integer(row[0]) - self._shift_us

    def last_until(self, moment_us: int) -> int:
        """The greatest number of a visit that is not newer; 0 if there is none."""
        newest = self._connection.execute(_LAST_UNTIL[self._family], (moment_us + self._shift_us,))
        return _integer(newest.fetchone()[0])

    def count(self) -> int:
        """How many visits it holds."""
        return _integer(self._connection.execute(_COUNT[self._family]).fetchone()[0])

    def _visit(
        self, row_id: int, time: object, url: object, title: object, how: object, hidden: object
    ) -> Visit:
        code = _integer(how)
        if self._family == "firefox":
            is_page, way = not hidden and code not in _FIREFOX_FRAMES, _FIREFOX_WAYS.get(code, "")
        else:
            core = code & _CORE_MASK
            is_page = bool(code & _CHAIN_END) and core not in _SUBFRAMES
            way = _CHROMIUM_WAYS.get(core, "")
        ts_us = _integer(time) - self._shift_us
        return Visit(row_id, ts_us, _text(url), _text(title), way, is_page and ts_us > 0)


@contextmanager
def open_history(database: Path, family: Family, copies: Path) -> Iterator[History]:
    """A copy of a history, and its end afterwards.

    Args:
        database: The browser's own file; it is only read.
        family: Whose tables it has.
        copies: A private folder for the copy.

    Raises:
        StoreError: It is not such a history, or is damaged.
        OSError: It cannot be read or copied.
    """
    private_folder(copies)
    with TemporaryDirectory(dir=copies) as folder:
        copy = _copy(database, Path(folder))
        try:
            connection = sqlite3.connect(copy, isolation_level=None)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                _limit(connection)
                yield History(connection, family)
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise StoreError(
                f"{database} is damaged or no history of {family}",
                "let the browser repair it, or name your profiles: data_sources, profiles",
            ) from error


def signature(database: Path) -> tuple[tuple[int, int, int], ...]:
    """What changes whenever the browser writes: cheap, and without reading the file."""
    paths = [database, *(database.with_name(database.name + end) for end in _JOURNALS)]
    return tuple(_stat(path) for path in paths)


def _limit(connection: sqlite3.Connection) -> None:
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MAX_VM_STEPS // 100_000

    connection.set_progress_handler(count, 100_000)


def _copy(database: Path, folder: Path) -> Path:
    """A copy in which file and journal belong together, unless the browser never rests."""
    copy = folder / "history"
    for _ in range(_COPY_ATTEMPTS):
        before = signature(database)
        shutil.copyfile(database, copy)
        for end in _JOURNALS:
            journal, target = database.with_name(database.name + end), folder / f"history{end}"
            target.unlink(missing_ok=True)
            if journal.exists():
                shutil.copyfile(journal, target)
        if signature(database) == before:
            break
    return copy


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116  (one call for three facts)
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
