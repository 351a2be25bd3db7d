"""The supervisor: sees that what the plan names exists and answers, and writes down what it sees."""

import threading
from collections.abc import Callable

import ray

from actors.plan import Plan
from actors.services import Service, ServeService, planned, siblings
from actors.shell import Pulse, service
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import SelFlowError
from selflow.core.health import Health
from selflow.govern.supervise import Watch
from selflow.store.catalog import Catalog


class Rounds:
    """One check of every service after the other; the rule is ``govern.supervise``."""

    def __init__(self, plan: Plan, pulse: Pulse, clock: Clock) -> None:
        self._plan = plan
        self._pulse = pulse
        self._clock = clock
        self._catalog = Catalog.open(plan.root.catalog, plan.settings.store.catalog_url)
        self._serve = ServeService(plan, clock)
        self._services: list[Service] = list(planned(plan))
        self._watches: dict[str, Watch] = {}

    def want_serving(self) -> None:
        """Keep Serve up from the next round on."""
        if self._serve not in self._services:
            self._services.append(self._serve)

    def once(self) -> None:
        """Check, act, write down."""
        timeout_s = self._plan.settings.supervisor.health_timeout_s
        for each in tuple(self._services):
            watch = self._watches.setdefault(each.name, Watch(each.version, each.config_hash, each.misses_allowed))
            seen = each.look(timeout_s)
            action = watch.observe(seen, self._clock.monotonic_s())
            self._record(each.name, seen, watch)
            if action == "retire":
                each.retire()
            elif action == "replace":
                each.end()
            if action != "keep":
                each.create()
        self._record("supervisor", self._pulse.health(), None)
        self._catalog.put_fact("processes", [[p.pid, p.create_time(), _title(p)] for p in siblings()], self._now_us())

    def withdraw(self) -> None:
        """End the services gracefully: Serve first, the buffer last; nothing is made anew afterwards."""
        ending, self._services = [self._serve, *reversed(planned(self._plan))], []
        for each in ending:
            each.retire()
            self._catalog.put_service(_gone(each, self._now_us()), 0, self._now_us())

    def _now_us(self) -> int:
        return self._clock.now_us()

    def _record(self, name: str, seen: object, watch: Watch | None) -> None:
        if isinstance(seen, Health):
            is_degraded = watch is not None and watch.is_degraded(self._clock.monotonic_s())
            health = seen if not is_degraded else _degraded(seen)
            self._catalog.put_service(health, watch.restarts if watch else 0, self._now_us())
        elif watch is not None and watch.was_seen:
            self._catalog.mark_service(name, "dead" if seen != "silent" else "degraded", self._now_us())
