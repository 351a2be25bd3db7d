"""An agent of lines in a replica: brought up from its artifact, beside the mix, and gone again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selflow.core.errors import ArtifactError
from selflow.route.arms import MIX
from selflow.store.records import AgentVersion
from selflow.text.agent import LineAgent
from selflow.text.byte_model import ByteModel
from selflow.text.examples import shell_line
from tests.unit.inference.agents import School
from tests.unit.inference.test_suggest import LINES, ask, decision, learn, type_lines
from tests.unit.inference.worlds import Template, World
from tests.unit.text.models import random_model

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
        lines = [line for line in map(shell_line, self.world.feed.log.read(0, 100)) if line]
        return LineAgent.grow(lines, lines[-1].seq, lines[len(lines) * 3 // 4].ts_us, model)

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


def test_a_promoted_agent_knows_every_line_in_its_place(owner: Owner) -> None:
    assert owner.arms() == {MIX: ""}

    version = owner.promote(owner.judged)
    again = owner.grown(owner.model).suggester(owner.model)
    for line in map(shell_line, owner.world.feed.log.read(0, 100)):
        if line is not None and not owner.grown(owner.model).knows(line):
            again.learn(line.text, line.context)

    assert owner.arms() == {MIX: "", AGENT: version.version}
    assert owner.learned() == again.state()


def test_it_goes_on_learning_and_is_the_same_after_a_restart(owner: Owner) -> None:
    owner.promote(owner.judged)
    before = owner.learned()
    type_lines(owner.world, LINES)
    owner.step()
    learned = owner.learned()
    owner.world.stop()
    owner.world.restart()
    owner.step()

    assert before != learned
    assert owner.learned() == learned


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


@pytest.mark.parametrize("cause", ["another model", "no model", "no artifact"])
def test_an_agent_that_cannot_be_brought_up_is_said_and_the_mix_goes_on(
    owner: Owner, tmp_path: Path, cause: str
) -> None:
    def is_missing() -> ByteModel:
        raise ArtifactError("the byte model is missing", "install SelFlow again")

    if cause == "another model":
        owner.judged = owner.grown(random_model(tmp_path / "other", seed=5))
    owner.world.load_model = is_missing if cause == "no model" else lambda: owner.model
    owner.world.restart()
    learn(owner.world)
    files: Any = owner.judged.files() if cause != "no artifact" else {"agent.json": b"{}"}
    version = owner.school.agent(AGENT, surface="shell", folder=files)
    owner.step()
    health = owner.world.ask("GET", "/health").json()

    assert owner.arms() == {MIX: ""}
    assert version.id in health["last_error"]
    assert health["status"] == "degraded"
    assert ask(owner.world, "git ch")["suggestions"], "the mix completes as before"
