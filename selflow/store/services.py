"""What runs now: each service as the supervisor saw it, and facts about the session."""

from dataclasses import asdict

import sqlalchemy as sa

from selflow.core.events import Json
from selflow.core.health import Health, State
from selflow.store.database import Database
from selflow.store.records import Service
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
    """Key and value: how Ray was started or attached, warnings, and what else the session must
    tell.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: str, value: Json, now_us: int) -> None:
        """Keep a fact; the one before it under this key is gone."""
        values = {"value": value, "at_us": now_us}
        with self._database.write() as connection:
            changed = connection.execute(
                session.update().where(session.c.key == key).values(values)
            )
            if changed.rowcount == 0:
                connection.execute(session.insert().values(key=key, **values))

    def get_all(self) -> dict[str, Json]:
        """Every fact by its key."""
        with self._database.read() as connection:
            return {
                row.key: row.value
                for row in connection.execute(sa.select(session).order_by(session.c.key))
            }

    def clear(self) -> None:
        """Forget every fact and service: a new session begins."""
        with self._database.write() as connection:
            connection.execute(session.delete())
            connection.execute(services.delete())
