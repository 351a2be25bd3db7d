"""Answers questions about the owner's events, beside all other requests."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from typing import TYPE_CHECKING

from selflow.console.server.read_model import ReadModel
from selflow.console.server.wire_ask import EventLimits
from selflow.core.clock import owner_zone
from selflow.core.errors import ApiError, StoreError
from selflow.core.events import Fill, Stored

if TYPE_CHECKING:
    from selflow.search.records import Answer


class Asker:
    """One question at a time, in a thread of its own: the first one reads the whole log, and must
    not take the threads or the log from other requests for so long.
    """

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._ends = Flag()
        self._worker = ThreadPoolExecutor(1, "ask")

    async def answer(self, text: str, limit: int, limits: EventLimits) -> "Answer":
        """What the log says about a question.

        Raises:
            UsageError: The question or a time cannot be understood.
            ApiError: 503, the log or the index cannot be used now.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._answer, text, limit, limits)

    def close(self) -> None:
        """End the question that is being answered; its index goes on from there the next time."""
        self._ends.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _answer(self, text: str, limit: int, limits: EventLimits) -> "Answer":
        from selflow.search.asking import Request, SearchPlace, ask, limit_us  # numpy, if asked

        feed = _Feed(self._model, self._ends)
        where = SearchPlace(self._model.root.derived, feed, self._model.clock, owner_zone())
        request = Request(
            text,
            limit,
            tuple(limits.kinds or ()),
            limit_us("since", limits.since, where),
            limit_us("until", limits.until, where),
        )
        try:
            return ask(request, where)
        except StoreError as error:
            raise ApiError(503, error.code, error.detail, error.hint) from error
        finally:
            self._model.release_log()


class _Feed:
    """The log, held for one reading at a time, and at its end when the console ends."""

    def __init__(self, model: ReadModel, ends: Flag) -> None:
        self._model = model
        self._ends = ends

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a number."""
        with self._model.reading() as log:
            return log.read(after_seq, limit_events) if log and not self._ends.is_set() else ()

    def fill(self) -> Fill:
        """How full the log is."""
        empty = Fill(events=0, size_bytes=0, last_seq=0, budget_bytes=0, new_events=0)
        return self._model.fill() or empty
