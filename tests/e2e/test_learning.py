"""The whole loop from outside, on a planted stream that an agent can help with, while everything in
it is killed.
"""

import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any, ClassVar, Self

import psutil
import pytest

from actors.ray_head import session_processes
from selflow.core.clock import SystemClock
from selflow.core.errors import SelFlowError
from selflow.core.events import Event as Happening
from selflow.core.steps import label_event
from selflow.sdk.client import Client
from selflow.sdk.ingest import IngestClient, Pace
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Stage, Verdict
from tests.e2e.conftest import World
from tests.lm.worlds import planted_steps
from tests.processes import kill_all, seen
from tests.waiting import PATIENCE, wait_until

PLANTED_STEPS = 4_300
CYCLE_LIMIT_S = 240.0 * PATIENCE
AGENT = "everything"
SETTINGS = """
discover: {bootstraps: 2, null_sets: 2}
tune: {num_samples: 3}
lm: {base_epochs: 4}
gate: {alpha: 0.49, min_gain_bits: 0.0}
"""
"""A gate that stands wide open: what the base knows already is no merit of its adapter, so on a
stream whose rule never changes hardly anything is left to gain. ``tests/lm/test_controls.py`` has
the controls of the real gate.
"""


def prepare(world: World) -> None:
    world.root.user_settings.write_text(SETTINGS)


def events_of_the_planted_stream() -> list[Happening]:
    steps = planted_steps(PLANTED_STEPS, seed=7)
    return [
        Happening(step.ts_us, "program", label_event(label)[0] or "note", label_event(label)[1])
        for step in steps
        for label in step.labels
    ]


def processes(world: World, title: str) -> list[psutil.Process]:
    """The session's processes whose title begins like that, newest first."""
    found = seen(session_processes(world.root))
    return [one.process for one in found if one.title.startswith(title)]


class Havoc:
    """Kills what is named once its stage runs; each thing once."""

    PLAN: ClassVar = {
        "discover": ("ray::ClustererShell",),
        "base": (
            "ray::TrainerShell",
            "ray::SupervisorShell",
            "ray::ServeReplica",
            "ray::RouterShell",
        ),
        f"grow:{AGENT}": ("ray::grow_agent", "ray::LoraTrial", "session"),
        f"judge:{AGENT}": ("ray::EvaluatorShell", "ray::BufferShell", "ray::CollectorShell"),
    }

    def __init__(self, world: World) -> None:
        self.world = world
        self.done: list[str] = []
        self._last: tuple[str, psutil.Process] | None = None

    def strike(self, stage: str) -> None:
        """The next thing of this stage, if it is there and the one before has come back."""
        wanted = next((each for each in self.PLAN.get(stage, ()) if each not in self.done), None)
        if wanted is None or not self._is_back(stage):
            return
        if wanted == "session":
            found = seen(session_processes(self.world.root))
            victims = [one.process for one in found if one.name in {"raylet", "gcs_server"}]
        else:
            victims = processes(self.world, wanted)[:1]
        kill_all(victims)
        for process in victims:
            self._last = wanted, process
        self.done += [wanted] * bool(victims)

    def _is_back(self, stage: str) -> bool:
        """Whether what was killed last in this stage runs again. A trial is not waited for: it may
        have been the last of its search, and the stage would end first.
        """
        if self._last is None or self._last[0] not in self.PLAN[stage]:
            return True
        title, killed = self._last
        return title == "ray::LoraTrial" or any(
            process != killed for process in processes(self.world, title)
        )


class Asking:
    """Asks for predictions all the while, as a person would who does not know what is being
    killed.
    """

    def __init__(self, world: World) -> None:
        self.answered = 0
        self._client = Client(environ=world.environ, timeout_s=10)
        self._over = Event()
        self._thread = Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.3):
            with suppress(SelFlowError, OSError):
                self._client.predict(top_k=3)
                self.answered += 1


@pytest.fixture(scope="module")
def cycle(world: World) -> dict[str, Any]:
    """One cycle, in which every process was killed; what was seen meanwhile."""
    world.ok("init", "--grant", "ingest")
    sent = events_of_the_planted_stream()
    pace = Pace(resend_after_s=1.0, timeout_s=120.0 * PATIENCE)
    with IngestClient(f"ipc://{world.root.socket('ingest.sock')}", "program", pace=pace) as client:
        client.send(sent)
        accepted = sum(result.accepted for result in client.flush(120 * PATIENCE))
    world.ok("learn", "--no-wait")
    reader, havoc = CatalogReader(world.root.catalog), Havoc(world)
    with Asking(world) as asking:
        deadline_s = time.monotonic() + CYCLE_LIMIT_S
        while not (seen := reader.learned(Cycle)[0]).finished_at_us:
            havoc.strike(seen.stage)
            told = f"the cycle stands at {seen.stage} after {havoc.done}"
            assert time.monotonic() < deadline_s, f"{told}\n{world.story()}"
            SystemClock().sleep(0.1)
    return {"cycle": seen, "killed": havoc.done, "answered": asking.answered, "accepted": accepted}


def test_a_cycle_ends_although_everything_in_it_was_killed(cycle: dict[str, Any]) -> None:
    wanted = {each for stage in Havoc.PLAN.values() for each in stage}

    assert cycle["cycle"].state == "done", cycle["cycle"].error
    late = {"ray::RouterShell", "ray::BufferShell", "ray::CollectorShell"}
    assert wanted - set(cycle["killed"]) <= late, "too quick to be killed"


def test_no_acknowledged_event_is_lost_by_it(world: World, cycle: dict[str, Any]) -> None:
    wait_until(lambda: world.state()["state"] == "running", 240)

    stored = world.json("events", "--limit", "100000")["items"]

    assert cycle["accepted"] == len(events_of_the_planted_stream()) == len(stored)


def test_no_stage_was_made_twice_and_nothing_is_half_registered(
    world: World, cycle: dict[str, Any]
) -> None:
    reader = CatalogReader(world.root.catalog)
    stages = reader.learned(Stage, cycle_id=cycle["cycle"].id)
    versions = reader.learned(AgentVersion)

    assert all(stage.finished_at_us for stage in stages)
    assert len(versions) == len(reader.learned(Verdict)) == 1
    assert all((world.root.artifacts / each.sha256).is_dir() for each in versions)


def test_the_planted_agent_passes_the_gate_and_answers(world: World, cycle: dict[str, Any]) -> None:
    (verdict,) = CatalogReader(world.root.catalog).learned(Verdict)
    client = Client(environ=world.environ, timeout_s=30)

    assert verdict.decision == "passed", verdict.reasons
    assert cycle["answered"] > 0
    wait_until(lambda: any(each.selflow.kind == "agent" for each in client.models()), 60)


def test_a_finished_cycle_empties_the_buffer(world: World, cycle: dict[str, Any]) -> None:
    wait_until(lambda: world.state()["buffer"]["new_events"] == 0)

    assert world.state()["buffer"]["events"] == cycle["accepted"]


def test_work_folders_are_gone(world: World, cycle: dict[str, Any]) -> None:
    assert list(world.root.work.iterdir()) == []
    assert any(world.root.artifacts.iterdir())
