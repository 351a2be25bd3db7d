"""How far the heavy stages are, for whoever watches: written by the tasks that do the work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors.messages import StageRequest
from selflow.core.clock import SystemClock
from selflow.core.training_steps import OnStep, StepReport

if TYPE_CHECKING:
    from selflow.store.run_recorder import RunPlace


def run_place(request: StageRequest, stage: str) -> "RunPlace":
    """Where the runs of a stage are written."""
    from selflow.store.run_recorder import RunPlace

    agent = request.candidate.agent if request.candidate else ""
    return RunPlace(request.plan.root, request.cycle_id, stage, agent)


@contextmanager
def shown_steps(request: StageRequest, stage: str) -> Iterator[OnStep]:
    """A run of the stage; its steps show in the journal too, as often as the run is written.

    Raises:
        StoreError: From a step: the cycle has ended, perhaps by the owner's word: stop.
    """
    from selflow.store.run_recorder import recorded

    clock, target = SystemClock(), run_place(request, stage)
    with request.plan.catalog() as catalog, recorded(target, clock) as recorder:

        def on_step(report: StepReport) -> None:
            if recorder.step(report):
                done_fraction = report.step / max(1, report.steps)
                catalog.cycles.progress(request.cycle_id, stage, done_fraction, clock.now_us())

        yield on_step


def report_trials(request: StageRequest, stage: str) -> Callable[[object], None]:
    """Shows how many trials of a search have ended; each has a run of its own."""
    wanted, clock, ended = request.plan.settings.tune.num_samples, SystemClock(), [0]
    catalog = request.plan.catalog()

    def report(_: object) -> None:
        ended[0] = min(ended[0] + 1, wanted)
        catalog.cycles.progress(request.cycle_id, stage, ended[0] / wanted, clock.now_us())

    return report
