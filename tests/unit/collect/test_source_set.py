"""Consent decides which sources run."""

from collections.abc import Sequence

from selflow.collect.source_set import SourceSet
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.events import Event


class Bell:
    """A source that rings once when it starts."""

    def __init__(self) -> None:
        self.is_running = False

    def start(self, emit: Emit) -> None:
        self.is_running = True
        emit([Event(1, "bell", "rung")])

    def stop(self) -> None:
        self.is_running = False

    def health(self) -> SourceHealth:
        return SourceHealth("bell", "ok", 1)


def test_a_source_without_consent_is_not_even_made() -> None:
    made: list[Bell] = []
    heard: list[Event] = []
    sources = SourceSet({"bell": lambda: made.append(Bell()) or made[-1]}, heard.extend)

    sources.settle(lambda _: False)

    assert (made, heard, sources.health()) == ([], [], [])


def test_consent_starts_a_source_once_and_its_end_stops_it() -> None:
    made: list[Bell] = []
    heard: list[Event] = []
    sources = SourceSet({"bell": lambda: made.append(Bell()) or made[-1]}, heard.extend)

    sources.settle(lambda kind: kind == "bell")
    sources.settle(lambda kind: kind == "bell")
    was_running = made[0].is_running
    sources.settle(lambda _: False)

    assert len(made) == len(heard) == 1
    assert was_running
    assert not made[0].is_running


def test_two_sources_of_one_kind_share_a_consent() -> None:
    asked: list[str] = []

    def allows(kind: str) -> bool:
        asked.append(kind)
        return True

    def ignore(events: Sequence[Event]) -> None:
        del events

    sources = SourceSet({"bell": Bell, "bell#2": Bell}, ignore)
    sources.settle(allows)
    running = len(sources.health())
    sources.stop()

    assert asked == ["bell", "bell"]
    assert (running, sources.health()) == (2, [])
