"""What was noticed between two cycles, and by which of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from selflow.store.database import Database, find, put
from selflow.store.pattern_records import BehaviourChange
from selflow.store.records import Cycle, Stage
from selflow.store.schema import TABLES


@dataclass(frozen=True, slots=True)
class Known:
    """The newest finished discovery: its cycle and artifact, and the end of the log that it saw."""

    cycle_id: str
    sha256: str
    upto_seq: int


class BehaviourChanges:
    """New behaviour and drift since the newest discovery."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self) -> Known | None:
        """What changes are measured by; None before the first discovery."""
        stages, cycles = TABLES[Stage], TABLES[Cycle]
        columns = (stages.c.cycle_id, stages.c.sha256, cycles.c.upto_seq)
        query = (
            sa.select(*columns)
            .join(cycles)
            .where(
                stages.c.name == "discover",
                stages.c.finished_at_us.is_not(None),
                stages.c.sha256.is_not(None),
            )
            .order_by(stages.c.started_at_us.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Known(row[0], row[1], row[2] or 0)

    def keep(self, cycle_id: str, changes: Sequence[Mapping[str, Any]], now_us: int) -> None:
        """Keep changes since a cycle: each with kind, started_us, last_us, windows and terms. One
        that is kept already goes on: what is new of it is written, and when it was noticed stays.
        """
        with self._database.write() as connection:
            for change in changes:
                own_id = f"{cycle_id}/{change['kind']}/{change['started_us']}"
                before = find(connection, BehaviourChange, id=own_id)
                noticed_us = before[0].noticed_at_us if before else now_us
                put(
                    connection,
                    BehaviourChange(
                        own_id,
                        cycle_id,
                        change["kind"],
                        change["started_us"],
                        change["last_us"],
                        noticed_us,
                        change["windows"],
                        change["terms"],
                    ),
                )

    def has_drifted(self) -> bool:
        """Whether behaviour has drifted away from what the newest discovery knew."""
        known = self.known()
        return known is not None and any(
            change.kind == "drift"
            for change in self._database.records(BehaviourChange, cycle_id=known.cycle_id)
        )
