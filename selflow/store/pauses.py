"""Pauses of collection: rows that say from when to when nothing is taken in, kept for good, because
what is dated in a pause may come late. Needs no SQLAlchemy: light processes begin and end them.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import Clock, rfc3339
from selflow.core.errors import StoreError, UsageError
from selflow.core.ids import new_id
from selflow.store.reading import CatalogReader
from selflow.store.row import Row
from selflow.store.row_writer import writing

CACHE_S = 0.5
"""A pause holds for every door within this time and the length of one look of the collector."""
MAX_PAUSE_US = 366 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Pause(Row):
    """Nothing is collected from ``started_at_us`` on: up to ``until_at_us``, for as long as nobody
    resumes where that is None, and in any case only up to ``resumed_at_us``.
    """

    table = "pauses"
    order = ("started_at_us",)
    id: str
    started_at_us: int
    until_at_us: int | None
    resumed_at_us: int | None
    actor: str

    def holds(self, now_us: int) -> bool:
        """Whether it still lasts. A clock that was set back before its start ends none."""
        is_due = self.until_at_us is not None and self.until_at_us <= now_us
        return self.resumed_at_us is None and not is_due

    def covers(self, ts_us: int) -> bool:
        """Whether a moment lies in it."""
        ends = [end for end in (self.until_at_us, self.resumed_at_us) if end is not None]
        return self.started_at_us <= ts_us and all(ts_us < end for end in ends)


class PauseWatch:
    """Whether collection is paused, for the collector's doors. For any thread.

    While the catalog cannot be read, what was read last holds; who asks the catalog for consents
    beside it reports that.
    """

    def __init__(self, catalog: CatalogLocation, clock: Clock) -> None:
        self._reader = CatalogReader(catalog)
        self._clock = clock
        self._read_at_s = float("-inf")
        self._pauses: Sequence[Pause] = ()

    def is_paused(self) -> bool:
        """Whether nothing may come in now."""
        return standing(self._current(), self._clock.now_us()) is not None

    def covers(self, ts_us: int) -> bool:
        """Whether an event of this moment is never stored, however late it comes."""
        return any(pause.covers(ts_us) for pause in self._current())

    def _current(self) -> Sequence[Pause]:
        now_s = self._clock.monotonic_s()
        if now_s - self._read_at_s > CACHE_S:
            with suppress(StoreError):
                self._pauses = self._reader.learned(Pause)
            self._read_at_s = now_s
        return self._pauses


def standing(pauses: Iterable[Pause], now_us: int) -> Pause | None:
    """The pause that holds now, the newest if several do; None if collection goes on."""
    held = [pause for pause in pauses if pause.holds(now_us)]
    return held[-1] if held else None


def pause_now(location: CatalogLocation, until_us: int | None, now_us: int, actor: str) -> Pause:
    """Begin a pause; one that holds ends where this one begins.

    Raises:
        UsageError: It would end in the past, or after more than a year.
        StoreError: The catalog refuses it.
    """
    if until_us is not None and not now_us < until_us <= now_us + MAX_PAUSE_US:
        raise UsageError(
            "a pause ends in the future, within a year", "leave the end out: selflow resume ends it"
        )
    pause = Pause(new_id("pau"), now_us, until_us, None, actor)
    held = _held(location, now_us)
    with writing(location) as rows:
        for earlier in held:
            rows.update(replace(earlier, resumed_at_us=now_us))
        rows.insert(pause)
        until = None if until_us is None else rfc3339(until_us)
        rows.audit(now_us, actor, "collection.pause", pause.id, {"until": until})
    return pause


def resume_now(location: CatalogLocation, now_us: int, actor: str) -> Pause | None:
    """End the pause that holds; None if none does.

    Raises:
        StoreError: The catalog refuses it.
    """
    held = _held(location, now_us)
    if not held:
        return None
    with writing(location) as rows:
        for pause in held:
            rows.update(replace(pause, resumed_at_us=now_us))
        rows.audit(now_us, actor, "collection.resume", held[-1].id)
    return replace(held[-1], resumed_at_us=now_us)


def pause_item(pause: Pause) -> dict[str, Any]:
    """A pause as ``selflow status`` and the API tell it; ``until`` None: until it is resumed."""
    until_us = pause.until_at_us
    return {
        "id": pause.id,
        "since": rfc3339(pause.started_at_us),
        "until": None if until_us is None else rfc3339(until_us),
        "by": pause.actor,
    }


def _held(location: CatalogLocation, now_us: int) -> list[Pause]:
    return [pause for pause in CatalogReader(location).learned(Pause) if pause.holds(now_us)]
