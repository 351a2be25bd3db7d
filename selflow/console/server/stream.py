"""``GET /api/stream``: what changes, as server-sent events.

One sampler serves all readers. Each topic keeps its newest document alone, and each message is a
whole document: a reader that is slow, or was away, gets the newest one, and nothing queues for it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from selflow.console.event_listing import END_US, EventQuery, event_document, newest
from selflow.console.server.read_model import ReadModel
from selflow.console.server.routes import Routes
from selflow.console.server.system_view import system_document
from selflow.console.server.wire import CycleItem, SystemAnswer
from selflow.console.server.wire_data import EventItem
from selflow.console.server.wire_learning import AgentsAnswer, PatternsAnswer, StageItem, TrialItem
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, UsageError
from selflow.sdk.wire import Answer
from selflow.store.command_records import Command
from selflow.store.records import Cycle, Stage, Trial
from selflow.store.row import document
from selflow.store.views import agent_items, patterns_document, router_beliefs

Topic = Literal["live", "runs", "agents", "patterns"]
TICK_S = 0.5
EVERY_TICKS: Mapping[Topic, int] = {"live": 4, "runs": 1, "agents": 4, "patterns": 4}
"""Half a second is the shortest time between two messages of ``runs``; two seconds of the rest."""
KEEP_ALIVE_S = 15.0
RECENT_EVENTS = 20
_COMMANDS = 10
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
routes = Routes()


class LiveMessage(Answer):
    """The topic ``live``: the state of everything, and the newest events."""

    full: Literal[True] = True
    system: SystemAnswer
    events: list[EventItem]


class CommandItem(Answer):
    """An act that was asked for in the console, from ``queued`` to ``done`` or ``failed``."""

    id: str
    action: str
    subject: str
    actor: str
    state: Literal["queued", "accepted", "done", "failed"]
    requested_at: str
    accepted_at: str | None
    finished_at: str | None
    error: str


class RunsMessage(Answer):
    """The topic ``runs``: the newest cycle with its stages and trials, and the newest commands."""

    full: Literal[True] = True
    cycle: CycleItem | None
    stages: list[StageItem]
    trials: list[TrialItem]
    commands: list[CommandItem]


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
        self.readers: dict[int, frozenset[Topic]] = {}
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

    def wanted(self) -> frozenset[Topic]:
        """The topics that somebody reads."""
        return frozenset[Topic]().union(*self.readers.values())

    async def read(
        self, topics: frozenset[Topic], after: int, keep_alive_s: float = KEEP_ALIVE_S
    ) -> AsyncIterator[str]:
        """The messages behind a number, at first those that stand; a comment where none comes."""
        self._last_reader += 1
        reader = self._last_reader
        self.readers[reader] = topics
        try:
            while True:
                changed = self._changed
                fresh = [
                    message
                    for topic, message in self._newest.items()
                    if topic in topics and message.number > after
                ]
                for message in sorted(fresh, key=lambda message: message.number):
                    after = message.number
                    yield message.wire
                if fresh:
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), keep_alive_s)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            del self.readers[reader]


async def sample(model: ReadModel, broadcast: Broadcast) -> None:
    """Look at what somebody reads, until cancelled; at nothing while nobody does."""
    tick = 0
    while True:
        for topic in sorted(broadcast.wanted()):
            if tick % EVERY_TICKS[topic] == 0 or not broadcast.has(topic):
                try:
                    broadcast.put(topic, await asyncio.to_thread(snapshot, model, topic))
                except SelFlowError as error:
                    broadcast.put("live", json.dumps({"full": False, "problem": str(error)}))
        tick += 1
        await asyncio.sleep(TICK_S)


def snapshot(model: ReadModel, topic: Topic) -> str:
    """The document of a topic as it is now."""
    return _MAKERS[topic](model).model_dump_json()


@routes.get("/api/stream", "view")
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
    reader, now_us = model.catalog, model.clock.now_us()
    cycle = next(iter(reader.newest(Cycle, 1)), None)
    stages = reader.learned(Stage, cycle_id=cycle.id) if cycle else []
    trials = reader.learned(Trial, cycle_id=cycle.id) if cycle else []
    return RunsMessage(
        cycle=CycleItem(**document(cycle)) if cycle else None,
        stages=[StageItem.of(stage, now_us) for stage in stages],
        trials=[TrialItem(**document(trial)) for trial in trials],
        commands=[CommandItem(**document(c)) for c in reader.newest(Command, _COMMANDS)],
    )


def _agents(model: ReadModel) -> AgentsAnswer:
    reader = model.catalog
    return AgentsAnswer(items=agent_items(reader), beliefs=router_beliefs(reader), next=None)


def _patterns(model: ReadModel) -> PatternsAnswer:
    return PatternsAnswer(**patterns_document(model.catalog, with_hidden=True))


_MAKERS: Mapping[Topic, Callable[[ReadModel], BaseModel]] = {
    "live": _live,
    "runs": _runs,
    "agents": _agents,
    "patterns": _patterns,
}
