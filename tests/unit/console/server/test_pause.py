"""Pausing by the API: at once, for the doors of events too."""

import pytest

from tests.unit.console.server.worlds import NOW_US, Console

EVENT = {"ts": 1_000, "source": "editor", "kind": "file.open", "subject": "a.py"}


@pytest.mark.parametrize(
    ("body", "until"),
    [
        ({"minutes": 15}, "2026-01-01T00:15:00.000000Z"),
        ({"until": "1h"}, "2026-01-01T01:00:00.000000Z"),
        ({}, None),
    ],
)
def test_a_pause_is_seen_at_once_and_ended_by_resume(
    console: Console, body: object, until: str | None
) -> None:
    assert console.ask("GET", "/api/system").json()["pause"] is None
    taken = console.ask("POST", "/api/system/pause", "operate", json=body)
    seen = console.ask("GET", "/api/system").json()

    assert (taken.status_code, taken.json()["until"]) == (200, until)
    assert seen["pause"] == taken.json()
    assert console.ask("POST", "/api/system/resume", "operate").json() == {"was_paused": True}
    assert console.ask("GET", "/api/system").json()["pause"] is None


def test_events_of_a_pause_are_answered_paused(console: Console) -> None:
    console.ask("POST", "/api/system/pause", "operate", json={"minutes": 15})
    refused = console.ask("POST", "/api/events", "operate", json=EVENT)
    console.clock.advance(15 * 60)
    later = console.ask("POST", "/api/events", "operate", json={**EVENT, "ts": "soon"})

    assert (refused.status_code, refused.json()["code"]) == (503, "paused")
    assert later.json()["rejected"] == [{"index": 0, "code": "bad_ts"}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"minutes": 15, "until": "1h"}, 400),
        ({"minutes": 0}, 400),
        ({"until": "yesterday"}, 400),
        ({"until": "2020-01-01"}, 400),
        ({"minutes": "a while"}, 400),
    ],
)
def test_a_wrong_end_pauses_nothing(console: Console, body: object, status: int) -> None:
    refused = console.ask("POST", "/api/system/pause", "operate", json=body)

    assert refused.status_code == status
    assert console.ask("GET", "/api/system").json()["pause"] is None


def test_who_may_only_look_pauses_nothing(console: Console) -> None:
    assert console.ask("POST", "/api/system/pause", "view", json={}).status_code == 403
    assert console.clock.now_us() == NOW_US
