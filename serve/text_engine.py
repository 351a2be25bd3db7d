"""The thread that completes lines: it alone touches what was learned of text."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event as Flag

from selflow.core.clock import Clock
from selflow.core.errors import ApiError
from selflow.core.events import Stored
from selflow.core.ports import EventFeed
from selflow.sdk.wire import SuggestAnswer, SuggestRequest
from selflow.text.examples import example_of
from serve.in_flight import InFlight
from serve.line_agents import LineAgents
from serve.log_follower import LogFollower
from serve.suggestions import BUSY, Suggestions
from serve.text_state import TextSnapshot, TextState

Save = Callable[[TextSnapshot], None]
MAX_WAITING = 32
"""Requests that wait for the thread; one more is told that it is busy."""
QUIET_S, POLL_S, MAX_PAUSES = 0.3, 0.05, 40
"""Behind a keystroke for which nothing is learned, looks at whether it has passed, and how many of
them a line waits at most: 2 s.
"""
SWITCH_S = 0.0005
"""Of the interpreter, whose default is 5 ms: a prediction lets go of it several times, and each
time waits as long for a thread that learns lines (decision 0040).
"""
PIECE_S, PREDICTION_S = 0.004, 0.1
"""How long lines are learned in one go, and how long they wait at most for a prediction."""
_END = object()


class TextEngine:
    """Follows the log behind a cursor of its own and answers between two lines.

    Learning a line takes several times as long as completing one, and both are Python: on the
    thread of the predictor one would hold up the other. A request waits for at most one piece of
    a line, and no line begins while somebody types.
    """

    def __init__(
        self,
        feed: EventFeed,
        suggestions: Suggestions,
        agents: LineAgents,
        clock: Clock,
        checkpoint_lines: int,
    ) -> None:
        self.in_flight = InFlight()
        """What else is asked of the replica meanwhile."""
        self._suggestions = suggestions
        self._agents = agents
        self._stopping = Flag()
        self._clock = clock
        self._checkpoint_lines = checkpoint_lines
        self._saved_lines = 0
        self._learning: Iterator[None] = iter(())
        self._pauses = 0
        self._waiting = 0
        self._last_asked_s = float("-inf")
        self._saved: TextSnapshot | None = None
        self._save: Save | None = None
        self._state: TextState | None = None
        self._worker = ThreadPoolExecutor(1, "selflow-text")
        self._follower = LogFollower("follower of lines of text", feed, self._tidy_learner, clock)

    @property
    def fault(self) -> str:
        """What ended the follower against its will."""
        return self._follower.fault

    @property
    def last_error(self) -> str:
        """Why it is not up to date, or goes without an agent; empty if all is well."""
        return self._follower.error or self._agents.error

    def start(self) -> None:
        """Begin to follow the log, once ``open`` was called."""
        sys.setswitchinterval(SWITCH_S)
        self._follower.start()

    def open(self, saved: TextSnapshot, save: Save) -> None:
        """Go on from what a checkpoint held; ``save`` keeps what is learned from now on."""
        self._saved, self._save = saved, save

    async def stop(self) -> None:
        """Learn nothing more, and hand over what was learned."""
        self._stopping.set()
        self._follower.stop()
        await asyncio.wrap_future(self._worker.submit(self._keep))
        self._worker.shutdown(wait=False)

    def step(self) -> bool:
        """Learn what has come; True if more waits."""
        return self._follower.step()

    async def suggest(
        self, request: SuggestRequest, asked_s: float, *, is_stored: bool, patience_s: float
    ) -> SuggestAnswer:
        """Complete a line; abstains where the answer would come too late.

        Raises:
            ApiError: 503 ``starting``. StoreError: The decision could not be stored.
        """
        state = self._state
        if state is None:
            detail = "what was learned of text is being loaded"
            raise ApiError(503, "starting", detail, "try again in a second")
        if self._waiting >= MAX_WAITING:
            return self._suggestions.abstain(request, BUSY)

        def answer() -> SuggestAnswer:
            if self._clock.monotonic_s() - asked_s > patience_s:
                return self._suggestions.abstain(request, BUSY)
            return self._suggestions.complete(request, state, asked_s, is_stored=is_stored)

        self._waiting += 1
        self._last_asked_s = asked_s
        try:
            return await asyncio.wrap_future(self._worker.submit(answer))
        finally:
            self._waiting -= 1

    @property
    def cursor(self) -> int:
        """The last event that it has learned."""
        return self._state.cursor if self._state else 0

    def learn(self, events: Sequence[Stored]) -> None:
        """Learn these in pieces of some milliseconds and let requests in between; while somebody
        types, lines wait, and pieces while a prediction is computed.
        """
        for portion in portions(events):
            self._pauses = 0
            if not self._wait_for_quiet():
                return
            self._worker.submit(self._begin, portion).result()
            while self._worker.submit(self._go_on).result():
                if not self._wait_for_quiet():
                    return
        unsaved = self._state.lines - self._saved_lines if self._state else 0
        if unsaved >= self._checkpoint_lines and self._save is not None:
            self._save(self._worker.submit(self._snapshot).result())

    def _tidy_learner(self) -> "TextEngine | None":
        """``_learner``, rid of what nobody needs any more."""
        learner, state = self._learner(), self._state
        if state is not None and state.has_much_to_forget and self._is_quiet():
            self._worker.submit(state.forget).result()
        return learner

    def _wait_for_quiet(self) -> bool:
        """False if there is nothing more to learn before the end."""
        self._clock.wait(self.in_flight.nothing, PREDICTION_S)
        while self._pauses < MAX_PAUSES and not self._is_quiet():
            self._pauses += 1
            if not self._follower.pause(POLL_S):
                break
        return self._follower.pause(0.0)

    def _is_quiet(self) -> bool:
        return self._clock.monotonic_s() - self._last_asked_s > QUIET_S

    def _learner(self) -> "TextEngine | None":
        """Itself, once there is a state to go on from."""
        if self._state is None and self._saved is not None:
            load_model = self._agents.load_model
            restore = partial(TextState.restore, adapter_learns=self._agents.adapter_learns)
            restored = self._worker.submit(restore, self._saved, load_model)
            self._state = restored.result()
        if self._state is None:
            return None
        agents = self._agents.changed(self._state.agents, self._state.cursor, self._stopping)
        if agents is not None:
            self._worker.submit(self._state.seat, agents).result()
        return self

    def _begin(self, events: Sequence[Stored]) -> None:
        state = self._state
        if state is not None:
            self._suggestions.rate(events[-1])
            self._learning = state.learn_in_pieces(events)

    def _go_on(self) -> bool:
        """Learn for a moment; False if there is no more."""
        began_s = self._clock.monotonic_s()
        while next(self._learning, _END) is not _END:
            if self._clock.monotonic_s() - began_s >= PIECE_S:
                return True
        return False

    def _snapshot(self) -> TextSnapshot:
        """What is learned; what was begun is learned first."""
        while self._go_on():
            pass
        if self._state is None:
            return TextSnapshot()
        self._saved_lines = self._state.lines
        return self._state.snapshot()

    def _keep(self) -> None:
        if self._state is not None and self._save is not None:
            self._save(self._snapshot())


def portions(events: Sequence[Stored]) -> Iterator[list[Stored]]:
    """The events, cut behind each that teaches a line or tells what became of a suggestion."""
    portion: list[Stored] = []
    for stored in events:
        portion.append(stored)
        if "suggestion" in stored.event.data or example_of(stored.event) is not None:
            yield portion
            portion = []
    if portion:
        yield portion
