"""Which artifact predicts, what it was made from, and what served before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database
from selflow.store.records import Artifact, Parent, Predictor
from selflow.store.rows import find, put
from selflow.store.tables import artifacts, lineage


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
        made = Predictor(
            new_id("prd"), artifact.sha256, upto_seq, now_us, "champion", dict(metrics)
        )
        with self._database.write() as connection:
            keep_artifact(connection, artifact, parents, now_us)
            for before in find(connection, Predictor, status="champion"):
                put(connection, replace(before, status="superseded"))
            return put(connection, made)

    def champion(self) -> Predictor | None:
        """The predictor that serves; None before the first."""
        return next(iter(self._database.records(Predictor, status="champion")), None)

    def parents(self, sha256: str) -> list[Parent]:
        """What an artifact was made from."""
        chosen = (
            sa.select(lineage)
            .where(lineage.c.child == sha256)
            .order_by(lineage.c.first_seq, lineage.c.parent_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(chosen)
            return [
                Parent(row.parent_kind, row.parent_id, row.first_seq, row.last_seq) for row in rows
            ]


def keep_artifact(
    connection: Connection, artifact: Artifact, parents: Sequence[Parent], now_us: int
) -> None:
    """Add the artifact and those parents that are not known yet: the same content may be made
    twice.
    """
    known = connection.execute(
        sa.select(artifacts.c.sha256).where(artifacts.c.sha256 == artifact.sha256)
    ).first()
    if known is None:
        connection.execute(
            artifacts.insert().values(
                sha256=artifact.sha256,
                kind=artifact.kind,
                size_bytes=artifact.size_bytes,
                created_at_us=now_us,
                meta=dict(artifact.meta),
            )
        )
    rows = connection.execute(sa.select(lineage).where(lineage.c.child == artifact.sha256))
    before = {Parent(row.parent_kind, row.parent_id, row.first_seq, row.last_seq) for row in rows}
    for parent in dict.fromkeys(parents):
        if parent not in before:
            connection.execute(
                lineage.insert().values(
                    child=artifact.sha256,
                    parent_kind=parent.kind,
                    parent_id=parent.id,
                    first_seq=parent.first_seq,
                    last_seq=parent.last_seq,
                )
            )
