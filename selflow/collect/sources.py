"""Where the collector's own events come from: the contract of a source, and the door by which all
come in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from selflow.core.clock import Clock
from selflow.core.errors import ConfigError
from selflow.core.events import Event
from selflow.core.health import State
from selflow.core.plugins import installed, load

GROUP = "selflow.sources"


class Emit(Protocol):
    """Takes events from a source, from any thread; does not raise."""

    def __call__(self, events: Sequence[Event], batch_id: int | None = None) -> bool:
        """Without a number the events are held for the source, and it does not block for long.

        A source that can tell its events again gives a number that stands for these events for
        good: True means that they are durable, stored now or under the same number before; False
        that the source keeps them and asks again with the same number.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What a source says of itself. ``problems`` name paths and next steps, never an event's
    content.
    """

    name: str
    state: State
    events: int
    problems: tuple[str, ...] = ()


class Source(Protocol):
    """Emits events between ``start`` and ``stop``."""

    def start(self, emit: Emit) -> None:
        """Begin; returns at once. What cannot be read becomes a problem in ``health``; the rest
        goes on.
        """
        ...

    def stop(self) -> None:
        """End; emits what is still held back and then nothing more. May be called twice, or without
        a start.
        """
        ...

    def health(self) -> SourceHealth:
        """The present state; for any thread."""
        ...


class Section(Protocol):
    """An entry of ``data_sources``: its ``type`` is the name of the entry point."""

    @property
    def type(self) -> str:
        """Which source this configures."""
        ...


def make_source(section: Section, clock: Clock, home: str) -> Source:
    """The source that a section of the settings asks for, not yet started.

    Args:
        section: An entry of ``data_sources``.
        clock: For times and waits.
        home: The owner's home folder.

    Raises:
        ConfigError: If no source of that name is installed, or more than one, or its module cannot
            be imported.
    """
    by_name = installed(GROUP)
    if section.type not in by_name:
        raise ConfigError(
            f"data_sources: unknown source {section.type}",
            f"installed: {', '.join(sorted(by_name)) or 'none'}",
        )
    factory = cast("Callable[[Section, Clock, str], Source]", load(by_name[section.type], "source"))
    return factory(section, clock, home)
