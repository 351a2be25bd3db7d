"""What runs now: each service as the supervisor saw it, and facts about the session."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from selflow.core.health import Health, State
from selflow.core.ingest_counts import IngestCounts
from selflow.core.session_files import ProcessRecord
from selflow.store.database import Database, find, put
from selflow.store.records import Fact, Service
from selflow.store.schema import TABLES
from selflow.store.session_facts import SessionFacts


class Services:
    """One row per service; only the supervisor writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, health: Health, restarts: int, now_us: int) -> None:
        """Keep what a service just said of itself."""
        with self._database.write() as connection:
            put(connection, Service(**asdict(health), restarts=restarts, seen_at_us=now_us))

    def mark(self, name: str, state: State, now_us: int) -> bool:
        """Change the state of a service that said nothing; False if it was never seen."""
        with self._database.write() as connection:
            for seen in find(connection, Service, name=name):
                put(connection, replace(seen, state=state, seen_at_us=now_us))
                return True
        return False

    def list_all(self) -> list[Service]:
        """Every service that was ever seen, by name."""
        return self._database.records(Service)


class Facts:
    """What the session says of itself: ``session_facts.SessionFacts``, a key per field."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, facts: SessionFacts, now_us: int) -> None:
        """Record a new session; facts and services of the one before are forgotten."""
        with self._database.write() as connection:
            connection.execute(TABLES[Fact].delete())
            connection.execute(TABLES[Service].delete())
            for name, value in facts.to_json().items():
                put(connection, Fact(name, value, now_us))

    def set_processes(self, processes: Sequence[ProcessRecord], now_us: int) -> None:
        """Record the processes that run now."""
        with self._database.write() as connection:
            put(connection, Fact("processes", [asdict(process) for process in processes], now_us))

    def set_ingested(self, counts: IngestCounts, now_us: int) -> None:
        """Record what became of the events that reached the collector."""
        with self._database.write() as connection:
            put(connection, Fact("ingested", asdict(counts), now_us))

    def read(self) -> SessionFacts:
        """What is recorded now."""
        facts = self._database.records(Fact)
        return SessionFacts.from_json({fact.name: fact.value for fact in facts})
