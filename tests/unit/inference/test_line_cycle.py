"""The stages of a cycle that make agents of lines, in this process: one of commit messages from its
first message to its answers, and its successor.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors import cycle as cycles
from actors import line_agents
from actors.messages import Candidate, StageRequest, StageResult
from actors.plan import Plan
from selflow.core.codec import encode_record
from selflow.core.events import COMMIT_MESSAGE, Event
from selflow.core.settings import LoraSettings, Settings
from selflow.core.surfaces import LINE_AGENTS, LINE_SURFACES
from selflow.route.arms import MIX
from selflow.store.catalog import Catalog
from selflow.store.records import AgentVersion
from selflow.text import byte_model
from selflow.text.agent import LineAgent, Replayed
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine, own_line
from selflow.text.paired import LineOutcomes
from tests.unit.inference.test_suggest import ask, decision, learn
from tests.unit.inference.worlds import Template, World
from tests.unit.text.models import random_model
from tune.line_run import FROM_BASE, LineRun

AGENT = LINE_AGENTS["commit"]
FIRST, FEW, ENOUGH = 500, 40, 110
CONFIG = {"rank": 4, "learning_rate": 6e-3, "every_lines": 8, "start": FROM_BASE}
WORDS = ("fix", "add", "doc", "undo")


def outcomes(agent: LineAgent, gate: list[OwnLine], model: ByteModel) -> LineOutcomes:
    """By rote: an agent saves two bits, its adapter one more, and ``gain`` for each later event
    that it was grown with.
    """
    n = len(gate)
    saved = np.random.default_rng(1).normal(2.0, 1.0, n) + (agent.adapter is not None)
    bits = 20.0 - saved - World.gain_bits * agent.watermark_seq  # type: ignore[attr-defined]
    return LineOutcomes(bits, np.ones(n, np.bool_), np.full(n, 0.5), np.arange(n) % 2.0)


def replayed(
    agent: LineAgent, past: list[OwnLine], gate: list[OwnLine], model: ByteModel
) -> Replayed:
    whole = outcomes(agent, gate, model)
    pool = replace(whole, bits=np.full(len(gate), 20.0))
    return Replayed(pool, whole, {"model": pool, "memory": pool})


class InProcess(cycles.LearningCycle):
    """A cycle that calls what its services would launch."""

    model_folder: Path

    def _ask(self, service: Any, method: str, refs: Any, candidate: Any = None) -> Any:
        request = StageRequest(self._plan, self._cycle.id, refs, candidate)
        if method == "adapt_lines":
            return self._adapt(request, *refs)
        stages = {
            "grow_lines": line_agents.grow_line_agent,
            "judge_lines": line_agents.judge_line_agent,
        }
        return stages[method]._function(request, *refs)

    def _adapt(self, request: StageRequest, lines: Any) -> StageResult:
        """One configuration in the place of a search."""
        data, best = (line_agents._folder(request, name) for name in ("data", "best"))
        run = LineRun(self.model_folder, data, LoraSettings(), CONFIG, 1, "cpu")
        run.advance(1.0, lambda: False)
        run.export(best)
        result: StageResult = line_agents.go_on_adapted._function(request, lines, best, {})
        return result


class Author:
    """Whoever writes commit messages, and the cycles on that machine."""

    def __init__(self, folder: Path, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = random_model(folder / "model")
        InProcess.model_folder = folder / "model"
        monkeypatch.setattr(byte_model, "shipped_base", lambda: self.model)
        monkeypatch.setattr(line_agents, "step_back", lambda: None)
        monkeypatch.setattr(cycles.ray, "get", lambda value: value)
        monkeypatch.setattr(cycles, "read_lines", self)
        monkeypatch.setattr(LineAgent, "replay", replayed)
        monkeypatch.setattr(LineAgent, "outcomes", outcomes)
        monkeypatch.setattr(World, "gain_bits", 0.0, raising=False)
        self._patch = monkeypatch
        self.world = World(folder / "root", template)
        self.world.load_model = lambda: self.model
        self.world.restart()
        self.catalog = Catalog.open(self.world.root.catalog)
        self.plan = Plan(self.world.root, Settings(), "1", 0, has_resources=False, gpu_share=0.0)
        self.cycle_ids: list[str] = []

    def write(self, count: int) -> None:
        events, rng = [], np.random.default_rng(self.world.feed.last_seq())
        for n in range(count):
            self.world.clock.advance(60.0)
            message = f"{rng.choice(WORDS)} {n % 7}"
            data: Any = {"paths": [f"{n % 3}.py"]}
            event = Event(self.world.clock.now_us(), "git", COMMIT_MESSAGE, message, data=data)
            events.append(encode_record(event))
        self.world.feed.log.append("git", self.world.clock.now_us(), events)

    def remote(self, upto_seq: int) -> tuple[Any, ...]:
        """What the task that reads the log hands out."""
        newest: dict[str, list[OwnLine]] = {name: [] for name in LINE_SURFACES}
        for surface, line in filter(None, map(own_line, self.world.feed.log.read(0, upto_seq))):
            newest[surface].append(line)
        return ({name: len(lines) for name, lines in newest.items()}, *newest.values())

    def learn(self, gain_bits: float = 0.0) -> dict[str, Any]:
        """Run the stages; what each of them journalled."""
        self._patch.setattr(World, "gain_bits", gain_bits)
        now_us, upto_seq = self.world.clock.now_us(), self.world.feed.last_seq()
        asked = self.catalog.cycles.request("owner", now_us)
        cycle = self.catalog.cycles.begin(asked.id, upto_seq, now_us)
        self.cycle_ids.append(cycle.id)
        running = InProcess(self.plan, cycle, self.catalog, self.world.clock)
        running._grow_line_agents(upto_seq)
        self.catalog.cycles.finish(cycle.id, "done", "", now_us)
        for _ in range(2):  # a successor waits until the replica knows the lines that it knows
            self.world.clock.advance(31.0)
            learn(self.world)
        names = [f"{stage}:{AGENT}" for stage in ("grow", "adapt", "judge")]
        stages = {name: self.catalog.cycles.stage(cycle.id, name) for name in names}
        return {name.partition(":")[0]: stage.result for name, stage in stages.items() if stage}

    def starts(self, cycle: int) -> tuple[str, ...]:
        """What an adapter might start from, compared by the tune part of one of the cycles."""
        candidate = Candidate(AGENT, None, -1, "", self.model.sha256)
        request = StageRequest(self.plan, self.cycle_ids[cycle], (), candidate)
        return line_agents._write_starts(request, candidate, line_agents._folder(request, "data"))

    def champion(self) -> AgentVersion:
        (version,) = self.catalog.agents.champions("commit")
        return version

    def arms(self) -> dict[str, str]:
        state = self.world.replica.engine.text._state
        assert state is not None
        assert not self.world.replica.engine.text.last_error
        assert state.versions("shell") == {MIX: ""}
        return state.versions("commit")


@pytest.fixture
def author(tmp_path: Path, template: Template, monkeypatch: pytest.MonkeyPatch) -> Iterator[Author]:
    made = Author(tmp_path, template, monkeypatch)
    made.write(FIRST)
    yield made
    made.catalog.close()


def test_a_version_that_cannot_be_read_has_not_to_be_beaten(
    tmp_path: Path, template: Template
) -> None:
    world = World(tmp_path / "root", template)
    plan = Plan(world.root, Settings(), "1", 0, has_resources=False, gpu_share=0.0)
    candidate = Candidate(AGENT, None, -1, "", "", serving_sha256="f" * 64)

    assert line_agents._serving(StageRequest(plan, "cyc", (), candidate)) is None


@pytest.mark.slow
def test_an_agent_of_commit_messages_is_grown_judged_served_and_succeeded(
    author: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = author.learn()
    first = author.champion()
    grown = LineAgent.load(author.world.root.artifacts / first.sha256)

    assert (first.agent, first.surface, first.pattern_id) == (AGENT, "commit", None)
    assert stages["judge"]["decision"] == "passed"
    assert (grown.lines, grown.adapter is not None) == (FIRST * 8 // 10, True)
    assert author.arms() == {MIX: "", AGENT: first.version}
    answers = [ask(author.world, "fi", "commit", "1.py")["decision_id"] for _ in range(12)]
    routed = [kept.routing for one in answers if (kept := decision(author.world, one))]
    assert {str(routing["arm"]) for routing in routed if routing} == {MIX, AGENT}

    monkeypatch.setattr(cycles, "LEAST_ADAPTED_LINES", 10_000)
    author.write(FEW)
    again = author.learn(gain_bits=0.1)["grow"]
    assert again.get("lacking") == "68 more lines since the serving version"
    assert author.champion() == first

    author.write(ENOUGH)
    assert author.learn(gain_bits=-0.01)["judge"]["decision"] == "rejected"
    assert author.champion() == first
    assert author.starts(cycle=0) == (FROM_BASE,), "the adapter knows the lines that compare"
    assert author.starts(cycle=-1) == (FROM_BASE, first.id)

    author.write(1)
    assert author.learn(gain_bits=0.1)["judge"]["decision"] == "passed"
    second = author.champion()
    assert second.version != first.version
    assert author.arms() == {MIX: "", AGENT: second.version}
