"""The trainer: makes the base and grows agents on it."""

import ray

from actors.messages import Failure, StageRequest, StageResult
from actors.shell import LAUNCHER_GROUPS, LauncherShell, service
from actors.stages import grow_agent, make_base


class TrainerShell(LauncherShell):
    """Launches what makes the base and grows agents on it."""

    name = "trainer"

    @ray.method(concurrency_group="work")
    def base(self, request: StageRequest) -> StageResult:
        """The base under all agents (refs: the snapshot, the hash of the base that agents stand
        on, empty if none does).
        """
        task = make_base.options(**request.plan.accelerated())
        made: StageResult = self._run(
            f"base/{request.key}", lambda: task.remote(request, *request.refs)
        )
        return made

    @ray.method(concurrency_group="work")
    def grow(self, request: StageRequest) -> StageResult | Failure:
        """The best adapter that the search finds (refs: the snapshot)."""
        made: StageResult | Failure = self._run(
            f"grow/{request.key}", lambda: grow_agent.remote(request, *request.refs)
        )
        return made


TrainerActor = service(TrainerShell, groups=LAUNCHER_GROUPS)
