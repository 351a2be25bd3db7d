"""The tray's menu: the requirement's text from a full state, and what a lesser state says."""

import json
import re
from dataclasses import asdict, replace

import pytest

from selflow.console.server.tray_view import PAGES
from selflow.console.tray.icon import argb, rgba
from selflow.console.tray.menu import MAX_LABEL_CHARACTERS, build_menu
from selflow.console.tray.state import (
    NOT_RUNNING,
    HotPattern,
    ServingAgent,
    TrainingAgent,
    TrayState,
)
from tests.unit.house import rules

FULL = TrayState(
    state="running",
    today_events=2_847,
    patterns=23,
    method="HDBSCAN",
    families=("HDBSCAN", "GMM", "Spectral"),
    hot_patterns=(
        HotPattern("Intensive coding", 0.92),
        HotPattern("Cache optimization", 0.87),
        HotPattern("Multi-project workflow", 0.81),
    ),
    today_file_operations=2_234,
    focus_s=3 * 3600 + 42 * 60,
    efficiency_fraction=0.84,
    active_agents=5,
    agents=(
        ServingAgent("CodeAgent-1.2", 0.94),
        ServingAgent("FileAgent-2.1", 0.89),
        ServingAgent("SystemAgent-1.0", 0.87),
    ),
    training=(TrainingAgent("WebAgent-1.5", 0.67),),
    data_fraction=0.87,
    waiting_cycles=2,
    unread_notices=3,
    pages=(*PAGES, "/trends", "/suggestions"),
)
GOLDEN = """\
🧠 SelFlow
📊 Live Dashboard (2,847 events today)
🔍 Advanced Pattern Explorer (HDBSCAN: 23 patterns)
📈 Today's Activity
  🔥 Hot Patterns
    Intensive coding (92% confidence)
    Cache optimization (87% confidence)
    Multi-project workflow (81% confidence)
  📊 File Operations (2,234 today)
  🎯 Focus Time (3h 42m)
  🔄 Workflow Efficiency (84%)
🤖 Micro-Agents (5 active, 1 training)
  🥇 CodeAgent-1.2 (94% success rate)
  🥈 FileAgent-2.1 (89% success rate)
  🥉 SystemAgent-1.0 (87% success rate)
  🔄 WebAgent-1.5 (training 67%)
  📊 Performance Dashboard
🏗️ Training Center (Data: 87% full)
  📦 Training Queue (2 waiting)
  🔬 Cluster Analysis (HDBSCAN/GMM/Spectral)
  📈 Model Performance
  ⚙️ Training Settings
🧬 Data Insights
  🎓 Learning Progress
  🔬 Multi-Cluster Analysis
  📈 Trend Detection
  💡 Optimization Suggestions
🔔 Notifications (3 new)
⚙️ Settings
🔄 Refresh Data"""

GOLDEN_ROOTS = [line for line in GOLDEN.splitlines() if not line.startswith(" ")]


def text(state: TrayState, *, with_emoji: bool = True) -> str:
    return build_menu(state).text(with_emoji=with_emoji)


def test_a_full_state_gives_the_thirty_lines_of_the_requirement() -> None:
    assert text(FULL) == GOLDEN
    assert len(GOLDEN.splitlines()) == 30


def test_enough_data_is_said_instead_of_how_full_it_is() -> None:
    ready = replace(FULL, data_fraction=0.92, is_training_ready=True)

    assert "🏗️ Training Ready! (92%)" in text(ready)
    assert "full)" not in text(ready)


def test_a_young_agent_has_not_enough_data() -> None:
    young = replace(FULL, agents=(ServingAgent("CodeAgent-1.2", None),))

    assert "🥇 CodeAgent-1.2 (not enough data)" in text(young)


def test_a_pause_says_why() -> None:
    paused = replace(FULL, state="paused", pause_reason="on battery")

    assert text(paused).splitlines()[1].endswith("Paused: on battery")


def test_without_a_console_it_offers_to_start() -> None:
    items = build_menu(NOT_RUNNING).items

    assert [item.text for item in items] == ["SelFlow", "Not running: Start"]
    assert items[1].action == "start"
    assert len(build_menu(replace(FULL, state="not running")).items) == len(GOLDEN_ROOTS) + 1


def test_what_has_no_source_is_left_out() -> None:
    lines = text(TrayState("running", pages=PAGES), with_emoji=False).splitlines()

    assert [line.strip() for line in lines] == [
        "SelFlow",
        "Live Dashboard",
        "Advanced Pattern Explorer",
        "Today's Activity",
        "Micro-Agents (0 active)",
        "Performance Dashboard",
        "Training Center",
        "Training Queue (0 waiting)",
        "Cluster Analysis",
        "Model Performance",
        "Training Settings",
        "Data Insights",
        "Learning Progress",
        "Multi-Cluster Analysis",
        "Notifications",
        "Settings",
        "Refresh Data",
    ]


def test_every_entry_that_opens_a_page_opens_one_that_exists() -> None:
    opened = {item.path.partition("?")[0] for _, item in build_menu(FULL).walk() if item.path}
    source = (rules.HERE / "selflow/console/web/src/lib/pages.ts").read_text(encoding="utf-8")

    assert opened <= {*PAGES, "/trends", "/suggestions"}
    assert set(PAGES) <= set(re.findall(r'path: "([^"]+)"', source))


def test_a_title_from_outside_is_one_line_of_bounded_length() -> None:
    state = replace(FULL, hot_patterns=(HotPattern("a\nb" + "x" * 10_000, 0.9),))
    label = next(i for _, i in build_menu(state).walk() if i.key == "pattern0").label(
        with_emoji=False
    )

    assert "\n" not in label
    assert len(label) == MAX_LABEL_CHARACTERS


def test_every_key_is_of_one_entry() -> None:
    keys = [item.key for _, item in build_menu(FULL).walk()]

    assert len(keys) == len(set(keys))


def test_a_state_survives_the_wire_and_a_newer_console() -> None:
    document = json.loads(json.dumps(asdict(FULL)))

    assert TrayState.from_json({**document, "added_later": 1}) == FULL


@pytest.mark.parametrize(
    ("state", "icon"),
    [
        (FULL, "training"),
        (replace(FULL, training=()), "learning"),
        (replace(FULL, training=(), state="paused"), "paused"),
        (replace(FULL, state="degraded"), "attention"),
        (NOT_RUNNING, "attention"),
    ],
)
def test_the_icon_tells_the_state(state: TrayState, icon: str) -> None:
    assert state.icon == icon


def test_each_icon_is_a_picture_of_its_own_with_clear_corners() -> None:
    pictures = {argb(icon, 22) for icon in ("learning", "paused", "training", "attention")}

    assert len(pictures) == 4
    for picture in pictures:
        assert len(picture) == 22 * 22 * 4
        assert picture[0] == 0
    assert rgba("paused", 22)[3] == 0
