"""Questions about one's own events, in the console as on the command line."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from selflow.console.server.asker import Asker
from selflow.core.errors import StoreError
from selflow.core.events import Stored
from selflow.search import asking, follow
from selflow.search import index as index_file
from selflow.search.index import SearchIndex
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import Console, at

QUESTION = "which files did I change in docs/ since 2025?"


@pytest.fixture
def stocked(console: Console) -> Console:
    console.store(
        [
            at(3, subject="docs/a.md"),
            at(2, "shell.command", "make docs", source="shell"),
            at(1.5, subject="docs/b.md"),
            at(1, subject="docs/a.md"),
        ]
    )
    return console


def answer(console: Console, text: str, **more: Any) -> dict[str, Any]:
    answered = console.ask("POST", "/api/ask", json={"text": text, **more})
    assert answered.status_code == 200
    document: dict[str, Any] = answered.json()
    return document


def test_an_answer_is_that_of_the_command_line(stocked: Console, cli: Cli) -> None:
    shown = answer(stocked, QUESTION, limit=2, kinds=["file"])

    printed = cli("ask", QUESTION, "--limit", "2", "--kind", "file", "--json").document
    assert shown == printed
    assert (shown["event_count"], len(shown["results"])) == (3, 2)
    assert [item["name"] for item in shown["filters"]] == ["about", "kind", "folder", "since"]


def test_a_sentence_leads_to_its_events(stocked: Console) -> None:
    facts = {item["fact"]: item for item in answer(stocked, QUESTION)["facts"]}
    seqs = ",".join(map(str, facts["count"]["event_ids"]))
    rows = stocked.ask("GET", f"/api/events?seqs={seqs},99").json()["items"]

    assert len(rows) == facts["count"]["event_count"] == 3
    assert [row["subject"] for row in rows] == ["docs/a.md", "docs/b.md", "docs/a.md"]


@pytest.mark.parametrize("seqs", ["", "x", "0", "1,,2", "-1", "9" * 19, ",".join("1" * 101)])
def test_numbers_of_events_are_checked(stocked: Console, seqs: str) -> None:
    assert stocked.ask("GET", f"/api/events?seqs={seqs}").json()["code"] == "validation_failed"


def test_a_search_gives_the_events_alone(stocked: Console) -> None:
    limits = {"until": "2025-12-31T22:15:00Z", "top_k": 5}
    found = stocked.ask("POST", "/v1/search", json={"query": "docs", **limits}).json()

    assert list(found) == ["results"]
    assert [item["text"] for item in found["results"]] == [
        "shell.command make docs",
        "file.modify docs/a.md",
    ]


def test_nothing_found_is_said_with_no_figure(stocked: Console) -> None:
    shown = answer(stocked, "zebra")

    assert (shown["event_count"], shown["facts"]) == (0, [])
    assert shown["notes"][0] == "nothing was found"


def test_an_empty_log_is_said(console: Console) -> None:
    assert answer(console, "docs")["notes"] == ["nothing was found: the event log is empty"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "what did I do?"},
        {"text": "secret " * 40},
        {"text": "x" * 2_001},
        {"text": "docs", "since": "secret"},
        {"text": "docs", "limit": -1},
        {"text": "docs", "kinds": "file"},
        {"text": "docs", "color": "red"},
    ],
)
def test_what_cannot_be_understood_is_refused_and_not_quoted(
    stocked: Console, body: dict[str, Any]
) -> None:
    refused = stocked.ask("POST", "/api/ask", json=body)

    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["hint"]
    assert "secret" not in refused.text


def test_a_log_that_cannot_be_read_is_503(
    stocked: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("another process has the index", "ask again")

    monkeypatch.setattr(asking, "catch_up", fail)
    refused = stocked.ask("POST", "/api/ask", json={"text": "docs"})

    assert (refused.status_code, refused.json()["hint"]) == (503, "ask again")


def test_a_console_that_ends_does_not_read_the_log_to_its_end(
    stocked: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = SearchIndex.add
    stocked.model.index.close()
    index_file.remove(stocked.root.derived)

    def end(index: SearchIndex, batch: Sequence[Stored]) -> None:
        stocked.app.state.asker.close()
        add(index, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SearchIndex, "add", end)
        patch.setattr(follow, "BATCH_EVENTS", 1)
        assert answer(stocked, QUESTION)["event_count"] == 1

    stocked.app.state.asker = Asker(stocked.model)
    assert answer(stocked, QUESTION)["event_count"] == 3


def test_questions_at_once_are_all_answered(stocked: Console) -> None:
    with ThreadPoolExecutor(4) as threads:
        counts = [*threads.map(lambda _: answer(stocked, QUESTION)["event_count"], range(8))]

    assert counts == [3] * 8
