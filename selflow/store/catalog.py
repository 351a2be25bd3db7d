"""The catalog: all that SelFlow knows besides the events themselves, one small object per
subject.
"""

from typing import Self

from selflow.core.catalog_location import CatalogLocation
from selflow.core.errors import StoreError
from selflow.store.agents import Agents, Verdicts
from selflow.store.audit import AuditLog
from selflow.store.behaviour import BehaviourChanges
from selflow.store.command_log import Commands
from selflow.store.consents import Consents
from selflow.store.cycles import Cycles
from selflow.store.database import Database
from selflow.store.decisions import Decisions, FeedbackLog, Routing
from selflow.store.forgotten import Forgotten
from selflow.store.imports import Imports
from selflow.store.learned import Bases, Patterns, Trials
from selflow.store.predictors import Predictors
from selflow.store.services import Facts, Services
from selflow.store.tokens import Tokens


class Catalog:
    """An open catalog of this program's schema. Safe for threads and for several processes."""

    def __init__(self, database: Database) -> None:
        """Wrap an open database whose schema is this program's; ``open`` sees to both."""
        self._database = database
        self.consents = Consents(database)
        self.tokens = Tokens(database)
        self.services = Services(database)
        self.facts = Facts(database)
        self.predictors = Predictors(database)
        self.decisions = Decisions(database)
        self.feedback = FeedbackLog(database)
        self.imports = Imports(database)
        self.audit = AuditLog(database)
        self.cycles = Cycles(database)
        self.patterns = Patterns(database)
        self.behaviour = BehaviourChanges(database)
        self.bases = Bases(database)
        self.trials = Trials(database)
        self.verdicts = Verdicts(database)
        self.agents = Agents(database)
        self.routing = Routing(database)
        self.commands = Commands(database)
        self.forgotten = Forgotten(database)

    @classmethod
    def open(cls, location: CatalogLocation) -> Self:
        """Open the catalog and bring it to this program's schema; a missing one is made.

        Raises:
            ConfigError: Its driver is not installed. StoreError: Written by another version, no
            catalog, locked, or not ours to read.
        """
        database = Database(location)
        try:
            database.migrate()
        except StoreError:
            database.close()
            raise
        return cls(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._database.close()
