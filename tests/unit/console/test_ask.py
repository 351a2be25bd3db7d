"""``selflow ask``: from the log to sentences, without a session."""

import pytest

from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.store.log import EventLog
from tests.unit.console.conftest import Cli

BASE_US = 1_752_000_000_000_000


@pytest.fixture
def events(root: Root) -> None:
    log = EventLog(root.events, budget_bytes=64_000_000, credits=8)
    paths = ["docs/a.md", "docs/b.md", "docs/a.md", "src/\x1b[31mred.py"]
    events = [
        Event(BASE_US + n * 60_000_000, "files", "file.modify", path)
        for n, path in enumerate(paths)
    ]
    log.append("test", 1, [encode_record(event) for event in events])
    log.close()


@pytest.mark.usefixtures("events")
def test_an_answer_is_sentences_then_events(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")

    ended = cli("ask", "which files did I change in docs/ in July 2025?", "--limit", "1")

    july = "from 2025-07-01 00:00 before 2025-08-01 00:00"
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"Understood: events about files in a folder docs/ {july}.",
        "Most often: docs/a.md (2), docs/b.md (1).",
        "3 changes of 2 files.",
        "",
        "       3  2025-07-08 18:42:00  file.modify       docs/a.md",
    ]


@pytest.mark.usefixtures("events")
def test_options_limit_the_events(cli: Cli) -> None:
    answer = cli("ask", "docs", "--until", "2025-07-08T18:41:00Z", "--kind", "file", "--json")
    other = cli("ask", "docs", "--since", "last year", "--kind", "shell.command", "--json")

    assert [result["id"] for result in answer.document["results"]] == ["1"]
    assert other.document["event_count"] == 0


@pytest.mark.usefixtures("events")
def test_no_event_steers_the_terminal(cli: Cli) -> None:
    assert "\x1b" not in cli("ask", "in src/").out


def test_without_a_log_there_is_an_answer(cli: Cli) -> None:
    assert cli("ask", "docs").out.splitlines()[-1] == "Nothing was found: the event log is empty."


@pytest.mark.parametrize("args", [("",), ("docs", "--since", "soon"), ("what did I do?",)])
def test_wrong_questions_are_refused_with_a_next_step(args: tuple[str, ...], cli: Cli) -> None:
    ended = cli("--json", "ask", *args)

    assert ended.code == 2
    assert ended.problem["hint"]
