"""Carries out what the owner asked for in the console. Imports no Ray."""

import shutil
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any

from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, UsageError
from selflow.core.paths import Root, private_folder
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.command_records import Action, Command
from selflow.store.pattern_records import Pattern
from selflow.store.reading import CatalogReader
from selflow.store.views import alive_patterns
from serve.ratings import OUTCOME

LOOK_S = 0.5
"""Between two looks for commands: what is asked for in the page happens within a second."""
COMPANION = "shell_companion"


class CommandRunner:
    """Takes one command after the other. For one thread."""

    def __init__(
        self, root: Root, catalog: Catalog, clock: Clock, forget: Callable[[Command], None]
    ) -> None:
        self._root = root
        self._forget = forget
        self._catalog = catalog
        self._clock = clock
        self._is_new = True

    def run(self, stop: Event) -> None:
        """Carry out what comes until ``stop``; a catalog that is away is asked again."""
        while not self._clock.wait(stop, LOOK_S):
            try:
                self.once()
            except SelFlowError:
                continue  # the supervisor's rounds meet the same catalog, and say so

    def once(self) -> None:
        """Carry out every command that waits.

        One that a supervisor which is gone had begun has failed: nobody knows how far it came. A
        deletion alone goes on: each of its stages may be done again.

        Raises:
            StoreError: The catalog is unavailable.
        """
        for command in self._catalog.commands.open():
            if command.state == "queued" or (self._is_new and command.action == "events.forget"):
                self._carry_out(command)
            elif self._is_new:
                error = "the supervisor ended while it was at work: look, then ask again"
                self._catalog.commands.finish(command.id, error, self._clock.now_us())
        self._is_new = False

    def _carry_out(self, command: Command) -> None:
        self._catalog.commands.accept(command.id, self._clock.now_us())
        try:
            self._acts()[command.action](command)
            error = ""
        except SelFlowError as refused:
            error = str(refused)
        self._catalog.commands.finish(command.id, error, self._clock.now_us())

    def _acts(self) -> Mapping[Action, Callable[[Command], object]]:
        catalog, now_us = self._catalog, self._clock.now_us()
        return {
            "learn.start": lambda _: catalog.cycles.request("owner", now_us),
            "learn.cancel": lambda it: catalog.cycles.cancel(it.subject, now_us),
            "agent.promote": lambda it: catalog.agents.promote(it.subject, now_us, it.actor),
            "agent.rollback": lambda it: catalog.agents.rollback(it.subject, now_us, it.actor),
            "agent.retire": lambda it: catalog.agents.retire(
                it.subject, now_us, it.actor, "by command"
            ),
            "model.delete": self._delete,
            "pattern.edit": self._edit,
            "pattern.merge": self._merge,
            "pattern.unmerge": lambda it: catalog.patterns.unmerge(it.subject),
            "source.grant": self._grant,
            "source.revoke": self._revoke,
            "events.forget": self._forget,
            "decision.rate": self._rate,
        }

    def _delete(self, command: Command) -> None:
        """A version, by its NAME@VERSION, or a base, by its hash."""
        agents, now_us = self._catalog.agents, self._clock.now_us()
        delete = agents.delete if "@" in command.subject else agents.delete_base
        for sha256 in delete(command.subject, now_us, command.actor):
            ArtifactStore(self._root.artifacts).remove(sha256)

    def _rate(self, command: Command) -> None:
        """A thumb, and what was right as an outcome: both are learned like any feedback."""
        said, now_us = command.details, self._clock.now_us()
        record = self._catalog.feedback.record
        record(command.subject, "thumb", said["thumb"], {}, now_us, command.id)
        if OUTCOME in said:
            key = f"{command.id}/{OUTCOME}"
            record(command.subject, OUTCOME, said[OUTCOME], {}, now_us, key)

    def _edit(self, command: Command) -> None:
        given: Mapping[str, Any] = command.details
        self._catalog.patterns.edit(
            self._pattern(command.subject).id,
            title=given.get("title"),
            is_hidden=given.get("is_hidden"),
        )

    def _merge(self, command: Command) -> None:
        into, title = str(command.details["into"]), command.details.get("title")
        self._pattern(command.subject)
        self._pattern(into)
        self._catalog.patterns.merge(command.subject, into, None if title is None else str(title))

    def _pattern(self, name: str) -> Pattern:
        for pattern in alive_patterns(CatalogReader(catalog_of_session(self._root))):
            if pattern.name == name:
                return pattern
        raise UsageError("no current pattern has this name", "GET /api/patterns lists them")

    def _grant(self, command: Command) -> None:
        """Give a consent again that was given before, with the folders of that time."""
        for consent in self._catalog.consents.list_all():
            if consent.source == command.subject:
                self._catalog.consents.grant(
                    consent.source, consent.details, self._clock.now_us(), command.actor
                )
                if consent.source == COMPANION:  # its hooks write where this folder is
                    private_folder(self._root.shell_spool)
                return
        raise UsageError("this kind was never allowed", "allow it with: selflow init")

    def _revoke(self, command: Command) -> None:
        if not self._catalog.consents.revoke(command.subject, self._clock.now_us(), command.actor):
            raise UsageError("this kind is not allowed", "selflow init --list shows the consents")
        if command.subject == COMPANION:
            shutil.rmtree(self._root.shell_spool, ignore_errors=True)
