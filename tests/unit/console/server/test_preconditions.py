"""Requests that come twice, and changes of what has changed since."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from actors.command_runner import CommandRunner
from selflow.console.server.preconditions import KEY_LIFE_S
from selflow.store.command_records import Command
from tests.unit.console.server.test_commands import never
from tests.unit.console.server.worlds import NOW_US, Console
from tests.unit.store.worlds import register

KEY = {"idempotency-key": "one"}


def queued(console: Console) -> int:
    return len(console.model.catalog.learned(Command))


def test_the_same_key_gives_the_same_answer_and_one_act(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    path = "/api/agents/writing/retire"
    first = console.ask("POST", path, "operate", KEY)
    CommandRunner(console.root, console.catalog, console.clock, never).once()
    again = console.ask("POST", path, "operate", KEY)  # nothing is left to retire by now

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["location"] == again.headers["location"]
    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "done")
    assert queued(console) == 1


@pytest.mark.parametrize("scope", ["operate", "admin"])
def test_another_key_caller_or_route_is_another_act(console: Console, scope: str) -> None:
    console.ask("POST", "/api/system/learn", "operate", KEY)
    console.ask("POST", "/api/system/learn", scope, {"idempotency-key": "two"})
    console.ask("POST", "/api/system/learn", "admin", KEY)
    console.ask("POST", "/api/system/learn", "operate")

    assert queued(console) == 4


def test_a_key_is_forgotten_after_a_day(console: Console) -> None:
    for wait_s, acts in ((0, 1), (KEY_LIFE_S - 1, 1), (1, 2), (KEY_LIFE_S, 3)):
        console.clock.advance(wait_s)
        console.ask("POST", "/api/system/learn", "operate", KEY)

        assert queued(console) == acts


def test_a_key_acts_once_however_many_send_it_at_once(console: Console) -> None:
    with ThreadPoolExecutor(6) as threads:
        answers = [
            *threads.map(
                lambda _: console.ask("POST", "/api/system/learn", "operate", KEY), range(6)
            )
        ]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == queued(console) == 1


def test_a_change_of_what_has_changed_is_refused(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    path = "/api/patterns/writing"
    seen = console.ask("GET", path)
    tag = {"if-match": seen.headers["etag"]}
    assert seen.headers["etag"] == f'"{seen.json()["etag"]}"'
    first = console.ask("PATCH", path, "operate", tag, json={"title": "mine"})
    late = console.ask("PATCH", path, "operate", tag, json={"title": "yours"})
    CommandRunner(console.root, console.catalog, console.clock, never).once()
    later = console.ask("PATCH", path, "operate", tag, json={"title": "yours"})

    assert (first.status_code, late.status_code, later.status_code) == (202, 412, 412)
    assert (late.json()["code"], late.json()["hint"]) == ("stale", "load it again, then repeat")
    fresh = {"if-match": console.ask("GET", path).headers["etag"]}
    assert console.ask("PATCH", path, "operate", fresh, json={"title": "b"}).status_code == 202
    assert console.ask("GET", "/api/patterns/none").json()["code"] == "pattern_not_found"
