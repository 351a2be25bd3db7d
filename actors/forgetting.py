"""Deletions with all that they need. Imports no Ray."""

from pathlib import Path
from typing import Protocol

from selflow.collect.activitywatch.forget import forget_events
from selflow.collect.companion.commits import commit_events
from selflow.collect.companion.records import events_of
from selflow.collect.companion.spool import ShellSpool
from selflow.collect.selecting import matches_of
from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import Clock
from selflow.core.grants import COMMITS
from selflow.core.paths import Root
from selflow.core.selection import EventSelection, Matches
from selflow.store.catalog import Catalog
from selflow.store.command_records import Command
from selflow.store.forgetting import ErasableLog, Forgetting
from selflow.store.reading import CatalogReader

_DRAIN_S = 10.0
_POLL_S = 0.2
_MAX_FUTURE_US = 300_000_000


class RunningSession(Protocol):
    """What a deletion needs of a session that runs."""

    def restart_serving(self) -> None:
        """End what serves with memory of events."""
        ...

    def running_cycle(self) -> str:
        """The cycle whose processes run; empty if none does."""
        ...


class Forgetter:
    """Carries out the commands ``events.forget`` of one root.

    Args:
        root: The root.
        location: Its catalog.
        catalog: The same, open.
        log: Its event log.
        clock: For moments and waits.
        session: What runs; None while nothing does.
    """

    def __init__(
        self,
        root: Root,
        location: CatalogLocation,
        catalog: Catalog,
        log: ErasableLog,
        clock: Clock,
        session: RunningSession | None,
    ) -> None:
        self._root = root
        self._clock = clock
        self._rows = CatalogReader(location)
        drain = self._drain if session else self._filter
        runs = session or _NothingRuns()
        self._forgetting = Forgetting(
            root, catalog, self._rows, log, clock, runs.restart_serving, drain, runs.running_cycle
        )

    def run(self, command: Command) -> None:
        """Delete what a command names.

        Raises:
            StoreError: A stage failed. ConfigError: A path pattern is not valid.
        """
        given = command.details.get("selection")
        selection = EventSelection.from_json(given if isinstance(given, dict) else {})
        selection.require_some()
        self._forgetting.run(command, matches_of(selection, str(Path.home())))

    def _drain(self, matches: Matches) -> int:
        """While a collector runs, what hooks wrote is in the log within seconds: wait for it. What
        watchers sent stays in a store of its own, and is deleted there.
        """
        count = forget_events(self._root.aw, matches)
        spools = [ShellSpool(self._root.shell_spool), ShellSpool(self._root.commit_spool)]
        deadline_s = self._clock.monotonic_s() + _DRAIN_S
        waiting = sum(spool.waiting()[0] for spool in spools)
        left = waiting
        while left and self._clock.monotonic_s() < deadline_s:
            self._clock.sleep(_POLL_S)
            left = sum(spool.waiting()[0] for spool in spools)
        return count + waiting - left

    def _filter(self, matches: Matches) -> int:
        """Without a collector they are taken out where they wait."""
        newest_us = self._clock.now_us() + _MAX_FUTURE_US
        folders = next((one.folders for one in self._rows.consents() if one.source == COMMITS), ())

        def is_command(record: tuple[bytes, ...]) -> bool:
            return any(e and matches(e) for e in events_of([record], newest_us))

        def is_commit(record: tuple[bytes, ...]) -> bool:
            return any(e and matches(e) for e in commit_events([record], newest_us, folders))

        return (
            forget_events(self._root.aw, matches)
            + ShellSpool(self._root.shell_spool).drop(is_command)
            + ShellSpool(self._root.commit_spool).drop(is_commit)
        )


class _NothingRuns:
    """Nothing that could remember."""

    def restart_serving(self) -> None:
        """There is nothing to end."""

    def running_cycle(self) -> str:
        """None."""
        return ""
