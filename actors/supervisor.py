"""The supervisor: sees that what the plan names exists and answers, and writes down what it
sees.
"""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import psutil
import ray
from ray.exceptions import RayError

from actors.behaviour import BehaviourFeed
from actors.buffer import BufferLink
from actors.collector import CollectorShell
from actors.command_runner import CommandRunner
from actors.cycle import CycleRunner
from actors.cycle_scheduler import CycleScheduler
from actors.forgetting import Forgetter
from actors.node_processes import node_processes
from actors.plan import Plan
from actors.services import ServeService, Service, planned
from actors.shell import Pulse, ServiceRef, keep_trying, service
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, SelFlowError, StoreError, public_text
from selflow.core.health import Health
from selflow.govern.supervise import Seen, Watch

_BUFFER_LIMIT_S = 5.0
_FORGET_LIMIT_S = 120.0
"""The buffer writes its whole log once to delete from it."""
_RESTART_LIMIT_S = 120.0
_UNSETTLED_S = 0.5
"""Seconds between two rounds while something is not up yet."""


class HealthChecks:
    """One check of every service after the other; the rule is ``govern.supervise``. For one
    thread.
    """

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._catalog = plan.catalog()
        self._serve = ServeService(plan, clock)
        self._actors = planned(plan)
        self._watches: dict[str, Watch] = {}
        buffer = BufferLink(timeout_s=_BUFFER_LIMIT_S)
        self._behaviour = BehaviourFeed(plan, self._catalog, clock, buffer)
        self._is_outdated = threading.Event()
        self._cycles = CycleScheduler(plan, self._catalog, clock, buffer, CycleRunner(plan))

    def once(self, own: Health) -> bool:
        """Check, act, write down; True if all is settled.

        Whether Serve is wanted is a fact of the catalog, so that it outlives the actor.
        """
        if self._is_outdated.is_set():
            self._serve.retire()  # it is created again below
            self._is_outdated.clear()
        is_serving = self._catalog.facts.read().is_serving
        services: Sequence[Service] = (*self._actors, self._serve) if is_serving else self._actors
        settled = [self._check(managed) for managed in services]
        now_us = self._clock.now_us()
        self._catalog.services.put(own, 0, now_us)
        self._catalog.facts.set_processes(node_processes(), now_us)
        self._record_ingested(now_us)
        self._behaviour.once()
        self._cycles.once()
        return all(settled)

    def restart_serving(self) -> None:
        """End what serves; the next round creates it again. For any thread but that of the rounds.

        Raises:
            StoreError: No round has come for ``_RESTART_LIMIT_S``.
        """
        self._is_outdated.set()
        deadline_s = self._clock.monotonic_s() + _RESTART_LIMIT_S
        while self._is_outdated.is_set():
            if self._clock.monotonic_s() > deadline_s:
                raise StoreError("the supervisor makes no rounds", "see selflow status")
            self._clock.sleep(_UNSETTLED_S)

    def running_cycle(self) -> str:
        """The cycle whose processes run; empty if none does. For any thread."""
        return self._cycles.running_id

    def withdraw(self) -> None:
        """End the services gracefully: Serve first, the buffer last."""
        for managed in (self._serve, *reversed(self._actors)):
            managed.retire()
            with suppress(StoreError):  # on a full disk nothing can be written, and all must end
                self._catalog.services.mark(managed.name, "dead", self._clock.now_us())

    def _record_ingested(self, now_us: int) -> None:
        """What the collector counts; one that is unavailable is counted in a later round."""
        with suppress(NotRunningError, RayError):
            collector = ServiceRef("collector", CollectorShell).handle()
            limit_s = self._plan.settings.supervisor.health_timeout_s
            counts = ray.get(collector.counts.remote(), timeout=limit_s)
            self._catalog.facts.set_ingested(counts, now_us)

    def _check(self, managed: Service) -> bool:
        watch = self._watches.setdefault(
            managed.name, Watch(managed.version, managed.config_hash, managed.misses_allowed)
        )
        seen = managed.look(self._plan.settings.supervisor.health_timeout_s)
        now_s = self._clock.monotonic_s()
        action = watch.observe(seen, now_s)
        if action == "retire" and isinstance(seen, Health):
            # The process that answers is not the requested one
            seen = replace(seen, state="starting")
        self._record(managed, seen, watch, now_s)
        if action == "retire":
            managed.retire()
        elif action == "replace":
            managed.end()
        if action != "keep":
            managed.create()
        return isinstance(seen, Health) and seen.state == "ok" and action == "keep"

    def _record(self, managed: Service, seen: Seen, watch: Watch, now_s: float) -> None:
        now_us = self._clock.now_us()
        if isinstance(seen, Health):
            health = replace(seen, state="degraded") if watch.is_degraded(now_s) else seen
            self._catalog.services.put(health, watch.restarts, now_us)
        elif watch.was_seen or watch.is_degraded(now_s):
            self._catalog.services.mark(
                managed.name, "degraded" if seen == "silent" else "dead", now_us
            )
        else:  # nobody may take the session for running before all that belongs to it has answered
            health = Health(
                managed.name, managed.version, managed.config_hash, 0, 0, "starting", 0, "", 0
            )
            self._catalog.services.put(health, watch.restarts, now_us)


class SupervisorShell:
    """Runs the rounds in a thread that starts with the actor, so that a new incarnation goes on by
    itself.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clock = SystemClock()
        self._pulse = Pulse("supervisor", plan.version, plan.config_hash)
        self._stop = threading.Event()
        self._rounds: HealthChecks | None = None
        # Nobody watches the watcher but Ray, which recreates an actor whose process has ended
        self._thread = self._pulse.run(self._run, at_fault=lambda: os._exit(1))
        self._commands = self._pulse.run(self._carry_out, at_fault=lambda: os._exit(1))

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state."""
        return self._pulse.health()

    @ray.method
    def withdraw(self) -> None:
        """End every service gracefully; nothing is recreated afterwards."""
        self._stop.set()
        self._thread.join()
        self._commands.join()
        if self._rounds is not None:
            self._rounds.withdraw()

    def _carry_out(self) -> None:
        """What the owner asks for in the console, beside the rounds: they take seconds."""
        while self._rounds is None and not self._clock.wait(self._stop, _UNSETTLED_S):
            pass
        if self._rounds is not None:
            catalog, root, clock = self._plan.catalog(), self._plan.root, self._clock
            forgetter = Forgetter(
                root,
                catalog_of_session(root),
                catalog,
                BufferLink(timeout_s=_FORGET_LIMIT_S),
                clock,
                self._rounds,
            )
            CommandRunner(root, catalog, clock, forgetter.run).run(self._stop)
            catalog.close()

    def _run(self) -> None:
        keep_trying(self._open, self._pulse, self._clock, self._stop)
        interval_s = self._plan.settings.supervisor.check_interval_s
        while self._rounds is not None and not self._stop.is_set():
            is_settled = False
            try:
                is_settled = self._rounds.once(self._pulse.health())
                self._pulse.state, self._pulse.last_error = "ok", ""
            except (SelFlowError, RayError, psutil.Error, OSError) as error:
                self._pulse.state, self._pulse.last_error = "degraded", public_text(error)
            self._clock.wait(
                self._stop, interval_s if is_settled else min(interval_s, _UNSETTLED_S)
            )

    def _open(self) -> None:
        self._rounds = HealthChecks(self._plan, self._clock)


SupervisorActor = service(SupervisorShell, groups={"health": 1})
