"""What runs now: each service as the supervisor saw it, and facts about the session."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.events import Json
from selflow.core.health import Health, State
from selflow.core.session_files import ProcessRecord
from selflow.store.database import Database
from selflow.store.records import Service, SessionFacts
from selflow.store.tables import services, session


class Services:
    """One row per service; only the supervisor writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, health: Health, restarts: int, now_us: int) -> None:
        """Keep what a service just said of itself."""
        values = {**asdict(health), "restarts": restarts, "seen_at_us": now_us}
        with self._database.write() as connection:
            changed = connection.execute(
                services.update().where(services.c.name == health.name).values(values)
            )
            if changed.rowcount == 0:
                connection.execute(services.insert().values(values))

    def mark(self, name: str, state: State, now_us: int) -> bool:
        """Change the state of a service that said nothing; False if it was never seen."""
        with self._database.write() as connection:
            changed = connection.execute(
                services.update()
                .where(services.c.name == name)
                .values(state=state, seen_at_us=now_us)
            )
            return bool(changed.rowcount)

    def list_all(self) -> list[Service]:
        """Every service that was ever seen, by name."""
        names = [column for column in services.c if column.name not in {"restarts", "seen_at_us"}]
        with self._database.read() as connection:
            return [
                Service(
                    Health(**{column.name: row._mapping[column] for column in names}),  # noqa: SLF001
                    row.restarts,
                    row.seen_at_us,
                )
                for row in connection.execute(sa.select(services).order_by(services.c.name))
            ]


class Facts:
    """What the session says of itself: ``records.SessionFacts``, a key per field."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, facts: SessionFacts, now_us: int) -> None:
        """Record a new session; facts and services of the one before are forgotten."""
        with self._database.write() as connection:
            connection.execute(session.delete())
            connection.execute(services.delete())
            for key, value in facts.to_json().items():
                _put(connection, key, value, now_us)

    def set_serving(self, now_us: int) -> None:
        """From now on the supervisor keeps Ray Serve up."""
        with self._database.write() as connection:
            _put(connection, "is_serving", value=True, now_us=now_us)

    def set_processes(self, processes: Sequence[ProcessRecord], now_us: int) -> None:
        """Record the processes that run now."""
        with self._database.write() as connection:
            _put(connection, "processes", [asdict(each) for each in processes], now_us)

    def read(self) -> SessionFacts:
        """What is recorded now."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(session))
            return SessionFacts.from_json({row.key: row.value for row in rows})


def _put(connection: Connection, key: str, value: Json, now_us: int) -> None:
    values = {"value": value, "at_us": now_us}
    changed = connection.execute(session.update().where(session.c.key == key).values(values))
    if changed.rowcount == 0:
        connection.execute(session.insert().values(key=key, **values))
