"""From events to all that was learned from them: the lineage of artifacts, read and never
written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from selflow.store.pattern_records import Pattern
from selflow.store.records import AgentVersion, Parent, Predictor, Stage
from selflow.store.row import Row

MAX_RANGES = 1_000
Ranges = Sequence[tuple[int, int]]
"""Sequence numbers, first and last, in order."""
T = TypeVar("T", bound=Row)


class Rows(Protocol):
    """Hands out the rows of a table: ``CatalogReader``."""

    def learned(self, kind: type[T], **equal: str) -> list[T]:
        """All whose fields have these values."""
        ...


@dataclass(frozen=True, slots=True)
class Affected:
    """What was derived from some events: hashes of artifacts, versions of agents that serve or may
    serve again, the predictor that serves, and current patterns.
    """

    artifacts: frozenset[str]
    versions: tuple[AgentVersion, ...]
    predictors: tuple[Predictor, ...]
    stages: tuple[Stage, ...]
    patterns: tuple[Pattern, ...]

    @property
    def serving(self) -> tuple[AgentVersion, ...]:
        """The versions that serve."""
        return tuple(one for one in self.versions if one.status == "champion")


def ranges_of(seqs: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of sequence numbers; of more than ``MAX_RANGES`` those next to each other are joined,
    smallest gaps first, so that they mean a few events too many and never one too few.
    """
    runs: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if runs and seq == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    gaps = sorted(runs[at + 1][0] - runs[at][1] for at in range(len(runs) - 1))
    too_many = len(runs) - MAX_RANGES
    limit = gaps[too_many - 1] if too_many > 0 else 0
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and first - joined[-1][1] <= limit:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def affected_by(rows: Rows, ranges: Ranges) -> Affected:
    """What was derived from these events, or from what was derived from them."""
    parents = rows.learned(Parent)
    derived = {one.child for one in parents if one.kind == "events" and _meets(one, ranges)}
    while more := {
        one.child
        for one in parents
        if one.kind != "events" and one.id in derived and one.child not in derived
    }:
        derived |= more
    stages = [one for one in rows.learned(Stage) if one.sha256 in derived]
    cycles = {one.cycle_id for one in stages}
    return Affected(
        frozenset(derived),
        tuple(
            one
            for one in rows.learned(AgentVersion)
            if one.sha256 in derived and one.status in {"champion", "retired", "no_verdict"}
        ),
        tuple(one for one in rows.learned(Predictor) if one.sha256 in derived),
        tuple(stages),
        tuple(
            one for one in rows.learned(Pattern) if one.cycle_id in cycles and one.state != "absent"
        ),
    )


def _meets(parent: Parent, ranges: Ranges) -> bool:
    return any(first <= parent.last_seq and parent.first_seq <= last for first, last in ranges)
