"""The house's two casts around Ray actors, and the pulse that every service answers with.

Names are looked up here and nowhere else. Services run with ``max_restarts=0`` and are recreated by
the supervisor; a handle to a dead one raises for ever, so handles are never kept.
"""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, Generic, TypeVar, cast

import psutil
import ray
from ray.actor import ActorClass, ActorProxy
from ray.exceptions import RayTaskError

from selflow.core.clock import Clock
from selflow.core.errors import NotRunningError, SelFlowError, public_text
from selflow.core.health import Health, State
from selflow.core.processes import this_process
from selflow.core.threads import WatchedThread

T = TypeVar("T")


def service(shell: type[T], groups: Mapping[str, int]) -> ActorClass[T]:
    """A shell as a Ray actor class whose types survive (to mypy the decorator with groups returns
    ``Any``).
    """
    remote: Any = ray.remote
    return cast("ActorClass[T]", remote(concurrency_groups=dict(groups))(shell))


class ServiceRef(Generic[T]):
    """A service by its name, in the namespace of this process; finds the newest incarnation at each
    call.
    """

    def __init__(self, name: str, shell: type[T]) -> None:
        self.name = name
        self._shell = shell

    def handle(self) -> ActorProxy[T]:
        """The actor that has the name now.

        Raises:
            NotRunningError: No actor has it.
        """
        try:
            return cast("ActorProxy[T]", ray.get_actor(self.name))  # noqa: TID251  (the one place)
        except ValueError as error:
            raise NotRunningError(
                f"the {self.name} is not running", "selflow status shows what runs"
            ) from error

    def kill(self) -> None:
        """End the service at once; one that is gone already is fine."""
        try:
            ray.kill(ray.get_actor(self.name))  # noqa: TID251
        except ValueError:
            return


class Pulse:
    """What a service says of itself: identity, state, the last error, memory."""

    def __init__(self, name: str, version: str, config_hash: str) -> None:
        self._name = name
        self._version = version
        self._config_hash = config_hash
        self._process = this_process(name)
        self.state: State = "starting"
        self.last_error = ""
        self._faults: list[Callable[[], str]] = []

    def run(
        self, work: Callable[[], None], at_fault: Callable[[], None] | None = None
    ) -> WatchedThread:
        """Do the service's own work in a thread; if that ends of a fault, the service is dead."""
        thread = WatchedThread(f"{self._name}'s thread", work, at_fault)
        self.watch(lambda: thread.fault)
        thread.start()
        return thread

    def watch(self, fault: Callable[[], str]) -> None:
        """Count the service dead once this says what went wrong: the supervisor recreates it."""
        self._faults.append(fault)

    def health(self, lag_events: int = 0) -> Health:
        """The answer to ``health()``; never holds an event's content."""
        faults = [fault for tell in self._faults if (fault := tell())]
        return Health(
            name=self._name,
            version=self._version,
            config_hash=self._config_hash,
            pid=self._process.pid,
            after_boot_us=self._process.after_boot_us,
            state="dead" if faults else self.state,
            lag_events=lag_events,
            last_error="; ".join(faults) or self.last_error,
            rss_bytes=psutil.Process().memory_info().rss,
        )


def keep_trying(action: Callable[[], None], pulse: Pulse, clock: Clock, stop: Event) -> None:
    """Run what a service needs to become ready, again and again with growing pauses until it
    succeeds.

    The service is ``degraded`` meanwhile and says why; it is ``ok`` afterwards.
    """
    pause_s = 0.2
    while not stop.is_set():
        try:
            action()
        except (SelFlowError, OSError) as error:
            pulse.state, pulse.last_error = "degraded", public_text(error)
            clock.wait(stop, pause_s)
            pause_s = min(pause_s * 2, 30.0)
        else:
            pulse.state, pulse.last_error = "ok", ""
            return


def cause_of(error: BaseException) -> BaseException:
    """What really went wrong, below Ray's own wrappers."""
    while isinstance(error, RayTaskError):
        error = error.cause
    return error
