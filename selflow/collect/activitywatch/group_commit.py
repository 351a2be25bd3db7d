"""One thread writes: what waits is committed together, and answered once it is on the disk."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from selflow.collect.activitywatch.tables import open_writing, refused
from selflow.collect.activitywatch.writing import StoreWriter

T = TypeVar("T")
Work = Callable[[StoreWriter], Any]
_MAX_TOGETHER = 256


class GroupCommit:
    """Gives every caller's change a place in the next transaction. For any thread.

    The file is synced once for all that waited while the sync before was under way, so that many
    clients cost hardly more than one.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        """Open the store in ``folder``, or make it.

        Raises:
            StoreError: The file cannot be used.
        """
        self._connection = open_writing(folder, identity)
        self._writer = StoreWriter(self._connection)
        self._waiting: SimpleQueue[tuple[Work, Future[Any]] | None] = SimpleQueue()
        self._is_closed = False
        self._thread = Thread(target=self._run, name="activitywatch-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[StoreWriter], T]) -> "Future[T]":
        """Change the store; the future has the result once it is durable. A change that raises is
        undone alone.
        """
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Finish what waits, and close; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._waiting.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            taken = [self._waiting.get()]
            with suppress(Empty):
                while len(taken) < _MAX_TOGETHER:
                    taken.append(self._waiting.get_nowait())
            is_open = None not in taken
            self._commit([item for item in taken if item is not None])

    def _commit(self, items: list[tuple[Work, "Future[Any]"]]) -> None:
        """Do them in one transaction, and tell the callers how it went."""
        done: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._writer.begin()
            for work, future in items:
                done.append((future, *self._try(work)))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._writer.forget_memory()
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            failure = refused(error)
            done = [(future, None, failure) for _, future in items]
        for future, result, failed in done:
            if failed is None:
                future.set_result(result)
            else:
                future.set_exception(failed)

    def _try(self, work: Work) -> tuple[Any, BaseException | None]:
        self._connection.execute("SAVEPOINT one")
        try:
            result = work(self._writer)
        except sqlite3.Error:
            raise  # the whole transaction is refused
        except Exception as error:  # noqa: BLE001  (the caller's own; it is told)
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            self._writer.forget_memory()
            return None, error
        self._connection.execute("RELEASE one")
        return result, None
