"""An agent of lines in a replica: brought up from its artifact, beside the mix, and gone again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.core.settings import LmSettings
from selflow.route.arms import MIX
from selflow.store.records import AgentVersion
from selflow.text.agent import LineAgent
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine, own_line
from selflow.text.lines import line_bits
from serve import text_engine, text_state
from tests.unit.inference.agents import School
from tests.unit.inference.test_suggest import LINES, ask, decision, learn, type_lines
from tests.unit.inference.worlds import Template, World
from tests.unit.text.models import QUERY, WIDTH, begun, random_model

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

    def adapted(self, base_sha256: str = "", size: float = 0.5) -> LineAgent:
        """The same with an adapter of that base, its own unless another one is named."""
        down = np.full((1, WIDTH), size, np.float32)
        factors = {QUERY: (down, np.ones((WIDTH, 1), np.float32))}
        adapter = LoraAdapter(base_sha256 or self.model.sha256, factors)
        return self.judged.with_adapter(adapter, begun(self.model, adapter))

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


@pytest.mark.slow
def test_an_agent_learns_no_line_twice_where_the_log_is_learned_again(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.promote(owner.judged)
    learned = owner.learned()
    owner.world.stop()
    monkeypatch.setattr(text_state, "TEXT_SCHEMA", "another version")
    owner.world.restart()
    owner.step()
    owner.step()

    assert owner.learned() == learned


@pytest.mark.slow
@pytest.mark.parametrize("has_adapter", [False, True])
def test_it_goes_on_learning_and_is_the_same_after_a_restart(
    owner: Owner, *, has_adapter: bool
) -> None:
    owner.promote(owner.adapted() if has_adapter else owner.judged)
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
    adapted, zeros = owner.adapted(), owner.adapted(size=0.0)
    bare, same, other = (
        line_bits(agent.mixer(owner.model).start(folder), line)
        for agent in (owner.judged, zeros, adapted)
    )
    owner.promote(adapted)
    mixer, _ = owner.learned()

    assert same == pytest.approx(bare, abs=1e-9)
    assert other != same
    assert len(mixer[-1]) == 2, "the model and what was adapted from it"


def followed(owner: Owner, adapted: LineAgent) -> Any:
    """What the agent is to know: every line predicted, then learned, in order."""
    suggester = replace(adapted, adapter_learns=True).suggester(owner.model)
    for line in owner.lines():
        if not adapted.knows(line):
            suggester.learn(line.text, line.context, line.weight)
    return suggester.state()


def of_adapter(learned: Any) -> Any:
    """The adapter's numbers and its optimiser's."""
    mixer, _ = learned
    _, (_, _, tuner) = mixer[-1]
    return tuner


@pytest.mark.slow
def test_an_adapter_follows_its_owner_while_it_serves(owner: Owner) -> None:
    adapted = owner.adapted()
    owner.promote(adapted)
    before = of_adapter(owner.learned())
    type_lines(owner.world, LINES, suggestion={"decision_id": "dec_", "outcome": "accepted"})
    owner.step()

    assert of_adapter(owner.learned()) != before
    assert owner.learned() == followed(owner, adapted)
    assert {line.weight for line in owner.lines()} == {1.0, 2.0}


@pytest.mark.slow
def test_an_adapter_knows_the_same_lines_after_a_kill(owner: Owner) -> None:
    adapted = owner.adapted()
    owner.promote(adapted)
    for _ in range(3):  # the last lines are behind the last checkpoint
        type_lines(owner.world, LINES)
        owner.step()
    learned = owner.learned()
    owner.world.restart()
    owner.step()

    assert owner.learned() == learned == followed(owner, adapted)


@pytest.mark.setting("lm.adapter_learns")
def test_an_adapter_that_may_not_learn_stands_still(owner: Owner) -> None:
    owner.world.lm = LmSettings(adapter_learns=False)
    owner.world.restart()
    owner.promote(owner.adapted())
    before = owner.learned()
    type_lines(owner.world, LINES)
    owner.step()
    after = owner.learned()
    owner.world.stop()
    owner.world.restart()
    owner.step()

    assert of_adapter(before) == of_adapter(after)
    assert before != after, "what is no adapter learns on"
    assert owner.learned() == after


@pytest.mark.slow
def test_what_an_adapter_learns_at_the_end_of_a_replica_is_learned_whole(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_engine, "PIECE_S", 0.0)
    adapted = owner.adapted()
    owner.promote(adapted)
    type_lines(owner.world, LINES * 2)
    text = owner.world.replica.engine.text
    for stored in owner.world.feed.log.read(text.cursor, 100):
        text._begin([stored])
        text._go_on()
        text._snapshot()

    assert owner.learned() == followed(owner, adapted)


@pytest.mark.slow
def test_suggestions_are_answered_between_the_pieces_of_a_step(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_engine, "PIECE_S", 0.0)
    adapted = owner.adapted()
    owner.promote(adapted)
    type_lines(owner.world, LINES * 2)
    text = owner.world.replica.engine.text
    pieces = 0
    for stored in owner.world.feed.log.read(text.cursor, 100):
        text._begin([stored])
        while text._go_on():
            assert ask(owner.world, "git ch")["reason"] in {"", "unlikely"}
            pieces += 1

    assert pieces > 8 * len(LINES)
    assert owner.learned() == followed(owner, adapted)


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
        owner.judged = owner.adapted("f" * 64)
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
