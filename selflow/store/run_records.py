"""Long work as rows: how far it is, how fast, and its curves."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from selflow.core import processes
from selflow.core.events import Json
from selflow.store.row import Row

RunState = Literal["running", "rung", "finished", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class Run(Row):
    """One run of long work in one process: a stage of a cycle, or one configuration of a search.

    ``losses`` are the training loss in bits by step, each the mean since the point before;
    ``checks`` the loss on the tune part. ``step_s`` is the median of the last 20 step times.
    ``rung``: it was compared and left there. Work that begins again is another run.
    """

    table = "runs"
    order = ("started_at_us",)
    id: str
    cycle_id: str
    stage: str
    agent: str
    config: Mapping[str, Json]
    state: RunState
    started_at_us: int
    updated_at_us: int
    pid: int
    after_boot_us: int
    host: str
    step: int = 0
    steps: int = 0
    tokens: int = 0
    tokens_per_s: float | None = None
    step_s: float | None = None
    memory_bytes: int = 0
    losses: Sequence[tuple[int, float]] = ()
    checks: Sequence[tuple[int, float]] = ()
    finished_at_us: int | None = None
    error: str = ""

    @property
    def eta_s(self) -> float | None:
        """Seconds until its last step: the remaining steps times the median step time. It stands
        still while no step is done, in a pause too; None unless it runs.
        """
        if self.state != "running" or self.step_s is None:
            return None
        return (self.steps - self.step) * self.step_s


def this_host() -> str:
    """By which a process number means something."""
    return socket.gethostname()


def is_lost(run: Run, *, is_cycle_open: bool) -> bool:
    """Whether a run that says that it runs has nobody left who works on it: its cycle has ended, or
    its process is gone from this machine.
    """
    if run.state != "running":
        return False
    if not is_cycle_open:
        return True
    return run.host == this_host() and not processes.is_running(run)
