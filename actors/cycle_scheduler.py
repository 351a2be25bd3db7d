"""Which learning cycle runs: starts those that are due or asked for, resumes, cancels, and consumes
the buffer once one is done. One at a time. Imports no Ray.
"""

import shutil
from typing import Protocol

from actors.plan import Plan
from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.events import Fill
from selflow.discover.trigger import Attempt, Reason, reason_to_start
from selflow.store.catalog import Catalog
from selflow.store.cycles import consumed_seq, last_unconsumed
from selflow.store.pauses import Pause, standing
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle

MAX_ATTEMPTS = 5
"""A cycle whose process died so often has failed."""
_HISTORY_CYCLES = 100
"""The buffer is never given back, so that the newest cycles are enough."""
_LOOK_S = 5.0
"""Seconds between two looks at the buffer."""


class Buffer(Protocol):
    """What the scheduler asks of the buffer. Each call raises StoreError if it is unavailable."""

    def fill(self) -> Fill:
        """How full it is."""
        ...

    def consume(self, upto_seq: int) -> None:
        """A finished cycle has learned from everything up to ``upto_seq``."""
        ...


class Runner(Protocol):
    """Runs one cycle; ``cycle.CycleRunner`` in Ray."""

    def start(self, cycle: Cycle) -> None:
        """Run it from its last finished stage on."""
        ...

    def outcome(self) -> str | None:
        """None while it runs; then why it failed, empty if it ended or its process died."""
        ...

    def cancel(self) -> None:
        """End it and all that it started."""
        ...


class CycleScheduler:
    """For the supervisor's thread; all that must survive it is in the catalog and in the log."""

    def __init__(
        self, plan: Plan, catalog: Catalog, clock: Clock, buffer: Buffer, runner: Runner
    ) -> None:
        self._plan = plan
        self._catalog = catalog
        self._clock = clock
        self._buffer = buffer
        self._runner = runner
        self.running_id = ""
        """The cycle that was started and has not been seen to end; read by other threads too."""
        self._looked_s = -_LOOK_S

    def once(self) -> None:
        """Settle what has ended or was cancelled, consume what was learned, start what waits.

        Raises:
            StoreError: The catalog or the buffer is unavailable; the next round tries again.
        """
        if self.running_id and not self._has_ended():
            return
        fill = self._look()
        cycle = self._catalog.cycles.open()
        reason = self._reason(fill) if cycle is None and fill is not None else None
        if reason is not None:
            cycle = self._catalog.cycles.request(reason, self._clock.now_us())
        if cycle is None:
            return
        if cycle.attempts >= MAX_ATTEMPTS:
            self._fail(cycle.id, f"its process died {cycle.attempts} times")
            return
        upto_seq = cycle.upto_seq or self._buffer.fill().last_seq
        self._runner.start(self._catalog.cycles.begin(cycle.id, upto_seq, self._clock.now_us()))
        self.running_id = cycle.id

    def _has_ended(self) -> bool:
        outcome = self._runner.outcome()
        if outcome is None:
            cycle = self._catalog.cycles.open()
            if cycle is None or cycle.id != self.running_id:
                self._runner.cancel()
                shutil.rmtree(self._plan.root.work / self.running_id, ignore_errors=True)
            return False
        if outcome:
            self._fail(self.running_id, outcome)
        self.running_id = ""
        self._looked_s = -_LOOK_S  # what it consumed shows at once
        return True

    def _look(self) -> Fill | None:
        """The buffer, without what finished cycles have learned from; None between two looks.

        The catalog says what was consumed and the log's cursor follows it, so that a crash between
        the two loses nothing.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < _LOOK_S:
            return None
        self._looked_s = now_s
        try:
            fill = self._buffer.fill()
            learned_seq = consumed_seq(self._catalog.cycles.latest(_HISTORY_CYCLES))
            upto_seq = min(learned_seq, fill.last_seq)
            if upto_seq > fill.consumed_seq:
                self._buffer.consume(upto_seq)
                fill = self._buffer.fill()
        except StoreError:
            return None
        return fill

    def _reason(self, fill: Fill) -> Reason | None:
        """Why a cycle starts by itself now; while collection is paused none does."""
        if not self._plan.settings.learning.automatic or self._is_paused():
            return None
        last = last_unconsumed(self._catalog.cycles.latest(_HISTORY_CYCLES))
        attempt = Attempt(last.upto_seq or 0, last.finished_at_us or 0) if last else None
        has_drifted = self._catalog.behaviour.has_drifted()
        limits, now_us = self._plan.settings.buffer, self._clock.now_us()
        return reason_to_start(fill, attempt, limits, now_us, has_drifted=has_drifted)

    def _is_paused(self) -> bool:
        pauses = CatalogReader(self._plan.catalog_location).learned(Pause)
        return standing(pauses, self._clock.now_us()) is not None

    def _fail(self, cycle_id: str, why: str) -> None:
        self._catalog.cycles.finish(cycle_id, "failed", why, self._clock.now_us())
