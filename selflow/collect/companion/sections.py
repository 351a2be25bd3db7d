"""Sections of ``data_sources`` that depend on the state root, with the folders they mean."""

from collections.abc import Iterator, Sequence

from selflow.core.paths import Root
from selflow.core.settings import DataSource, ShellCompanionSource, ShellHistorySource


class CompanionAt(ShellCompanionSource):
    """The companion's section with its spool."""

    spool: str


class HistoryBeside(ShellHistorySource):
    """The history's section, with what tells which shells the companion records."""

    spool: str
    hooks: str


def at_root(sections: Sequence[DataSource], root: Root) -> Iterator[DataSource]:
    """The sections with the folders below ``root`` that they mean."""
    folders = {"spool": str(root.shell_spool), "hooks": str(root.shell_hooks)}
    for section in sections:
        if isinstance(section, ShellCompanionSource):
            yield CompanionAt(**section.model_dump(), spool=folders["spool"])
        elif isinstance(section, ShellHistorySource):
            yield HistoryBeside(**section.model_dump(), **folders)
        else:
            yield section
