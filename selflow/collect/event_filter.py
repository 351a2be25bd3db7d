"""The one way into the log: drop what the owner excludes, redact the rest, and only then
encode it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from selflow.collect.normalise import Exclusions, write_home
from selflow.core.codec import encode_record
from selflow.core.events import Event, Json
from selflow.core.ports import Redactor


@dataclass(frozen=True, slots=True)
class FilteredEvent:
    """What came through: encoded records in the order of the events, and how many events were
    dropped.
    """

    records: tuple[bytes, ...]
    dropped: int


class EventFilter:
    """Exclusions, then ``~`` for the home folder, then redaction; in this order, because a slot
    hides a path.

    Args:
        redactor: Takes the secrets out.
        exclusions: The owner's privacy rules.
        home: The owner's home folder, written ``~``; empty leaves paths as they are.
        is_paused_at: Whether collection was paused at a moment; such an event is dropped, however
            late it comes. None: it never was.
    """

    def __init__(
        self,
        redactor: Redactor,
        exclusions: Exclusions,
        home: str,
        is_paused_at: Callable[[int], bool] | None = None,
    ) -> None:
        self._is_paused_at = is_paused_at or (lambda _: False)
        self._redactor = redactor
        self._exclusions = exclusions
        self._home = home

    def apply(self, events: Iterable[Event]) -> FilteredEvent:
        """The records of the events that may be stored."""
        records: list[bytes] = []
        dropped = 0
        for event in events:
            if self._is_paused_at(event.ts_us) or self._exclusions.covers(event):
                dropped += 1
            else:
                records.append(encode_record(self._redactor.redact(self._at_home(event))))
        return FilteredEvent(tuple(records), dropped)

    def exclude(self, exclusions: Exclusions) -> None:
        """Follow these rules from the next event on."""
        self._exclusions = exclusions

    def allows_name(self, source: str) -> bool:
        """Whether the name of a source holds no secret; it is kept as a key and shown as a
        label.
        """
        return self._redactor.redact(Event(0, source, "batch")).source == source

    def _at_home(self, event: Event) -> Event:
        if not self._home:
            return event
        data = {key: self._tilde(value) for key, value in event.data.items()}
        return replace(event, subject=write_home(event.subject, self._home), data=data)

    def _tilde(self, value: Json) -> Json:
        if isinstance(value, str):
            return write_home(value, self._home)
        if isinstance(value, list):
            return [self._tilde(item) for item in value]
        if isinstance(value, dict):
            return {key: self._tilde(item) for key, item in value.items()}
        return value
