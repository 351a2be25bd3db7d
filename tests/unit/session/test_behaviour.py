"""New behaviour and drift from the log to the catalog, with a fake clock."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actors.behaviour import BehaviourFeed, Feed
from actors.plan import Plan
from selflow.core.codec import encode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event, Stored
from selflow.core.paths import Root
from selflow.core.settings import DiscoverSettings, Settings
from selflow.core.steps import Step, label_event
from selflow.discover.usual import fit_usual
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.store.pattern_records import BehaviourChange
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact
from selflow.testing import ManualClock
from tests.unit.discover.worlds import planted

STEPS, TRUTH = planted(days=16, seed=11)
DAY = len(STEPS) // 16
PAST = [step for step, name in zip(STEPS[: 14 * DAY], TRUTH, strict=False) if name != "garden"]
LATER = STEPS[14 * DAY :]
ROUND_S = 5.0
FIVE_MINUTES_US = 300_000_000


@dataclass
class World:
    """The real log, catalog and artifacts; time goes as the planted events have it."""

    root: Root
    log: EventLog
    catalog: Catalog
    settings: Settings = field(default_factory=Settings)
    clock: ManualClock = field(init=False)
    feed: BehaviourFeed = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ManualClock(PAST[-1].ts_us)
        self.restart()

    def restart(self, buffer: Feed | None = None) -> None:
        """A new supervisor."""
        plan = Plan(self.root, self.settings, "1", 7731, has_resources=False, gpu_share=0.0)
        self.feed = BehaviourFeed(plan, self.catalog, self.clock, buffer or self.log)

    def learn(self, steps: list[Step]) -> str:
        """A cycle that knows these steps and all that is in the log."""
        usual = fit_usual(steps, 1)
        assert usual is not None
        sha256 = ArtifactStore(self.root.artifacts).put(usual.files())
        cycles, now_us = self.catalog.cycles, self.clock.now_us()
        cycle = cycles.begin(cycles.request("owner", now_us).id, self.log.fill().last_seq, now_us)
        artifact = Artifact(sha256, "cluster-model", 1, {})
        cycles.stage_done(cycle.id, "discover", artifact, [], {"patterns": []}, now_us)
        cycles.finish(cycle.id, "done", "", now_us)
        return cycle.id

    def store(self, step: Step) -> None:
        """One event, as a source brings it."""
        kind, subject = label_event(step.labels[0])
        number = self.log.fill().last_seq
        self.log.append("t", number + 1, [encode_record(Event(step.ts_us, "t", kind, subject))])

    def live(self, steps: list[Step]) -> None:
        """Events come at their moments; the supervisor goes its rounds meanwhile."""
        for step in steps:
            while self.clock.now_us() < step.ts_us:
                left_s = (step.ts_us - self.clock.now_us()) / 1e6
                self.clock.advance(min(ROUND_S, left_s))
                if step.ts_us - self.clock.now_us() < 60_000_000:  # the hours between do not matter
                    self.feed.once()
            self.store(step)
        self.catch_up()

    def catch_up(self) -> None:
        for _ in range(4):
            self.clock.advance(ROUND_S + 1)
            self.feed.once()

    def changes(self) -> list[BehaviourChange]:
        return CatalogReader(self.root.catalog).behaviour_changes()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root = Root(tmp_path, tmp_path)
    root.make()
    with (
        closing(Catalog.open(root.catalog)) as catalog,
        closing(EventLog(root.events, budget_bytes=1_000_000, credits=8)) as log,
    ):
        yield World(root, log, catalog)


def garden() -> list[Step]:
    """The first session of an activity that no cycle knows."""
    return [s for s, name in zip(LATER[:DAY], TRUTH[14 * DAY :], strict=False) if name == "garden"]


@pytest.mark.slow
def test_new_behaviour_is_noticed_within_five_minutes(world: World) -> None:
    cycle_id = world.learn(PAST)
    world.live(LATER[:DAY])
    changes = world.changes()
    twentieth = garden()[-3]

    assert [(change.kind, change.cycle_id) for change in changes] == [("new", cycle_id)]
    (change,) = changes
    assert {"garden", "notes"} <= set(change.terms)
    assert change.started_at_us - garden()[0].ts_us < FIVE_MINUTES_US
    assert change.noticed_at_us - twentieth.ts_us < FIVE_MINUTES_US


@pytest.mark.slow
def test_a_new_supervisor_says_the_same_and_not_later(world: World) -> None:
    world.learn(PAST)
    world.live(garden())
    before = world.changes()
    world.restart()
    world.catch_up()

    assert len(before) == 1
    assert world.changes() == before


@pytest.mark.slow
def test_the_next_discovery_knows_what_was_new(world: World) -> None:
    world.learn(PAST)
    world.live(garden())
    world.learn([*PAST, *garden()])
    world.catch_up()

    assert world.changes() == []


@pytest.mark.slow
@pytest.mark.setting("discover.new_behaviour_windows")
def test_more_unusual_windows_can_be_asked_for(world: World) -> None:
    world.settings = Settings(discover=DiscoverSettings(new_behaviour_windows=30))
    world.restart()
    world.learn(PAST)
    world.live(garden())

    assert world.changes() == []


def test_before_the_first_discovery_nothing_is_watched(world: World) -> None:
    world.live(garden())

    assert world.changes() == []


def test_a_cycle_without_what_is_usual_is_not_watched(world: World) -> None:
    world.learn(PAST)
    ArtifactStore(world.root.artifacts).remove(world.catalog.behaviour.known().sha256)
    world.live(garden()[:5])

    assert world.changes() == []


class Recreated:
    """A buffer that is away for its first calls."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.calls_away = 3

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        self.calls_away -= 1
        if self.calls_away >= 0:
            raise StoreError("the buffer is unavailable", "try again")
        return self.log.read(after_seq, limit_events)


@pytest.mark.slow
def test_nothing_is_lost_while_the_buffer_is_away(world: World) -> None:
    world.learn(PAST)
    buffer = Recreated(world.log)
    world.restart(buffer)
    world.live(garden())

    assert buffer.calls_away < 0
    assert len(world.changes()) == 1
