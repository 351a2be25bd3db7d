"""What a question means, and what an answer consists of: plain records for the command line and
for any page or route.
"""

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Literal

MAX_RESULTS = 1_000
"""Events that one answer lists."""
Wanted = Literal["count", "first", "last", "items", "days", "gap", "together"]
"""What a question may ask about the events that it means."""
FilterName = Literal["about", "action", "kind", "folder", "path", "words", "since", "until"]


class Family(IntFlag):
    """What an event is about, in the words of a question; one event may be of several."""

    OTHER = 0
    FILES = 1
    DOCUMENTS = 2
    COMMANDS = 4
    COMMITS = 8
    APPS = 16


class Action(Enum):
    """What was done to a file."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since_us`` to before ``until_us`` (UTC microseconds), and the words it came from."""

    since_us: int
    until_us: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What was understood of a question: filters that all hold, and what is wanted of the rest."""

    text: str
    wanted: tuple[Wanted, ...] = ()
    period: Period | None = None
    family: Family = Family.OTHER
    action: Action | None = None
    folders: tuple[str, ...] = ()
    """Parts of paths as ``/docs/``: the event lies in such a folder."""
    path_words: tuple[str, ...] = ()
    """Words that a path must hold."""
    words: tuple[str, ...] = ()
    """Words or phrases that the event must hold."""
    kinds: tuple[str, ...] = ()
    """Exact kinds of events, or their beginnings up to a dot (``file``)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One of the filters that a question was understood as, in words."""

    name: FilterName
    text: str


@dataclass(frozen=True, slots=True)
class FactValue:
    """One figure of a fact: a label (unit, item or day) with a number or a moment."""

    label: str
    number: int
    ts_us: int | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence with the figures in it and the events behind it.

    ``seqs`` are the newest of the ``row_count`` events of the log that the sentence rests on.
    """

    wanted: Wanted
    text: str
    values: tuple[FactValue, ...]
    seqs: tuple[int, ...]
    row_count: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One event that matches, redacted as it is stored. ``score`` orders a list and means no more:
    the reciprocal rank.
    """

    seq: int
    ts_us: int
    kind: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the log says about a question; every sentence was computed from events in it."""

    question: Question
    understood: str
    """The question as filters, in one sentence."""
    filters: tuple[Filter, ...]
    event_count: int
    facts: tuple[Fact, ...]
    results: tuple[SearchResult, ...]
    notes: tuple[str, ...] = ()
    """Why nothing was found, or what had to be left out."""
