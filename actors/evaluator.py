"""The evaluator: judges candidates."""

import ray

from actors.messages import Judged, StageRequest
from actors.shell import LAUNCHER_GROUPS, LauncherShell, service
from actors.stages import judge_candidate


class EvaluatorShell(LauncherShell):
    """Launches what judges candidates."""

    name = "evaluator"

    @ray.method(concurrency_group="work")
    def judge(self, request: StageRequest) -> Judged:
        """The verdict on a candidate (refs: the snapshot, the pool that learned its past)."""
        task = judge_candidate.options(**request.plan.accelerated())
        made: Judged = self._run(
            f"judge/{request.key}", lambda: task.remote(request, *request.refs)
        )
        return made


EvaluatorActor = service(EvaluatorShell, groups=LAUNCHER_GROUPS)
