"""What was learned of lines of text: a value that a checkpoint holds beside the predictor."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from selflow.core.errors import ArtifactError, ShapeError
from selflow.core.events import Stored
from selflow.core.lora import LoraAdapter
from selflow.route.arms import MIX
from selflow.text.adapter_file import pack_adapter, unpack_adapter
from selflow.text.agent import mix_with
from selflow.text.byte_model import ByteModel
from selflow.text.examples import COMMIT, SHELL, own_line
from selflow.text.mixer import Mixer
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester, Suggestion

TEXT_SCHEMA = "selflow.serve.text/3"
"""Raise the number with whatever ``make_arms`` makes or ``example_of`` takes: what was learned
before is then learned again from the log.
"""
MAX_ASKED, MOST_ASKED = 256, 2_048
"""Suggestions since a line was learned behind which the experts forget what they computed for them,
as soon as nobody types, and at the latest: each leaves about 60 kB behind, which a learned line
clears.
"""
_log = logging.getLogger(__name__)

Arms = dict[str, Suggester]
LoadModel = Callable[[], ByteModel]


def make_arms() -> Arms:
    """Who completes the lines of one surface without an agent, by the name of the arm."""
    return {MIX: Suggester(Mixer(shipped()))}


@dataclass(frozen=True, slots=True)
class SeatedAgent:
    """An agent that completes lines beside the mix: the router chooses between them, and each
    learns every line.
    """

    surface: str
    name: str
    version: str
    base_sha256: str
    suggester: Suggester
    adapter: LoraAdapter | None = None


@dataclass(frozen=True, slots=True)
class TextSnapshot:
    """A state as bytes, and up to which event of the log it knows; without bytes nothing was
    learned yet.
    """

    cursor: int = 0
    data: bytes = b""


class TextState:
    """The arms of each surface, and the place in the log.

    A pure function of the events up to ``cursor`` and the agents: the same log gives the same
    state, bit for bit, whatever was asked in between.
    """

    def __init__(self) -> None:
        self.cursor = 0
        self.lines = 0
        """Learned in this life."""
        self._is_learning = False
        self.agents: tuple[SeatedAgent, ...] = ()
        self._surfaces: dict[str, Arms] = {SHELL: make_arms(), COMMIT: make_arms()}
        self._asked_since_learned = dict.fromkeys(self._surfaces, 0)

    @property
    def has_much_to_forget(self) -> bool:
        """Whether ``forget`` is due."""
        return max(self._asked_since_learned.values()) >= MAX_ASKED

    def versions(self, surface: str) -> dict[str, str]:
        """The arms that the router may choose between, each with its version."""
        agents = {one.name: one.version for one in self.agents if one.surface == surface}
        return {MIX: "", **agents}

    def seat(self, agents: Sequence[SeatedAgent]) -> None:
        """Make these the agents; each has learned every line up to ``cursor``."""
        for gone in self.agents:
            del self._surfaces[gone.surface][gone.name]
        self.agents = tuple(agents)
        for one in self.agents:
            self._surfaces[one.surface][one.name] = one.suggester

    def suggest(self, surface: str, arm: str, prefix: bytes, context: bytes) -> Suggestion | None:
        """The completion that this arm would show. No state changes."""
        self._asked_since_learned[surface] += 1
        if self._asked_since_learned[surface] > MOST_ASKED and not self._is_learning:
            self.forget()
        return self._surfaces[surface][arm].suggest(prefix, context)

    def forget(self) -> None:
        """Free what was computed for suggestions; what was learned stays, bit for bit.

        Cost: 0.4 s for 900 shell lines on 2 shared cores.
        """
        for surface, arms in self._surfaces.items():
            if self._asked_since_learned[surface]:
                for suggester in arms.values():
                    suggester.load_state(suggester.state())
                self._asked_since_learned[surface] = 0

    def learn_in_pieces(self, events: Sequence[Stored]) -> Iterator[None]:
        """Take the next events of the log, with a pause wherever it yields: suggestions may be
        asked for there, by what was known before. Until it has ended no snapshot is to be taken.
        """
        self._is_learning = True
        for stored in events:
            taught = own_line(stored)
            if taught is not None:
                surface, line = taught
                for suggester in self._surfaces[surface].values():
                    yield from suggester.learn_in_pieces(line.text, line.context, line.weight)
                self._asked_since_learned[surface] = 0
                self.lines += 1
            self.cursor = stored.seq
        self._is_learning = False

    def snapshot(self) -> TextSnapshot:
        """The state as it is now. Cost: 0.1 s for 900 shell lines on 2 shared cores."""
        states = {surface: arms[MIX].state() for surface, arms in self._surfaces.items()}
        agents = [
            [
                one.surface,
                one.name,
                one.version,
                one.base_sha256,
                _packed(one.adapter),
                one.suggester.state(),
            ]
            for one in self.agents
        ]
        packed = msgpack.packb([TEXT_SCHEMA, self.cursor, states, agents])
        return TextSnapshot(self.cursor, packed)

    @classmethod
    def restore(
        cls, snapshot: TextSnapshot, load_model: LoadModel, *, adapter_learns: bool
    ) -> "TextState":
        """The state of a snapshot; an empty one if there is none, or if it is one of another
        version: the log teaches it again. Agents whose language model is not installed are left
        out.
        """
        state = cls()
        if not snapshot.data:
            return state
        try:
            state._load(snapshot.data, load_model, adapter_learns=adapter_learns)
        except ShapeError as error:
            _log.warning("%s", error)
            return cls()
        return state

    def _load(self, data: bytes, load_model: LoadModel, *, adapter_learns: bool) -> None:
        try:
            raw: Any = msgpack.unpackb(data)
            schema, cursor, states, agents = raw
            if schema != TEXT_SCHEMA or not isinstance(cursor, int):
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the bytes)
            for surface, arms in self._surfaces.items():
                arms[MIX].load_state(states[surface])
            self.seat(list(_seated(agents, load_model, adapter_learns=adapter_learns)))
        except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
            raise ShapeError(
                f"the {len(data):,} bytes are not what was learned of text ({TEXT_SCHEMA})",
                "it is learned again from the event log",
            ) from error
        self.cursor = cursor


def _packed(adapter: LoraAdapter | None) -> bytes:
    return b"" if adapter is None else pack_adapter(adapter)


def _seated(
    agents: Sequence[Any], load_model: LoadModel, *, adapter_learns: bool
) -> Iterator[SeatedAgent]:
    for surface, name, version, base_sha256, packed, learned in agents:
        try:
            model, adapter = load_model(), unpack_adapter(packed) if packed else None
        except ArtifactError:  # who brings up agents says so
            return
        if model.sha256 == base_sha256:
            suggester = Suggester(mix_with(model, adapter, adapter_learns=adapter_learns))
            suggester.load_state(learned)
            yield SeatedAgent(surface, name, version, base_sha256, suggester, adapter)
