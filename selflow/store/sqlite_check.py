"""Whether a SQLite catalog is whole, by SQLite's own checks."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

_MAX_FAULTS = 20
_BUSY_TIMEOUT_S = 10.0


def check_file(path: Path) -> tuple[int, list[str]]:
    """How many rows the tables of the file hold, and what is wrong with it: pages, indexes, and
    rows that name another one that is not there. Nothing is written. Cost: reads the whole file.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S)
        ) as connection:
            lines = connection.execute(f"PRAGMA integrity_check({_MAX_FAULTS})")
            faults = [text for (text,) in lines if text != "ok"]
            lost = connection.execute("PRAGMA foreign_key_check").fetchmany(_MAX_FAULTS)
            faults += [
                f"row {row} of {name} names a row of {other}" for name, row, other, _ in lost
            ]
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            rows = sum(
                connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608  (its own names)
                for (name,) in names.fetchall()
            )
            return rows, faults
    except sqlite3.DatabaseError as error:
        cause_name = getattr(error, "sqlite_errorname", type(error).__name__)
        return 0, [f"SQLite cannot read {path} ({cause_name})"]
