"""The clusterer: finds behaviour patterns."""

import ray

from actors.messages import StageRequest, StageResult
from actors.shell import LAUNCHER_GROUPS, LauncherShell, service
from actors.stages import find_patterns


class ClustererShell(LauncherShell):
    """Launches what finds behaviour patterns."""

    name = "clusterer"

    @ray.method(concurrency_group="work")
    def discover(self, request: StageRequest) -> StageResult:
        """The patterns in a snapshot (refs: the snapshot)."""
        made: StageResult = self._run(
            f"discover/{request.key}", lambda: find_patterns.remote(request, *request.refs)
        )
        return made


ClustererActor = service(ClustererShell, groups=LAUNCHER_GROUPS)
