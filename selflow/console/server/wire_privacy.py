"""The API's records of deletions and of rules of exclusion."""

from typing import Annotated

from pydantic import Field

from selflow.console.server.wire_data import EventItem
from selflow.sdk.wire import Answer
from selflow.sdk.wire import Request as Body

Text = Annotated[str, Field(min_length=1, max_length=1_000)]
Rules = Annotated[list[Text], Field(max_length=100)]


class SelectionBody(Body):
    """Which events: those that fulfil all that is given, and at least one thing is. ``paths`` and
    ``apps`` are rules as in ``privacy.exclude_paths``; an event fulfils one of them.
    """

    since: Text | None = None
    until: Text | None = None
    source: Text | None = None
    kind: Text | None = None
    app: Text | None = None
    folder: Text | None = None
    q: Text | None = None
    paths: Rules = Field(default_factory=list)
    apps: Rules = Field(default_factory=list)


class DayCount(Answer):
    """Events of one UTC day."""

    day: str
    events: int


class SourceCount(Answer):
    """Events of one source."""

    source: str
    events: int


class Retrained(Answer):
    """What is learned again from what is left."""

    predictor: bool
    patterns: list[str]


class ForgetPreview(Answer):
    """``POST /api/events/preview-delete``: what would be deleted (``days`` holds the newest of
    ``days_total``), which versions of agents stop serving (``retired``) or cannot be promoted any
    more (``removed``). ``confirm_id`` goes into the header of the second step.
    """

    events: int
    first_at: str | None
    last_at: str | None
    days: list[DayCount]
    days_total: int
    sources: list[SourceCount]
    retired: list[str]
    removed: list[str]
    retrained: Retrained
    confirm_id: str


class RulesBody(Body):
    """Rules of exclusion: path globs as in ``.gitignore``, and names of programs."""

    paths: Rules = Field(default_factory=list)
    apps: Rules = Field(default_factory=list)


class RulesAnswer(Answer):
    """``GET /api/privacy/rules``: all that stand, of every layer of the settings; ``added`` are
    those that were added here.
    """

    paths: list[str]
    apps: list[str]
    added_paths: list[str]
    added_apps: list[str]


class RulesPreview(Answer):
    """``POST /api/privacy/preview``: of the newest ``examined`` events so many would have been
    hidden; ``items`` are the first of them.
    """

    examined: int
    hidden: int
    items: list[EventItem]
