"""The collector: sources and the ZeroMQ door; everything goes through the sieve and then to the buffer."""

import threading

import ray

from actors.links import BufferLink
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
        sieve = Sieve(
            make_redactor(anonymize=section.privacy.anonymize),
            Exclusions(section.privacy.exclude_paths, section.privacy.exclude_apps, ""),
            "",
        )
        limits = WireLimits(
            section.ingest.max_batch_bytes,
            section.ingest.max_batch_events,
            section.ingest.max_event_bytes,
            section.ingest.max_future_s,
        )
        self._ingest = IngestServer(
            BufferLink(), sieve, self._clock, self._section.root.socket("ingest.sock"), limits=limits
        )
        self._ingest.start()

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        if self._ingest is not None:
            self._ingest.stop()


CollectorActor = service(CollectorShell, groups={"health": 1})
