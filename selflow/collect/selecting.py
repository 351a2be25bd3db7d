"""The predicate of a selection: its rules are those of ``normalise``."""

from selflow.collect.normalise import Exclusions, write_home
from selflow.core.events import Event
from selflow.core.selection import EventSelection, Matches


def matches_of(selection: EventSelection, home: str) -> Matches:
    """Whether an event is meant.

    A path is meant wherever it stands in an event: as its subject, among the words of a command
    line, or in ``data``.

    Raises:
        ConfigError: A path pattern is not valid.
    """
    paths, apps = selection.rules
    if not paths and not apps:
        return selection.covers
    rules = Exclusions([write_home(path, home) for path in paths], apps, home)

    def matches(event: Event) -> bool:
        return selection.covers(event) and rules.covers(event)

    return matches
