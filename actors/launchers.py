"""Clusterer, trainer and evaluator: services that only launch tasks, which compute and exit."""

from collections.abc import Callable
from threading import Lock
from typing import Any, ClassVar

import ray

from actors.line_agents import adapt_line_agent, grow_line_agent, judge_line_agent
from actors.messages import Failure, Judged, StageRequest, StageResult
from actors.plan import LearnerSection
from actors.shell import Pulse, service
from actors.stages import find_patterns, grow_agent, judge_candidate, make_base
from selflow.core.health import Health

GROUPS = {"health": 1, "work": 4}


class LauncherShell:
    """Hands requests to tasks, which compute and exit. Holds no rule of its own."""

    name: ClassVar[str]

    def __init__(self, section: LearnerSection) -> None:
        self._pulse = Pulse(self.name, section.version, section.config_hash)
        self._pulse.state = "ok"
        self._lock = Lock()
        self._running: dict[str, ray.ObjectRef[Any]] = {}

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state."""
        return self._pulse.health()

    def _run(self, key: str, start: Callable[[], Any]) -> Any:  # noqa: ANN401  (what the task returns)
        """The result of the task under ``key``, begun by ``start`` unless it runs already.

        A cycle that was killed and comes back joins the task that its first life began.

        Raises:
            RayError: The task failed or its process died.
        """
        with self._lock:
            ref = self._running.get(key)
            if ref is None:
                ref = self._running[key] = start()
        try:
            return ray.get(ref)
        finally:
            with self._lock:
                if self._running.get(key) is ref:
                    del self._running[key]


class ClustererShell(LauncherShell):
    """Launches what finds behaviour patterns."""

    name = "clusterer"

    @ray.method(concurrency_group="work")
    def discover(self, request: StageRequest) -> StageResult:
        """The patterns in a snapshot (refs: the snapshot)."""
        result: StageResult = self._run(
            f"discover/{request.key}", lambda: find_patterns.remote(request, *request.refs)
        )
        return result


ClustererActor = service(ClustererShell, groups=GROUPS)


class TrainerShell(LauncherShell):
    """Launches what makes the base and grows agents on it."""

    name = "trainer"

    @ray.method(concurrency_group="work")
    def base(self, request: StageRequest) -> StageResult:
        """The base under all agents (refs: the snapshot, the hash of the base that agents stand
        on, empty if none does).
        """
        task = make_base.options(**request.plan.accelerated())
        result: StageResult = self._run(
            f"base/{request.key}", lambda: task.remote(request, *request.refs)
        )
        return result

    @ray.method(concurrency_group="work")
    def grow(self, request: StageRequest) -> StageResult | Failure:
        """The best adapter that the search finds (refs: the snapshot)."""
        result: StageResult | Failure = self._run(
            f"grow/{request.key}", lambda: grow_agent.remote(request, *request.refs)
        )
        return result

    @ray.method(concurrency_group="work")
    def grow_lines(self, request: StageRequest) -> StageResult:
        """An agent of lines (refs: the lines, the watermark)."""
        result: StageResult = self._run(
            f"grow-lines/{request.key}", lambda: grow_line_agent.remote(request, *request.refs)
        )
        return result

    @ray.method(concurrency_group="work")
    def adapt_lines(self, request: StageRequest) -> StageResult | Failure:
        """The same with the best adapter that the search finds (refs: the lines)."""
        result: StageResult | Failure = self._run(
            f"adapt-lines/{request.key}", lambda: adapt_line_agent.remote(request, *request.refs)
        )
        return result


TrainerActor = service(TrainerShell, groups=GROUPS)


class EvaluatorShell(LauncherShell):
    """Launches what judges candidates."""

    name = "evaluator"

    @ray.method(concurrency_group="work")
    def judge(self, request: StageRequest) -> Judged:
        """The verdict on a candidate (refs: the snapshot, the pool that learned its past)."""
        task = judge_candidate.options(**request.plan.accelerated())
        result: Judged = self._run(
            f"judge/{request.key}", lambda: task.remote(request, *request.refs)
        )
        return result

    @ray.method(concurrency_group="work")
    def judge_lines(self, request: StageRequest) -> Judged:
        """The verdict on an agent of lines (refs: the lines)."""
        result: Judged = self._run(
            f"judge-lines/{request.key}", lambda: judge_line_agent.remote(request, *request.refs)
        )
        return result


EvaluatorActor = service(EvaluatorShell, groups=GROUPS)
