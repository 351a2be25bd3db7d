"""What a rule of exclusion would have hidden, and what a kind of redaction would have changed,
before it is saved: for the command line and the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selflow.console.event_listing import END_US, EventQuery, newest
from selflow.core.errors import UsageError
from selflow.core.selection import EventSelection
from selflow.core.settings import RedactKind

if TYPE_CHECKING:
    from selflow.core.events import Stored
    from selflow.store.log import LogReader

EXAMINED_EVENTS = 1_000
SHOWN_EVENTS = 20


@dataclass(frozen=True, slots=True)
class RulePreview:
    """Of the newest events those that a rule hides, the first of them as they are stored."""

    examined: int
    hidden: int
    items: "Sequence[Stored]"


def preview_rules(
    log: "LogReader | None", paths: Sequence[str], apps: Sequence[str], home: str
) -> RulePreview:
    """Try rules on the newest ``EXAMINED_EVENTS``.

    Raises:
        UsageError: There is no rule. ConfigError: A pattern is not valid.
    """
    from selflow.collect.selecting import matches_of

    if not paths and not apps:
        raise UsageError("no rule is given", "give a path such as ~/private/ or a program's name")
    matches = matches_of(EventSelection(paths=tuple(paths), apps=tuple(apps)), home)
    events = newest(log, EventQuery(0, END_US), EXAMINED_EVENTS) if log else []
    hidden = [stored for stored in events if matches(stored.event)]
    return RulePreview(len(events), len(hidden), hidden[:SHOWN_EVENTS])


def preview_kinds(log: "LogReader | None", kinds: Sequence[RedactKind]) -> RulePreview:
    """Try kinds of redaction on the newest ``EXAMINED_EVENTS``: those that they would change, as
    they would be stored.
    """
    from selflow.collect.redact import SlotRedactor

    redactor = SlotRedactor(kinds=kinds)
    events = newest(log, EventQuery(0, END_US), EXAMINED_EVENTS) if log else []
    redacted = [replace(stored, event=redactor.redact(stored.event)) for stored in events]
    changed = [after for before, after in zip(events, redacted, strict=True) if after != before]
    return RulePreview(len(events), len(changed), changed[:SHOWN_EVENTS])
