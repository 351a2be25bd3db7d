"""Which cycle runs: the supervisor begins those that are due or asked for, resumes and cancels. One
at a time.
"""

import shutil
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from actors.clusterer import ClustererShell
from actors.cycle import run_cycle
from actors.evaluator import EvaluatorShell
from actors.links import BufferLink
from actors.plan import Plan
from actors.shell import ServiceRef
from actors.trainer import TrainerShell
from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.discover.trigger import missing_for_cycle
from selflow.store.catalog import Catalog

MAX_ATTEMPTS = 5
"""A cycle whose process died so often has failed."""
_LOOK_S = 5.0
"""Seconds between two looks at the buffer."""
_LAUNCHERS = (
    ServiceRef("clusterer", ClustererShell),
    ServiceRef("trainer", TrainerShell),
    ServiceRef("evaluator", EvaluatorShell),
)


class CycleScheduler:
    """The cycle that runs, if one does. For the supervisor's thread; all that lasts is in the
    catalog.
    """

    def __init__(self, plan: Plan, catalog: Catalog, clock: Clock) -> None:
        self._plan = plan
        self._catalog = catalog
        self._clock = clock
        self._running: tuple[str, Any] | None = None
        self._looked_s = -_LOOK_S

    def once(self) -> None:
        """Settle what has ended, end what was cancelled, begin what waits."""
        if self._running is not None and not self._has_ended(*self._running):
            return
        self._running = None
        cycle = self._catalog.cycles.open()
        if cycle is None and self._is_due():
            cycle = self._catalog.cycles.request("size", self._clock.now_us())
        if cycle is None:
            return
        if cycle.attempts >= MAX_ATTEMPTS:
            self._finish(cycle.id, f"its process died {cycle.attempts} times")
            return
        upto_seq = cycle.upto_seq or BufferLink().fill().last_seq
        begun = self._catalog.cycles.begin(cycle.id, upto_seq, self._clock.now_us())
        self._running = (cycle.id, run_cycle.remote(self._plan, begun))

    def _has_ended(self, cycle_id: str, ref: Any) -> bool:  # noqa: ANN401  (a ref)
        ready, _ = ray.wait([ref], timeout=0)
        if not ready:
            cycle = self._catalog.cycles.open()
            if cycle is None or cycle.id != cycle_id:
                self._cancel(cycle_id, ref)
            return False
        try:
            ray.get(ref)
        except RayTaskError as error:
            self._finish(cycle_id, f"{type(error.cause).__name__} in the cycle; see selflow logs")
        except RayError:
            return True  # its process died: the cycle is still open and goes on in the next one
        return True

    def _cancel(self, cycle_id: str, ref: Any) -> None:  # noqa: ANN401  (a ref)
        """What a launcher's task has begun ends with the launcher; the next round makes
        both anew.
        """
        ray.cancel(ref, force=True)
        for each in _LAUNCHERS:
            each.kill()
        shutil.rmtree(self._plan.root.work / cycle_id, ignore_errors=True)

    def _is_due(self) -> bool:
        now_s = self._clock.monotonic_s()
        if not self._plan.settings.learning.automatic or now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        try:
            fill = BufferLink(timeout_s=2.0).fill()
        except StoreError:
            return False
        latest = self._catalog.cycles.latest(1)
        before = (latest[0].upto_seq or 0) if latest else 0
        new_events = fill.last_seq - before
        new_bytes = round(fill.size_bytes * new_events / max(1, fill.events))
        return "size" not in missing_for_cycle(
            new_events, new_bytes, 0, 0, self._plan.settings.buffer
        )

    def _finish(self, cycle_id: str, why: str) -> None:
        self._catalog.cycles.finish(cycle_id, "failed", why, self._clock.now_us())
