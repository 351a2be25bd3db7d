"""Whatever comes in, the answer is one of ours and never a failure of the console."""

import sqlite3
from contextlib import closing

import pytest

from selflow.store import row_writer
from tests.unit.console.server.worlds import Console, at

ODD = ["", "0", "-1", "x", "\x00", "²-²", "9" * 30, "9" * 18 + "~x", "9" * 30 + "-1", "a" * 201]
OF_EVENTS = ("since", "until", "q", "cursor", "limit", "source", "app")
QUERIES = [
    *("/api/events?" + name for name in OF_EVENTS),
    *("/api/activity?" + name for name in ("since", "until", "bin", "by")),
    *("/api/decisions?" + name for name in ("cursor", "limit")),
    *("/api/audit?" + name for name in ("cursor", "limit")),
    "/api/trials?agent",
    "/api/stream?topics",
]


@pytest.mark.parametrize("query", QUERIES)
def test_odd_parameters_are_answered_or_refused(asked: Console, query: str) -> None:
    name = query.rpartition("?")[2]
    for value in ODD:
        answer = asked.ask("GET", query.partition("?")[0], "admin", params={name: value})

        assert answer.status_code in {200, 400}, (value, answer.text)
        if answer.status_code == 400:
            assert answer.json()["code"] in {"bad_request", "validation_failed"}


def test_a_long_title_with_markup_is_shown_as_text(console: Console) -> None:
    subject = "<script>" + "\u202e" + "x" * 4_000
    console.store([at(1, subject=subject)])
    answer = console.ask("GET", "/api/events")

    assert answer.json()["items"][0]["subject"] == subject
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_catalog_of_a_newer_selflow_is_said_and_the_page_still_comes(console: Console) -> None:
    with closing(sqlite3.connect(console.root.catalog)) as catalog:
        catalog.execute("UPDATE alembic_version SET version_num = '9999'")
        catalog.commit()
    for answer in (console.ask("GET", "/api/patterns"), console.ask_socket("GET", "/api/agents")):
        assert (answer.status_code, answer.json()["code"]) == (503, "catalog_newer")
        assert "has schema 9999; this program knows" in answer.json()["detail"]
        assert answer.json()["hint"].startswith("start the SelFlow that wrote it")

    assert console.ask("GET", "/health", None).status_code == 200
    assert console.ask("GET", "/patterns", None).status_code == 200


def test_a_locked_catalog_is_read_and_refuses_changes_for_a_moment(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "_BUSY_TIMEOUT_S", 0.01)
    with closing(sqlite3.connect(console.root.catalog, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        read = console.ask("GET", "/api/commands")
        refused = console.ask("POST", "/api/system/learn", "operate")
        other.execute("ROLLBACK")

    assert read.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (503, "catalog_locked")
    assert refused.headers["retry-after"] == "1"
    assert console.ask("POST", "/api/system/learn", "operate").status_code == 202


@pytest.mark.slow
def test_a_hundred_thousand_paths_are_listed_and_found(console: Console) -> None:
    count = 100_000
    console.store(at(n / count, subject=f"docs/{n % 997}/page{n}.md") for n in range(count))
    activity = console.ask("GET", "/api/activity").json()["items"]
    listed = console.ask("GET", "/api/events?q=page777&limit=500").json()["items"]
    asked = console.ask("POST", "/api/ask", json={"text": "how many files in docs/5/?"}).json()

    assert sum(item["events"] for item in activity) == count
    assert {item["subject"].partition("page")[2][:3] for item in listed} == {"777"}
    assert len(listed) == 111
    assert asked["facts"][0]["values"][0]["number"] == len(range(5, count, 997))
    assert max(len(str(item)) for item in asked["facts"]) < 5_000


def test_a_catalog_of_another_schema_is_named(console: Console) -> None:
    console.catalog.close()
    console.root.catalog.write_bytes(b"no database" * 999)
    answer = console.ask_socket("GET", "/api/patterns")

    assert answer.status_code == 500
    assert "cannot read the catalog" in answer.json()["detail"]
