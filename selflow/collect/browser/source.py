"""The source ``browser_history``: visited pages as ``browser.visit`` events."""

import os
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from selflow.collect.browser.history import History, Visit, open_history, signature
from selflow.collect.browser.profiles import Profile, chosen_profiles, find_profiles
from selflow.collect.polled import PolledSource, problem_of
from selflow.collect.positions import Position, PositionFile
from selflow.collect.rooted import BrowserHistoryAt
from selflow.collect.sources import Emit, Source
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError
from selflow.core.events import Event, Json

_BATCH_ROWS = 64
"""With the limits below a batch stays under 100 KiB."""
_MAX_URL_CHARACTERS, _MAX_TITLE_CHARACTERS = 800, 300
_PAGES = frozenset({"http", "https", "file"})
_DAY_US = 86_400_000_000
_NO_LIMIT = (1 << 63) - 1


def from_settings(section: BrowserHistoryAt, clock: Clock, home: str) -> Source:
    """The source that ``type: browser_history`` asks for."""
    return PolledSource("browser", BrowserReader(section, Path(home)), section, clock)


class BrowserReader:
    """Reads what is new in every profile's history.

    Args:
        section: Profiles, hosts to leave out, and the folders of positions and copies.
        home: The owner's home folder.
    """

    def __init__(self, section: BrowserHistoryAt, home: Path) -> None:
        self._section = section
        self._home = home
        self._seen: dict[Path, tuple[tuple[int, int, int], ...]] = {}

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:  # noqa: ARG002  (stopping changes nothing: the position is kept)
        """Events that were stored, and problems by name; a profile's harms no other."""
        for profile in self._profiles():
            try:
                yield from self._read_one(profile, emit, now_us)
            except SelFlowError as error:
                yield problem_of(error)
            except OSError as error:
                why = os.strerror(error.errno or 0)
                yield f"{profile.database}: {why}; make it readable or name your profiles"

    def _profiles(self) -> list[Profile]:
        if self._section.profiles:
            return list(chosen_profiles(self._section.profiles, self._home))
        return find_profiles(self._home)

    def _read_one(self, profile: Profile, emit: Emit, now_us: int) -> Iterator[int]:
        present = signature(profile.database)
        if self._seen.get(profile.database) == present or present[0] == (0, 0, 0):
            return
        file = PositionFile(Path(self._section.positions), str(profile.database))
        position = self._begin(file.load())
        with open_history(profile.database, profile.family, Path(self._section.copies)) as history:
            position = _after_deletions(position, history)
            while True:
                if not position.pending_id:
                    rows = history.visits(position.row_id, _NO_LIMIT, _BATCH_ROWS)
                    if not rows:
                        break
                    position = position.announce(rows[-1].row_id)
                    file.save(position)
                rows = history.visits(position.row_id, position.pending_id, _BATCH_ROWS)
                events = list(self._events(rows, profile, position.floor_us))
                if events and not emit(events, position.batch_id):
                    return
                position = _passed(position, rows, now_us)
                file.save(position)
                yield len(events)
        file.save(position)
        self._seen[profile.database] = present

    def _begin(self, before: Position | None) -> Position:
        """Where reading goes on: what was visited without a consent is not read later either."""
        consent_us = self._section.consent_us
        if before is None:
            floor_us = consent_us - self._section.history_days * _DAY_US
            return Position(floor_us=floor_us, consent_us=consent_us)
        if consent_us > before.consent_us:
            return replace(before, floor_us=consent_us, consent_us=consent_us)
        return before

    def _events(self, rows: list[Visit], profile: Profile, floor_us: int) -> Iterator[Event]:
        for row in rows:
            page = page_address(row.url)
            if not row.is_page or row.ts_us < floor_us or not page or self._is_excluded(page):
                continue
            data: dict[str, Json] = {"via": row.way} if row.way else {}
            if self._section.store_titles and row.title:
                data["title"] = row.title[:_MAX_TITLE_CHARACTERS]
            yield Event(row.ts_us, "browser", "browser.visit", page, profile.browser, data=data)

    def _is_excluded(self, page: str) -> bool:
        host = urlsplit(page).hostname or ""
        return any(fnmatchcase(host, glob.lower()) for glob in self._section.exclude_hosts)


def page_address(url: str) -> str:
    """The address without its query, fragment and login: what people type into pages stands there.

    Empty for what is no page of a person's: the browser's own, scripts, embedded data.
    """
    try:
        parts = urlsplit(url[:_MAX_URL_CHARACTERS])
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PAGES or not (host or parts.scheme == "file"):
        return ""
    address = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{address}{f':{port}' if port else ''}{parts.path}"


def _after_deletions(position: Position, history: History) -> Position:
    """The position by what is still there: a browser gives the numbers of deleted visits again."""
    if not position.row_id or position.pending_id:
        return position
    if history.time_us(position.row_id) == position.row_us:
        return position
    last = history.last_until(position.newest_us)
    if last >= position.row_id:
        return position
    row_us = history.time_us(last) or 0
    return replace(position, row_id=last, row_us=row_us)


def _passed(position: Position, rows: list[Visit], now_us: int) -> Position:
    """The position behind a batch. A time in the future, of a wrong clock, is not remembered."""
    moments = [row.ts_us for row in rows if row.ts_us <= now_us]
    return replace(
        position,
        row_id=rows[-1].row_id if rows else position.pending_id,
        row_us=rows[-1].ts_us if rows else 0,
        newest_us=max((position.newest_us, *moments)),
        pending_id=0,
        batch_id=0,
    )
