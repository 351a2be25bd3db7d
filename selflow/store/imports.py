"""Runs of importers: how far they came."""

from dataclasses import replace
from typing import Any, Literal

from selflow.core.errors import StoreError
from selflow.core.ids import new_id
from selflow.store.database import Database, find, put
from selflow.store.records import Import


class Imports:
    """One row per run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, label: str, path_sha256: str, source: str, now_us: int) -> str:
        """A new run; returns its id."""
        with self._database.write() as connection:
            return put(
                connection,
                Import(
                    new_id("imp"),
                    label,
                    path_sha256,
                    source,
                    rows=0,
                    accepted=0,
                    rejected=0,
                    started_at_us=now_us,
                    finished_at_us=None,
                    state="running",
                    retained="",
                ),
            ).id

    def progress(self, import_id: str, rows: int, accepted: int, rejected: int) -> None:
        """How many rows were read, stored and refused so far.

        Raises:
            StoreError: No run of this id is running.
        """
        self._change(import_id, rows=rows, accepted=accepted, rejected=rejected)

    def finish(
        self, import_id: str, state: Literal["done", "failed"], now_us: int, retained: str = ""
    ) -> None:
        """End a run; ``retained`` is what the next run of the same file is compared with.

        Raises:
            StoreError: No run of this id is running.
        """
        self._change(import_id, state=state, finished_at_us=now_us, retained=retained)

    def list_all(self) -> list[Import]:
        """Every run, oldest first."""
        return sorted(self._database.records(Import), key=lambda run: (run.started_at_us, run.id))

    def _change(self, import_id: str, **values: Any) -> None:  # noqa: ANN401  (fields of an Import)
        with self._database.write() as connection:
            for run in find(connection, Import, id=import_id, state="running"):
                put(connection, replace(run, **values))
                return
        raise StoreError(f"no import {import_id} is running", "start it with `selflow import`")
