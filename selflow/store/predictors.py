"""Which artifact predicts, what it was made from, and what served before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy.engine import Connection

from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database, add, find, find_one, put
from selflow.store.records import Artifact, Parent, Predictor


class Predictors:
    """Champions, and the lineage of their artifacts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def promote(
        self,
        artifact: Artifact,
        parents: Sequence[Parent],
        upto_seq: int,
        metrics: Mapping[str, Json],
        now_us: int,
    ) -> Predictor:
        """Make an artifact the champion, in one transaction with its lineage; the champion before
        it steps back.
        """
        predictor = Predictor(
            new_id("prd"), artifact.sha256, upto_seq, now_us, "champion", dict(metrics)
        )
        with self._database.write() as connection:
            keep_artifact(connection, artifact, parents, now_us)
            for before in find(connection, Predictor, status="champion"):
                put(connection, replace(before, status="superseded"))
            return put(connection, predictor)

    def champion(self) -> Predictor | None:
        """The predictor that serves; None before the first."""
        return next(iter(self._database.records(Predictor, status="champion")), None)

    def parents(self, sha256: str) -> list[Parent]:
        """What an artifact was made from."""
        return self._database.records(Parent, child=sha256)


def keep_artifact(
    connection: Connection, artifact: Artifact, parents: Sequence[Parent], now_us: int
) -> None:
    """Add the artifact and those parents that are not known yet: the same content may be made
    twice.
    """
    if find_one(connection, Artifact, sha256=artifact.sha256) is None:
        add(connection, replace(artifact, created_at_us=now_us))
    for parent in parents:
        put(connection, replace(parent, child=artifact.sha256))
