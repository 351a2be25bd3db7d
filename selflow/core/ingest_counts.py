"""What became of the events that reached the collector."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from selflow.core.events import Json


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """Since the collector began.

    Every event is counted once under its final outcome (``accepted``, ``repeated``, ``dropped``,
    ``rejected``, ``lost``); ``spooled`` and ``unavailable`` say besides how many had to wait or
    went back to their sender.
    """

    events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By source, then outcome."""
    durations: Mapping[str, Json] = field(default_factory=dict)
    """Of programs' batches, from reading to acknowledging: a ``core.histogram`` document."""

    @classmethod
    def of(
        cls, counted: Iterable[Mapping[tuple[str, str], int]], durations: Mapping[str, Json]
    ) -> Self:
        """Sum what several doors counted by (source, outcome)."""
        events: dict[str, Counter[str]] = {}
        for counts in counted:
            for (source, outcome), count in counts.items():
                events.setdefault(source, Counter())[outcome] += count
        return cls({source: dict(counts) for source, counts in events.items()}, durations)

    @property
    def totals(self) -> dict[str, int]:
        """By outcome alone."""
        total: Counter[str] = Counter()
        for counts in self.events.values():
            total.update(counts)
        return dict(total)
