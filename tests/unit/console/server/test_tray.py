"""``GET /api/tray``: figures of the catalog and the log, and none that nothing tells."""

from dataclasses import replace

from selflow.console.server.tray_view import serving
from selflow.console.tray.menu import build_menu
from selflow.console.tray.state import TrayState
from selflow.core.grants import OWNER
from selflow.store.records import AgentVersion
from tests.unit.console.server.worlds import NOW_US, Console, at
from tests.unit.store.worlds import begun, register


def tray(console: Console) -> TrayState:
    return TrayState.from_json(console.ask("GET", "/api/tray").json())


def test_an_empty_root_has_no_invented_figure(console: Console) -> None:
    state = tray(console)

    assert (state.patterns, state.focus_s, state.efficiency_fraction) == (None, None, None)
    assert (state.agents, state.hot_patterns, state.families) == ((), (), ())


def test_today_is_the_owners_day(console: Console) -> None:
    console.clock.advance(10 * 3_600)
    console.store([at(-9), at(-8, "shell.command"), at(30)])
    state = tray(console)

    assert (state.today_events, state.today_file_operations) == (2, 1)


def test_patterns_and_agents_are_those_of_the_catalog(console: Console) -> None:
    version = register(console.catalog, "a", now_us=NOW_US)
    state = tray(console)

    assert (state.patterns, state.method, state.active_agents) == (1, "Consensus", 1)
    assert state.families == ("Ward", "GMM")
    assert state.agents[0].name == f"{version.agent}-{version.version[:7]}"
    assert state.agents[0].success_fraction is None
    assert "not enough data" in build_menu(state).text(with_emoji=False)


def test_what_is_trained_and_what_waits_is_told(console: Console) -> None:
    cycle = begun(console.catalog, NOW_US)
    console.catalog.cycles.progress(cycle.id, "grow:writing", 0.4, NOW_US)
    state = tray(console)

    assert [(one.name, one.done_fraction) for one in state.training] == [("writing", 0.4)]
    console.catalog.cycles.finish(cycle.id, "done", "", NOW_US)
    console.catalog.cycles.request(OWNER, NOW_US + 1)
    assert (tray(console).training, tray(console).waiting_cycles) == ((), 1)


def test_the_best_agent_is_first_and_too_few_answers_are_no_success(console: Console) -> None:
    version = register(console.catalog, "a", now_us=NOW_US)

    def named(name: str) -> AgentVersion:
        return replace(version, agent=name)

    beliefs = [
        {"arm": "old", "pulls": 40, "success": 0.7},
        {"arm": "best", "pulls": 10, "success": 0.9},
        {"arm": "young", "pulls": 9, "success": 1.0},
    ]
    best = serving([named("young"), named("old"), named("best")], beliefs)

    assert [one.success_fraction for one in best] == [0.9, 0.7, None]
