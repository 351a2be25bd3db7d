"""The router: learns from feedback which agent to trust. Its beliefs travel through the catalog."""

import threading
from contextlib import closing

import ray

from actors.plan import RouterSection
from actors.shell import Pulse, keep_trying, service
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import SystemClock
from selflow.core.errors import SelFlowError
from selflow.core.health import Health
from selflow.route.bandit import Beliefs
from selflow.route.learner import learn
from selflow.store.catalog import Catalog

LEARN_INTERVAL_S = 0.5
"""Feedback acts on routing within this time and the replica's own interval."""
_ROWS = 500


class RouterShell:
    """Folds stored feedback into beliefs. Holds no rule of its own; what it knows is in the
    catalog.
    """

    def __init__(self, section: RouterSection) -> None:
        self._section = section
        self._clock = SystemClock()
        self._pulse = Pulse("router", section.version, section.config_hash)
        self._stop = threading.Event()
        self._lag_events = 0
        self._beliefs = Beliefs()
        self._thread = self._pulse.run(self._run)

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state; its lag is feedback that is not learned yet."""
        return self._pulse.health(self._lag_events)

    def _run(self) -> None:
        keep_trying(self._follow, self._pulse, self._clock, self._stop)

    def _follow(self) -> None:
        section = self._section
        with closing(Catalog.open(catalog_of_session(section.root))) as catalog:
            snapshot = catalog.routing.snapshot()
            self._beliefs = Beliefs.load_state(snapshot.beliefs if snapshot else {})
            while not self._stop.is_set():
                try:
                    self._learn(catalog)
                    self._pulse.state, self._pulse.last_error = "ok", ""
                except SelFlowError as error:
                    self._pulse.state, self._pulse.last_error = "degraded", str(error)
                self._clock.wait(self._stop, LEARN_INTERVAL_S)

    def _learn(self, catalog: Catalog) -> None:
        while rows := catalog.feedback.routed_after(self._beliefs.feedback_number, _ROWS):
            self._lag_events = len(rows)
            after = learn(self._beliefs, rows, self._section.router)
            document = {**after.state(), "summary": after.summary()}
            catalog.routing.save(document, after.feedback_number, self._clock.now_us())
            self._beliefs = after
        self._lag_events = 0

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        self._thread.join()


RouterActor = service(RouterShell, groups={"health": 1})
