"""Agents in a replica: they come, go and roll back by the catalog alone, and a broken one takes no
answer down.
"""

import subprocess
import sys
from collections.abc import Iterator
from threading import Event as Flag

import pytest

from selflow.core.errors import NotRunningError
from selflow.core.settings import RouterSettings
from selflow.sdk.client import Client
from selflow.store.catalog import Catalog
from selflow.testing import ManualClock
from serve.model_registry import RETRY_S
from tests.unit.inference.agents import School
from tests.unit.inference.test_restart import answers
from tests.unit.inference.worlds import ROUND, World


@pytest.fixture
def school(fresh: World) -> Iterator[School]:
    """A base and no agent; the replica has learned nine rounds."""
    school = School(fresh)
    school.base()
    fresh.happen(9)
    fresh.catch_up()
    yield school
    school.close()


def experts(world: World) -> set[str]:
    return {share["id"] for share in world.predict()["experts"]}


def health(world: World) -> tuple[str, str]:
    told = world.ask("GET", "/health").json()
    return told["status"], told["last_error"]


def in_pool(world: World, agent: str) -> str:
    """The version of an agent that the pool hears, as the arm without it tells."""
    return routed(world, f"without:{agent}")["x-selflow-version"]


def routed(world: World, agent: str) -> dict[str, str]:
    """The headers of a routed prediction that this arm answered."""
    for _ in range(200):
        answer = world.ask("POST", "/v1/predict", {"mode": "routed"})
        if answer.headers["x-selflow-agent"] == agent:
            return dict(answer.headers)
    raise AssertionError(agent)


def test_a_champion_joins_the_pool_with_its_base_and_a_retired_one_leaves(school: School) -> None:
    world = school.world
    before = experts(world)
    school.agent("coder", ROUND[0])
    world.look()
    joined = experts(world)
    school.retire("coder")
    world.look()

    assert (joined - before, experts(world)) == ({"agent:coder", "lm_base"}, before)


def test_an_agent_serves_on_its_base_until_its_successor_passes(school: School) -> None:
    world = school.world
    first = school.agent("coder", ROUND[1])
    world.look()
    school.base("another")
    world.look()

    assert in_pool(world, "coder") == first.version
    assert [each.is_closed for each in school.hosts.made] == [False]
    assert health(world) == ("ok", "")
    second = school.agent("coder", ROUND[2])
    world.look()
    assert first.base_sha256 != second.base_sha256
    assert in_pool(world, "coder") == second.version
    assert [each.is_closed for each in school.hosts.made] == [True, False]


def test_agents_of_two_bases_serve_side_by_side(school: School) -> None:
    world = school.world
    old = school.agent("old", ROUND[1])
    world.look()
    school.base("another")
    new = school.agent("new", ROUND[2])
    world.look()

    assert [in_pool(world, name) for name in ("old", "new")] == [old.version, new.version]
    assert {"agent:old", "agent:new", "lm_base"} <= experts(world)


def test_the_base_in_the_pool_is_no_arm_of_predictions(school: School) -> None:
    world = school.world
    school.agent("coder", ROUND[1])
    world.look()
    asked = [world.ask("POST", "/v1/predict", {"mode": "routed"}) for _ in range(40)]

    assert {each.headers["x-selflow-agent"] for each in asked} <= {"pool", "without:coder"}


def test_an_agent_that_is_right_gets_weight_and_one_that_is_wrong_loses_it(school: School) -> None:
    def weights() -> dict[str, float]:
        return {share["id"]: share["weight"] for share in world.predict()["experts"]}

    world = school.world
    school.agent("wrong", ROUND[3])
    school.agent("right", "make")
    world.look()
    before = weights()
    for _ in range(20):
        world.feed.log.append("shell", world.clock.now_us(), [_record(world, "make")])
        world.catch_up()
    after = weights()

    assert before["agent:right"] == pytest.approx(before["agent:wrong"], rel=0.1)
    assert after["agent:right"] > 5 * after["agent:wrong"]
    assert school.hosts.made[0].asked >= 40


def _record(world: World, command: str) -> bytes:
    from selflow.core.codec import encode_record

    return encode_record(world.event(command))


class TwoWaits(ManualClock):
    """Ends the loop that waits on it at its second wait."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = Flag()
        self.first_wait_s = 0.0

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        if self.first_wait_s:
            flag.set()
        self.first_wait_s = self.first_wait_s or timeout_s
        return super().wait(flag, timeout_s)


def test_a_rollback_switches_the_next_answer_and_unloads_what_left(school: School) -> None:
    world = school.world
    old, new = school.agent("coder", ROUND[1]), school.agent("coder", ROUND[2])
    world.look()
    assert in_pool(world, "coder") == new.version
    school.rollback("coder")
    world.look()

    assert in_pool(world, "coder") == old.version
    assert set(school.hosts.made[0].says) == {old.id}
    assert len(school.hosts.made) == 1


def test_a_rollback_is_answered_with_within_a_second(school: School) -> None:
    world = school.world
    old, new = school.agent("coder", ROUND[1]), school.agent("coder", ROUND[2])
    world.look()
    before = in_pool(world, "coder")
    school.rollback("coder")

    clock, engine = TwoWaits(), world.replica.engine
    engine._clock, engine._stopping = clock, clock.stopping
    began_s = clock.monotonic_s()
    engine._follow_fleet()  # by the clock of this test: one wait, one look, and it is told to stop

    assert (before, in_pool(world, "coder")) == (new.version, old.version)
    assert clock.first_wait_s < 1.0
    assert clock.monotonic_s() > began_s


def test_a_look_that_finds_nothing_new_does_nothing(school: School) -> None:
    school.agent("coder", ROUND[0])
    school.world.look()
    host = school.hosts.made[0]
    host.says.clear()
    school.world.look()

    assert host.says == {}


def test_an_adapter_that_cannot_be_loaded_leaves_the_one_before_it_in_place(school: School) -> None:
    world = school.world
    first = school.agent("coder", ROUND[1])
    world.look()
    broken = school.agent("coder", ROUND[2], is_broken=True)
    school.agent("writer", ROUND[3])
    world.look()

    assert experts(world) >= {"agent:coder", "agent:writer"}
    assert in_pool(world, "coder") == first.version
    assert health(world) == ("degraded", f"{broken.id} is no adapter")
    school.rollback("coder")
    world.look()
    assert health(world) == ("ok", "")


def test_an_agent_whose_base_is_gone_is_named_with_it(school: School) -> None:
    foreign = school.agent("coder", ROUND[1], base_sha256="f" * 64)
    before = experts(school.world)
    school.world.look()
    status, why = health(school.world)

    assert experts(school.world) == before
    assert (status, foreign.id in why, "base ffffffffffff" in why) == ("degraded", True, True)


def test_a_base_that_cannot_be_loaded_leaves_everything_as_it_was(school: School) -> None:
    world = school.world
    first = school.agent("coder", ROUND[1])
    world.look()
    school.base("worse", is_broken=True)
    school.agent("coder", ROUND[2])
    world.look()

    assert in_pool(world, "coder") == first.version
    status, why = health(world)
    assert (status, why.endswith("the agents cannot be loaded (OSError)")) == ("degraded", True)
    assert not school.hosts.made[0].is_closed


def test_a_replica_whose_model_thread_has_ended_is_unhealthy(school: School) -> None:
    world = school.world
    school.agent("coder", ROUND[1])
    world.look()
    world.replica.engine.check()
    school.hosts.made[0].fault = "the thread of the agents' model has ended (KeyError)"

    with pytest.raises(NotRunningError, match="agents' model has ended"):
        world.replica.engine.check()
    assert health(world)[0] == "degraded"


def test_what_could_not_be_loaded_is_tried_again_after_a_while(school: School) -> None:
    world = school.world
    agent = school.agent("coder", ROUND[1])
    folder = school.artifacts.get(agent.sha256)
    folder.chmod(0o700)
    folder.rename(folder.with_name("away"))
    world.look()
    assert health(world)[0] == "degraded"
    folder.with_name("away").rename(folder)
    world.look()
    assert health(world)[0] == "degraded"
    world.clock.advance(RETRY_S)
    world.look()

    assert (health(world), "agent:coder" in experts(world)) == (("ok", ""), True)


def test_a_model_that_fails_while_it_is_asked_only_falls_silent(school: School) -> None:
    world = school.world
    school.agent("coder", ROUND[1])
    world.look()
    school.hosts.made[0].fails = True

    assert world.predict()["predictions"][0]["subject"] == ROUND[0]
    assert health(world)[0] == "degraded"
    school.hosts.made[0].fails = False
    world.predict()
    assert health(world)[0] == "ok"


def test_agents_and_their_weights_survive_a_kill(school: School) -> None:
    world = school.world
    school.agent("coder", "make")
    world.look()
    world.happen(2)
    world.catch_up()
    before = answers(world)
    world.restart()
    world.catch_up()

    assert answers(world) == before
    assert "agent:coder" in experts(world)


def test_a_state_with_agents_that_are_gone_goes_on_without_them(school: School) -> None:
    world = school.world
    school.agent("coder", "make")
    world.look()
    school.retire("coder")
    world.restart()
    world.catch_up()

    assert "agent:coder" not in experts(world)
    assert world.predict()["predictions"][0]["subject"] == ROUND[0]


def test_coming_and_going_leaves_the_checkpoints_in_order(school: School) -> None:
    world = school.world
    school.agent("coder", ROUND[1])
    for _ in range(2):
        world.look()
        school.agent("coder", ROUND[2])
        world.look()
        school.rollback("coder")
        world.look()
    last = school.agent("coder", ROUND[2])
    world.look()
    world.restart()
    world.catch_up()

    assert in_pool(world, "coder") == last.version
    assert health(world) == ("ok", "")


def test_the_agents_of_a_restart_are_there_before_anything_is_learned(school: School) -> None:
    world = school.world
    school.agent("coder", "make")
    world.look()
    world.happen(1)
    world.restart()
    world.replica.engine.step()

    assert school.hosts.made[-1].asked >= len(ROUND)


def test_a_routed_answer_is_that_of_one_arm_and_says_so(school: School) -> None:
    world = school.world
    agent = school.agent("coder", ROUND[2])
    world.look()
    told = routed(world, "without:coder")
    routed(world, "pool")
    catalog = Catalog.open(world.root.catalog)
    decision = catalog.decisions.find(told["x-selflow-decision"])
    catalog.close()

    assert decision is not None
    assert decision.routing is not None
    assert (told["x-selflow-version"], told["x-selflow-base"]) == (agent.version, "rote")
    assert (told["x-selflow-policy"], told["x-selflow-forced"]) == ("thompson/0", "0")
    assert 0.02 <= float(told["x-selflow-propensity"]) < 1
    assert decision.routing["arm"] == "without:coder"
    assert decision.routing["surface"] == "predict"
    assert float(told["x-selflow-propensity"]) == pytest.approx(
        decision.routing["propensity"], rel=1e-5
    )


def test_no_arm_of_predictions_is_an_agent_alone(school: School) -> None:
    world = school.world
    school.agent("coder", ROUND[2])
    school.agent("writer", ROUND[3])
    world.look()
    answers = [world.ask("POST", "/v1/predict", {"mode": "routed"}) for _ in range(100)]
    heard = {
        answer.headers["x-selflow-agent"]: {
            share["id"] for share in answer.json()["experts"] if share["id"].startswith("agent:")
        }
        for answer in answers
    }

    assert heard == {
        "pool": {"agent:coder", "agent:writer"},
        "without:coder": {"agent:writer"},
        "without:writer": {"agent:coder"},
    }


def test_without_agents_the_pool_is_the_only_arm(world: World) -> None:
    answer = world.ask("POST", "/v1/predict", {"mode": "routed"})

    assert (answer.headers["x-selflow-agent"], answer.headers["x-selflow-propensity"]) == (
        "pool",
        "1",
    )
    assert answer.json()["predictions"] == world.predict()["predictions"]
    assert "x-selflow-agent" not in world.ask("POST", "/v1/predict", {}).headers


def test_beliefs_come_from_the_newest_snapshot(school: School) -> None:
    world = school.world
    world.router = RouterSettings(floor=0.0)
    world.restart()
    world.catch_up()
    school.agent("coder", "make")
    world.look()
    arm = {"losses": 0.0, "pulls": 400, "latency_s": 0.1, "recent": []}
    surfaces = {
        "predict": {
            "without:coder": {**arm, "wins": 400.0},
            "pool": {**arm, "wins": 0.0, "losses": 400.0},
        }
    }
    school.catalog.routing.save(
        {"feedback_number": 1, "surfaces": surfaces}, 1, world.clock.now_us()
    )
    world.look()
    told = [world.ask("POST", "/v1/predict", {"mode": "routed"}).headers for _ in range(10)]

    assert {headers["x-selflow-agent"] for headers in told} == {"without:coder"}
    assert {headers["x-selflow-policy"] for headers in told} == {"thompson/1"}


def test_the_client_asks_for_a_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(Client, "_post", lambda self, path, body: sent.append(body) or b"{}")
    client = Client("http://127.0.0.1:1", "sf_")
    for mode in ("pool", "routed"):
        with pytest.raises(Exception, match="PredictAnswer"):
            client.predict(mode=mode)

    assert sent == [{"top_k": 5}, {"top_k": 5, "mode": "routed"}]


_WITHOUT = """
import sys
from pathlib import Path
from tests.unit.inference.worlds import Template, World
folder = Path(sys.argv[1])
world = World(folder / "root", Template.make(folder / "catalog.db"))
world.happen(2)
world.catch_up()
world.look()
assert world.predict(mode="routed")["predictions"]
world.ask("GET", "/v1/models")
world.ask("POST", "/v1/completions", {"model": "selflow", "prompt": "x"})
print(sorted(name for name in ("torch", "transformers", "peft", "ray") if name in sys.modules))
"""


@pytest.mark.slow
def test_a_replica_without_agents_loads_no_torch(world: World) -> None:
    folder = world.root.path / "other"
    folder.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(folder)], capture_output=True, text=True, check=False
    )

    assert told.stdout.strip() == "[]", told.stderr
