"""The laws of a source: whoever writes a source of the collector can check it.

from selflow.testing import check_source

check_source(lambda: MySource(folder), stir=lambda: (folder / "file").write_text("x"))
"""

from collections.abc import Callable, Sequence
from threading import Event as Flag
from threading import Lock

from selflow.collect.sources import Source
from selflow.core.codec import decode_record, encode_record
from selflow.core.events import Event
from selflow.testing.claims import holds

_DEADLINE_S = 10.0


def check_source(make: Callable[[], Source], stir: Callable[[], None]) -> None:
    """Every law of a source, each on a fresh one.

    Args:
        make: A source that is not started.
        stir: Makes something happen that the source must notice.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    for law in SOURCE_LAWS:
        law(make(), stir)


class Recorder:
    """Keeps what a source emits; ``heard`` is set with the first event."""

    def __init__(self) -> None:
        self.heard = Flag()
        self._lock = Lock()
        self._events: list[Event] = []
        self._batches: set[int | None] = set()

    def __call__(self, events: Sequence[Event], batch_id: int | None = None) -> bool:
        """Take events, from any thread; those of a batch that it has are not taken twice."""
        with self._lock:
            if batch_id is None or batch_id not in self._batches:
                self._events.extend(events)
            self._batches.add(batch_id)
        self.heard.set()
        return True

    @property
    def events(self) -> list[Event]:
        """All events so far, in the order of their arrival."""
        with self._lock:
            return list(self._events)


def _what_happens_is_told(source: Source, stir: Callable[[], None]) -> None:
    recorder = Recorder()
    source.start(recorder)
    stir()
    heard = recorder.heard.wait(_DEADLINE_S)
    source.stop()
    holds(heard, "a source tells of what happens while it runs")
    holds(
        source.health().events == len(recorder.events), "health counts the events that were emitted"
    )


def _an_event_can_be_stored(source: Source, stir: Callable[[], None]) -> None:
    recorder = Recorder()
    source.start(recorder)
    stir()
    recorder.heard.wait(_DEADLINE_S)
    source.stop()
    holds(
        all(event.source and event.kind for event in recorder.events),
        "an event has a source and a kind",
    )
    holds(
        all(decode_record(encode_record(event)) == event for event in recorder.events),
        "an event survives its storage",
    )


def _after_the_stop_there_is_silence(source: Source, stir: Callable[[], None]) -> None:
    recorder = Recorder()
    source.start(recorder)
    source.stop()
    before = len(recorder.events)
    stir()
    source.stop()
    holds(len(recorder.events) == before, "a source that was stopped emits nothing")


def _health_tells_the_state(source: Source, stir: Callable[[], None]) -> None:
    holds(source.health().state == "starting", "a source that was not started is starting")
    source.start(Recorder())
    stir()
    holds(source.health().state in {"ok", "degraded"}, "a source that runs is ok or degraded")
    source.stop()
    holds(source.health().state == "dead", "a source that was stopped is dead")
    holds(bool(source.health().name), "a source has a name")


def _a_stop_without_a_start_is_no_fault(source: Source, stir: Callable[[], None]) -> None:
    source.stop()
    stir()
    holds(source.health().events == 0, "a source that never ran has emitted nothing")


SOURCE_LAWS: tuple[Callable[[Source, Callable[[], None]], None], ...] = (
    _what_happens_is_told,
    _an_event_can_be_stored,
    _after_the_stop_there_is_silence,
    _health_tells_the_state,
    _a_stop_without_a_start_is_no_fault,
)
