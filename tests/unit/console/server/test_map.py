"""The map of patterns, long work and trials: the console says what the command line says."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflow.core.training_steps import StepReport
from selflow.discover.views import POINT, Views, map_files
from selflow.store.records import Artifact, Decision
from selflow.store.routing_view import LAST_ROUTED
from selflow.store.run_recorder import RunPlace
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import NOW_US, Console
from tests.unit.store.worlds import begun

GROUPS = np.repeat([0, 1, -1], [6, 3, 1]).astype(np.int32)
NAMES = {0: "writing $x$", 1: "tests"}


@pytest.fixture
def mapped(console: Console) -> Console:
    """A console over a finished discovery."""
    views = Views(("ward",), GROUPS[None], np.arange(10), np.eye(2), np.eye(2))
    files = map_files(np.arange(20.0).reshape(10, 2), GROUPS, views, NAMES, NAMES)
    sha256 = "c" * 64
    (console.root.artifacts / sha256).mkdir(parents=True)
    for name, content in files.items():
        (console.root.artifacts / sha256 / name).write_bytes(content)
    artifact = Artifact(sha256, "cluster-model", 10, {})
    cycle = begun(console.catalog, NOW_US)
    console.catalog.cycles.stage_done(cycle.id, "discover", artifact, [], {}, NOW_US)
    return console


def test_the_map_is_ten_bytes_a_point_for_each_view(mapped: Console) -> None:
    said = mapped.ask("GET", "/api/patterns/agreement").json()

    assert [view["name"] for view in said["views"]] == ["consensus", "ward"]
    assert said["names"] == {"0": "writing $x$", "1": "tests"}
    for view in ("consensus", "ward"):
        answer = mapped.ask("GET", f"/api/patterns/map?view={view}")
        assert answer.headers["content-type"] == "application/octet-stream"
        points = np.frombuffer(answer.content, POINT)
        assert (points["label"] == GROUPS).all()
        assert points["x"].tolist() == list(range(0, 20, 2))


@pytest.mark.parametrize("view", ["none", "../map", "consensus/../ward", "map.json"])
def test_a_view_that_is_none_is_not_found(mapped: Console, view: str) -> None:
    assert mapped.ask("GET", f"/api/patterns/map?view={view}").json()["code"] == "map_not_found"


def test_without_a_discovery_there_is_no_map(console: Console, cli: Cli, tmp_path: Path) -> None:
    assert console.ask("GET", "/api/patterns/agreement").status_code == 404
    ended = cli("patterns", "plot", "--out", str(tmp_path / "out"))
    assert ended.code == 2
    assert "selflow learn" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_each_view_and_table_is_a_picture(
    mapped: Console, cli: Cli, tmp_path: Path, kind: str, begins: bytes
) -> None:
    shown = cli("patterns", "plot", "--out", str(tmp_path), "--format", kind, "--json").document
    names = ("map-consensus", "map-ward", "together", "agreement")

    assert [Path(path).name for path in shown["files"]] == [f"{name}.{kind}" for name in names]
    assert all(Path(path).read_bytes().startswith(begins) for path in shown["files"])


def test_without_matplotlib_the_extra_is_named(
    mapped: Console, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = cli("patterns", "plot", "--out", str(tmp_path / "out"))

    assert ended.code == 2
    assert "pip install 'selflow[plot]'" in ended.err


def test_trials_and_runs_are_those_of_the_command_line(console: Console, cli: Cli) -> None:
    cycle = begun(console.catalog, NOW_US)
    place = RunPlace(console.root, cycle.id, "grow:writing", "writing")
    recorder = place.begin({"rank": 8}, console.clock)
    for step in range(1, 4):
        console.clock.advance(1.0)
        recorder.step(StepReport(step, 80, 7.0, step * 100))
    recorder.check(6.5)

    trials: Any = console.ask("GET", f"/api/trials?cycle_id={cycle.id}").json()
    assert trials == cli("trials", "--json").document
    (trial,) = trials["items"]
    assert (trial["step"], trial["steps"], trial["checks"]) == (3, 80, [[3, 6.5]])
    (run,) = console.ask("GET", f"/api/runs?cycle_id={cycle.id}").json()["items"]
    assert (run["stage"], run["losses"][0]) == ("grow:writing", [1, 7.0])
    assert "3 of 80" in cli("trials").out
    recorder.check(6.8)
    (past,) = console.ask("GET", "/api/runs/history").json()["items"]
    assert (past["best_bits"], past["last_bits"], past["measure"]) == (6.5, 6.8, "tune")
    assert (past["state"], past["step"], past["seconds"]) == (run["state"], 3, 3.0)
    assert console.ask("GET", "/api/runs?cycle_id=other").json()["items"] == []


def test_routing_tells_what_was_explored_and_why(console: Console, cli: Cli) -> None:
    drawn = {"surface": "next", "propensity": 0.25, "policy": "thompson", "forced": False}
    for at in range(LAST_ROUTED + 20):
        routing = {**drawn, "arm": "pool", "explored": at % 4 == 0, "forced": at % 10 == 0}
        decision = Decision(f"dec_{at:04}", NOW_US + at, "routed", 0, [], [], routing=routing)
        console.catalog.decisions.record(decision)
    console.catalog.decisions.record(Decision("dec_x", NOW_US * 2, "pool", 0, [], []))

    shown = console.ask("GET", "/api/agents/routing").json()
    assert shown == cli("agents", "routing", "--json").document
    assert (shown["n"], shown["forced"], len(shown["bins"])) == (LAST_ROUTED, 50, 20)
    assert shown["explored"] == 125 - 25  # of every fourth, those that nobody had named
    assert all(
        item["explored"] + item["exploited"] + item["forced"] == item["n"] == 25
        for item in shown["bins"]
    )
    assert shown["because"]["text"] == (
        "pool answered on next: drawn with probability 0.25 by thompson; no arm has a higher mean"
    )
