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


AddedSource = BrowserHistorySource
