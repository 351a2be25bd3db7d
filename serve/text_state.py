"""What was learned of lines of text: a value that a checkpoint holds beside the predictor."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from selflow.core.errors import ShapeError
from selflow.core.events import COMMIT_MESSAGE, SHELL_COMMAND, Event, Stored
from selflow.route.arms import MIX
from selflow.text.lines import MAX_LINE_BYTES
from selflow.text.mixer import Mixer
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester, Suggestion

SHELL, COMMIT = "shell", "commit"
TEXT_SCHEMA = "selflow.serve.text/1"
"""Raise the number with whatever ``make_arms`` makes or ``example_of`` takes: what was learned
before is then learned again from the log.
"""
MAX_ASKED, MOST_ASKED = 256, 2_048
"""Suggestions since a line was learned behind which the experts forget what they computed for them,
as soon as nobody types, and at the latest: each leaves about 60 kB behind, which a learned line
clears.
"""
_SLOT = re.compile(r"<[A-Z]{3,6}>")
"""The slots of redaction, and whatever looks like one."""
_log = logging.getLogger(__name__)

Arms = Mapping[str, Suggester]


def make_arms() -> dict[str, Suggester]:
    """Who completes the lines of one surface, by the name of the arm; the router chooses between
    them, and each learns every line.
    """
    return {MIX: Suggester(Mixer(shipped()))}


def is_presentable(text: str) -> bool:
    """Whether a text may be shown as a line: no control, format or bidirectional characters, no
    slot of a secret.
    """
    return text.isprintable() and _SLOT.search(text) is None


def example_of(event: Event) -> tuple[str, bytes, bytes] | None:
    """What an event teaches: surface, line and context; None if it teaches none.

    Left out are lines that may not be suggested, those of more than ``MAX_LINE_BYTES``, and those
    that begin with a space, by which a shell's user says that they are not to be remembered.
    """
    line = event.subject.encode()
    if not line or len(line) > MAX_LINE_BYTES or event.subject[0].isspace():
        return None
    if not is_presentable(event.subject):
        return None
    if event.kind == SHELL_COMMAND:
        folder = event.data.get("folder")
        return SHELL, line, folder.encode() if isinstance(folder, str) else b""
    if event.kind == COMMIT_MESSAGE:
        paths = event.data.get("paths")
        named = paths if isinstance(paths, list) else []
        return COMMIT, line, "\n".join(str(path) for path in named).encode()
    return None


@dataclass(frozen=True, slots=True)
class TextSnapshot:
    """A state as bytes, and up to which event of the log it knows; without bytes nothing was
    learned yet.
    """

    cursor: int = 0
    data: bytes = b""


class TextState:
    """The arms of each surface, and the place in the log.

    A pure function of the events up to ``cursor``: the same log gives the same state, bit for bit,
    whatever was asked in between.
    """

    def __init__(self) -> None:
        self.cursor = 0
        self._surfaces: dict[str, Arms] = {SHELL: make_arms(), COMMIT: make_arms()}
        self._asked_since_learned = dict.fromkeys(self._surfaces, 0)

    @property
    def has_much_to_forget(self) -> bool:
        """Whether ``forget`` is due."""
        return max(self._asked_since_learned.values()) >= MAX_ASKED

    def versions(self, surface: str) -> dict[str, str]:
        """The arms that the router may choose between, each with its version."""
        return dict.fromkeys(self._surfaces[surface], "")

    def suggest(self, surface: str, arm: str, prefix: bytes, context: bytes) -> Suggestion | None:
        """The completion that this arm would show. No state changes."""
        self._asked_since_learned[surface] += 1
        if self._asked_since_learned[surface] > MOST_ASKED:
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

    def learn(self, events: Sequence[Stored]) -> int:
        """Take the next events of the log; how many lines they taught."""
        lines = 0
        for stored in events:
            self.cursor = stored.seq
            example = example_of(stored.event)
            if example is not None:
                surface, line, context = example
                for suggester in self._surfaces[surface].values():
                    suggester.learn(line, context)
                self._asked_since_learned[surface] = 0
                lines += 1
        return lines

    def snapshot(self) -> TextSnapshot:
        """The state as it is now. Cost: 0.1 s for 900 shell lines on 2 shared cores."""
        states = {
            surface: {name: suggester.state() for name, suggester in arms.items()}
            for surface, arms in self._surfaces.items()
        }
        return TextSnapshot(self.cursor, msgpack.packb([TEXT_SCHEMA, self.cursor, states]))

    @classmethod
    def restore(cls, snapshot: TextSnapshot) -> "TextState":
        """The state of a snapshot; an empty one if there is none, or if it is one of another
        version: the log teaches it again.
        """
        state = cls()
        if not snapshot.data:
            return state
        try:
            state._load(snapshot.data)
        except ShapeError as error:
            _log.warning("%s", error)
            return cls()
        return state

    def _load(self, data: bytes) -> None:
        try:
            raw: Any = msgpack.unpackb(data)
            schema, cursor, states = raw
            if schema != TEXT_SCHEMA or not isinstance(cursor, int):
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the bytes)
            for surface, arms in self._surfaces.items():
                for name, suggester in arms.items():
                    suggester.load_state(states[surface][name])
        except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException) as error:
            raise ShapeError(
                f"the {len(data):,} bytes are not what was learned of text ({TEXT_SCHEMA})",
                "it is learned again from the event log",
            ) from error
        self.cursor = cursor
