"""Whatever comes in, the answer is one of ours and never a failure of the console."""

import pytest

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


def test_a_catalog_of_another_schema_is_named(console: Console) -> None:
    console.catalog.close()
    console.root.catalog.write_bytes(b"no database" * 999)
    answer = console.ask_socket("GET", "/api/patterns")

    assert answer.status_code == 500
    assert "cannot read the catalog" in answer.json()["detail"]
