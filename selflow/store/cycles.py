"""Learning cycles and the journal of their stages, by which a killed cycle goes on where it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from sqlalchemy.engine import Connection

from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database, find, put
from selflow.store.predictors import keep_artifact
from selflow.store.records import Artifact, Cycle, Parent, Stage

End = Literal["done", "failed", "skipped"]
_OPEN = ("requested", "running")


class Cycles:
    """One cycle is open at a time. Work for one that is no longer open ends with a
    StoreError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def request(self, trigger: Literal["owner", "size", "drift", "schedule"], now_us: int) -> Cycle:
        """Ask for a cycle; if one is open, that one is the answer."""
        with self._database.write() as connection:
            for cycle in find(connection, Cycle, state=_OPEN):
                return cycle
            return put(connection, Cycle(new_id("cyc"), trigger, "requested", now_us))

    def begin(self, cycle_id: str, upto_seq: int, now_us: int) -> Cycle:
        """Start a cycle, or go on with it after a crash: the watermark of the first time stands.

        Raises:
            StoreError: It has ended.
        """
        with self._database.write() as connection:
            cycle = _opened(connection, cycle_id)
            if cycle.started_at_us is None:
                cycle = replace(cycle, state="running", started_at_us=now_us, upto_seq=upto_seq)
            return put(connection, replace(cycle, attempts=cycle.attempts + 1))

    def progress(self, cycle_id: str, stage: str, done_fraction: float, now_us: int) -> None:
        """How far the stage is that is worked on; the first word of a stage begins it.

        Raises:
            StoreError: The cycle has ended, perhaps by the owner's word: stop.
        """
        with self._database.write() as connection:
            put(
                connection,
                replace(_opened(connection, cycle_id), stage=stage, done_fraction=done_fraction),
            )
            if not find(connection, Stage, cycle_id=cycle_id, name=stage):
                put(connection, Stage(cycle_id, stage, now_us, None, None, {}))

    def finish(self, cycle_id: str, state: End, error: str, now_us: int) -> bool:
        """End a cycle; False if it had ended already, and the end of that time stands."""
        return self._end(cycle_id, state, error, now_us)

    def cancel(self, cycle_id: str, now_us: int) -> bool:
        """End a cycle by the owner's word; False if it had ended already."""
        return self._end(cycle_id, "cancelled", "", now_us)

    def open(self) -> Cycle | None:
        """The cycle that is requested or runs."""
        return next(iter(self._database.records(Cycle, state=_OPEN)), None)

    def latest(self, limit_rows: int) -> list[Cycle]:
        """The newest cycles, newest first."""
        return sorted(self._database.records(Cycle), key=lambda cycle: -cycle.requested_at_us)[
            :limit_rows
        ]

    def stage(self, cycle_id: str, name: str) -> Stage | None:
        """What a finished stage left; None while it is not done."""
        return next(
            (
                stage
                for stage in self.stages(cycle_id)
                if stage.name == name and stage.finished_at_us
            ),
            None,
        )

    def stage_done(
        self,
        cycle_id: str,
        name: str,
        artifact: Artifact | None,
        parents: Sequence[Parent],
        result: Mapping[str, Json],
        now_us: int,
    ) -> Stage:
        """Journal a stage together with its artifact and lineage; a stage that was done already
        stays as it was.

        Raises:
            StoreError: The cycle has ended.
        """
        with self._database.write() as connection:
            if artifact is not None:
                keep_artifact(connection, artifact, parents, now_us)
            return journal(
                connection, cycle_id, name, artifact.sha256 if artifact else None, result, now_us
            )

    def stages(self, cycle_id: str) -> list[Stage]:
        """The stages that have begun, in their order."""
        return sorted(
            self._database.records(Stage, cycle_id=cycle_id), key=lambda stage: stage.started_at_us
        )

    def _end(
        self, cycle_id: str, state: End | Literal["cancelled"], error: str, now_us: int
    ) -> bool:
        with self._database.write() as connection:
            for cycle in find(connection, Cycle, id=cycle_id, state=_OPEN):
                put(connection, replace(cycle, state=state, error=error, finished_at_us=now_us))
                return True
        return False


def consumed_seq(cycles: Iterable[Cycle]) -> int:
    """The end of the log that these finished cycles have learned from; 0 if none has."""
    return max((cycle.upto_seq or 0 for cycle in cycles if cycle.state == "done"), default=0)


def last_unconsumed(cycles: Iterable[Cycle]) -> Cycle | None:
    """Of these cycles the last that started and ended without learning, if none has learned
    since.
    """
    ended = [cycle for cycle in cycles if cycle.started_at_us and cycle.finished_at_us]
    last = max(ended, key=lambda cycle: cycle.finished_at_us or 0, default=None)
    return last if last is not None and last.state != "done" else None


def journal(
    connection: Connection,
    cycle_id: str,
    name: str,
    sha256: str | None,
    result: Mapping[str, Json],
    now_us: int,
) -> Stage:
    """Write down that a stage is done, in a transaction that writes already."""
    _opened(connection, cycle_id)
    begun = next(iter(find(connection, Stage, cycle_id=cycle_id, name=name)), None)
    if begun is not None and begun.finished_at_us:
        return begun
    return put(
        connection,
        Stage(cycle_id, name, begun.started_at_us if begun else now_us, now_us, sha256, result),
    )


def _opened(connection: Connection, cycle_id: str) -> Cycle:
    for cycle in find(connection, Cycle, id=cycle_id, state=_OPEN):
        return cycle
    raise StoreError(f"the learning cycle {cycle_id} is not open", "begin one with: selflow learn")
