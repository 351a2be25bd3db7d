"""Histories of browsers with the tables of the real ones, written as a running browser does."""

import sqlite3
from pathlib import Path

CHROMIUM_EPOCH_US = 11_644_473_600_000_000

_FIREFOX = """
CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR,
  rev_host LONGVARCHAR, visit_count INTEGER DEFAULT 0, hidden INTEGER DEFAULT 0 NOT NULL,
  typed INTEGER DEFAULT 0 NOT NULL, frecency INTEGER DEFAULT -1 NOT NULL, last_visit_date INTEGER,
  guid TEXT, foreign_count INTEGER DEFAULT 0 NOT NULL, url_hash INTEGER DEFAULT 0 NOT NULL,
  description TEXT, preview_image_url TEXT, site_name TEXT, origin_id INTEGER,
  recalc_frecency INTEGER NOT NULL DEFAULT 0, alt_frecency INTEGER,
  recalc_alt_frecency INTEGER NOT NULL DEFAULT 0);
CREATE TABLE moz_historyvisits (id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER,
  visit_date INTEGER, visit_type INTEGER, session INTEGER, source INTEGER DEFAULT 0 NOT NULL,
  triggeringPlaceId INTEGER);
"""
_CHROMIUM = """
CREATE TABLE urls(id INTEGER PRIMARY KEY AUTOINCREMENT, url LONGVARCHAR, title LONGVARCHAR,
  visit_count INTEGER DEFAULT 0 NOT NULL, typed_count INTEGER DEFAULT 0 NOT NULL,
  last_visit_time INTEGER NOT NULL, hidden INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER NOT NULL, visit_time INTEGER NOT NULL,
  from_visit INTEGER, transition INTEGER DEFAULT 0 NOT NULL, segment_id INTEGER,
  visit_duration INTEGER DEFAULT 0 NOT NULL, incremented_omnibox_typed_score BOOLEAN DEFAULT FALSE
  NOT NULL, opener_visit INTEGER, originator_cache_guid TEXT, originator_visit_id INTEGER,
  originator_from_visit INTEGER, originator_opener_visit INTEGER, is_known_to_sync BOOLEAN DEFAULT
  FALSE NOT NULL, consider_for_ntp_most_visited BOOLEAN DEFAULT FALSE NOT NULL,
  visited_link_id INTEGER DEFAULT 0 NOT NULL, app_id TEXT);
"""
LINK = 0x30000000
"""Chromium's code of a followed link that led to no other page."""


class Browser:
    """A browser that runs: it holds its database open, with a write-ahead log."""

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self.database = database
        self.is_firefox = database.name == "places.sqlite"
        self._connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        if self.is_firefox:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.executescript(_FIREFOX if self.is_firefox else _CHROMIUM)

    def visit(self, url: str, ts_us: int, title: str = "", how: int | None = None) -> int:
        """Visit a page; the number of the visit."""
        if self.is_firefox:
            page = self._run("INSERT INTO moz_places (url, title) VALUES (?, ?)", url, title)
            return self._run(
                "INSERT INTO moz_historyvisits (place_id, visit_date, visit_type) VALUES (?, ?, ?)",
                *(page, ts_us, 1 if how is None else how),
            )
        page = self._run(
            "INSERT INTO urls (url, title, last_visit_time) VALUES (?, ?, 0)", url, title
        )
        return self._run(
            "INSERT INTO visits (url, visit_time, transition) VALUES (?, ?, ?)",
            *(page, ts_us + CHROMIUM_EPOCH_US, LINK if how is None else how),
        )

    def delete_from(self, visit_id: int) -> None:
        """Delete visits from a number on; a later visit has it again."""
        table = "moz_historyvisits" if self.is_firefox else "visits"
        self._run(f"DELETE FROM {table} WHERE id >= ?", visit_id)  # noqa: S608  (a table's name)

    def close(self) -> None:
        """End."""
        self._connection.close()

    def _run(self, statement: str, *values: object) -> int:
        return self._connection.execute(statement, values).lastrowid or 0


FIREFOX = ".mozilla/firefox/ab12.default/places.sqlite"
CHROMIUM = ".config/chromium/Default/History"
