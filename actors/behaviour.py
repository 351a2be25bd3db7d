"""Feeds what the buffer stores to the watch for new behaviour and drift, and keeps what it says.
For the supervisor's thread; all of it is computed again from the log after a restart.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from actors.plan import Plan
from selflow.core.clock import Clock
from selflow.core.errors import ArtifactError, StoreError
from selflow.core.events import Stored
from selflow.store.artifacts import ArtifactStore
from selflow.store.behaviour import Known
from selflow.store.catalog import Catalog

if TYPE_CHECKING:
    from selflow.discover.behaviour_watch import BehaviourWatch
    from selflow.predict.steps import StepBuilder

READ_EVENTS = 500
"""At most, in one round: what is behind is caught up with over several."""
_LOOK_S = 5.0
"""Seconds between two rounds."""
_log = logging.getLogger(__name__)


class Feed(Protocol):
    """What this asks of the buffer; StoreError if it is unavailable."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        ...


class BehaviourFeed:
    """One round after the other, of all events since the newest discovery."""

    def __init__(self, plan: Plan, catalog: Catalog, clock: Clock, feed: Feed) -> None:
        self._plan = plan
        self._catalog = catalog
        self._clock = clock
        self._feed = feed
        self._looked_s = -_LOOK_S
        self._known: Known | None = None
        self._cursor = 0
        self._watch: BehaviourWatch | None = None
        self._builder: StepBuilder | None = None
        self._unsaved: list[dict[str, Any]] = []

    def once(self) -> None:
        """Measure what has come, and keep what is new.

        Raises:
            StoreError: The catalog is unavailable; the next round tries again.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < _LOOK_S:
            return
        self._looked_s = now_s
        known = self._catalog.behaviour.known()
        if known is not None and known != self._known:
            self._begin(known)
        if known is not None and self._watch is not None and self._builder is not None:
            self._unsaved += self._measure(self._watch, self._builder)
            if self._unsaved:
                now_us = self._clock.now_us()
                self._catalog.behaviour.keep(known.cycle_id, self._unsaved, now_us)
                self._unsaved = []

    def _begin(self, known: Known) -> None:
        """What another cycle knew: from the end of the log that it saw on."""
        from selflow.discover.behaviour_watch import BehaviourWatch
        from selflow.discover.usual import FILE, UsualBehaviour
        from selflow.predict.steps import StepBuilder

        self._known, self._cursor = known, known.upto_seq
        self._watch, self._unsaved = None, []
        try:
            folder = ArtifactStore(self._plan.root.artifacts).get(known.sha256)
            if (folder / FILE).exists():  # not where it saw too little
                least_windows = self._plan.settings.discover.new_behaviour_windows
                self._watch = BehaviourWatch(UsualBehaviour.load(folder), least_windows)
        except ArtifactError as error:
            _log.warning("nothing is watched for new behaviour until the next cycle: %s", error)
        self._builder = StepBuilder(self._plan.settings.predict.burst_gap_s)

    def _measure(self, watch: "BehaviourWatch", builder: "StepBuilder") -> list[dict[str, Any]]:
        try:
            events = self._feed.read(self._cursor, READ_EVENTS)
        except StoreError:  # the supervisor recreates the buffer, and its health says so
            return []
        steps = [step for stored in events for step in builder.feed(stored.event)]
        self._cursor = events[-1].seq if events else self._cursor
        return [asdict(change) for change in watch.feed(steps)]
