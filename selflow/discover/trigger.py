"""When a learning cycle starts by itself, and when one that came to nothing is tried again."""

from dataclasses import dataclass

from selflow.core.events import Fill
from selflow.core.settings import BufferSettings

RETRY_GROWTH = 1.1
"""After an attempt that consumed nothing, the buffer must have grown by a tenth ..."""
RETRY_AFTER_US = 86_400_000_000
"""... or a day must have passed: events of one more day may be what was missing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last cycle that consumed nothing: the log's end when it started, and when it ended."""

    upto_seq: int
    ended_at_us: int


def is_due(fill: Fill, attempt: Attempt | None, limits: BufferSettings, now_us: int) -> bool:
    """Whether a cycle starts by itself: the buffer is full enough, and another try is worthwhile.

    Args:
        fill: The buffer, as the log counts it.
        attempt: The last cycle since the buffer was consumed, if one ended without consuming it.
        limits: The settings ``buffer``.
        now_us: UTC microseconds.
    """
    is_full = fill.size_bytes >= limits.trigger_fraction * limits.budget_bytes
    if not is_full and fill.new_events < limits.trigger_events:
        return False
    if attempt is None or now_us - attempt.ended_at_us >= RETRY_AFTER_US:
        return True
    return fill.new_events >= RETRY_GROWTH * (attempt.upto_seq - fill.consumed_seq)


def lacking(labels: int, days: int, limits: BufferSettings) -> tuple[str, ...]:
    """What a cycle that nobody asked for lacks, in words; empty means go on.

    Args:
        labels: Different labels in the log.
        days: Different days (UTC) with events.
        limits: The settings ``buffer``.
    """
    counts = {
        "labels": (labels, limits.min_templates),
        "days": (days, limits.min_days),
    }
    return tuple(
        f"{present:,} of {needed:,} {name}"
        for name, (present, needed) in counts.items()
        if present < needed
    )
