"""When a learning cycle starts by itself, and when one that came to nothing is tried again."""

from dataclasses import dataclass
from typing import Literal

from selflow.core.events import Fill
from selflow.core.settings import BufferSettings

Reason = Literal["size", "drift"]
RETRY_GROWTH = 1.1
"""After an attempt that consumed nothing, the buffer must have grown by a tenth ..."""
RETRY_AFTER_US = 86_400_000_000
"""... or a day must have passed: events of one more day may be what was missing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last cycle that consumed nothing: the log's end when it started, and when it ended."""

    upto_seq: int
    ended_at_us: int


def reason_to_start(
    fill: Fill,
    attempt: Attempt | None,
    limits: BufferSettings,
    now_us: int,
    *,
    has_drifted: bool,
) -> Reason | None:
    """Why a cycle starts by itself: the buffer is full enough, or behaviour has drifted, and
    another try is worthwhile. None if it does not.

    Args:
        fill: The buffer, as the log counts it.
        attempt: The last cycle since the buffer was consumed, if one ended without consuming it.
        limits: The settings ``buffer``.
        now_us: UTC microseconds.
        has_drifted: Whether there was an alarm since the last discovery.
    """
    is_full = fill.size_bytes >= limits.trigger_fraction * limits.budget_bytes
    is_size = is_full or fill.new_events >= limits.trigger_events
    if not (is_size or has_drifted):
        return None
    if attempt is not None and now_us - attempt.ended_at_us < RETRY_AFTER_US:
        needed = RETRY_GROWTH * (attempt.upto_seq - fill.consumed_seq)
        if fill.new_events < needed:
            return None
    return "size" if is_size else "drift"


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
