"""Takes out of the catalog what was learned from deleted events, and the words that only they
held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.events import Json
from selflow.store.audit import chain
from selflow.store.command_records import Command
from selflow.store.database import Database, find, put
from selflow.store.lineage import Affected
from selflow.store.pattern_records import BehaviourChange, Pattern
from selflow.store.records import Base, Decision, Feedback
from selflow.store.schema import TABLES

Holds = Callable[[Json], bool]
"""Whether a value holds a word that is to go."""


class Forgotten:
    """Lets go of models and words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def release_models(self, affected: Affected, now_us: int, actor: str) -> None:
        """No version, predictor, base or discovery that was made from deleted events serves any
        more, or may serve again; what the gate said of them stays. One transaction.
        """
        with self._database.write() as connection:
            for version in affected.versions:
                put(connection, replace(version, status="forgotten"))
                details: dict[str, Json] = {"from": version.id, "reason": "its data was deleted"}
                chain(connection, now_us, actor, "agent.retire", version.agent, details)
            for predictor in affected.predictors:
                put(connection, replace(predictor, status="superseded"))
            for base in find(connection, Base, is_current=True):
                if base.sha256 in affected.artifacts:
                    put(connection, replace(base, is_current=False))
            for stage in affected.stages:
                put(connection, replace(stage, sha256=None))

    def blank(self, holds: Holds, since_us: int) -> dict[str, int]:
        """Take the words out of patterns, changes of behaviour, corrections, and of decisions since
        the first deleted event with what was said of them. Rows stay, and with them every count,
        propensity and number.

        Returns:
            How many rows of each kind have changed.
        """
        with self._database.write() as connection:
            return {
                "patterns": _blank_patterns(connection, holds),
                "changes": _blank_changes(connection, holds),
                "decisions": _blank_decisions(connection, holds, since_us),
                "feedback": _blank_feedback(connection, holds, since_us),
                "commands": _blank_corrections(connection, holds),
            }

    def write_back(self) -> bool:
        """Empty the database's journal, which keeps what stood in a row before; False if that has
        to wait for somebody who reads it.
        """
        return self._database.empty_journal()


def _blank_patterns(connection: Connection, holds: Holds) -> int:
    changed = 0
    for pattern in find(connection, Pattern):
        after = replace(
            pattern,
            terms=[term for term in pattern.terms if not holds(str(term[0]))],
            medoids=[item for item in pattern.medoids if not holds(item)],
            title="" if holds(pattern.title) else pattern.title,
        )
        if _lengths(after) != _lengths(pattern):
            put(connection, after)
            changed += 1
    return changed


def _lengths(pattern: Pattern) -> tuple[int, int, int]:
    return len(pattern.terms), len(pattern.medoids), len(pattern.title)


def _blank_changes(connection: Connection, holds: Holds) -> int:
    table, changed = TABLES[BehaviourChange], 0
    for change in find(connection, BehaviourChange):
        if any(holds(term) for term in change.terms):
            connection.execute(table.delete().where(table.c.id == change.id))
            changed += 1
    return changed


def _blank_decisions(connection: Connection, holds: Holds, since_us: int) -> int:
    table, changed = TABLES[Decision], 0
    for row in connection.execute(sa.select(table).where(table.c.at_us >= since_us)).all():
        decision = Decision(**row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for a row as a map)
        said: Sequence[Json] = [*decision.predictions, *decision.experts, *(decision.context or ())]
        if any(map(holds, said)):
            put(connection, replace(decision, predictions=[], experts=[], context=None))
            changed += 1
    return changed


def _blank_feedback(connection: Connection, holds: Holds, since_us: int) -> int:
    table, changed = TABLES[Feedback], 0
    for row in connection.execute(sa.select(table).where(table.c.at_us >= since_us)).all():
        feedback = Feedback(**row._mapping)  # noqa: SLF001  (as above)
        tags: Mapping[str, Json] = feedback.tags
        if holds(feedback.value) or holds(dict(tags)):
            put(connection, replace(feedback, value=None, tags={}))
            changed += 1
    return changed


def _blank_corrections(connection: Connection, holds: Holds) -> int:
    """A right answer that the owner gave stands in the act by which it was given, too."""
    changed = 0
    for command in find(connection, Command, action="decision.rate"):
        if holds(dict(command.details)):
            thumb = {"thumb": command.details["thumb"]}
            put(connection, replace(command, details=thumb))
            changed += 1
    return changed
