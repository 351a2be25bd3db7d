"""Runs of importers: how far they came."""

from typing import Literal

import sqlalchemy as sa

from selflow.core.errors import StoreError
from selflow.core.ids import new_id
from selflow.store.database import Database
from selflow.store.records import Import
from selflow.store.tables import imports


class Imports:
    """One row per run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, label: str, path_sha256: str, source: str, now_us: int) -> str:
        """A new run; returns its id."""
        made = new_id("imp")
        with self._database.write() as connection:
            connection.execute(
                imports.insert().values(
                    id=made,
                    label=label,
                    path_sha256=path_sha256,
                    source=source,
                    rows=0,
                    accepted=0,
                    rejected=0,
                    started_at_us=now_us,
                    state="running",
                )
            )
        return made

    def progress(self, import_id: str, rows: int, accepted: int, rejected: int) -> None:
        """How many rows were read, stored and refused so far.

        Raises:
            StoreError: No run of this id is running.
        """
        self._change(import_id, {"rows": rows, "accepted": accepted, "rejected": rejected})

    def finish(self, import_id: str, state: Literal["done", "failed"], now_us: int) -> None:
        """End a run.

        Raises:
            StoreError: No run of this id is running.
        """
        self._change(import_id, {"state": state, "finished_at_us": now_us})

    def list_all(self) -> list[Import]:
        """Every run, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(imports).order_by(imports.c.started_at_us, imports.c.id))
            return [Import(**row._mapping) for row in rows]  # noqa: SLF001

    def _change(self, import_id: str, values: dict[str, int | str]) -> None:
        running = (imports.c.id == import_id) & (imports.c.state == "running")
        with self._database.write() as connection:
            if connection.execute(imports.update().where(running).values(values)).rowcount == 0:
                raise StoreError(f"no import {import_id} is running", "start it with `selflow import`")
