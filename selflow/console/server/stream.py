"""``GET /api/stream``: what changes, as server-sent events.

One sampler serves all readers. Each topic keeps its newest document alone, and each message is a
whole document: a reader that is slow, or was away, gets the newest one, and nothing queues for it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError

from selflow.console.event_listing import END_US, EventQuery, event_document, newest
from selflow.console.server.learning_view import (
    agents_answer,
    patterns_answer,
    run_items,
    stage_items,
    trials_of,
)
from selflow.console.server.read_model import ReadModel
from selflow.console.server.routes import Routes
from selflow.console.server.system_view import system_document
from selflow.console.server.wire import CycleItem
from selflow.console.server.wire_data import EventItem
from selflow.console.server.wire_stream import (
    CommandItem,
    LiveMessage,
    ProblemMessage,
    RunsMessage,
    StreamMessages,
)
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, UsageError
from selflow.store.command_records import Command
from selflow.store.records import Cycle
from selflow.store.row import document

Topic = Literal["live", "runs", "agents", "patterns"]
TICK_S = 0.5
EVERY_TICKS: Mapping[Topic, int] = {"live": 4, "runs": 1, "agents": 4, "patterns": 4}
"""Half a second is the shortest time between two messages of ``runs``; two seconds of the rest."""
KEEP_ALIVE_S = 15.0
RECENT_EVENTS = 20
_COMMANDS = 10
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
routes = Routes()


@dataclass(frozen=True, slots=True)
class Message:
    """The newest document of a topic; ``number`` grows with every message, over restarts too."""

    number: int
    topic: Topic
    data: str

    @property
    def wire(self) -> str:
        """As a server-sent event."""
        return f"id: {self.number}\nevent: {self.topic}\ndata: {self.data}\n\n"


class Broadcast:
    """The newest message of each topic, and who waits for one. For one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._number = 0
        self._newest: dict[Topic, Message] = {}
        self._changed = asyncio.Event()
        self._missing = asyncio.Event()
        self._readers: dict[int, frozenset[Topic]] = {}
        self._last_reader = 0

    def put(self, topic: Topic, data: str) -> None:
        """Replace a topic's message, if its document has changed."""
        known = self._newest.get(topic)
        if known is not None and known.data == data:
            return
        # By the clock, so that no number comes twice when the console is started again
        self._number = max(self._number + 1, self._clock.now_us())
        self._newest[topic] = Message(self._number, topic, data)
        self._changed.set()
        self._changed = asyncio.Event()

    def has(self, topic: Topic) -> bool:
        """Whether a message of this topic stands."""
        return topic in self._newest

    def wanted(self) -> frozenset[Topic]:
        """The topics that somebody reads."""
        return frozenset[Topic]().union(*self._readers.values())

    async def miss(self, limit_s: float) -> None:
        """Return once a reader came for whose topic no message stands, at the latest after some
        seconds.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._missing.wait(), limit_s)
        self._missing.clear()

    async def read(
        self, topics: frozenset[Topic], after: int, keep_alive_s: float = KEEP_ALIVE_S
    ) -> AsyncIterator[str]:
        """The messages behind a number, at first those that stand; a comment where none comes."""
        self._last_reader += 1
        reader = self._last_reader
        self._readers[reader] = topics
        if not topics <= self._newest.keys():
            self._missing.set()
        try:
            while True:
                changed = self._changed
                newer = [
                    message
                    for topic, message in self._newest.items()
                    if topic in topics and message.number > after
                ]
                for message in sorted(newer, key=lambda message: message.number):
                    after = message.number
                    yield message.wire
                if newer:
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), keep_alive_s)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            del self._readers[reader]
            for topic in topics - self.wanted():
                self._newest.pop(topic, None)  # the next reader shall not begin with an old one


async def sample(model: ReadModel, broadcast: Broadcast) -> None:
    """Look at what somebody reads, until cancelled; at nothing while nobody does."""
    tick = 0
    while True:
        for topic in sorted(broadcast.wanted()):
            if tick % EVERY_TICKS[topic] == 0 or not broadcast.has(topic):
                broadcast.put(topic, await asyncio.to_thread(snapshot, model, topic))
        tick += 1
        await broadcast.miss(TICK_S)


def snapshot(model: ReadModel, topic: Topic) -> str:
    """The document of a topic as it is now, or why there is none."""
    try:
        return _MAKERS[topic](model).model_dump_json()
    except SelFlowError as error:
        return ProblemMessage(problem=str(error)).model_dump_json()
    except ValidationError:  # its text would quote the document
        problem = f"what the catalog holds of {topic} is not of this SelFlow's form"
        return ProblemMessage(problem=problem).model_dump_json()


@routes.get("/api/stream", "view", responses={200: {"model": StreamMessages}})
async def stream(
    request: Request,
    topics: Annotated[str, Query(max_length=100)] = "live",
    last_event_id: Annotated[str, Header(max_length=30)] = "",
) -> StreamingResponse:
    """Server-sent events of some topics: ``live``, ``runs``, ``agents``, ``patterns``.

    Every message is a whole document with ``full``. ``Last-Event-ID`` leaves out what has not
    changed since.
    """
    chosen = frozenset(topics.split(","))
    known = frozenset(EVERY_TICKS)
    if not chosen <= known:
        raise UsageError("unknown topic", f"topics: {', '.join(EVERY_TICKS)}")
    after = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else 0
    broadcast: Broadcast = request.app.state.broadcast
    messages = broadcast.read(frozenset(topic for topic in known if topic in chosen), after)
    return StreamingResponse(messages, media_type="text/event-stream", headers=_HEADERS)


def _live(model: ReadModel) -> LiveMessage:
    with model.reading() as log:
        recent = newest(log, EventQuery(0, END_US), RECENT_EVENTS) if log else []
    events = [EventItem.model_validate(event_document(stored)) for stored in recent]
    return LiveMessage(system=system_document(model), events=events)


def _runs(model: ReadModel) -> RunsMessage:
    reader = model.catalog
    cycle = next(iter(reader.newest(Cycle, 1)), None)
    return RunsMessage(
        cycle=CycleItem(**document(cycle)) if cycle else None,
        stages=stage_items(model, cycle.id) if cycle else [],
        runs=run_items(model, cycle.id) if cycle else [],
        trials=trials_of(model, cycle.id) if cycle else [],
        commands=[CommandItem(**document(row)) for row in reader.newest(Command, _COMMANDS)],
    )


_MAKERS: Mapping[Topic, Callable[[ReadModel], BaseModel]] = {
    "live": _live,
    "runs": _runs,
    "agents": agents_answer,
    "patterns": patterns_answer,
}
