"""Sections of ``data_sources`` that depend on the state root, with the folders they mean."""

from collections.abc import Iterator, Sequence
from typing import Literal

from selflow.collect.rooted import with_folders
from selflow.core.grants import COMMITS
from selflow.core.paths import Root
from selflow.core.section import Section
from selflow.core.settings import DataSource, ShellCompanionSource, ShellHistorySource

SPOOLED = frozenset({"shell_companion", COMMITS})
"""The kinds of source whose hooks write on the disk, whether the collector runs or not."""


class CompanionAt(ShellCompanionSource):
    """The companion's section with its spool."""

    spool: str


class HistoryBeside(ShellHistorySource):
    """The history's section, with what tells which shells the companion records."""

    spool: str
    hooks: str


class CommitsAt(Section):
    """Commits, from the hooks of ``selflow git install --record``. The consent alone says of which
    repositories: no section of the settings does.
    """

    type: Literal["git_commits"]
    spool: str
    folders: tuple[str, ...] = ()
    """The repositories that the owner's consent names."""
    sample_interval_s: float = 2.0


def commits_at(root: Root) -> CommitsAt:
    """The section of commits."""
    return CommitsAt(type=COMMITS, spool=str(root.commit_spool))


def at_root(sections: Sequence[DataSource], root: Root) -> Iterator[DataSource]:
    """The sections with the folders below ``root`` that they mean."""
    folders = {"spool": str(root.shell_spool), "hooks": str(root.shell_hooks)}
    for section in sections:
        if isinstance(section, ShellCompanionSource):
            yield CompanionAt(**section.model_dump(), spool=folders["spool"])
        elif isinstance(section, ShellHistorySource):
            yield HistoryBeside(**section.model_dump(), **folders)
        else:
            yield with_folders(section, root)
