"""Events over HTTP take the collector's own way in."""

import json
from collections.abc import Iterator

import pytest

from selflow.collect.ingest import IngestServer
from selflow.core.clock import SystemClock
from selflow.core.grants import OWNER
from selflow.testing import MemoryLog
from tests.unit.collect.ingest_world import event_filter
from tests.unit.console.server.worlds import Console

EVENT = {"ts": 1_000, "source": "editor", "kind": "file.open", "subject": "a.py"}
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
def log(console: Console) -> Iterator[MemoryLog]:
    """The collector's door, at the console's root."""
    taken = MemoryLog()
    socket = console.root.socket("ingest.sock")
    server = IngestServer(taken, event_filter(), SystemClock(), socket)
    server.start()
    yield taken
    server.stop()


def post(console: Console, body: object, scope: str = "operate", **headers: str) -> object:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return console.ask("POST", "/api/events", scope, names, json=body).json()


def test_one_event_a_list_and_lines_are_stored(console: Console, log: MemoryLog) -> None:
    assert post(console, EVENT) == {"accepted": 1, "dropped": 0, "rejected": []}
    assert post(console, [EVENT, EVENT]) == {"accepted": 2, "dropped": 0, "rejected": []}
    lines = "\n".join(json.dumps({**EVENT, "subject": name}) for name in "xyz")
    answer = console.ask("POST", "/api/events", "operate", LINES, content=lines)

    assert answer.json()["accepted"] == 3
    stored = [each.event for each in log.read(0, 10)]
    assert [event.source for event in stored] == ["editor"] * 6
    assert [event.subject for event in stored[3:]] == ["x", "y", "z"]


def test_what_breaks_the_schema_is_named_by_its_place(console: Console, log: MemoryLog) -> None:
    told = post(console, [{"ts": 1}, EVENT, {**EVENT, "ts": "soon"}])

    assert told == {
        "accepted": 1,
        "dropped": 0,
        "rejected": [{"index": 0, "code": "bad_event"}, {"index": 2, "code": "bad_ts"}],
    }
    assert console.ask("POST", "/api/events", "operate", LINES, content="{").status_code == 400


def test_a_batch_that_is_sent_again_is_stored_once(console: Console, log: MemoryLog) -> None:
    many = [{**EVENT, "subject": str(number)} for number in range(1_200)]
    first = post(console, many, X_Batch_Id="today")
    again = post(console, many, X_Batch_Id="today")

    assert first == again == {"accepted": 1_200, "dropped": 0, "rejected": []}
    assert len(log.read(0, 10_000)) == 1_200


def test_without_a_collector_the_caller_is_told_to_come_back(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflow.console.server.ingest_api.LIMIT_S", 0.05)
    answer = console.ask("POST", "/api/events", "operate", json=EVENT)

    assert (answer.status_code, answer.json()["code"]) == (503, "ray_down")


def test_a_token_for_one_source_brings_in_no_other(console: Console, log: MemoryLog) -> None:
    now_us = console.clock.now_us()
    console.tokens = dict(console.tokens) | {
        "narrow": console.catalog.tokens.create(
            "operate", "editor", now_us, OWNER, only=["ingest"], sources=["editor"]
        )[0]
    }

    assert post(console, EVENT, "narrow") == {"accepted": 1, "dropped": 0, "rejected": []}
    refused = console.ask(
        "POST", "/api/events", "narrow", json=[EVENT, {**EVENT, "source": "shell"}]
    )
    assert refused.json()["code"] == "forbidden_scope"
    assert console.ask("GET", "/api/events", "narrow").status_code == 403
    assert len(log.read(0, 10)) == 1
