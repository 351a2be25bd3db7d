"""The book of imports; the command line finds it by the entry-point group ``selflow.imports``."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import lmdb

from selflow.core.clock import Clock, SystemClock
from selflow.core.grants import IMPORT, OWNER
from selflow.core.invocation import Invocation
from selflow.store.catalog import Catalog
from selflow.store.log_format import PAIR, batch_key, open_environment
from selflow.store.records import Import


class CatalogImportLedger:
    """What the owner imported, run by run. An import is the owner's own act: it carries its consent
    with it.
    """

    def __init__(self, catalog: Catalog, events: Path, clock: Clock) -> None:
        """Keep the book in ``catalog``, and look batches up in the log below ``events``."""
        self._catalog = catalog
        self._events = events
        self._clock = clock
        self._log = (
            open_environment(events, 0, is_reader=True) if (events / "data.mdb").exists() else None
        )

    @classmethod
    @contextmanager
    def open(cls, call: Invocation) -> Iterator["CatalogImportLedger"]:
        """The book of this invocation's catalog."""
        call.root.make()
        catalog = Catalog.open(call.catalog_location())
        try:
            book = cls(catalog, call.root.events, SystemClock())
            yield book
            book.close()
        finally:
            catalog.close()

    def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log[0].close()
            self._log = None

    def allow(self) -> bool:
        """Note the owner's consent to imports; False if it stood already."""
        if any(
            consent.source == IMPORT and consent.revoked_at_us is None
            for consent in self._catalog.consents.list_all()
        ):
            return False
        self._catalog.consents.grant(
            IMPORT, {"by": "the act of importing"}, self._clock.now_us(), OWNER
        )
        return True

    def start(self, label: str, path: Path, source: str) -> str:
        """Note a new run; returns its id."""
        now_us = self._clock.now_us()
        import_id = self._catalog.imports.start(label, _digest(path), source, now_us)
        self._catalog.audit.append(
            now_us, OWNER, "import.start", import_id, {"label": label, "source": source}
        )
        return import_id

    def progress(self, import_id: str, events: int, accepted: int, rejected: int) -> None:
        """How far a run is: events that were answered for, stored, refused."""
        self._catalog.imports.progress(import_id, events, accepted, rejected)

    def finish(
        self, import_id: str, state: Literal["done", "failed"], digests: Sequence[bytes] = ()
    ) -> None:
        """The end of a run, and the digests of the newest events of a file that is followed."""
        retained = b"".join(digests).hex()
        self._catalog.imports.finish(import_id, state, self._clock.now_us(), retained)

    def ends(self, path: Path, source: str) -> list[int]:
        """After how many events earlier runs of this file ended: a file that has grown is cut there
        again.
        """
        return sorted({run.rows for run in self._runs(path, source) if run.rows})

    def followed(self, path: Path, source: str, digest_bytes: int) -> tuple[int, list[bytes]]:
        """How many events the runs of a followed file have read together, and the digests that
        the last one retained.
        """
        runs = self._runs(path, source)
        retained = next((run.retained for run in reversed(runs) if run.retained), "")
        joined = bytes.fromhex(retained)
        starts = range(0, len(joined), digest_bytes)
        digests = [joined[start : start + digest_bytes] for start in starts]
        return sum(run.rows for run in runs), digests

    def _runs(self, path: Path, source: str) -> list[Import]:
        digest = _digest(path)
        return [
            run
            for run in self._catalog.imports.list_all()
            if (run.path_sha256, run.source) == (digest, source)
        ]

    def stored(self, source: str, batch_id: int) -> int | None:
        """How many events of this batch the log holds already; None if the batch never came."""
        if self._log is None:
            return None
        env, tables = self._log
        try:
            txn = env.begin()
        except lmdb.MapResizedError:
            env.set_mapsize(0)
            txn = env.begin()
        with txn:
            numbers = txn.get(batch_key(source, batch_id), db=tables.batches)
        if numbers is None:
            return None
        first_seq, last_seq = PAIR.unpack(numbers)
        return last_seq - first_seq + 1 if first_seq else 0


def _digest(path: Path) -> str:
    return hashlib.sha256(bytes(path.absolute())).hexdigest()
