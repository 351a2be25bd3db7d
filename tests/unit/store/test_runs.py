"""Long work as rows: bounded curves, the time left, and who works no more."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from selflow.core.errors import StoreError
from selflow.core.paths import Root
from selflow.core.training_steps import StepReport
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.run_recorder import MOST_POINTS, RunPlace, RunRecorder, recorded, stride
from selflow.store.run_records import Run
from selflow.store.run_views import run_item, runs, trial_items
from selflow.testing import ManualClock
from tests.unit.store.worlds import begun

CONFIG = {"learning_rate": 0.001, "rank": 8}


@pytest.fixture
def root(tmp_path: Path, empty: Path) -> Root:
    made = Root(tmp_path, tmp_path)
    made.catalog.write_bytes(empty.read_bytes())
    return made


@pytest.fixture
def reader(root: Root) -> CatalogReader:
    return CatalogReader(root.catalog)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_767_225_600_000_000)


@pytest.fixture
def place(root: Root) -> RunPlace:
    with Catalog.open(root.catalog) as catalog:
        return RunPlace(root, begun(catalog).id, "grow:writing", "writing")


def train(
    recorder: RunRecorder, clock: ManualClock, steps: range, of: int, step_s: float = 1.0
) -> None:
    for step in steps:
        clock.advance(step_s)
        recorder.step(StepReport(step, of, 8.0 - step / of, step * 100))


def only(reader: CatalogReader) -> Run:
    (run,) = runs(reader)
    return run


@pytest.mark.slow
def test_the_time_left_is_remaining_steps_times_the_median_step(
    place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    recorder = place.begin(CONFIG, clock)
    train(recorder, clock, range(1, 41), 100, step_s=2.0)

    assert only(reader).eta_s == pytest.approx(60 * 2.0)
    assert only(reader).tokens_per_s == pytest.approx(50.0)


@pytest.mark.slow
def test_the_time_left_stands_still_while_paused(
    place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    recorder = place.begin(CONFIG, clock)
    train(recorder, clock, range(1, 41), 100, step_s=2.0)
    before = only(reader).eta_s
    clock.advance(3_600.0)

    assert only(reader).eta_s == before
    train(recorder, clock, range(41, 42), 100, step_s=0.0)  # its step took the whole pause
    assert only(reader).eta_s == pytest.approx(59 * 2.0)


@pytest.mark.parametrize("steps", [1, 7, 200, 201, 5_000, 20_000])
def test_a_curve_has_at_most_two_hundred_points_and_its_end(
    steps: int, place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    recorder = place.begin({}, clock)
    train(recorder, clock, range(1, steps + 1), steps, step_s=0.00002)
    losses = only(reader).losses

    assert len(losses) <= MOST_POINTS + 1
    assert losses[-1][0] == steps
    mean = sum(8.0 - step / steps for step in range(1, stride(steps) + 1)) / stride(steps)
    assert losses[0] == [stride(steps), pytest.approx(mean, abs=1e-5)]


def test_a_row_is_written_at_most_twice_a_second(place: RunPlace, clock: ManualClock) -> None:
    recorder = place.begin({}, clock)
    written = []
    for step in range(1, 101):
        clock.advance(0.1)
        written.append(recorder.step(StepReport(step, 1_000, 1.0, 0)))

    assert sum(written) == 20


def test_a_catalog_that_refuses_stops_no_training(
    place: RunPlace, root: Root, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    root.catalog.unlink()
    recorder = place.begin({}, clock)
    assert "the progress of grow:writing is not written" in caplog.text
    caplog.clear()
    train(recorder, clock, range(1, 3), 2)

    assert "the progress of grow:writing is not written" in caplog.text


def test_a_run_that_fails_says_why_without_foreign_words(
    place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    with pytest.raises(ValueError), recorded(place, clock):
        raise ValueError("the owner's own words")
    clock.advance(1.0)
    with pytest.raises(StoreError), recorded(replace(place, stage="base"), clock):
        raise StoreError("the cycle has ended", "stop")

    assert [run.state for run in runs(reader)] == ["failed", "failed"]
    assert runs(reader)[0].error == "ValueError"
    assert "the cycle has ended" in runs(reader)[1].error


WORKER = """
import os, signal, sys
from pathlib import Path
from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.training_steps import StepReport
from selflow.store.run_recorder import RunPlace

root = Root(Path(sys.argv[1]), Path(sys.argv[1]))
recorder = RunPlace(root, sys.argv[2], "grow:writing", "writing").begin({"rank": 8}, SystemClock())
recorder.step(StepReport(8, 80, 7.5, 640))
recorder.check(7.25)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_worker_leaves_its_last_point_and_is_lost(
    place: RunPlace, root: Root, reader: CatalogReader, clock: ManualClock
) -> None:
    worker = [sys.executable, "-c", WORKER, str(root.path), place.cycle_id]
    assert subprocess.run(worker, check=False).returncode == -signal.SIGKILL
    lost = only(reader)

    assert (lost.state, lost.eta_s) == ("lost", None)
    assert (list(lost.losses), list(lost.checks)) == ([[8, 7.5]], [[8, 7.25]])
    (trial,) = trial_items(reader)
    assert (trial["state"], trial["tune_bits"], trial["step"]) == ("lost", 7.25, 8)
    place.begin({"rank": 8}, clock)  # the next life of it
    with Catalog.open(root.catalog) as catalog:
        assert catalog.cycles.cancel(place.cycle_id, 1)
    assert [run.state for run in runs(reader)] == ["lost", "lost"]


@pytest.mark.slow
def test_work_that_begins_again_is_a_series_of_its_own(
    place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    train(place.begin(CONFIG, clock), clock, range(1, 11), 80)
    again = place.begin(CONFIG, clock)
    train(again, clock, range(1, 5), 80)
    other = place.begin({**CONFIG, "rank": 4}, clock)
    train(other, clock, range(1, 3), 80)

    assert [run.state for run in runs(reader)] == ["lost", "running", "running"]
    first, second = trial_items(reader, agent="writing")
    assert [step for step, _ in first["losses"]] == [1, 2, 3, 4]
    assert second["config"]["rank"] == 4


@pytest.mark.slow
def test_a_finalist_goes_on_behind_its_rung(
    place: RunPlace, root: Root, reader: CatalogReader, clock: ManualClock
) -> None:
    for state, steps in (("rung", range(1, 11)), ("finished", range(11, 81))):
        recorder = place.begin(CONFIG, clock)
        train(recorder, clock, steps, 80)
        recorder.check(7.0 if state == "rung" else 6.5)
        recorder.end(state)  # type: ignore[arg-type]
    told = {"config": CONFIG, "state": "finished", "tune_bits": 6.5, "seconds": 9.0, "error": ""}
    with Catalog.open(root.catalog) as catalog:
        catalog.trials.record(place.cycle_id, "writing", [told])
    (trial,) = trial_items(reader)

    assert [step for step, _ in trial["losses"]] == list(range(1, 81))
    assert trial["checks"] == [[10, 7.0], [80, 6.5]]
    assert (trial["state"], trial["eta_s"], trial["steps"]) == ("finished", None, 80)


def test_a_run_tells_nothing_of_its_machine(
    place: RunPlace, reader: CatalogReader, clock: ManualClock
) -> None:
    place.begin(CONFIG, clock)

    assert "host" not in run_item(only(reader))
