"""Commands of the console, for the supervisor that carries them out."""

from dataclasses import replace

from selflow.store.command_records import Command
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
