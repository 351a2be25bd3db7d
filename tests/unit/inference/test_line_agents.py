"""An agent of lines in a replica: brought up from its artifact, beside the mix, and gone again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.route.arms import MIX
from selflow.store.records import AgentVersion
from selflow.text.agent import LineAgent
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine, own_line
from selflow.text.lines import line_bits
from tests.unit.inference.agents import School
from tests.unit.inference.test_suggest import LINES, ask, decision, learn, type_lines
from tests.unit.inference.worlds import Template, World
from tests.unit.text.models import QUERY, WIDTH, random_model

AGENT = "shell-lines"


class Owner:
    """Thirty lines in the log, and an agent that was judged when there were twenty."""

    def __init__(self, folder: Path, template: Template) -> None:
        self.model = random_model(folder / "model")
        self.world = World(folder / "root", template)
        self.world.load_model = lambda: self.model
        self.school = School(self.world)
        type_lines(self.world, LINES * 4)
        self.judged = self.grown(self.model)
        type_lines(self.world, LINES * 2)
        learn(self.world)

    def grown(self, model: ByteModel) -> LineAgent:
        """What a cycle grows now: all but the last quarter of the lines."""
        lines = self.lines()
        return LineAgent.grow(lines, lines[-1].seq, lines[len(lines) * 3 // 4].ts_us, model)

    def lines(self) -> list[OwnLine]:
        """All that was typed."""
        found = map(own_line, self.world.feed.log.read(0, 200))
        return [line for surface, line in filter(None, found) if surface == "shell"]

    def promote(self, agent: LineAgent) -> AgentVersion:
        files: Any = agent.files()
        version = self.school.agent(AGENT, surface="shell", folder=files)
        self.step()
        return version

    def step(self) -> None:
        self.world.clock.advance(31.0)
        learn(self.world)

    def arms(self) -> dict[str, str]:
        state = self.world.replica.engine.text._state
        assert state is not None
        return state.versions("shell")

    def learned(self) -> Any:
        """All that the agent in service has learned."""
        state = self.world.replica.engine.text._state
        assert state is not None
        (agent,) = state.agents
        return agent.suggester.state()


@pytest.fixture
def owner(tmp_path: Path, template: Template) -> Iterator[Owner]:
    made = Owner(tmp_path, template)
    yield made
    made.school.close()


def adapter_of(base_sha256: str, size: float = 0.5) -> LoraAdapter:
    down = np.full((1, WIDTH), size, np.float32)
    return LoraAdapter(base_sha256, {QUERY: (down, np.ones((WIDTH, 1), np.float32))})


def test_a_promoted_agent_knows_every_line_in_its_place(owner: Owner) -> None:
    assert owner.arms() == {MIX: ""}

    version = owner.promote(owner.judged)
    judged = owner.grown(owner.model)
    again = judged.suggester(owner.model)
    for line in owner.lines():
        if not judged.knows(line):
            again.learn(line.text, line.context)

    assert owner.arms() == {MIX: "", AGENT: version.version}
    assert owner.learned() == again.state()


@pytest.mark.parametrize("has_adapter", [False, True])
def test_it_goes_on_learning_and_is_the_same_after_a_restart(
    owner: Owner, *, has_adapter: bool
) -> None:
    adapter = adapter_of(owner.model.sha256)
    owner.promote(owner.judged.with_adapter(adapter) if has_adapter else owner.judged)
    before = owner.learned()
    type_lines(owner.world, LINES)
    owner.step()
    learned = owner.learned()
    owner.world.stop()
    owner.world.restart()
    owner.step()

    assert before != learned
    assert owner.learned() == learned


def test_an_adapter_is_served_beside_the_model(owner: Owner) -> None:
    line, folder = LINES[0].encode(), b"~/work"
    adapted = owner.judged.with_adapter(adapter_of(owner.model.sha256))
    zeros = owner.judged.with_adapter(adapter_of(owner.model.sha256, 0.0))
    bare, same, other = (
        line_bits(agent.mixer(owner.model).start(folder), line)
        for agent in (owner.judged, zeros, adapted)
    )
    owner.promote(adapted)
    mixer, _ = owner.learned()

    assert same == pytest.approx(bare, abs=1e-9)
    assert other != same
    assert len(mixer[-1]) == 2, "the model and what was adapted from it"


def test_the_router_chooses_between_mix_and_agent(owner: Owner) -> None:
    owner.promote(owner.judged)
    arms = set()
    for _ in range(20):
        kept = decision(owner.world, ask(owner.world, "git ch")["decision_id"])
        assert kept is not None
        assert kept.routing is not None
        assert 0.0 < float(str(kept.routing["propensity"])) < 1.0
        arms.add(kept.routing["arm"])

    assert arms == {MIX, AGENT}


def test_a_retired_agent_completes_nothing_more(owner: Owner) -> None:
    owner.promote(owner.judged)
    owner.school.retire(AGENT)
    owner.step()

    assert owner.arms() == {MIX: ""}


def test_a_rejected_agent_completes_nothing(owner: Owner) -> None:
    files: Any = owner.judged.files()
    owner.school.agent(AGENT, surface="shell", folder=files, decision="rejected")
    owner.step()

    assert owner.arms() == {MIX: ""}


@pytest.mark.parametrize(
    "cause", ["another model", "another model's adapter", "no model", "no artifact"]
)
def test_an_agent_that_cannot_be_brought_up_is_said_and_the_mix_goes_on(
    owner: Owner, tmp_path: Path, cause: str
) -> None:
    def is_missing() -> ByteModel:
        raise ArtifactError("the byte model is missing", "install SelFlow again")

    if cause == "another model":
        owner.judged = owner.grown(random_model(tmp_path / "other", seed=5))
    if cause == "another model's adapter":
        owner.judged = owner.judged.with_adapter(adapter_of("f" * 64))
    owner.world.load_model = is_missing if cause == "no model" else lambda: owner.model
    owner.world.restart()
    learn(owner.world)
    files: Any = owner.judged.files() if cause != "no artifact" else {"agent.json": b"{}"}
    version = owner.school.agent(AGENT, surface="shell", folder=files)
    owner.step()
    health = owner.world.ask("GET", "/health").json()

    assert owner.arms() == {MIX: ""}
    assert version.id in health["last_error"]
    assert ("belongs to the base ffff" in health["last_error"]) == cause.endswith("adapter")
    assert health["status"] == "degraded"
    assert ask(owner.world, "git ch")["suggestions"], "the mix completes as before"
