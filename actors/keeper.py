"""The keeper: a small process outside Ray that rebuilds our session when it dies. Imports no Ray.

Exactly one watches a root, however often ``selflow up`` is called: it holds ``run/keeper.lock``.
"""

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from actors import console_process, ray_head, session
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, location_of
from selflow.core.paths import Root
from selflow.core.processes import living_console, this_process
from selflow.core.session_files import read_ray_session, write_keeper

CHECK_INTERVAL_S = 1.0
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 60.0
STABLE_S = 300.0
"""A session that lived this long after a rebuild is well again: the pauses start again."""
STALE_CHECKS = 90
"""Checks in a row with no new record of the supervisor after which the session is rebuilt though
Ray lives.
"""
HANDOVER_S = 3.0
"""A keeper of a session that was just taken down notices it within one check and leaves."""


@dataclass(slots=True)
class RebuildPolicy:
    """When to rebuild: at once when Ray's core is dead, later when only the supervisor is silent.

    A program that can kill the session can do it again as soon as it answers. So the pauses between
    rebuilds grow from 1 to 60 s and start again only after ``STABLE_S`` of health.
    """

    stale_checks: int = 0
    pause_s: float = FIRST_PAUSE_S
    not_before_s: float = 0.0
    well_since_s: float | None = None

    def wants_rebuild(self, *, is_alive: bool, is_fresh: bool, now_s: float) -> bool:
        """Decide after one check."""
        if is_alive and is_fresh:
            self.stale_checks = 0
            self.well_since_s = now_s if self.well_since_s is None else self.well_since_s
            if now_s - self.well_since_s >= STABLE_S:
                self.pause_s = FIRST_PAUSE_S
            return False
        self.well_since_s = None
        self.stale_checks += 1
        if is_alive and self.stale_checks < STALE_CHECKS:
            return False
        if now_s < self.not_before_s:
            return False
        self.not_before_s = now_s + self.pause_s
        self.pause_s = min(self.pause_s * 2, LAST_PAUSE_S)
        self.stale_checks = 0
        return True


def keep(
    root: Root,
    clock: Clock,
    stop: Event,
    *,
    handover_s: float = HANDOVER_S,
    rebuild: Callable[[Root], None] | None = None,
) -> None:
    """Watch until the session is taken down (its record is gone) or ``stop`` is set.

    A console that died is started again. Returns at once if another keeper still watches this root
    after ``handover_s``. A check that fails (a full disk, a locked catalog) is logged and made
    again. A cluster that the owner started is his to start again: it is never rebuilt.

    Args:
        root: Whose session.
        clock: For the pauses.
        stop: Ends it.
        handover_s: How long another keeper may take to leave.
        rebuild: Starts the session again; a process of its own by default.
    """
    with _only_keeper(root, clock, stop, handover_s) as is_only:
        if not is_only:
            return
        write_keeper(root, this_process("keeper"))
        policy, consoles, last_fault = RebuildPolicy(), RebuildPolicy(), ""
        while not clock.wait(stop, CHECK_INTERVAL_S):
            try:
                current = read_ray_session(root)
                if current is None:
                    return
                if current.is_ours and policy.wants_rebuild(
                    is_alive=ray_head.is_alive(current),
                    is_fresh=_is_fresh(root, clock),
                    now_s=clock.monotonic_s(),
                ):
                    (rebuild or _rebuild)(root)
                _keep_console(root, consoles, clock)
                last_fault = ""
            except (SelFlowError, OSError) as error:
                if (fault := location_of(error)) != last_fault:
                    sys.stderr.write(f"a check failed and is repeated: {fault}\n")
                    sys.stderr.flush()
                last_fault = fault


def _keep_console(root: Root, policy: RebuildPolicy, clock: Clock) -> None:
    """Start a console that has died again; one that was never started is not missed."""
    is_well = not root.console.exists() or living_console(root) is not None
    if policy.wants_rebuild(is_alive=is_well, is_fresh=True, now_s=clock.monotonic_s()):
        console_process.start(root)


@contextmanager
def _only_keeper(root: Root, clock: Clock, stop: Event, handover_s: float) -> Iterator[bool]:
    """Hold the keeper's lock; False if another keeper keeps it while there is a session."""
    deadline_s = clock.monotonic_s() + handover_s
    with root.keeper.with_suffix(".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic_s() >= deadline_s or clock.wait(stop, CHECK_INTERVAL_S):
                    yield False
                    return
            else:
                yield True
                return


def _rebuild(root: Root) -> None:
    subprocess.run([*session.command(root), "service", "rebuild"], check=False)  # noqa: S603  (our own)


def _is_fresh(root: Root, clock: Clock) -> bool:
    """Whether the supervisor wrote lately; a catalog that cannot be read says nothing of it."""
    from selflow.store.reading import CatalogReader

    try:
        return CatalogReader(catalog_of_session(root)).is_fresh(clock.now_us())
    except SelFlowError:
        return True
