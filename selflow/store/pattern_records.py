"""What the catalog's rows about patterns mean (``records`` has all others)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from selflow.core.clock import rfc3339
from selflow.core.events import Json
from selflow.store.row import Row


@dataclass(frozen=True, slots=True)
class Pattern(Row):
    """A pattern as the cycle ``cycle_id`` saw it last; an ``agreement`` of None is undefined, and
    ``families`` holds the same by family of clusterings; ``reason`` says why it gets no agent,
    empty if it may. ``alive_cycles`` have found it in a row. ``parts`` names the patterns that it
    was merged from. ``title``, ``is_hidden`` and ``merged_into``, the name of another pattern, are
    the owner's.
    """

    table = "patterns"
    order = ("created_at_us",)
    id: str
    name: str
    state: Literal["alive", "part", "absent"]
    """``part``: found, but its owner has merged it into another."""
    cycle_id: str
    created_at_us: int
    windows: int
    events: int
    days: int
    steps: int
    share: float
    agreement: float | None
    families: Mapping[str, Json]
    grade: str | None
    reason: str
    terms: Sequence[tuple[str, float]]
    hours: Sequence[Json]
    medoids: Sequence[Json]
    alive_cycles: int | None = None
    parts: Sequence[str] = ()
    title: str = ""
    is_hidden: bool = False
    merged_into: str = ""


@dataclass(frozen=True, slots=True)
class Transition(Row):
    """What became in a cycle of a pattern that the last one found, or how one came that it had not
    found: ``into`` are the patterns in which it lives on, ``likeness`` is its largest with one of
    the other cycle.
    """

    table = "transitions"
    key = ("cycle_id", "pattern")
    cycle_id: str
    pattern: str
    change: Literal["survived", "split", "absorbed", "disappeared", "emerged", "returned"]
    into: Sequence[str]
    likeness: float


@dataclass(frozen=True, slots=True)
class BehaviourChange(Row):
    """What the events since the cycle ``cycle_id`` show that it did not know: ``new`` behaviour, in
    so many unusual windows, or ``drift``; ``terms`` are its telling words.
    """

    table = "behaviour_changes"
    order = ("noticed_at_us",)
    id: str
    cycle_id: str
    kind: Literal["new", "drift"]
    started_at_us: int
    last_at_us: int
    noticed_at_us: int
    windows: int
    terms: Sequence[str]

    @property
    def text(self) -> str:
        """In a line for its owner."""
        if self.kind == "drift":
            return f"behaviour has drifted since the last cycle, noticed {rfc3339(self.last_at_us)}"
        return (
            f"new behaviour since {rfc3339(self.started_at_us)}: {', '.join(self.terms)} "
            f"({self.windows:,} unusual windows, last {rfc3339(self.last_at_us)})"
        )
