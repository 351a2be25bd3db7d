"""The collector: sources and the ZeroMQ door; everything goes through the event filter and
then to the buffer.
"""

import threading
from functools import partial
from pathlib import Path

import ray

from actors.buffer import BufferLink
from actors.plan import CollectorSection
from actors.shell import Pulse, keep_trying, service
from selflow.collect.companion.sections import at_root, commits_at
from selflow.collect.event_filter import EventFilter
from selflow.collect.ingest import IngestServer
from selflow.collect.normalise import Exclusions
from selflow.collect.outbox import Outbox
from selflow.collect.redact import make_redactor
from selflow.collect.source_set import SourceSet, while_paused
from selflow.collect.sources import make_source
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import SystemClock
from selflow.core.codec import WireLimits
from selflow.core.errors import ConfigError, StoreError
from selflow.core.health import Health
from selflow.core.ingest_counts import IngestCounts
from selflow.core.privacy_rules import PrivacyRules, added_rules
from selflow.store.pauses import PauseWatch
from selflow.store.permission import Permission, ingest_grant
from selflow.store.spool import Spool

SETTLE_INTERVAL_S = 1.0
"""A consent that is given or revoked, and a pause, take effect within this time."""
SPOOL_LIMIT_BYTES = 256_000_000


class CollectorShell:
    """Wires the collecting rules to the buffer. Holds no rule of its own."""

    def __init__(self, section: CollectorSection) -> None:
        self._section = section
        self._clock = SystemClock()
        self._pulse = Pulse("collector", section.version, section.config_hash)
        self._stop = threading.Event()
        self._catalog = catalog_of_session(section.root)
        self._permission = Permission(self._catalog, self._clock)
        self._pauses = PauseWatch(self._catalog, self._clock)
        self._spool: Spool | None = None
        self._ingest: IngestServer | None = None
        self._outbox: Outbox | None = None
        self._filter: EventFilter | None = None
        self._added = PrivacyRules()
        self._thread = self._pulse.run(self._run)

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state."""
        return self._pulse.health()

    @ray.method(concurrency_group="health")
    def counts(self) -> IngestCounts:
        """What became of events, and how long it took, since this incarnation began."""
        if self._ingest is None or self._outbox is None:
            return IngestCounts()
        both = self._ingest.outcomes(), self._outbox.outcomes()
        return IngestCounts.of(both, self._ingest.durations.document())

    def _run(self) -> None:
        keep_trying(self._open, self._pulse, self._clock, self._stop)
        if self._ingest is None or self._outbox is None:
            return
        home = str(Path.home())
        make = partial(make_source, clock=self._clock, home=home)
        root = self._section.root
        sections = [*at_root(self._section.settings.data_sources, root), commits_at(root)]
        sources = SourceSet(sections, make, self._outbox.offer, home)
        self._pulse.watch(sources.fault)
        while not self._stop.is_set():
            self._settle(sources, self._outbox)
            self._clock.wait(self._stop, SETTLE_INTERVAL_S)
        sources.settle({})
        self._outbox.stop()
        self._ingest.stop()

    def _settle(self, sources: SourceSet, outbox: Outbox) -> None:
        problems = [outbox.last_error]
        try:
            self._tighten()
            granted = self._permission.granted()
            is_paused = self._pauses.is_paused()
            allowed = while_paused(granted) if is_paused else granted
            problems += sources.settle(allowed, self._permission.granted_at_us)
        except (StoreError, ConfigError) as error:
            problems.append(str(error))
        problems += [problem for health in sources.health() for problem in health.problems]
        message = "; ".join(problem for problem in problems if problem)[:500]
        self._pulse.last_error = message
        self._pulse.state = "degraded" if message else "ok"

    def _tighten(self) -> None:
        """Follow rules that the owner has added since the session began."""
        added = added_rules(self._section.root)
        if added != self._added and self._filter is not None:
            privacy = self._section.settings.privacy
            paths, apps = (
                (*privacy.exclude_paths, *added.paths),
                (*privacy.exclude_apps, *added.apps),
            )
            self._filter.exclude(Exclusions(paths, apps, str(Path.home())))
            self._added = added

    def _open(self) -> None:
        settings, root, home = self._section.settings, self._section.root, str(Path.home())
        privacy, ingest = settings.privacy, settings.ingest
        limits = WireLimits(
            ingest.max_batch_bytes,
            ingest.max_batch_events,
            ingest.max_event_bytes,
            ingest.max_future_s,
        )
        self._filter = event_filter = EventFilter(
            make_redactor(privacy),
            Exclusions(privacy.exclude_paths, privacy.exclude_apps, home),
            home,
            self._pauses.covers,
        )
        link = BufferLink()
        if self._spool is None:
            self._spool = Spool(root.spool, SPOOL_LIMIT_BYTES)
        door = IngestServer(
            link,
            event_filter,
            self._clock,
            root.socket("ingest.sock"),
            limits=limits,
            tcp_address=f"127.0.0.1:{ingest.tcp_port}" if ingest.tcp_port else None,
            authorise=partial(ingest_grant, self._catalog, self._clock),
            consents=self._permission.allows_batch,
            is_paused=self._pauses.is_paused,
        )
        door.start()
        self._ingest = door
        self._pulse.watch(lambda: door.fault)
        self._outbox = outbox = Outbox(
            link, event_filter, self._spool, self._clock, limits, ingest.flush_interval_s
        )
        outbox.start()
        self._pulse.watch(lambda: outbox.fault)

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        self._thread.join()


CollectorActor = service(CollectorShell, groups={"health": 1})
