"""The threads of a replica: one that alone touches the service, and those that bring it the log's
events and the agents.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event as Flag
from typing import TypeVar

from selflow.core.clock import Clock
from selflow.core.disk import storage_problem
from selflow.core.errors import ApiError, NotRunningError, StoreError
from selflow.core.events import Json, Stored
from selflow.core.ports import EventFeed
from selflow.core.threads import WatchedThread
from selflow.sdk.wire import (
    FeedbackAnswer,
    FeedbackRequest,
    HealthAnswer,
    PredictAnswer,
    PredictRequest,
    SuggestAnswer,
    SuggestRequest,
)
from serve.log_follower import READ_EVENTS, LogFollower
from serve.model_registry import ModelRegistry, Speakers
from serve.request_metrics import RequestMetrics
from serve.service import PredictionService
from serve.suggestions import PATH
from serve.text_engine import TextEngine

T = TypeVar("T")

FLEET_S = 0.5
"""Between two looks at the catalog for agents and beliefs."""


class Engine:
    """Opens the service, keeps it up to date and hands it one request after another.

    The predictor is not thread-safe and a state must be a function of the order of its inputs, so
    everything that touches the service runs on one thread, first come, first served; learning goes
    in small portions, so that a request never waits for a long catch-up. Lines of text have a
    thread of their own (``text``).
    """

    def __init__(  # noqa: PLR0913, PLR0917  (each is one collaborator)
        self,
        make: Callable[[], PredictionService],
        feed: EventFeed,
        last_seq: Callable[[], int],
        registry: ModelRegistry,
        text: TextEngine,
        clock: Clock,
        request_metrics: RequestMetrics,
        version: str,
        config_hash: str,
        storage: Path,
    ) -> None:
        self._make = make
        self._read_last_seq = last_seq
        self._fleet = registry
        self.text = text
        """What completes lines; learns behind a cursor of its own."""
        self._clock = clock
        self._version = version
        self._config_hash = config_hash
        self._storage = storage
        self._service: PredictionService | None = None
        self._stopping = Flag()
        self._worker = ThreadPoolExecutor(1, "selflow-predictor")
        self._follower = LogFollower("follower of the event log", feed, self._learner, clock)
        self._agents_follower = WatchedThread("follower of the agents", self._follow_fleet)
        self._log_error = ""
        self._storage_problem = ""
        self._last_seq = 0
        request_metrics.lag_from(self._lag_events)

    def start(self) -> None:
        """Begin to open the service, to follow the log and the agents; returns at once."""
        self._follower.start()
        self._agents_follower.start()
        self.text.start()

    async def stop(self) -> None:
        """Stop following and save what was learned."""
        self._stopping.set()
        self._follower.stop()
        await self.text.stop()
        await asyncio.wrap_future(self._worker.submit(self._close))
        self._fleet.close()
        self._worker.shutdown(wait=False)

    def check(self) -> None:
        """Say so if a thread has died of a fault of ours: a follower, by which nothing would be
        learned any more, or that of the agents' model.

        Raises:
            NotRunningError: Its cause stands in the log.
        """
        fault = self._fault()
        if fault:
            raise NotRunningError(fault, "the replica is being recreated")

    async def predict(
        self, request: PredictRequest
    ) -> tuple[PredictAnswer, Mapping[str, Json] | None]:
        """Answer once the decision is durable.

        Raises:
            ApiError: ``starting``, or what ``PredictionService.predict`` refuses.
        """
        return await self._ask(lambda service: service.predict(request))

    async def suggest(
        self, request: SuggestRequest, *, is_stored: bool, patience_s: float
    ) -> SuggestAnswer:
        """Complete a line or a path.

        Args:
            request: Where, what was typed, and what surrounds it.
            is_stored: Whether the decision is made durable first, or only kept for feedback.
            patience_s: Behind this time an answer is of no use any more.

        Raises:
            ApiError: ``starting``. StoreError: The decision could not be stored.
        """
        asked_s = self._clock.monotonic_s()
        if request.surface == PATH:
            return await self._ask(
                lambda service: service.suggest_path(request, asked_s, is_stored=is_stored)
            )
        return await self.text.suggest(request, asked_s, is_stored=is_stored, patience_s=patience_s)

    async def feedback(self, request: FeedbackRequest, idempotency_key: str) -> FeedbackAnswer:
        """Answer once the feedback is durable and, if its turn has come, learned.

        Raises:
            ApiError: ``starting``, or what ``PredictionService.feedback`` refuses.
        """
        return await self._ask(lambda service: service.feedback(request, idempotency_key))

    def health(self, *, is_known: bool) -> HealthAnswer:
        """How it is, without waiting for the worker; ``degraded`` also while more than one read of
        events waits. Why it is so, which may name a path, is only for who is known.

        Raises:
            ApiError: 503 ``starting``.
        """
        service = self._started(is_known=is_known)
        lag_events = self._lag_events()
        last_error = (
            self._fault()
            or self._storage_problem
            or self._follower.error
            or self._log_error
            or service.last_error
            or self._fleet.last_error
            or self.text.last_error
        )
        return HealthAnswer(
            status="degraded" if last_error or lag_events > READ_EVENTS else "ok",
            version=self._version,
            config_hash=self._config_hash,
            lag_events=lag_events,
            last_error=last_error if is_known else "",
        )

    def step(self) -> bool:
        """Open the service if that is still to do, and learn what has come; True if more waits."""
        return self._follower.step()

    def follow_agents(self) -> None:
        """Take up what the catalog says of agents and beliefs, and whether it can be written."""
        self._storage_problem = storage_problem(self._storage)
        if self._service is not None:
            self._fleet.step(self._seat(self._service))

    def _learner(self) -> "_OnWorker":
        self._service = self._service or self._open()
        return _OnWorker(self._worker, self._service)

    def _open(self) -> PredictionService:
        service = self._worker.submit(self._make).result()
        # Before anything is learned: a saved state needs its agents, or it would learn as if they
        # knew nothing.
        self._fleet.step(self._seat(service))
        self.text.open(
            service.text, lambda text: self._worker.submit(service.save_text, text).result()
        )
        return service

    def _seat(self, service: PredictionService) -> Callable[[Speakers], None]:
        return lambda agents: self._worker.submit(service.seat, agents).result()

    def _fault(self) -> str:
        return (
            self._follower.fault
            or self._agents_follower.fault
            or self._fleet.fault
            or self.text.fault
        )

    def _lag_events(self) -> int:
        """Stored and not learned from; asked of the log, because what the follower has seen is as
        old as its last read.
        """
        if self._service is None:
            return 0
        try:
            self._last_seq, self._log_error = self._read_last_seq(), ""
        except StoreError as error:
            self._log_error = str(error)
        return max(0, self._last_seq - self._service.cursor)

    def _follow_fleet(self) -> None:
        while not self._clock.wait(self._stopping, FLEET_S):
            self.follow_agents()

    def _started(self, *, is_known: bool = True) -> PredictionService:
        if self._service is None:
            detail = (self._follower.error if is_known else "") or "the predictor is being loaded"
            raise ApiError(503, "starting", detail, "try again in a second")
        return self._service

    async def _ask(self, question: Callable[[PredictionService], T]) -> T:
        service = self._started()
        with self.text.in_flight:
            return await asyncio.wrap_future(self._worker.submit(question, service))

    def _close(self) -> None:
        if self._service is not None:
            self._service.close()


class _OnWorker:
    """The service as a learner of the log: it learns on the one thread that touches it."""

    def __init__(self, worker: ThreadPoolExecutor, service: PredictionService) -> None:
        self._worker = worker
        self._service = service

    @property
    def cursor(self) -> int:
        """How far it has come."""
        return self._service.cursor

    def learn(self, events: Sequence[Stored]) -> None:
        """Wait until these are learned."""
        self._worker.submit(self._service.learn, events).result()
