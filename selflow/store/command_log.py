"""Commands of the console, for the supervisor that carries them out."""

from collections.abc import Mapping
from dataclasses import replace

from selflow.core.events import Json
from selflow.store.audit import chain
from selflow.store.command_records import Action, Command
from selflow.store.database import Database, find, put


class Commands:
    """One row per command; the console adds them (``row_writer``), the supervisor ends them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self) -> list[Command]:
        """What waits or was begun, oldest first."""
        return self._database.records(Command, state=("queued", "accepted"))

    def accept(self, command_id: str, now_us: int) -> Command:
        """The supervisor has taken it."""
        with self._database.write() as connection:
            (command,) = find(connection, Command, id=command_id)
            return put(connection, replace(command, state="accepted", accepted_at_us=now_us))

    def finish(self, command_id: str, error: str, now_us: int) -> Command:
        """It is done, or has failed for this reason."""
        with self._database.write() as connection:
            (command,) = find(connection, Command, id=command_id)
            ended = replace(command, error=error, finished_at_us=now_us)
            return put(connection, replace(ended, state="failed" if error else "done"))

    def add(self, command: Command) -> Command:
        """Ask for an act, with its audit entry; the console's own way is ``row_writer``."""
        with self._database.write() as connection:
            put(connection, command)
            chain(
                connection,
                command.requested_at_us,
                command.actor,
                f"command.{command.action}",
                command.subject,
                {"id": command.id},
            )
        return command

    def find(self, command_id: str) -> Command | None:
        """The command of an id."""
        return next(iter(self._database.records(Command, id=command_id)), None)

    def note(self, command_id: str, details: Mapping[str, Json]) -> None:
        """Write down how far it is."""
        with self._database.write() as connection:
            (command,) = find(connection, Command, id=command_id)
            put(connection, replace(command, details=details))

    def failed(self, action: Action) -> list[Command]:
        """Those of an action that failed, oldest first."""
        return self._database.records(Command, action=action, state="failed")

    def retry(self, command_id: str) -> Command:
        """Let a command that failed wait again, with what it knows of its first attempt."""
        with self._database.write() as connection:
            (command,) = find(connection, Command, id=command_id)
            return put(connection, command.again())
