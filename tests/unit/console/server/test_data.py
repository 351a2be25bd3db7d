"""Events, sources and activity, and the derived file behind them."""

from contextlib import closing

import pytest

from selflow.core.grants import OWNER
from selflow.search.shared import SharedIndex
from selflow.store.log import EventLog
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import NOW_US, Console, at


def subjects(console: Console, query: str) -> list[str]:
    return [item["subject"] for item in console.ask("GET", f"/api/events?{query}").json()["items"]]


@pytest.fixture
def stocked(console: Console) -> Console:
    console.store(
        [
            at(3, subject="src/parser.py", app="vim"),
            at(2, "shell.command", "git commit -m parser", source="shell", data={"folder": "~/p"}),
            at(1, subject="docs/parser notes.md", app="emacs", duration_s=30.0),
        ]
    )
    return console


def test_events_are_those_of_the_command_line(stocked: Console, cli: Cli) -> None:
    shown = stocked.ask("GET", "/api/events").json()["items"]
    stocked.model.release_log()

    assert list(reversed(shown)) == cli("events", "--json").document["items"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("source=shell", ["git commit -m parser"]),
        ("app=vim", ["src/parser.py"]),
        ("kind=shell.command", ["git commit -m parser"]),
        ("since=2025-12-31T22:30:00Z", ["docs/parser notes.md"]),
        ("until=2025-12-31T21:30:00Z", ["src/parser.py"]),
        ("q=pars", ["docs/parser notes.md", "git commit -m parser", "src/parser.py"]),
        ("q=parser+git", ["git commit -m parser"]),
        ("q=emacs", ["docs/parser notes.md"]),
        ("q=p&app=vim", ["src/parser.py"]),
        ("q=%22*)%20OR", []),
        ("q=---", []),
        ("q=git_comm", ["git commit -m parser"]),
        ("q=modify", []),
    ],
)
def test_every_filter_finds_its_events(stocked: Console, query: str, found: list[str]) -> None:
    assert subjects(stocked, query) == found


@pytest.mark.parametrize("query", ["", "q=parser&"])
def test_events_go_on_where_a_page_ended(stocked: Console, query: str) -> None:
    first = stocked.ask("GET", f"/api/events?{query}limit=2").json()
    rest = stocked.ask("GET", f"/api/events?{query}limit=2&cursor={first['next']}").json()

    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert stocked.ask("GET", f"/api/events?{query}cursor=x").json()["code"] == "bad_request"


def test_rare_events_are_found_page_by_page_wherever_they_lie(console: Console) -> None:
    many = [at(100 + n / 50, subject=f"m{n}", app="vim") for n in range(3_000)]
    few = [at(hours, subject=f"f{hours}", app="rare") for hours in (0.1, 1.5, 120, 130)]
    console.store(sorted([*many, *few], key=lambda event: event.ts_us))

    assert subjects(console, "app=rare") == ["f0.1", "f1.5", "f120", "f130"]
    first = console.ask("GET", "/api/events?app=rare&limit=3").json()
    assert subjects(console, f"app=rare&cursor={first['next']}") == ["f130"]
    assert subjects(console, "app=rare&since=2025-12-31T00:00:00Z") == ["f0.1", "f1.5"]
    page = console.ask("GET", "/api/events?q=vim&app=rare").json()
    assert (page["items"], page["next"] is None) == ([], False)


def test_a_bad_time_is_named_and_never_quoted(stocked: Console) -> None:
    problem = stocked.ask("GET", "/api/events?since=secret").json()

    assert (problem["code"], problem["detail"]) == ("bad_request", "invalid since")


def test_sources_tell_consent_and_what_came_last(stocked: Console) -> None:
    stocked.catalog.consents.grant("file_system", {"paths": ["~/p"]}, NOW_US, OWNER)
    shown = stocked.ask("GET", "/api/sources").json()

    (consent,) = shown["consents"]
    assert (consent["kind"], consent["is_allowed"], consent["folders"]) == (
        "file_system",
        True,
        ["~/p"],
    )
    assert [(item["source"], item["events"]) for item in shown["streams"]] == [
        ("files", 2),
        ("shell", 1),
    ]
    assert shown["streams"][1]["last_at"].startswith("2025-12-31T22:00")
    assert shown["collector"] == "not running"


def test_activity_adds_up_hours_and_days(stocked: Console) -> None:
    hours = stocked.ask("GET", "/api/activity?by=kind").json()["items"]
    days = stocked.ask("GET", "/api/activity?by=app&bin=day").json()["items"]

    assert [(item["group"], item["events"]) for item in hours] == [
        ("file.modify", 1),
        ("shell.command", 1),
        ("file.modify", 1),
    ]
    assert [(item["group"], item["duration_s"]) for item in days] == [
        ("", 0.0),
        ("emacs", 30.0),
        ("vim", 0.0),
    ]


def test_a_range_of_ten_years_is_refused_with_a_way_out(stocked: Console) -> None:
    problem = stocked.ask("GET", "/api/activity?since=2016-01-01").json()

    assert (problem["code"], problem["hint"]) == ("bad_request", "ask for a shorter one")


def test_the_derived_file_may_be_deleted_at_any_time(stocked: Console) -> None:
    before = stocked.ask("GET", "/api/activity").json()
    stocked.model.index.close()
    for path in stocked.root.derived.iterdir():
        path.unlink()
    stocked.store([])

    assert stocked.ask("GET", "/api/activity").json() == before
    assert subjects(stocked, "q=emacs") == ["docs/parser notes.md"]


def test_questions_and_lists_share_one_file_that_forgets(stocked: Console) -> None:
    question = {"text": "parser notes"}
    assert stocked.ask("POST", "/api/ask", json=question).json()["event_count"] == 1
    assert subjects(stocked, "q=notes") == ["docs/parser notes.md"]
    assert len([*stocked.root.derived.rglob("*.db")]) == 1

    stocked.model.release_log()
    for path in stocked.root.events.iterdir():
        path.unlink()
    stocked.store([at(3, subject="src/parser.py"), at(1, subject="other.py")])

    assert stocked.ask("POST", "/api/ask", json=question).json()["event_count"] == 0
    assert stocked.model.index.search("notes", None, 5) == []
    stocked.model.index.close()
    assert not any(b"notes" in path.read_bytes() for path in stocked.root.derived.iterdir())


def test_a_file_of_another_format_is_computed_again(stocked: Console) -> None:
    stocked.model.index.close()
    path = stocked.root.derived / "search.db"
    path.write_bytes(b"not a database" * 100)

    assert stocked.ask("GET", "/api/activity").status_code == 500
    stocked.store([])
    assert subjects(stocked, "q=emacs") == ["docs/parser notes.md"]


def test_what_the_log_lost_is_lost_here_too(stocked: Console) -> None:
    stocked.model.release_log()
    for path in stocked.root.events.iterdir():
        path.unlink()
    stocked.store([at(1, subject="new.py")])

    assert subjects(stocked, "q=parser") == []
    assert [item["events"] for item in stocked.ask("GET", "/api/activity").json()["items"]] == [1]
    assert stocked.model.index.diversity().labels == 1


def test_the_index_says_the_same_whatever_the_batches(stocked: Console) -> None:
    stocked.model.release_log()
    other = SharedIndex(stocked.root.path / "other", stocked.clock)
    with closing(EventLog.open_for_reading(stocked.root.events, 1)) as log:
        assert (other.follow(log), other.follow(log)) == (3, 0)

    assert other.sources() == stocked.model.index.sources()
    assert other.diversity() == stocked.model.index.diversity()
    other.close()
