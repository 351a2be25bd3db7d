"""The owner's whole story in a real browser beside a session that lives: one page that stays open
from the sign-in to the end, over a cycle, a verdict, questions, a deletion and a killed session.

The chapters stand in their order; each goes on where the one before has ended.
"""

import csv
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from actors.demo.sample import load
from actors.ray_head import next_free_port, own_processes, session_processes
from tests.conftest import missing
from tests.e2e.conftest import FIRST_PORT, World, make_world
from tests.e2e.test_page import BUILT, WEB
from tests.processes import kill_all, seen
from tests.waiting import PATIENCE, wait_until

ROWS = 1_000
LIMIT_S = 120.0 * PATIENCE
"""What one wait of the browser may take: a cycle is the longest."""
QUICK = {
    "SELFLOW_DISCOVER__BOOTSTRAPS": "2",
    "SELFLOW_DISCOVER__NULL_SETS": "0",
    "SELFLOW_TUNE__NUM_SAMPLES": "1",
    "SELFLOW_LM__BASE_EPOCHS": "1",
    "SELFLOW_LORA__EPOCHS": "1",
    "SELFLOW_GATE__ALPHA": "0.49",
    "SELFLOW_GATE__MIN_GAIN_BITS": "0.0",
    "SELFLOW_GATE__MIN_EVENTS": "20",
}
"""A cycle of seconds, before a gate that stands wide open; whether its agent passes is not told
here.
"""
QUESTIONS = (
    "how many changes in src/?",
    "when did I last change MANUAL.txt?",
    "which files did I change most in test/?",
    "on how many days did I change pandoc-cli/?",
    "what did I change in July 2026?",
)
FOLDER = "test/command"


@dataclass(frozen=True)
class Browser:
    """One page in Chromium, a chapter at a time."""

    to: IO[str]
    answers: IO[str]

    def tell(self, chapter: str, **needs: object) -> dict[str, Any]:
        """Act a chapter out; what was seen."""
        self.to.write(json.dumps({"chapter": chapter, **needs}) + "\n")
        self.to.flush()
        answer: dict[str, Any] = json.loads(self.answers.readline() or '{"error": "it has ended"}')
        assert "error" not in answer, f"{chapter}: {answer['error']}"
        return answer


@pytest.fixture(scope="module")
def world(tool: Callable[[str], str]) -> Iterator[World]:
    """A folder is allowed, then a session begins."""
    tool("chromium"), tool("node")
    if not BUILT.exists():
        missing("the web page is not built: make web")
    port = next_free_port(FIRST_PORT + 700)
    made = make_world(**QUICK, SELFLOW_CONSOLE__PORT=str(port))
    notes(made).mkdir()
    made.ok("init", "--watch", str(notes(made)))
    try:
        made.ok("up", "--lean")
        yield made
    finally:
        made.run("down")
        shutil.rmtree(made.root.path, ignore_errors=True)


@pytest.fixture(scope="module")
def browser(world: World, tool: Callable[[str], str]) -> Iterator[Browser]:
    """One page for all chapters."""
    environ = {**world.environ, "CHROMIUM": tool("chromium"), "LIMIT_MS": f"{LIMIT_S * 1000:.0f}"}
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(
            [tool("node"), str(WEB / "test/story.mjs")],
            env={**environ, "HOME": profile},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        yield Browser(process.stdin, process.stdout)
        process.stdin.close()
        process.wait(LIMIT_S)


def notes(world: World) -> Path:
    return world.root.path / "notes"


def stored(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.json("events", "--limit", "100000")["items"]
    return found


def newest_cycle(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.json("cycles")["items"][0]
    return found


def test_a_code_of_the_command_line_opens_the_page_and_shows_the_consent(
    world: World, browser: Browser
) -> None:
    seen_there = browser.tell("signIn", url=world.json("ui", "--print")["url"])

    assert seen_there["folders"] == [str(notes(world))]
    assert "code" not in seen_there["address"]


def test_an_import_shows_while_the_page_is_open(world: World, browser: Browser) -> None:
    rows = [
        (event.ts_us // 1_000_000, event.data["step"], event.subject) for event in load(ROWS).events
    ]
    table = world.root.path / "sample.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("ts", "commit", "path"), *rows])
    names = ("ts=ts", "subject=path", "step=commit")
    mapped = [part for name in names for part in ("--map", name)]
    world.ok("import", "csv", str(table), *mapped, "--kind", "file.change", "--source", "sample")

    browser.tell("stored", events=len(rows), subject=rows[-1][2])

    assert len(stored(world)) == len(rows)


def test_a_cycle_begins_at_a_button_and_is_watched_to_its_end(
    world: World, browser: Browser
) -> None:
    told = browser.tell("train")
    cycle = newest_cycle(world)

    assert told["cycle"] == cycle["id"]
    assert cycle["state"] == "done", cycle
    assert told["state"].endswith("done")
    assert {"discover", "base", "grow:everything", "judge:everything"} <= set(told["stages"])


def test_patterns_and_the_verdict_are_those_of_the_command_line(
    world: World, browser: Browser
) -> None:
    patterns, (agent,) = world.json("patterns")["items"], world.json("agents")["items"]
    shown = browser.tell("patterns", count=len(patterns))
    told = browser.tell("verdict", id=agent["id"])
    numbers = agent["verdict"]["numbers"]

    assert all(any(each["name"] in row for row in shown["rows"]) for each in patterns)
    assert int(told["versions"]) == 1
    assert set(told["numbers"]) == {name.replace("_", " ") for name in numbers}
    for name, value in numbers.items():
        if isinstance(value, int | float):
            shown_value = float(told["numbers"][name.replace("_", " ")].replace(",", ""))
            assert shown_value == pytest.approx(value, rel=1e-3), name
    assert all(reason in told["text"] for reason in agent["verdict"]["reasons"])


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_one_answer(world: World, browser: Browser, question: str) -> None:
    told = browser.tell("ask", question=question)
    answer = world.json("ask", question)

    assert int(told["events"]) == answer["event_count"] > 0
    assert told["sentences"] == [fact["text"] for fact in answer["facts"]]


def test_a_version_that_serves_is_rolled_back_and_another_says_why_not(
    world: World, browser: Browser
) -> None:
    (agent,) = world.json("agents")["items"]
    if agent["status"] == "champion":
        browser.tell("rollBack", id=agent["id"])
        assert world.json("agents")["items"][0]["status"] == "retired"
    else:
        told = browser.tell("verdict", id=agent["id"])
        assert "Without a passed verdict it cannot serve." in told["text"]


def test_a_saved_file_of_the_allowed_folder_shows_by_itself(world: World, browser: Browser) -> None:
    (notes(world) / "plan.md").write_text("x")

    browser.tell("stored", subject="plan.md")


def test_a_folder_is_deleted_while_everything_runs(world: World, browser: Browser) -> None:
    before = stored(world)
    left = [each for each in before if not each["subject"].startswith(f"{FOLDER}/")]
    replica = world.pid("serve")

    told = browser.tell("forget", folder=FOLDER, left=len(left))

    assert int(told["meant"]) == len(before) - len(left) > 0
    assert told["state"].endswith("done"), told["text"]
    assert stored(world) == left
    assert world.json("ask", f"how many changes in {FOLDER}/?")["event_count"] == 0
    assert world.json("agents")["items"][-1]["status"] == "forgotten"
    wait_until(lambda: world.state()["state"] == "running", LIMIT_S)
    assert world.pid("serve") != replica, "what serves remembers"
    assert world.run("predict").returncode == 0


def test_a_killed_session_shows_and_comes_back_while_the_page_stays_open(
    world: World, browser: Browser
) -> None:
    count = len(stored(world))
    victims = [one.process for one in seen(session_processes(world.root)) if one.name == "raylet"]

    kill_all(victims)

    assert len(victims) == 1
    assert int(browser.tell("stopped")["stored"]) == count
    assert int(browser.tell("back")["stored"]) == count
    assert world.run("predict").returncode == 0


def test_the_page_was_loaded_once_and_complained_of_nothing(browser: Browser) -> None:
    told = browser.tell("end")

    assert told == {"faults": [], "documents": 1}


def test_nothing_is_left_running(world: World, browser: Browser) -> None:
    world.ok("down")

    assert [one.name for one in seen(own_processes(world.root))] == []
