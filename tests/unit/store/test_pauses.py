"""A pause is a fact of the catalog: it outlives every process and ends by the clock."""

from pathlib import Path

import pytest

from selflow.core.errors import UsageError
from selflow.store.catalog import Catalog
from selflow.store.pauses import CACHE_S, Pause, PauseWatch, pause_now, resume_now, standing
from selflow.store.reading import CatalogReader
from selflow.store.records import AuditEntry
from selflow.testing import ManualClock

HOUR_US = 3_600_000_000
NOW_US = 1_767_225_600_000_000


@pytest.fixture
def location(tmp_path: Path) -> Path:
    Catalog.open(tmp_path / "catalog.db").close()
    return tmp_path / "catalog.db"


def pauses(location: Path) -> list[Pause]:
    return CatalogReader(location).learned(Pause)


def test_a_pause_holds_until_its_end_and_ends_by_itself(location: Path) -> None:
    pause = pause_now(location, NOW_US + HOUR_US, NOW_US, "owner")

    assert standing(pauses(location), NOW_US + HOUR_US - 1) == pause
    assert standing(pauses(location), NOW_US + HOUR_US) is None


def test_a_clock_that_is_set_back_ends_no_pause(location: Path) -> None:
    pause_now(location, NOW_US + HOUR_US, NOW_US, "owner")

    assert standing(pauses(location), NOW_US - HOUR_US) is not None


def test_a_pause_without_an_end_holds_until_it_is_resumed(location: Path) -> None:
    pause_now(location, None, NOW_US, "owner")
    assert standing(pauses(location), NOW_US + 1_000 * HOUR_US) is not None
    resume_now(location, NOW_US + HOUR_US, "tok_1")

    (pause,) = pauses(location)
    assert standing([pause], NOW_US + HOUR_US) is None
    assert [pause.covers(NOW_US + at) for at in (-1, 0, HOUR_US - 1, HOUR_US)] == [
        False,
        True,
        True,
        False,
    ]
    assert resume_now(location, NOW_US + HOUR_US, "owner") is None


def test_a_new_pause_takes_the_place_of_the_one_that_holds(location: Path) -> None:
    pause_now(location, None, NOW_US, "owner")
    newer = pause_now(location, NOW_US + 2 * HOUR_US, NOW_US + HOUR_US, "owner")

    assert standing(pauses(location), NOW_US + HOUR_US) == newer
    assert standing(pauses(location), NOW_US + 2 * HOUR_US) is None
    assert all(
        any(pause.covers(NOW_US + at) for pause in pauses(location))
        for at in range(0, 2 * HOUR_US, HOUR_US // 4)
    )


@pytest.mark.parametrize("end_us", [0, NOW_US, NOW_US + 400 * 24 * HOUR_US])
def test_an_end_in_the_past_or_beyond_a_year_is_refused(location: Path, end_us: int) -> None:
    with pytest.raises(UsageError, match="ends in the future, within a year"):
        pause_now(location, end_us, NOW_US, "owner")

    assert pauses(location) == []


def test_both_acts_stand_in_the_audit_log(location: Path) -> None:
    pause_now(location, None, NOW_US, "owner")
    resume_now(location, NOW_US + 1, "tok_1")

    entries = CatalogReader(location).learned(AuditEntry)
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("owner", "collection.pause"),
        ("tok_1", "collection.resume"),
    ]


def test_a_door_sees_a_pause_within_half_a_second(location: Path) -> None:
    clock = ManualClock(NOW_US)
    watch = PauseWatch(location, clock)
    assert not watch.is_paused()
    pause_now(location, NOW_US + HOUR_US, NOW_US, "owner")
    clock.advance(CACHE_S * 1.01)

    assert watch.is_paused()
    clock.advance(HOUR_US / 1e6)
    assert not watch.is_paused()
    assert watch.covers(NOW_US + 1), "what was dated in the pause is never taken, however late"


def test_an_unreadable_catalog_lifts_no_pause(location: Path) -> None:
    clock = ManualClock(NOW_US)
    watch = PauseWatch(location, clock)
    pause_now(location, None, NOW_US, "owner")
    assert watch.is_paused()
    location.write_bytes(b"no catalog")
    clock.advance(CACHE_S * 2)

    assert watch.is_paused()
