"""The collector: sources and the ZeroMQ door; everything goes through the sieve and then to the buffer."""

import threading
from functools import partial
from pathlib import Path

import ray

from actors.links import BufferLink
from actors.permission import Permission, may_ingest
from actors.plan import CollectorSection
from actors.shell import Pulse, keep_trying, service
from selflow.collect.ingest import IngestServer
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.collect.sieve import Sieve
from selflow.core.clock import SystemClock
from selflow.core.codec import WireLimits
from selflow.core.health import Health


class CollectorShell:
    """Wires the collecting rules to the buffer. Holds no rule of its own."""

    def __init__(self, section: CollectorSection) -> None:
        self._section = section
        self._clock = SystemClock()
        self._pulse = Pulse("collector", section.version, section.config_hash, self._clock)
        self._stop = threading.Event()
        self._permission = Permission(section.root, self._clock)
        self._ingest: IngestServer | None = None
        threading.Thread(
            target=keep_trying, args=(self._open, self._pulse, self._clock, self._stop), daemon=True
        ).start()

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state."""
        return self._pulse.health()

    def _open(self) -> None:
        section = self._section.settings
        home = str(Path.home())
        sieve = Sieve(
            make_redactor(anonymize=section.privacy.anonymize),
            Exclusions(section.privacy.exclude_paths, section.privacy.exclude_apps, home),
            home,
        )
        root, ingest = self._section.root, section.ingest
        self._ingest = IngestServer(
            BufferLink(),
            sieve,
            self._clock,
            root.socket("ingest.sock"),
            limits=WireLimits(
                ingest.max_batch_bytes, ingest.max_batch_events, ingest.max_event_bytes, ingest.max_future_s
            ),
            tcp_address=f"127.0.0.1:{ingest.tcp_port}" if ingest.tcp_port else None,
            authorise=partial(may_ingest, root, section.store.catalog_url, self._clock),
            consents=self._permission.allows_batch,
        )
        self._ingest.start()

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        if self._ingest is not None:
            self._ingest.stop()


CollectorActor = service(CollectorShell, groups={"health": 1})
