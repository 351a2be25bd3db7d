"""Which sources run: those that the settings name and the owner's consent allows, now."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from selflow.collect.companion.sections import SPOOLED, CommitsAt
from selflow.collect.files import AllowedFiles, real_path
from selflow.collect.rooted import ROOTED
from selflow.collect.sources import Emit, Section, Source, SourceHealth
from selflow.core.errors import SelFlowError
from selflow.core.settings import FileSource
from selflow.core.source_settings import CalendarSource, DocumentsSource, GitActivitySource


class SourceSet:
    """Starts each source once it is allowed and stops it once it is not. For one thread.

    Args:
        sections: The entries of ``data_sources``.
        make: Makes the source of a section.
        emit: Takes the events.
        home: The owner's home folder.
    """

    def __init__(
        self,
        sections: Sequence[Section],
        make: Callable[[Any], Source],
        emit: Emit,
        home: str,
    ) -> None:
        self._sections = sections
        self._make = make
        self._emit = emit
        self._home = home
        self._running: dict[int, tuple[Section, Source]] = {}

    def settle(
        self,
        granted: Mapping[str, Sequence[str]],
        granted_at_us: Mapping[str, int] = MappingProxyType({}),
    ) -> list[str]:
        """Bring the running sources in line with what is allowed; an empty ``granted`` stops all.

        Args:
            granted: The kinds that are allowed, each with the folders that the consent names.
            granted_at_us: Since when (UTC microseconds), for sources that read what is older.

        Returns:
            A sentence for each source that cannot start or stop. It harms no other, and is tried
            again at the next call.
        """
        problems = []
        for index, section in enumerate(self._sections):
            wanted = permitted(section, granted, self._home)
            if isinstance(wanted, ROOTED):
                since_us = granted_at_us[section.type]
                wanted = wanted.model_copy(update={"consent_us": since_us})
            try:
                self._settle_one(index, wanted)
            except (SelFlowError, OSError) as error:
                problems.append(f"data_sources[{index}] ({section.type}): {error}")
            except Exception as error:  # noqa: BLE001  (a plugin's source may raise anything)
                name = type(error).__name__
                problems.append(f"data_sources[{index}] ({section.type}) failed: {name}")
        return problems

    def fault(self) -> str:
        """Which running sources have ended of themselves; empty if none has."""
        ended = [health.name for health in self.health() if health.state == "dead"]
        return f"sources have ended: {', '.join(ended)}" if ended else ""

    def health(self) -> list[SourceHealth]:
        """What the running sources say."""
        return [source.health() for _, source in list(self._running.values())]

    def _settle_one(self, index: int, wanted: Section | None) -> None:
        if index in self._running and self._running[index][0] != wanted:
            self._running.pop(index)[1].stop()
        if wanted is None or index in self._running:
            return
        source = self._make(wanted)
        try:
            source.start(self._emit)
        except Exception:
            source.stop()  # what of it has started already
            raise
        self._running[index] = wanted, source


def while_paused(granted: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """What runs while collection is paused: the sources that empty what hooks of shells and of git
    write. The filter drops what is dated in the pause, so that none of it waits on the disk.
    """
    return {kind: folders for kind, folders in granted.items() if kind in SPOOLED}


def permitted(section: Section, granted: Mapping[str, Sequence[str]], home: str) -> Section | None:
    """The part of a section that the owner's consent covers; None if there is none.

    Folders are watched only where a consent names them or a folder above them. Of a folder that is
    allowed in part, the allowed folders below it are watched.
    """
    if section.type not in granted:
        return None
    if isinstance(section, CommitsAt):
        return section.model_copy(update={"folders": tuple(granted[section.type])})
    if not isinstance(section, FileSource | CalendarSource | DocumentsSource | GitActivitySource):
        return section
    allowed = _outermost(real_path(folder, home) for folder in granted[section.type])
    parts: dict[str, str] = {}
    for path in section.paths:
        folder = Path(real_path(path, home))
        if any(folder.is_relative_to(root) for root in allowed):
            parts[path] = path
        else:
            parts.update({root: path for root in allowed if Path(root).is_relative_to(folder)})
    if not parts:
        return None
    if not isinstance(section, FileSource):
        return section.model_copy(update={"paths": tuple(parts)})
    values = {**section.model_dump(), "paths": tuple(parts), "glob_roots": tuple(parts.values())}
    return AllowedFiles.model_validate(values)


def _outermost(folders: Iterable[str]) -> list[str]:
    """Those that lie in no other one."""
    outermost: list[str] = []
    for folder in sorted(set(folders)):
        if not any(Path(folder).is_relative_to(outer) for outer in outermost):
            outermost.append(folder)
    return outermost
