"""Files by folder and day: two levels of folders, for the page Activity. They lie in
the file of the search index and are added to in the same transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from selflow.core.events import Stored
from selflow.search.rollups import DAY_US

MAX_FOLDERS = 200
"""Of one answer, the busiest; the rest is counted in one number."""
MAX_FOLDER_CHARACTERS = 400
TABLES = (
    """CREATE TABLE file_days (
  day INTEGER, folder TEXT, file BLOB, events INTEGER NOT NULL, last_us INTEGER NOT NULL,
  PRIMARY KEY (day, folder, file)) WITHOUT ROWID""",
)
_FILE_BYTES = 8
_LEVELS = 2


@dataclass(frozen=True, slots=True)
class FolderSum:
    """What happened to files in a folder and below it."""

    folder: str
    files: int
    events: int
    last_us: int


def take_in(connection: sqlite3.Connection, batch: Iterable[Stored]) -> None:
    """Add the file events of a batch, in a transaction that writes already."""
    rows = [
        (
            stored.event.ts_us // DAY_US,
            folder_of(stored.event.subject),
            blake2b(stored.event.subject.encode(), digest_size=_FILE_BYTES).digest(),
            stored.event.ts_us,
        )
        for stored in batch
        if stored.event.kind.startswith("file.") and stored.event.subject
    ]
    connection.executemany(
        "INSERT INTO file_days VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET "
        "events = events + 1, last_us = max(last_us, excluded.last_us)",
        rows,
    )


def folder_sums(
    connection: sqlite3.Connection, since_us: int, until_us: int, within: str | None
) -> tuple[list[FolderSum], int]:
    """Folders of the first level, or of the second within one of the first, with most events
    first; and how many more there are.

    Cost: reads a row for each file and day of the range.
    """
    days = (since_us // DAY_US, -(-until_us // DAY_US))
    query = (
        "SELECT folder, count(DISTINCT file), sum(events), max(last_us) FROM file_days "
        "WHERE day >= ? AND day < ? GROUP BY folder"
    )
    sums: dict[str, FolderSum] = {}
    for folder, files, events, last_us in connection.execute(query, days):
        top = top_of(folder)
        if within is not None and top != within:
            continue
        name = folder if within is not None else top
        before = sums.get(name, FolderSum(name, 0, 0, 0))
        sums[name] = FolderSum(
            name, before.files + files, before.events + events, max(before.last_us, last_us)
        )
    ordered = sorted(sums.values(), key=lambda one: (-one.events, one.folder))
    return ordered[:MAX_FOLDERS], max(0, len(ordered) - MAX_FOLDERS)


def folder_of(path: str) -> str:
    """The folder of a path, cut to two levels below the root, the home or where it begins; empty
    for a file that lies in none.
    """
    return _cut(path.rpartition("/")[0], _LEVELS)


def top_of(folder: str) -> str:
    """The first of the two levels."""
    return _cut(folder, 1)


def _cut(folder: str, levels: int) -> str:
    begin, rest = "", folder
    for start in ("~/", "/"):
        if folder.startswith(start):
            begin, rest = start, folder[len(start) :]
            break
    parts: Sequence[str] = [part for part in rest.split("/") if part][:levels]
    return (begin + "/".join(parts))[:MAX_FOLDER_CHARACTERS]
