"""A service that only launches: one task per key at a time, shared by all who ask for it."""

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import ray

from actors.plan import LearnerSection
from actors.shell import Pulse
from selflow.core.clock import SystemClock
from selflow.core.health import Health

GROUPS = {"health": 1, "work": 4}


class LauncherShell:
    """Hands requests to tasks, which compute and exit. Holds no rule of its own."""

    name: ClassVar[str]

    def __init__(self, section: LearnerSection) -> None:
        self._pulse = Pulse(self.name, section.version, section.config_hash, SystemClock())
        self._pulse.state = "ok"
        self._lock = threading.Lock()
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
