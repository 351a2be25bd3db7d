"""The lanes of a day, each block followed to its events."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from selflow.core.events import Event
from selflow.search import spans
from selflow.search.lanes import MAX_LANES
from selflow.search.spans import project_of
from tests.unit.console.server.worlds import Console, at


def lanes(console: Console, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = console.ask("GET", f"/api/activity/lanes?{urlencode(query)}").json()
    return answer


def rows_of(console: Console, by: str, name: str, block: Mapping[str, Any]) -> list[Any]:
    query = {by: name, "since": block["start_at"], "until": block["end_at"], "limit": "200"}
    items: list[Any] = console.ask("GET", f"/api/events?{urlencode(query)}").json()["items"]
    return items


@pytest.mark.parametrize(
    ("event", "project"),
    [
        (Event(1, "files", "file.modify", "~/code/selflow/src/a.py"), "~/code/selflow"),
        (Event(1, "files", "file.modify", "~/code/notes.md"), "~/code"),
        (
            Event(1, "shell", "shell.command", "make", data={"folder": "~/code/selflow"}),
            "~/code/selflow",
        ),
        (Event(1, "shell", "shell.command", "make", data={"folder": 7}), ""),
        (Event(1, "shell", "shell.command", "cat a/b/c"), ""),
        (Event(1, "metrics", "metric.sample", "machine"), ""),
    ],
)
def test_a_project_is_the_folder_of_a_file_or_a_command(event: Event, project: str) -> None:
    assert project_of(event) == project


def test_without_events_there_are_no_lanes(console: Console) -> None:
    answer = lanes(console)
    assert (answer["by"], answer["lanes"], answer["focus"]) == ("source", [], [])
    assert (answer["before_at"], answer["after_at"]) == (None, None)


def test_lanes_are_programs_or_projects_or_sources(console: Console) -> None:
    console.store([at(60, "note", "x", source="notes")])
    assert lanes(console, since="2025-12-29", until="2025-12-30")["by"] == "source"
    console.store([at(40, subject="~/c/p/a.py")])
    assert lanes(console, since="2025-12-30", until="2025-12-31")["by"] == "project"
    console.store([at(2, subject="~/c/p/a.py", app="vim"), at(1, subject="~/c/p/a.py")])
    answer = lanes(console)
    assert (answer["by"], answer["unnamed_events"]) == ("app", 1)
    assert answer["before_at"].startswith("2025-12-30")


@pytest.mark.parametrize("by", ["app", "project", "source"])
def test_each_block_leads_to_its_events_and_no_other(console: Console, by: str) -> None:
    console.store(
        Event(
            at(3).ts_us + n * 97_000_003,
            "fs" if n % 5 else "shell",
            "file.modify" if n % 5 else "shell.command",
            f"~/w/{'ab'[n % 3 == 0]}{'/deep' * (n % 4)}/x.py",
            ("vim", "emacs", "")[n % 7 % 3],
            (0.0, 400.0, 5.0)[n % 3],
            {} if n % 5 else {"folder": "~/w"},
        )
        for n in range(60)
    )
    answer = lanes(console, by=by)
    counted = answer["unnamed_events"]
    for lane in answer["lanes"]:
        for block in lane["blocks"]:
            assert len(rows_of(console, by, lane["name"], block)) == block["events"]
            counted += block["events"]
    assert counted == 60


def test_spans_do_not_depend_on_the_order_of_arrival(console: Console) -> None:
    events = [at(2 - n / 200, subject="~/w/a/x.py", duration_s=float(n % 40)) for n in range(150)]
    for n in range(7):
        console.store(events[n::7])
    (lane,) = lanes(console)["lanes"]
    assert len(lane["blocks"]) == 1
    assert lane["events"] == 150


def test_what_lasts_over_midnight_is_cut_there(console: Console) -> None:
    console.store([at(1, app="vim", duration_s=9e8)])
    (lane,) = lanes(console, since="2025-12-31", until="2026-01-01")["lanes"]
    assert lane["blocks"][0]["end_at"] == "2026-01-01T00:00:00.000000Z"
    assert lane["covered_s"] == 3600.0


def test_the_newest_minutes_are_there(console: Console) -> None:
    console.clock.sleep(420)
    console.store([at(-0.1, app="vim")])
    answer = lanes(console)
    assert [lane["name"] for lane in answer["lanes"]] == ["vim"]
    assert answer["until_at"] == "2026-01-01T00:15:00.000000Z"


def test_ten_years_are_refused_with_what_to_ask_for(console: Console) -> None:
    problem = lanes(console, since="2016-01-01")
    assert (problem["code"], "one day" in problem["hint"]) == ("bad_request", True)


def test_more_than_one_answer_holds_is_cut_and_goes_on_later(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "MAX_SPANS", 90)
    console.store(at(20 - n / 100, subject=f"d{n}/x.py") for n in range(100))
    first = lanes(console)
    rest = lanes(console, since=first["until_at"])
    assert (len(first["lanes"]), first["more"]) == (MAX_LANES, 70)
    assert first["until_at"] == first["after_at"] == "2025-12-31T04:54:00.000000Z"
    assert len(rest["lanes"]) == 10


def test_deleted_events_are_in_no_lane(console: Console) -> None:
    console.store([at(2, app="vim"), at(1, app="mail")])
    assert [lane["name"] for lane in lanes(console)["lanes"]] == ["mail", "vim"]
    console.model.release_log()
    for path in console.root.events.iterdir():
        path.unlink()
    console.store([at(2, app="vim")])
    assert [lane["name"] for lane in lanes(console)["lanes"]] == ["vim"]
