"""The task of the learning cycle that runs: started, watched and ended by the scheduler."""

from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from actors.clusterer import ClustererShell
from actors.cycle import run_cycle
from actors.evaluator import EvaluatorShell
from actors.plan import Plan
from actors.shell import ServiceRef
from actors.trainer import TrainerShell
from selflow.store.records import Cycle

_LAUNCHERS = (
    ServiceRef("clusterer", ClustererShell),
    ServiceRef("trainer", TrainerShell),
    ServiceRef("evaluator", EvaluatorShell),
)


class CycleRunner:
    """At most one cycle's task, in Ray. For the supervisor's thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._task: Any = None

    def start(self, cycle: Cycle) -> None:
        """Run the cycle from its last finished stage on."""
        self._task = run_cycle.remote(self._plan, cycle)

    def outcome(self) -> str | None:
        """None while it runs; then why it failed, empty if it ended or its process died."""
        ready, _ = ray.wait([self._task], timeout=0)
        if not ready:
            return None
        try:
            ray.get(self._task)
        except RayTaskError as error:
            return f"{type(error.cause).__name__} in the cycle; see selflow logs"
        except RayError:
            return ""  # its process died: the cycle is still open and goes on in the next one
        return ""

    def cancel(self) -> None:
        """End it, and with the launchers all that they started; the supervisor recreates them."""
        ray.cancel(self._task, force=True)
        for each in _LAUNCHERS:
            each.kill()
