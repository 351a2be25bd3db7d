"""What cycles found and made on the way to agents: patterns, the base under all agents, trials of
searches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database, find, put
from selflow.store.records import Base, Cycle, Pattern, Stage, Trial
from selflow.store.schema import TABLES

_MEASURED = (
    "windows",
    "events",
    "days",
    "steps",
    "share",
    "agreement",
    "families",
    "grade",
    "reason",
    "terms",
    "hours",
    "medoids",
)
_TRIED = ("config", "state", "tune_bits", "seconds", "error")


class Patterns:
    """Patterns; a name is one pattern for life."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, cycle_id: str, patterns: Sequence[Mapping[str, Any]], now_us: int
    ) -> dict[str, str]:
        """Keep what a cycle found, and return the ids by name; a living pattern that it did not
        find is absent.

        Args:
            cycle_id: The cycle.
            patterns: Each with its ``name`` and the keys of ``_MEASURED``; others are left out.
            now_us: When.

        Raises:
            StoreError: Two have the same name.
        """
        if len({item["name"] for item in patterns}) < len(patterns):
            raise StoreError(
                f"two of {len(patterns)} patterns have the same name",
                "give each pattern its own name",
            )
        with self._database.write() as connection:
            known = {item.name: item for item in find(connection, Pattern)}
            for item in known.values():
                put(connection, replace(item, state="absent"))
            ids = {}
            for seen in patterns:
                before = known.get(seen["name"])
                pattern_id, since_us = (
                    (before.id, before.created_at_us) if before else (new_id("pat"), now_us)
                )
                values = {key: seen[key] for key in _MEASURED}
                if before is not None:  # what its owner made of it stays
                    values |= {"title": before.title, "is_hidden": before.is_hidden}
                put(
                    connection,
                    Pattern(pattern_id, seen["name"], "alive", cycle_id, since_us, **values),
                )
                ids[seen["name"]] = pattern_id
            return ids

    def edit(
        self, pattern_id: str, *, title: str | None = None, is_hidden: bool | None = None
    ) -> Pattern:
        """The owner's title for a pattern, and whether it is hidden; None leaves it as it is."""
        with self._database.write() as connection:
            (pattern,) = find(connection, Pattern, id=pattern_id)
            return put(
                connection,
                replace(
                    pattern,
                    title=pattern.title if title is None else title,
                    is_hidden=pattern.is_hidden if is_hidden is None else is_hidden,
                ),
            )

    def hidden(self) -> set[str]:
        """Names of the patterns that their owner has hidden."""
        return {item.name for item in self._database.records(Pattern, is_hidden=True)}

    def found_before(self, cycle_id: str) -> list[Any]:
        """The patterns that the newest finished discovery of another cycle found, as it journalled
        them.
        """
        done = [
            stage
            for stage in self._database.records(Stage, name="discover")
            if stage.finished_at_us
        ]
        others = [stage for stage in done if stage.cycle_id != cycle_id]
        newest: Any = max(others, key=lambda stage: stage.started_at_us).result if others else {}
        return list(newest.get("patterns", []))

    def absences(self) -> dict[str, int]:
        """By its id, in how many finished discoveries each absent pattern was not found, since it
        was last.
        """
        done = sorted(
            (
                item
                for item in self._database.records(Stage, name="discover")
                if item.finished_at_us
            ),
            key=lambda item: item.started_at_us,
        )
        order = [item.cycle_id for item in done]
        return {
            item.id: len(order) - 1 - order.index(item.cycle_id)
            for item in self._database.records(Pattern, state="absent")
            if item.cycle_id in order
        }


class Bases:
    """The language models that agents stood on; one is current."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def adopt(self, sha256: str, name: str, cycle_id: str, now_us: int) -> Base:
        """Make a base the current one; its artifact is in the catalog since its stage was done."""
        with self._database.write() as connection:
            for base in find(connection, Base, is_current=True):
                put(connection, replace(base, is_current=False))
            return put(connection, Base(sha256, name, cycle_id, now_us))

    def current(self) -> Base | None:
        """The base that agents are grown on; None before the first."""
        return next(iter(self._database.records(Base, is_current=True)), None)


class Trials:
    """Configurations that searches tried."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, cycle_id: str, agent: str, trials: Sequence[Mapping[str, Any]]) -> None:
        """Keep one search, each trial with ``config``, ``state``, ``tune_bits``, ``seconds`` and
        ``error``.

        Recorded again, it replaces itself.
        """
        with self._database.write() as connection:
            table = TABLES[Trial]
            connection.execute(
                table.delete().where(table.c.cycle_id == cycle_id, table.c.agent == agent)
            )
            for index, item in enumerate(trials):
                values = {key: item[key] for key in _TRIED}
                put(connection, Trial(f"{cycle_id}/{agent}/{index:03}", cycle_id, agent, **values))

    def winners(self, agent: str) -> list[Mapping[str, Json]]:
        """The configuration that won the last search for an agent; empty if none ever finished a
        trial.
        """
        tried, cycles = TABLES[Trial], TABLES[Cycle]
        finished = (tried.c.agent == agent) & (tried.c.state == "finished")
        newest = sa.select(tried.c.config).join(cycles).where(finished)
        best = newest.order_by(cycles.c.requested_at_us.desc(), tried.c.tune_bits).limit(1)
        with self._database.read() as connection:
            return list(connection.execute(best).scalars())
