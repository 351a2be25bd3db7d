"""Brings agents of lines into service: from their artifacts to the log's present place."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event as Flag

from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError
from selflow.core.ports import EventFeed
from selflow.store.artifacts import ArtifactStore
from selflow.store.records import AgentVersion
from selflow.text.agent import LineAgent
from selflow.text.examples import own_line
from serve.log_follower import READ_EVENTS
from serve.text_state import LoadModel, SeatedAgent

RETRY_S = 30.0
"""What could not be brought up is tried again after this time."""


class LineAgents:
    """The agents that the catalog wants on the surfaces of lines. For one thread.

    Args:
        champions: Those that have passed, as the catalog says now.
        artifacts: Hold what they had learned when they were judged.
        feed: The log, with what came since.
        load_model: The language model that they stand on.
        clock: For pauses.
        adapter_learns: ``lm.adapter_learns``.
    """

    def __init__(
        self,
        champions: Callable[[], Sequence[AgentVersion]],
        artifacts: ArtifactStore,
        feed: EventFeed,
        load_model: LoadModel,
        clock: Clock,
        *,
        adapter_learns: bool,
    ) -> None:
        self.adapter_learns = adapter_learns
        self._champions = champions
        self._artifacts = artifacts
        self._feed = feed
        self.load_model = load_model
        self._clock = clock
        self._retry_s: dict[str, float] = {}
        self.error = ""
        """Why an agent that should serve does not; empty if all do."""

    def changed(
        self, seated: Sequence[SeatedAgent], cursor: int, stopping: Flag
    ) -> list[SeatedAgent] | None:
        """Who is to serve now, each with every line up to ``cursor`` learned; None if nothing
        changes.

        Cost: for a new one every line since it was judged, 20 to 40 ms each, and up to 65 ms more
        where it has an adapter that learns.
        """
        wanted = self._champions()
        before = {(one.name, one.version): one for one in seated}
        now_s, after, errors = self._clock.monotonic_s(), list[SeatedAgent](), list[str]()
        for version in wanted:
            known = before.get((version.agent, version.version))
            if known is None and now_s >= self._retry_s.get(version.id, 0.0):
                try:
                    known = self._bring_up(version, cursor, stopping)
                except SelFlowError as error:
                    self._retry_s[version.id] = now_s + RETRY_S
                    errors.append(f"agent {version.id}: {error}")
            elif known is None:
                errors.append(self.error)
            if known is not None:
                after.append(known)
        self.error = "; ".join(dict.fromkeys(filter(None, errors)))
        is_same = [id(one) for one in after] == [id(one) for one in seated]
        return None if is_same or stopping.is_set() else after

    def _bring_up(self, version: AgentVersion, cursor: int, stopping: Flag) -> SeatedAgent | None:
        """None while the log is being learned again and is not at what the agent knows yet: it
        would learn that twice.
        """
        agent = LineAgent.load(self._artifacts.get(version.sha256))
        agent = replace(agent, adapter_learns=self.adapter_learns)
        if agent.watermark_seq > cursor:
            return None
        suggester = agent.suggester(self.load_model())
        read = agent.unknown_from_seq - 1
        while read < cursor and not stopping.is_set():
            events = self._feed.read(read, min(READ_EVENTS, cursor - read))
            if not events:
                break
            read = events[-1].seq
            for surface, line in filter(None, map(own_line, events)):
                if surface == version.surface and line.seq <= cursor and not agent.knows(line):
                    suggester.learn(line.text, line.context, line.weight)
        return SeatedAgent(
            version.surface,
            version.agent,
            version.version,
            agent.base_sha256,
            suggester,
            agent.adapter,
        )
