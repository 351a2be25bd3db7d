"""Sections of sources that keep something below the state root, with the folders they mean."""

from selflow.core.paths import Root
from selflow.core.section import Section
from selflow.core.settings import DataSource
from selflow.core.source_settings import (
    BrowserHistorySource,
    CalendarSource,
    DocumentsSource,
    GitActivitySource,
)

_NEVER_US = 2**63 - 1


class RootedSection(Section):
    """A section with the folders that its source uses."""

    positions: str
    """How far it has read."""
    copies: str
    """For copies of what it reads."""
    consent_us: int = _NEVER_US
    """Since when the owner's consent stands: nothing is read before a set of sources has said
    it."""


class BrowserHistoryAt(BrowserHistorySource, RootedSection):
    """The section of browser histories with its folders."""


class CalendarAt(CalendarSource, RootedSection):
    """The section of calendars with its folders."""


class DocumentsAt(DocumentsSource, RootedSection):
    """The section of documents with its folders."""


class GitActivityAt(GitActivitySource, RootedSection):
    """The section of git's acts with its folders."""


ROOTED = (BrowserHistoryAt, CalendarAt, DocumentsAt, GitActivityAt)


def with_folders(section: DataSource, root: Root) -> DataSource:
    """The section, with its folders if its source keeps something."""
    folders = {"positions": str(root.positions), "copies": str(root.source_copies)}
    if isinstance(section, BrowserHistorySource):
        return BrowserHistoryAt(**section.model_dump(), **folders)
    if isinstance(section, CalendarSource):
        return CalendarAt(**section.model_dump(), **folders)
    if isinstance(section, DocumentsSource):
        return DocumentsAt(**section.model_dump(), **folders)
    if isinstance(section, GitActivitySource):
        return GitActivityAt(**section.model_dump(), **folders)
    return section
