"""Writes down how far long work is, from the process that works. No SQLAlchemy here: a trial of a
search would pay for it each time.
"""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from selflow.core import processes
from selflow.core.catalog_location import CatalogLocation, catalog_of_session
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, StoreError, public_text
from selflow.core.ids import new_id
from selflow.core.paths import Root
from selflow.core.training_steps import StepReport
from selflow.store.reading import CatalogReader
from selflow.store.row_writer import writing
from selflow.store.run_records import Run, RunState, this_host

EVERY_S = 0.5
"""Between two writes of a run, at least."""
MOST_POINTS = 200
"""Of a curve; a longer run has a point for every so many steps (``stride``)."""
TIMED_STEPS = 20
_DIGITS = 5
_log = logging.getLogger(__name__)


def stride(steps: int) -> int:
    """Steps between two points of a curve: the smallest power of two with at most 200 points."""
    apart = 1
    while steps > MOST_POINTS * apart:
        apart *= 2
    return apart


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where the runs of a stage are written; plain values that cross processes."""

    root: Root
    cycle_id: str
    stage: str
    agent: str = ""

    def begin(self, config: Mapping[str, Any], clock: Clock) -> "RunRecorder":
        """A new run. One of the same stage and configuration that still says that it runs is lost:
        two never do the same work. The work goes on where the catalog refuses.
        """
        me = processes.this_process("run")
        location, now_us = catalog_of_session(self.root), clock.now_us()
        run = Run(
            new_id("run"),
            self.cycle_id,
            self.stage,
            self.agent,
            config,
            "running",
            now_us,
            now_us,
            me.pid,
            me.after_boot_us,
            this_host(),
        )
        try:
            before = CatalogReader(location).learned(Run, cycle_id=self.cycle_id, stage=self.stage)
            with writing(location) as rows:
                for old in before:
                    if old.state == "running" and dict(old.config) == dict(config):
                        rows.update(replace(old, state="lost", finished_at_us=now_us))
                rows.insert(run)
        except StoreError as error:
            _log.warning("the progress of %s is not written: %s", self.stage, error)
        return RunRecorder(run, location, clock)


class RunRecorder:
    """Keeps one run's row up to date: with its first and last step, else at most twice a second.

    The work goes on where the catalog refuses: a curve is not worth a training. A step costs a few
    appends to lists; a write one transaction of one row, and a look at this process's memory.
    """

    def __init__(self, run: Run, location: CatalogLocation, clock: Clock) -> None:
        self.run = run
        self._location = location
        self._clock = clock
        self._written_s = -EVERY_S
        self._times: deque[tuple[float, int, int]] = deque(maxlen=TIMED_STEPS + 1)
        self._pending: list[float] = []
        self._losses: list[tuple[int, float]] = []
        self._checks: list[tuple[int, float]] = []
        self._newest = StepReport(0, 0)

    def step(self, report: StepReport) -> bool:
        """Note a step; True if the row was written."""
        now_s = self._clock.monotonic_s()
        self._times.append((now_s, report.step, report.tokens))
        if report.loss_bits is not None:
            self._pending.append(report.loss_bits)
        is_last = report.step >= report.steps
        if self._pending and (is_last or report.step % stride(report.steps) == 0):
            mean = sum(self._pending) / len(self._pending)
            self._losses.append((report.step, round(mean, _DIGITS)))
            self._pending.clear()
        self._newest = report
        if now_s - self._written_s < EVERY_S and not is_last:
            return False
        self._write()
        return True

    def check(self, loss_bits: float) -> None:
        """Note the loss on the tune part after the newest step."""
        self._checks.append((self._newest.step, round(loss_bits, _DIGITS)))
        self._write()

    def end(self, state: RunState, error: str = "") -> None:
        """The run is over, unless it was before."""
        if self.run.finished_at_us is None:
            now_us = self._clock.now_us()
            self.run = replace(self.run, state=state, error=error, finished_at_us=now_us)
            self._write()

    def _speed(self) -> tuple[float | None, float | None]:
        """The median of the last 20 step times, so that a pause or a validation between two of them
        counts for nothing; and tokens per second at that pace.
        """
        marks = list(self._times)
        gaps = [
            (after[0] - before[0]) / (after[1] - before[1])
            for before, after in pairwise(marks)
            if after[1] > before[1]
        ]
        if not gaps:
            return None, None
        step_s, steps = median(gaps), marks[-1][1] - marks[0][1]
        tokens = marks[-1][2] - marks[0][2]
        return step_s, tokens / steps / step_s if tokens and step_s else None

    def _write(self) -> None:
        self._written_s = self._clock.monotonic_s()
        step_s, tokens_per_s = self._speed()
        seen = processes.look(self.run.pid)
        self.run = replace(
            self.run,
            step=self._newest.step,
            steps=self._newest.steps,
            tokens=self._newest.tokens,
            tokens_per_s=tokens_per_s,
            step_s=step_s,
            memory_bytes=seen.memory_bytes if seen else 0,
            losses=self._losses,
            checks=self._checks,
            updated_at_us=self._clock.now_us(),
        )
        try:
            with writing(self._location) as rows:
                rows.update(self.run)
        except StoreError as error:
            _log.warning("the progress of %s is not written: %s", self.run.stage, error)


@contextmanager
def recorded(target: RunPlace, clock: Clock) -> Iterator[RunRecorder]:
    """A run of one piece of work; it ends with the block, failed if that raises."""
    recorder = target.begin({}, clock)
    try:
        yield recorder
    except SelFlowError as error:
        recorder.end("failed", public_text(error))
        raise
    except Exception as error:
        recorder.end("failed", type(error).__name__)
        raise
    recorder.end("finished")
