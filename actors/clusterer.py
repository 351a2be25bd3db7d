"""The clusterer: finds behaviour patterns."""

import ray

from actors.launches import GROUPS, LauncherShell
from actors.learners import Made, StageRequest
from actors.shell import service
from actors.stages import find_patterns


class ClustererShell(LauncherShell):
    """Launches what finds behaviour patterns."""

    name = "clusterer"

    @ray.method(concurrency_group="work")
    def discover(self, request: StageRequest) -> Made:
        """The patterns in a snapshot (refs: the snapshot)."""
        made: Made = self._run(
            f"discover/{request.key}", lambda: find_patterns.remote(request, *request.refs)
        )
        return made


ClustererActor = service(ClustererShell, groups=GROUPS)
