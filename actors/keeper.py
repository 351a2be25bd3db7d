"""The keeper: a small process outside Ray that rebuilds the session when it dies. Imports
no Ray.
"""

import subprocess
from dataclasses import dataclass
from threading import Event

from actors import ray_head, session
from selflow.core.clock import Clock
from selflow.core.paths import Root
from selflow.core.processes import this_process
from selflow.core.session_files import read_ray_session, write_keeper

CHECK_INTERVAL_S = 1.0
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
STALE_CHECKS = 90
"""Checks in a row with no fresh word of the supervisor after which the session is rebuilt though
Ray lives.
"""


@dataclass(slots=True)
class RebuildPolicy:
    """When to rebuild: at once when Ray's core is dead, later when only the supervisor has fallen
    silent.
    """

    stale_checks: int = 0
    pause_s: float = FIRST_PAUSE_S
    not_before_s: float = 0.0

    def wants_rebuild(self, *, is_alive: bool, is_fresh: bool, now_s: float) -> bool:
        """Decide after one check; pauses of 1, 2, 4 ... 60 s lie between rebuilds that follow each
        other.
        """
        if is_alive and is_fresh:
            self.stale_checks, self.pause_s = 0, FIRST_PAUSE_S
            return False
        self.stale_checks += 1
        if is_alive and self.stale_checks < STALE_CHECKS:
            return False
        if now_s < self.not_before_s:
            return False
        self.not_before_s = now_s + self.pause_s
        self.pause_s = min(self.pause_s * 2, LAST_PAUSE_S)
        self.stale_checks = 0
        return True


def keep(root: Root, clock: Clock, stop: Event) -> None:
    """Watch until the session is taken down (its note is gone) or ``stop`` is set."""
    write_keeper(root, this_process("keeper"))
    patience = RebuildPolicy()
    while not clock.wait(stop, CHECK_INTERVAL_S):
        current = read_ray_session(root)
        if current is None:
            return
        is_alive = ray_head.is_alive(current)
        if patience.wants_rebuild(
            is_alive=is_alive, is_fresh=_is_fresh(root, clock), now_s=clock.monotonic_s()
        ):
            subprocess.run([*session.command(root), "service", "rebuild"], check=False)  # noqa: S603  (our own)


def _is_fresh(root: Root, clock: Clock) -> bool:
    from selflow.store.reading import CatalogReader

    return CatalogReader(root.catalog).is_fresh(clock.now_us())
