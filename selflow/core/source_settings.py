"""Settings of sources that are read again and again."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from selflow.core.cron import CronTimes
from selflow.core.section import Section


class PolledSection(Section):
    """A source that is read at intervals, or at times of the day."""

    sample_interval_s: Annotated[float, Field(ge=0.1, le=86_400)] = 60.0
    """Seconds between two reads."""
    schedule: str = ""
    """Times to read at, as in cron (`0 9-17 * * 1-5`, in your time zone), instead of the interval;
    empty means the interval.
    """

    @field_validator("schedule")
    @classmethod
    def _times_come(cls, line: str) -> str:
        if line:
            CronTimes.parse(line)
        return line


class BrowserHistorySource(PolledSection):
    """Visited pages, from the histories of Firefox and of Chromium and its relatives."""

    type: Literal["browser_history"]
    profiles: tuple[str, ...] = ()
    """Profile folders; empty means those that are found in the home folder."""
    exclude_hosts: tuple[str, ...] = ()
    """Never pages of these hosts, globs allowed: `*.bank.example`."""
    store_titles: bool = True
    """Store the titles of the pages too."""
    history_days: Annotated[int, Field(ge=0, le=3_650)] = 0
    """At the first read, take in the visits of this many days before your consent too."""


class ApplicationUsageSource(Section):
    """Which window is in front, and for how long; where that is not available, which programs
    run.
    """

    type: Literal["application_usage"]
    track_window_focus: bool = True
    """Look at the window in front; else only at which programs run."""
    sample_interval_s: Annotated[float, Field(ge=0.1, le=3_600)] = 60.0
    """A window that stays in front is told this often, and programs are looked at."""
    idle_after_s: Annotated[float, Field(ge=1, le=86_400)] = 180.0
    """Without a key, click or movement for so long, nobody is there."""
    store_titles: bool = True
    """Store the titles of windows too; those of private windows of browsers never are."""
    exclude_titles: tuple[str, ...] = ()
    """Never windows with such a title, globs allowed: `*bank*`."""


class CalendarSource(PolledSection):
    """What calendar files say has begun."""

    type: Literal["calendar"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Calendar files (`.ics`), or folders with such files."""
    history_days: Annotated[int, Field(ge=0, le=366)] = 0
    """Take in what began this many days before your consent too."""


class DocumentsSource(PolledSection):
    """The text of documents: PDF, office files, web pages, e-mail files, EPUB and plain text."""

    type: Literal["documents"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders to read, with everything below them."""
    sample_interval_s: Annotated[float, Field(ge=0.1, le=86_400)] = 300.0
    """Seconds between two looks for new versions."""
    include: tuple[str, ...] = ()
    """Only paths that match one of these globs; empty means all."""
    exclude: tuple[str, ...] = ()
    """Never paths that match one of these globs, besides the built-in list."""
    max_characters: Annotated[int, Field(ge=100, le=75_000)] = 18_000
    """How much of a document's text is stored; the rest is left out."""


class GitActivitySource(PolledSection):
    """Commits, checkouts and other acts of git, as its own log of each repository has them."""

    type: Literal["git_activity"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Repositories, or folders with repositories at most four levels down."""
    sample_interval_s: Annotated[float, Field(ge=0.1, le=86_400)] = 5.0
    """Seconds between two looks; one costs a question to the file system for each repository."""


AddedSource = (
    ApplicationUsageSource
    | BrowserHistorySource
    | CalendarSource
    | DocumentsSource
    | GitActivitySource
)
