"""What cycles found and made on the way to agents: patterns, the base under all agents, trials of
searches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import sqlalchemy as sa

from selflow.core.errors import StoreError, UsageError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database, find, put
from selflow.store.pattern_records import Pattern, Transition
from selflow.store.records import Base, Cycle, Stage, Trial
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
    "alive_cycles",
    "parts",
)
_TRIED = ("config", "state", "tune_bits", "seconds", "error")


class Patterns:
    """Patterns; a name is one pattern for life."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        cycle_id: str,
        patterns: Sequence[Mapping[str, Any]],
        now_us: int,
        *,
        parts: Sequence[Mapping[str, Any]] = (),
        transitions: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, str]:
        """Keep what a cycle found, and return the ids by name; a living pattern that it did not
        find is absent.

        Args:
            cycle_id: The cycle.
            patterns: Each with its ``name`` and the keys of ``_MEASURED``; others are left out.
            now_us: When.
            parts: Patterns like these that are merged in one of them.
            transitions: What became of the last cycle's, with the fields of ``Transition``.

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
            whole = {item["name"] for item in patterns}
            ids = {}
            for seen in (*(part for part in parts if part["name"] not in whole), *patterns):
                state: Literal["alive", "part"] = "alive" if seen["name"] in whole else "part"
                pattern = _seen(seen, state, cycle_id, known.get(seen["name"]), now_us)
                ids[seen["name"]] = put(connection, pattern).id
            for change in transitions:
                put(connection, Transition(cycle_id, **change))
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

    def merge(self, name: str, into: str, title: str | None) -> Pattern:
        """From the next cycle on, what ``name`` and ``into`` find is one pattern under the name
        ``into``; if that is merged itself, under the name of its own. A ``title`` of None leaves
        it as it is.

        Returns:
            The pattern under whose name they are.

        Raises:
            UsageError: They are one already.
        """
        with self._database.write() as connection:
            known = {item.name: item for item in find(connection, Pattern)}
            roots = _roots(known.values())
            part, whole = known[roots.get(name, name)], known[roots.get(into, into)]
            if part.name == whole.name:
                raise UsageError(
                    f"{name} and {into} are one pattern already", "selflow patterns lists them"
                )
            put(connection, replace(part, merged_into=whole.name))
            title = whole.title if title is None else title
            return put(connection, replace(whole, title=title))

    def unmerge(self, name: str) -> list[Pattern]:
        """Let a pattern be its own from the next cycle on, and each that was merged into it; those
        that were merged until now are returned.
        """
        with self._database.write() as connection:
            merged = [
                item
                for item in find(connection, Pattern)
                if item.merged_into and name in {item.name, item.merged_into}
            ]
            return [
                put(connection, replace(item, merged_into=""))
                for item in sorted(merged, key=lambda item: item.name)
            ]

    def merges(self) -> dict[str, str]:
        """From the name of each pattern that its owner has merged to that which it goes under."""
        return _roots(self._database.records(Pattern))

    def parts(self) -> set[str]:
        """Names of the patterns that the last cycle found as parts of another."""
        return {item.name for item in self._database.records(Pattern, state="part")}

    def words(self) -> dict[str, tuple[tuple[str, float], ...]]:
        """The telling words of every pattern that a cycle ever found, by its name."""
        return {
            item.name: tuple((str(term), float(weight)) for term, weight in item.terms)
            for item in self._database.records(Pattern)
        }

    def last_discovery(self, cycle_id: str) -> Stage | None:
        """The newest finished discovery of another cycle."""
        done = [
            stage
            for stage in self._database.records(Stage, name="discover")
            if stage.finished_at_us and stage.cycle_id != cycle_id
        ]
        return max(done, key=lambda stage: stage.started_at_us, default=None)

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


def _seen(
    measured: Mapping[str, Any],
    state: Literal["alive", "part"],
    cycle_id: str,
    before: Pattern | None,
    now_us: int,
) -> Pattern:
    """A pattern as a cycle found it; what its owner made of it stays."""
    values = {key: measured[key] for key in _MEASURED}
    if before is None:
        return Pattern(new_id("pat"), measured["name"], state, cycle_id, now_us, **values)
    return replace(before, state=state, cycle_id=cycle_id, **values)


def _roots(patterns: Iterable[Pattern]) -> dict[str, str]:
    """From each merged pattern's name to the last one of its chain of merges."""
    into = {item.name: item.merged_into for item in patterns if item.merged_into}
    roots = {}
    for name, target in into.items():
        root = target
        while root in into:
            root = into[root]
        roots[name] = root
    return roots


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
