"""What the next learning cycle waits for, and when it will probably begin.

Imports nothing heavy: ``selflow status`` asks.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Literal

from selflow.core.events import Fill
from selflow.core.trigger_limits import TriggerLimits

DAY_HOURS = 24
HISTORY_DAYS = 28
"""The usual rate of an hour is that of the last four weeks."""
LEAST_DAYS = 2
"""Fewer whole days say nothing of the next one."""
DRAWS = 200
HORIZON_DAYS = 60
_UNITS = {"events": "events", "bytes": "bytes", "labels": "different labels", "days": "days"}
_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the conditions under which a cycle starts by itself; all must hold."""

    name: Literal["size", "diversity", "days"]
    is_met: bool
    value: float
    needed: float
    unit: Literal["events", "bytes", "labels", "days"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until enough events have come: the median, and the range that holds 80%."""

    median_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the log: how full it is, its different labels and days, and the events of
    each hour (UTC) before the current one, the newest last.
    """

    fill: Fill | None
    labels: int
    days: int
    hours: Sequence[int]


def conditions(known: Known, limits: TriggerLimits, *, has_drifted: bool) -> list[Condition]:
    """What a cycle that nobody asks for needs, and how much of it is there
    (``selflow.discover.trigger``).
    """
    fill = known.fill
    new_events, size_bytes = (fill.new_events, fill.size_bytes) if fill else (0, 0)
    is_by_size = size_bytes / limits.trigger_bytes > new_events / limits.trigger_events
    value, needed = (
        (size_bytes, limits.trigger_bytes) if is_by_size else (new_events, limits.trigger_events)
    )
    unit: Literal["bytes", "events"] = "bytes" if is_by_size else "events"
    labels, days = (known.labels, limits.min_labels), (known.days, limits.min_days)
    return [
        Condition("size", has_drifted or value >= needed, value, needed, unit),
        Condition("diversity", labels[0] >= labels[1], *labels, "labels"),
        Condition("days", days[0] >= days[1], *days, "days"),
    ]


def wait_for(events: float, hours: Sequence[int]) -> Wait | None:
    """How long it takes until so many more events have come, at the usual rate of these hours.

    Args:
        events: More than 0.
        hours: Of each hour before the current one, the newest last.

    Each of 200 draws puts whole days of the past one behind the other, from the current hour on,
    until they hold enough. Exact to an hour; None below two whole days, or where half of the draws
    need more than 60 days. Nothing from now on has a part in it.

    Cost: 200 draws of at most 60 days, 3 ms.
    """
    count = min(len(hours) // DAY_HOURS, HISTORY_DAYS)
    end = len(hours)
    blocks = [
        list(accumulate(hours[end - DAY_HOURS * (back + 1) : end - DAY_HOURS * back]))
        for back in range(count)
    ]
    if count < LEAST_DAYS or not any(block[-1] for block in blocks):
        return None
    draw = Random(count)  # noqa: S311  (the same history gives the same estimate)
    waits = sorted(_one_wait(events, blocks, draw) for _ in range(DRAWS))
    median_h, low_h, high_h = (waits[round(q * (DRAWS - 1))] for q in (0.5, 0.1, 0.9))
    if median_h > HORIZON_DAYS * DAY_HOURS:
        return None
    return Wait(median_h * _HOUR_S, low_h * _HOUR_S, high_h * _HOUR_S)


def _one_wait(events: float, blocks: Sequence[Sequence[int]], draw: Random) -> float:
    """Hours; one more than the horizon where it is not reached."""
    left = events
    for day in range(HORIZON_DAYS):
        block = draw.choice(blocks)
        if block[-1] >= left:
            hour = bisect_left(block, left)
            before = block[hour - 1] if hour else 0
            return day * DAY_HOURS + hour + (left - before) / (block[hour] - before)
        left -= block[-1]
    return HORIZON_DAYS * DAY_HOURS + 1.0


def missing_of(met: Sequence[Condition]) -> tuple[str, list[Condition]]:
    """What is missing in words, and the conditions that do not hold."""
    missing = [condition for condition in met if not condition.is_met]
    named = ", ".join(
        f"{item.value:,.0f} of {item.needed:,.0f} {_UNITS[item.unit]}" for item in missing
    )
    return named, missing


def wait_of(missing: Sequence[Condition], known: Known) -> Wait | None:
    """How long the one missing condition takes; None where it is not the size, which alone grows at
    a usual rate.
    """
    if len(missing) != 1 or missing[0].name != "size" or known.fill is None:
        return None
    left = missing[0].needed - missing[0].value
    if missing[0].unit == "bytes":
        left *= known.fill.new_events / known.fill.size_bytes
    return wait_for(left, known.hours)
