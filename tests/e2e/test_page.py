"""The web page in a real browser, over a root with a past and without a session: every page, one
figure of each as the command line tells it, and the way from a figure to its rows.

`SCREENSHOTS=FOLDER` keeps pictures of all pages, light and dark, wide and narrow.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest

from actors.command_runner import CommandRunner
from actors.ray_head import next_free_port
from selflow.console.page_opening import page_url
from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.processes import living_console
from selflow.core.session_files import Endpoints, RaySession, write_endpoints, write_ray_session
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import AuditEntry
from tests.conftest import missing
from tests.e2e.conftest import FIRST_PORT, PORTS, World, make_world
from tests.e2e.page_world import EVENTS, LONG, MARKUP, TOLD, write_past
from tests.e2e.quiet import Network, connections_outside, loopback_alone, traced
from tests.waiting import PATIENCE, wait_until

WEB = Path(__file__).parents[2] / "selflow/console/web"
BUILT = WEB.parent / "static/index.html"
LIMIT_S = 60.0
SERVER = ("selflow.console.server", "--home")
QUESTION = "how many changes in src/?"
FIGURES = {
    "/": "stored-events",
    "/activity": "activity-events",
    "/patterns": "patterns",
    f"/ask?q={quote_plus(QUESTION)}": "ask-events",
    "/training": "newest-cycle",
    "/agents": "agent-versions",
    "/privacy": "stored-events",
    "/models": "models",
    "/settings": "changed-settings",
}


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """What the console and the browser are in."""
    with loopback_alone() as made:
        yield made


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the console's connections are written down, if strace is there."""
    return tmp_path_factory.mktemp("trace") / "connects"


@pytest.fixture(scope="module")
def world(network: Network, trace: Path) -> Iterator[World]:
    """A console that runs alone: Ray is down, and the page says so."""
    port = next_free_port(FIRST_PORT + (os.getpid() + 500) % PORTS)
    made = make_world(SELFLOW_CONSOLE__PORT=str(port))
    write_past(made.root)
    made.root.make()
    write_ray_session(made.root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    write_endpoints(made.root, Endpoints())
    with subprocess.Popen(
        [*network.enter, *traced(trace), sys.executable, "-m", *SERVER, str(made.root.path)],
        env=made.environ,
        cwd=Path(__file__).parents[2],
    ) as console:
        wait_until(lambda: living_console(made.root) is not None)
        yield made
        known = living_console(made.root)
        assert known is not None
        os.kill(known.pid, signal.SIGTERM)
        console.wait(LIMIT_S)
    shutil.rmtree(made.root.path, ignore_errors=True)


@pytest.fixture(scope="module")
def seen(world: World, network: Network, tool: Callable[[str], str]) -> dict[str, Any]:
    """What the browser saw, in one visit."""
    chromium, node = tool("chromium"), tool("node")
    if not BUILT.exists():
        missing("the web page is not built: make web")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [*network.enter, node, str(WEB / "test/browser.mjs")],
            env={
                **world.environ,
                "HOME": profile,
                "CHROMIUM": chromium,
                "PAGE_URL": world.json("ui", "--print")["url"],
                "TRAY_URL": page_url(world.root, "/agents"),
                "PAGES": json.dumps(list(FIGURES.items())),
                "QUESTION": QUESTION,
                "SCREENSHOTS": os.environ.get("SCREENSHOTS", ""),
            },
            capture_output=True,
            text=True,
            timeout=LIMIT_S * PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_console_connects_to_nothing_outside(world: World, trace: Path) -> None:
    assert world.json("ui", "--print")["url"]
    if not trace.exists():
        missing("strace is not installed")

    assert connections_outside(trace) == []


def test_the_page_asks_nothing_outside(seen: dict[str, Any], network: Network) -> None:
    assert seen["outside"] == []
    assert seen["docs"] > 20  # operations that /docs shows
    if not network.enter:
        missing(f"no network with loopback alone: {network.reason}")


def _figure(seen: dict[str, Any], path: str) -> str:
    return str(seen["pages"][path]["figures"][FIGURES[path]])


def test_a_code_signs_in_once_and_leaves_no_trace(seen: dict[str, Any]) -> None:
    assert "#" not in seen["address"]
    assert seen["cookies"] == ""  # no script can read the session
    assert seen["usedCode"].startswith("This code is used up or expired")
    assert "#" not in seen["afterUsedCode"]


def test_every_page_shows_the_figure_of_the_command_line(
    world: World, seen: dict[str, Any]
) -> None:
    status = world.state()
    told: dict[str, Callable[[], object]] = {
        "/": lambda: status["buffer"]["events"],
        "/activity": lambda: len(world.json("events", "--limit", "1000")["items"]),
        "/patterns": lambda: len(world.json("patterns", "--all")["items"]),
        f"/ask?q={quote_plus(QUESTION)}": lambda: world.json("ask", QUESTION)["event_count"],
        "/training": lambda: status["cycle"]["id"],
        "/agents": lambda: len(world.json("agents")["items"]),
        "/privacy": lambda: status["buffer"]["events"],
        "/models": lambda: len(world.json("models")["items"]),
        "/settings": lambda: sum(
            item["layer"] != "default" for item in world.json("config", "show")["items"]
        ),
    }
    assert {path: _figure(seen, path) for path in FIGURES} == {
        path: str(ask()) for path, ask in told.items()
    }
    assert _figure(seen, "/") == str(EVENTS)


def test_a_pattern_leads_to_its_words_their_events_and_one_of_them(
    world: World, seen: dict[str, Any]
) -> None:
    pattern = world.json("patterns", "show", "shell-make")
    assert seen["patternWindows"] == str(pattern["windows"])
    assert seen["termRows"]
    assert all("parser" in row for row in seen["termRows"])
    assert seen["oneEvent"] in world.json("events", "--limit", "1000")["items"]


def test_a_question_leads_to_sentences_their_events_and_one_of_them(
    world: World, seen: dict[str, Any]
) -> None:
    answer = world.json("ask", QUESTION)
    (count,) = answer["facts"]
    assert seen["sentence"] == count["text"]
    assert seen["behind"] == f"{count['event_count']} events behind it"
    assert len(seen["behindRows"]) == len(count["event_ids"])
    assert all("src/parser.py" in row for row in seen["behindRows"])
    assert seen["behindEvent"]["seq"] in count["event_ids"]
    assert "Nothing was found" in seen["notFound"]


def test_examples_are_of_the_owners_own_events(seen: dict[str, Any]) -> None:
    assert [question for question, _ in seen["examples"]] == [
        "What did I change in src/?",
        "On which days did I use zsh?",
        seen["examples"][2][0],
    ]
    assert all(int(events) > 0 for _, events in seen["examples"])


def test_nothing_is_faulty_outside_or_out_of_reach(seen: dict[str, Any]) -> None:
    assert (seen["console"], seen["outside"], seen["axe"]) == ([], [], [])
    assert len(seen["rail"]) == len(FIGURES)


def test_every_chart_can_be_read_as_a_table(seen: dict[str, Any]) -> None:
    assert all(page["charts"] == page["tables"] for page in seen["pages"].values())
    assert sum(page["charts"] for page in seen["pages"].values()) >= 4
    assert seen["dataRows"] > 0


def test_curves_map_and_beliefs_are_drawn_from_what_was_written(
    world: World, seen: dict[str, Any]
) -> None:
    trials = world.json("trials")["items"]
    assert [item["step"] for item in trials] == [80] * 6
    # The base's losses, those of a trial, the trials; map, together, agreement, families; routing,
    # densities, intervals.
    charts = {path: page["charts"] for path, page in seen["pages"].items()}
    assert (charts["/training"], charts["/patterns"], charts["/agents"]) == (3, 4, 3)


def test_what_is_drawn_around_on_the_map_is_told(seen: dict[str, Any]) -> None:
    assert seen["inside"].startswith("320 windows inside: ")
    assert "shell-make 25 %" in seen["inside"]
    half, by_keys = (int(seen[name].split()[0]) for name in ("insideHalf", "insideByKeys"))
    assert 0 < half < 300  # a triangle, whose rectangle is the whole map
    assert 0 < by_keys < 320


def test_blocks_of_a_day_and_its_focus_lead_to_their_events(seen: dict[str, Any]) -> None:
    block, focus = seen["block"], seen["focus"]
    assert len(block["rows"]) == block["events"] > 0
    assert block["query"]["app"] == "vim"
    assert seen["focusS"] >= 900
    assert focus["query"]["app"] == "vim"
    assert all("files" in row for row in [*block["rows"], *focus["rows"]])  # vim's source


def test_earlier_runs_the_queue_and_who_serves_what_are_told(seen: dict[str, Any]) -> None:
    training, agents = (seen["pages"][path]["rows"] for path in ("/training", "/agents"))
    assert "6.725" in training.partition("What earlier runs came to")[2]
    assert "Nothing waits." in training
    served = agents.partition("Who serves which pattern")[2].partition("What the router")[0]
    assert "parser-tests-readme\tparser@000000000000 (+0.072)" in served


def test_ray_down_is_said_and_an_act_waits(seen: dict[str, Any]) -> None:
    assert "queued" in seen["act"]
    assert "selflow up" in seen["act"]


def test_nothing_is_wider_than_a_narrow_window(seen: dict[str, Any]) -> None:
    assert seen["wide"] == []


def test_the_page_is_small(seen: dict[str, Any]) -> None:
    assert 0 < seen["firstBytes"] < 80_000
    assert seen["firstBytes"] < seen["allBytes"] < 450_000


def test_what_changes_is_shown_without_a_reload(seen: dict[str, Any]) -> None:
    assert "queued" in seen["byStream"]


def test_a_lost_connection_is_said_with_the_time_of_the_figures(seen: dict[str, Any]) -> None:
    assert re.search(r"Disconnected, showing \d\d:\d\d", seen["disconnected"])
    assert "not running" in seen["connected"]


def test_titles_are_text_however_they_look(seen: dict[str, Any]) -> None:
    assert MARKUP in seen["pages"]["/patterns"]["rows"]
    assert MARKUP in seen["pages"]["/"]["rows"]
    assert LONG not in seen["pages"]["/"]["rows"]


def test_the_range_is_in_the_address_and_keys_lead_to_pages(seen: dict[str, Any]) -> None:
    assert "range=24h" in seen["rangeInUrl"]
    assert seen["byPalette"] == "/agents"


def test_an_entry_of_the_tray_leads_to_its_page(seen: dict[str, Any]) -> None:
    assert urlsplit(seen["ledTo"]).path == "/agents"
    assert "#" not in seen["ledTo"]


def test_the_bell_tells_what_alerts_and_leads_to_its_page(
    seen: dict[str, Any], world: World
) -> None:
    items = world.json("notices")["items"]
    acted = {item["kind"] for item in items if item["acted_at"]}

    assert seen["unread"] == str(len(TOLD))
    assert acted == {"agent.promoted"}
    assert world.json("notices")["unread"] == 0


def test_an_address_of_nothing_says_so(seen: dict[str, Any]) -> None:
    assert "never" in seen["gone"]
    assert seen["noPage"] == "There is no such page."


def test_a_pause_is_begun_by_a_key_and_told_in_the_top_bar(
    world: World, seen: dict[str, Any]
) -> None:
    assert seen["paused"] == "paused until you resume"
    assert seen["pausedToo"] == 0
    acts = [entry["action"] for entry in _audit(world)]
    assert [act for act in acts if act.startswith("collection")] == [
        "collection.pause",
        "collection.resume",
    ]


def test_a_setting_is_changed_refused_and_reset_where_it_is_shown(
    world: World, seen: dict[str, Any]
) -> None:
    assert "lora.epochs (runtime overrides)" in seen["refusedSetting"]
    assert "20" in seen["refusedSetting"]
    assert "set by runtime overrides" in seen["changedSetting"]
    assert world.json("config", "get", "lora.epochs")["value"] == 3


def test_a_token_is_shown_once_and_revoked_where_it_is_listed(
    world: World, seen: dict[str, Any]
) -> None:
    assert seen["token"].startswith("sf_")
    assert "grafana" in seen["listedToken"]
    listed = world.json("token", "list", "--all")["items"]
    assert [item["state"] for item in listed if item["label"] == "grafana"] == ["revoked"]


def test_what_serves_cannot_be_deleted_and_what_does_not_waits(seen: dict[str, Any]) -> None:
    assert seen["deletable"] == 2
    assert "queued" in seen["deleteAct"]


def test_a_right_answer_is_told_by_the_command_line(
    world: World, seen: dict[str, Any], tmp_path: Path
) -> None:
    assert seen["act"]  # the browser has been there
    root = Root(tmp_path, tmp_path)
    shutil.copytree(world.root.path, root.path, dirs_exist_ok=True, ignore=_sockets)
    catalog = Catalog.open(root.catalog)
    CommandRunner(root, catalog, SystemClock(), lambda _: None).once()
    catalog.close()
    (newest, *_) = json.loads(world.ok("--home", str(root.path), "decisions", "--json"))["items"]

    said = {word["metric"]: word["value"] for word in newest["feedback"]}
    assert said["thumb"] is False
    assert said["outcome"] == {"labels": [["file.modify", "README.md"]], "after_seq": EVENTS}


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


def _audit(world: World) -> list[dict[str, Any]]:
    rows = CatalogReader(world.root.catalog).learned(AuditEntry)
    return [{"action": row.action} for row in rows]
