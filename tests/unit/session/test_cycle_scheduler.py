"""Which cycles start by themselves, and what a finished one leaves in the buffer."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actors.cycle_scheduler import MAX_ATTEMPTS, CycleScheduler
from actors.plan import Plan
from selflow.core.codec import encode_record
from selflow.core.events import Event, Fill
from selflow.core.paths import Root
from selflow.core.settings import BufferSettings, LearningSettings, Settings
from selflow.store.catalog import Catalog
from selflow.store.cycles import End
from selflow.store.log import EventLog
from selflow.store.pauses import pause_now
from selflow.store.records import Artifact, Cycle
from selflow.testing import ManualClock

TRIGGER_EVENTS = 10
DAY_S = 86_400.0


class ScriptedRunner:
    """Runs no cycle: the test says how each ends."""

    def __init__(self) -> None:
        self.started: list[Cycle] = []
        self.cancelled: list[str] = []
        self.result: str | None = None

    def start(self, cycle: Cycle) -> None:
        self.started.append(cycle)
        self.result = None

    def outcome(self) -> str | None:
        return self.result

    def cancel(self) -> None:
        self.cancelled.append(self.started[-1].id)
        self.result = ""


@dataclass
class World:
    """The real log, the real catalog and the real scheduler; only Ray's task is scripted."""

    root: Root
    log: EventLog
    catalog: Catalog
    settings: Settings
    runner: ScriptedRunner = field(default_factory=ScriptedRunner)
    clock: ManualClock = field(default_factory=ManualClock)
    scheduler: CycleScheduler = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new supervisor."""
        plan = Plan(self.root, self.settings, "1", 7731, False, 0.0)
        self.scheduler = CycleScheduler(plan, self.catalog, self.clock, self.log, self.runner)

    def bring(self, events: int) -> None:
        after = self.log.fill().last_seq
        records = [encode_record(Event(1, "t", "k", str(after + i))) for i in range(events)]
        self.log.append("t", after, records)

    def rounds(self, count: int = 4) -> int:
        """So many rounds, more than a look apart; how many cycles have started in all."""
        for _ in range(count):
            self.scheduler.once()
            self.clock.advance(6)
        return len(self.runner.started)

    def end(self, state: End, error: str = "") -> None:
        """The cycle that runs ends, as ``run_cycle`` ends it."""
        self.catalog.cycles.finish(self.runner.started[-1].id, state, error, self.clock.now_us())
        self.runner.result = ""
        self.rounds()

    @property
    def fill(self) -> Fill:
        return self.log.fill()


@pytest.fixture
def settings() -> Settings:
    return Settings(buffer=BufferSettings(trigger_events=TRIGGER_EVENTS))


@pytest.fixture
def world(tmp_path: Path, settings: Settings) -> Iterator[World]:
    root = Root(tmp_path, tmp_path)
    root.make()
    with (
        closing(Catalog.open(root.catalog)) as catalog,
        closing(EventLog(root.events, budget_bytes=1_000_000, credits=8)) as log,
    ):
        yield World(root, log, catalog, settings)


def test_two_automatic_cycles_each_consume_their_buffer(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    assert world.rounds() == 1
    world.bring(4)
    world.end("done")
    between = world.fill

    assert (between.new_events, between.events) == (4, TRIGGER_EVENTS + 4)
    assert len(world.runner.started) == 1, "four new events start nothing"
    world.bring(6)
    assert world.rounds() == 2
    world.end("done")
    assert [each.upto_seq for each in world.runner.started] == [10, 20]
    assert (world.fill.new_events, world.fill.size_bytes) == (0, 0)


def test_while_collection_is_paused_no_cycle_starts_by_itself(world: World) -> None:
    now_us = world.clock.now_us()
    pause_now(world.root.catalog, now_us + 3_600_000_000, now_us, "owner")
    world.bring(TRIGGER_EVENTS)
    assert world.rounds() == 0
    world.clock.advance(3_600)

    assert world.rounds() == 1, "the pause has ended by the clock"


def test_a_cycle_that_is_asked_for_starts_in_a_pause_too(world: World) -> None:
    pause_now(world.root.catalog, None, world.clock.now_us(), "owner")
    world.bring(TRIGGER_EVENTS)
    world.catalog.cycles.request("owner", world.clock.now_us())

    assert world.rounds() == 1


@pytest.mark.parametrize("state", ["skipped", "failed"])
def test_a_vain_cycle_neither_consumes_nor_fires_again(world: World, state: End) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    before = world.fill
    world.end(state, "2 of 3 days")

    assert world.fill == before
    assert world.rounds(50) == 1
    world.clock.advance(DAY_S)
    assert world.rounds() == 2, "a day later it is tried again"


def test_a_vain_cycle_is_tried_again_when_more_came(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    world.end("skipped")
    world.bring(1)

    assert world.rounds() == 2
    world.end("done")
    assert world.fill.new_events == 0


def test_a_request_cancelled_before_it_began_fires_nothing(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    world.end("done")
    world.bring(TRIGGER_EVENTS - 1)
    asked = world.catalog.cycles.request("owner", world.clock.now_us())
    world.catalog.cycles.cancel(asked.id, world.clock.now_us())

    assert world.rounds() == 1
    assert world.fill.new_events == TRIGGER_EVENTS - 1


def test_a_cycle_cancelled_while_it_runs_ends_and_consumes_nothing(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    (cycle,) = world.runner.started
    (world.root.work / cycle.id).mkdir()
    world.catalog.cycles.cancel(cycle.id, world.clock.now_us())

    assert world.rounds() == 1
    assert world.runner.cancelled == [cycle.id]
    assert list(world.root.work.iterdir()) == []
    assert world.fill.new_events == TRIGGER_EVENTS


def test_a_cycle_the_owner_asked_for_consumes_too(world: World) -> None:
    world.bring(3)
    world.catalog.cycles.request("owner", world.clock.now_us())
    world.rounds()
    world.end("done")

    assert world.fill.new_events == 0


def test_what_was_learned_is_consumed_after_a_crash(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    cycle = world.runner.started[-1]
    world.catalog.cycles.finish(cycle.id, "done", "", world.clock.now_us())
    world.restart()

    assert world.rounds() == 1
    assert world.fill.new_events == 0


def test_a_task_that_failed_fails_its_cycle_with_the_reason(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    world.rounds()
    world.runner.result = "OSError in the cycle; see selflow logs"
    world.rounds()
    (cycle,) = world.catalog.cycles.latest(1)

    assert (cycle.state, cycle.error) == ("failed", "OSError in the cycle; see selflow logs")


def test_a_cycle_whose_process_keeps_dying_fails(world: World) -> None:
    world.bring(TRIGGER_EVENTS)
    for _ in range(MAX_ATTEMPTS + 2):
        world.scheduler.once()
        world.runner.result = ""
    (cycle,) = world.catalog.cycles.latest(1)

    assert len(world.runner.started) == MAX_ATTEMPTS
    assert (cycle.state, cycle.error) == ("failed", f"its process died {MAX_ATTEMPTS} times")


def test_drift_starts_a_cycle_by_itself_until_a_discovery_knows_it(world: World) -> None:
    world.bring(1)
    drift = {"kind": "drift", "started_us": 5, "last_us": 5, "windows": 90, "terms": []}
    asked = world.catalog.cycles.request("owner", 1)
    assert world.rounds() == 1
    made = Artifact("a" * 64, "cluster-model", 1, {})
    world.catalog.cycles.stage_done(asked.id, "discover", made, [], {}, world.clock.now_us())
    world.end("done")
    assert len(world.runner.started) == 1
    world.bring(1)
    world.catalog.behaviour.keep(asked.id, [drift], world.clock.now_us())

    assert world.rounds() == 2
    second = world.runner.started[-1]
    assert second.trigger == "drift"
    known = Artifact("b" * 64, "cluster-model", 1, {})
    world.catalog.cycles.stage_done(second.id, "discover", known, [], {}, world.clock.now_us())
    world.end("done")
    assert world.rounds() == 2


@pytest.mark.setting("learning.automatic")
@pytest.mark.parametrize(
    "settings",
    [Settings(buffer=BufferSettings(trigger_events=1), learning=LearningSettings(automatic=False))],
)
def test_nothing_starts_by_itself_if_the_owner_says_so(world: World) -> None:
    world.bring(TRIGGER_EVENTS)

    assert world.rounds() == 0
