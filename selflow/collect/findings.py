"""What of this machine our sources could read. Only counts are taken, and nothing is kept."""

import os
from collections.abc import Iterator
from pathlib import Path

from selflow.collect.browser.history import open_history
from selflow.collect.browser.profiles import find_profiles
from selflow.collect.calendar_source import calendar_files
from selflow.collect.confined.document_file import kind_of
from selflow.collect.files import FileFilter
from selflow.collect.shell_source import HISTORIES
from selflow.core.errors import StoreError
from selflow.core.findings import Finding

_CALENDARS = ("Calendars", ".calendars", ".local/share/evolution/calendar")
_DOCUMENTS = ("Documents", "Papers")
_MAX_FOLDERS = 20_000
"""That are looked into for repositories and documents; seconds on a slow disk."""
_MAX_DEPTH = 4
_MAX_CALENDAR_BYTES = 20_000_000


def find_sources(home: Path, copies: Path) -> Iterator[Finding]:
    """Everything that is found below the home folder.

    Args:
        home: The owner's home folder.
        copies: A private folder for the copies that are counted in.
    """
    yield from _histories(home)
    yield from _browsers(home, copies)
    yield from _calendars(home)
    yield from _documents(home)
    yield from _repositories(home)


def _histories(home: Path) -> Iterator[Finding]:
    for name in HISTORIES:
        path = home / name
        try:
            lines = path.read_bytes().count(b"\n")
        except OSError:  # there is none, or it is not to be read
            continue
        yield Finding(
            "shell_history", f"~/{name}", lines, "lines", f"selflow import shell ~/{name}"
        )


def _browsers(home: Path, copies: Path) -> Iterator[Finding]:
    for profile in find_profiles(home):
        location = f"{profile.browser}, ~/{profile.database.parent.relative_to(home)}"
        try:
            with open_history(profile.database, profile.family, copies) as history:
                yield Finding("browser_history", location, history.count(), "visits")
        except (OSError, StoreError):
            yield Finding("browser_history", f"{location} (not readable)", 0, "visits")


def _calendars(home: Path) -> Iterator[Finding]:
    for name in _CALENDARS:
        files = calendar_files((str(home / name),), str(home)) if (home / name).is_dir() else []
        count = 0
        for path in files:
            if path.is_file() and path.stat().st_size <= _MAX_CALENDAR_BYTES:
                count += path.read_bytes().count(b"BEGIN:VEVENT")
        if count:
            yield Finding("calendar", f"~/{name}", count, "entries")


def _documents(home: Path) -> Iterator[Finding]:
    for name in _DOCUMENTS:
        count = sum(
            bool(kind_of(file_name))
            for _, names in _folders(home / name, home, _MAX_FOLDERS)
            for file_name in names
        )
        if count:
            yield Finding("documents", f"~/{name}", count, "documents")


def _repositories(home: Path) -> Iterator[Finding]:
    for folder, names in _folders(home, home, _MAX_DEPTH):
        log = Path(folder, ".git/logs/HEAD")
        if ".git" not in names and not log.is_file():
            continue
        try:
            acts = log.read_bytes().count(b"\n")
        except OSError:  # a repository without a log
            acts = 0
        location = f"~/{Path(folder).relative_to(home)}"
        yield Finding("git_commits", location, acts, "acts", f"selflow import git {location}")


def _folders(root: Path, home: Path, max_depth: int) -> Iterator[tuple[str, list[str]]]:
    """Folders and the files in them, without noise and what is hidden."""
    filtering = FileFilter(str(root), (), (), str(home))
    for number, (folder, below, names) in enumerate(os.walk(root)):
        if number > _MAX_FOLDERS:
            return
        is_deep = len(Path(folder).relative_to(root).parts) >= max_depth
        below[:] = (
            []
            if is_deep
            else [
                name
                for name in sorted(below)
                if not name.startswith(".") and not filtering.skips_folder(f"{folder}/{name}")
            ]
        )
        yield folder, names
