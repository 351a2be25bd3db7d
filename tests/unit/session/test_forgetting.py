"""A deletion from end to end, without a session: log, models, words, and a stage that fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.command_runner import CommandRunner
from actors.forgetting import Forgetter
from selflow.core.codec import encode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event
from selflow.core.grants import OWNER
from selflow.core.paths import Root
from selflow.core.selection import EventSelection
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.command_records import Command
from selflow.store.forget_preview import forget_command
from selflow.store.log import EventLog
from selflow.store.outcomes import stored_outcome
from selflow.store.records import Artifact, Decision, Parent
from selflow.testing import ManualClock
from tests.unit.collect.activitywatch.worlds import WINDOW, Store, event
from tests.unit.store.worlds import START_US, open_log

SELECTION = EventSelection(folder="/w/geheim")


class World:
    """A root with a log, a predictor made from its first hundred events, and a decision."""

    def __init__(self, path: Path) -> None:
        self.root = Root(path, path)
        self.root.make()
        self.catalog = Catalog.open(self.root.catalog)
        self.log: EventLog = open_log(self.root.events)
        self.clock = ManualClock(START_US + 10_000)
        self.restarts: list[int] = []
        self.cycle_id, self.cycle_looks = "", 0
        self.stored_meanwhile: list[int] = []
        subjects = [f"/w/{'geheim' if at % 5 == 0 else 'open'}/{at}.py" for at in range(100)]
        events = [Event(START_US + at, "files", "file.modify", s) for at, s in enumerate(subjects)]
        self.log.append("s", 1, [encode_record(event) for event in events])
        self.sha256 = ArtifactStore(self.root.artifacts).put({"state": b"geheim learned"})
        artifact = Artifact(self.sha256, "predictor", 14, {})
        parents = [Parent("events", "log", 1, 100)]
        self.catalog.predictors.promote(artifact, parents, 100, {}, START_US)
        for name, said in (("one", "/w/geheim/5.py"), ("two", "/w/open/1.py")):
            guess = {"kind": "file.modify", "subject": said, "p": 0.5, "experts": []}
            self.catalog.decisions.record(Decision(name, START_US + 200, "pool", 100, [guess], []))
        (self.root.derived).mkdir()
        (self.root.derived / "search.db").write_bytes(b"geheim")

    def ask(self, selection: EventSelection = SELECTION) -> Command:
        command = forget_command("cmd_1", selection, 20, OWNER, self.clock.now_us())
        return self.catalog.commands.add(command)

    def runner(self) -> CommandRunner:
        forgetter = Forgetter(
            self.root,
            self.root.catalog,
            self.catalog,
            self.log,
            self.clock,
            self,
        )
        return CommandRunner(self.root, self.catalog, self.clock, forgetter.run)

    def restart_serving(self) -> None:
        self.restarts.append(1)

    def running_cycle(self) -> str:
        """A cycle that is cancelled is seen to end after some looks."""
        if len(self.stored_meanwhile) == self.cycle_looks:
            return ""
        self.stored_meanwhile.append(self.log.fill().events)
        return self.cycle_id

    def state(self) -> Command:
        command = self.catalog.commands.find("cmd_1")
        assert command is not None
        return command

    def holds(self, text: bytes) -> list[str]:
        """Files below the root that hold a text."""
        return [
            str(path.relative_to(self.root.path))
            for path in self.root.path.rglob("*")
            if path.is_file() and text in path.read_bytes()
        ]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "root")
    yield made
    made.log.close()
    made.catalog.close()


def test_a_deletion_reaches_everything_that_was_made_from_it(world: World) -> None:
    world.ask()
    world.runner().once()

    command = world.state()
    assert (command.state, command.error) == ("done", "")
    assert world.log.fill().events == 80
    assert world.catalog.predictors.champion() is None
    assert world.restarts == [1]
    assert world.holds(b"geheim") == []
    one, two = (world.catalog.decisions.find(name) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert (one.predictions, len(two.predictions)) == ([], 1)
    cycle = world.catalog.cycles.open()
    assert cycle is not None  # what is left is learned again


def test_a_deletion_reaches_a_right_answer_and_the_act_that_gave_it(world: World) -> None:
    now_us = world.clock.now_us()
    for at, said in ((5, "/w/geheim/5.py"), (1, "/w/open/1.py")):
        details = {"thumb": False, "outcome": stored_outcome([("file.modify", said)], 100)}
        given = Command(f"cmd_r{at}", "decision.rate", "two", details, OWNER, "queued", now_us)
        world.catalog.commands.add(given)
    world.runner().once()
    assert world.holds(b"geheim/5.py")
    world.ask()
    world.runner().once()

    assert world.holds(b"geheim") == []
    five, one = (world.catalog.commands.find(f"cmd_r{at}") for at in (5, 1))
    assert five is not None
    assert one is not None
    assert (dict(five.details), len(one.details)) == ({"thumb": False}, 2)


def test_a_failed_stage_is_told_and_goes_on_when_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: ArtifactStore, sha256: str) -> bool:
        raise StoreError("the disk refused", "free some space")

    world.ask()
    with monkeypatch.context() as patched:
        patched.setattr(ArtifactStore, "remove", refuse)
        world.runner().once()
    failed = world.state()
    stages = {stage["name"]: stage["state"] for stage in failed.details["stages"]}  # type: ignore[union-attr,index,call-overload]
    assert (failed.state, stages["log"], stages["models"]) == ("failed", "done", "failed")
    assert failed.error.startswith("models: the disk refused")

    world.catalog.commands.retry(failed.id)
    world.runner().once()
    assert world.state().state == "done"
    assert world.holds(b"geheim") == []


def test_a_deletion_begins_once_the_processes_of_the_cycle_have_ended(world: World) -> None:
    """What computes from the events would write them down again behind it."""
    world.cycle_id = world.catalog.cycles.request("owner", START_US).id
    world.cycle_looks = 5
    world.ask()
    world.runner().once()

    assert world.state().state == "done"
    assert world.stored_meanwhile == [100] * 5


def test_what_a_cancelled_stage_stored_and_nobody_named_goes_too(world: World) -> None:
    """It stored its result, and was ended before the catalog heard of it."""
    store = ArtifactStore(world.root.artifacts)
    world.cycle_id = world.catalog.cycles.request("owner", START_US).id
    store.put({"features": b"geheim in a stage that was cut off"})
    world.ask()
    world.runner().once()

    assert store.hashes() == set()
    assert world.holds(b"geheim") == []


def test_a_cycle_that_a_deletion_ends_is_asked_for_again(world: World) -> None:
    """Also where nothing was made from the deleted events yet."""
    records = [encode_record(Event(START_US + 500, "shell", "shell.command", "make"))]
    world.log.append("s", 2, records)
    ended = world.catalog.cycles.request("owner", START_US)
    world.ask(EventSelection(source="shell"))
    world.runner().once()

    again = world.catalog.cycles.open()
    assert again is not None
    assert again.id != ended.id


def test_a_cycle_that_does_not_end_stops_the_deletion_before_the_log(world: World) -> None:
    world.cycle_id = world.catalog.cycles.request("owner", START_US).id
    world.cycle_looks = 1_000_000
    world.ask()
    world.runner().once()

    assert world.state().error.startswith("cycle: the cancelled cycle has not ended")
    assert world.log.fill().events == 100


def test_a_deletion_that_a_dead_supervisor_began_goes_on(world: World) -> None:
    world.ask()
    world.catalog.commands.accept("cmd_1", world.clock.now_us())
    world.runner().once()

    assert world.state().state == "done"
    assert world.log.fill().events == 80


def test_what_was_learned_from_other_events_stays(world: World) -> None:
    records = [encode_record(Event(START_US + 500, "shell", "shell.command", "make geheim"))]
    world.log.append("s", 2, records)
    world.ask(EventSelection(source="shell"))
    world.runner().once()

    assert world.log.fill().events == 100
    assert world.catalog.predictors.champion() is not None
    assert ArtifactStore(world.root.artifacts).get(world.sha256)


def test_the_audit_log_says_how_much_and_not_what(world: World) -> None:
    world.ask()
    world.runner().once()
    entries = world.catalog.audit.entries(0, 100)

    assert [entry.subject for entry in entries if entry.action == "command.events.forget"]
    assert not any("geheim" in str(entry) for entry in entries)


def test_a_deletion_reaches_what_watchers_sent(world: World) -> None:
    watched = Store.make(world.root.aw, WINDOW)
    watched.insert([event(0, 1, app="geheim"), event(60, 1, app="open")])
    watched.insert([event(120, 1, app="editor", file="/w/geheim/watched.txt")])
    world.ask()
    world.runner().once()
    left = [data for _, _, data in watched.spans()]
    watched.commit.close()

    assert left == ['{"app":"geheim"}', '{"app":"open"}']
    assert not world.holds(b"watched.txt")
