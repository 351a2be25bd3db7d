"""When a heartbeat makes the event before it longer."""

from dataclasses import replace

from selflow.collect.activitywatch.shapes import AwEvent


def merge_heartbeat(tail: AwEvent, heartbeat: AwEvent, pulsetime_us: int) -> AwEvent | None:
    """The tail, lengthened by a heartbeat; None if the heartbeat is an event of its own.

    They merge where the data are equal, no duration is negative, and the heartbeat begins within
    the tail or at most ``pulsetime_us`` behind its end, both ends included. A heartbeat that ends
    before the tail does not shorten it.

    Source: the rule of aw-server; there a heartbeat's own negative duration is not looked at.
    """
    is_within = tail.ts_us <= heartbeat.ts_us <= tail.end_us + pulsetime_us
    if tail.data != heartbeat.data or not is_within:
        return None
    if tail.duration_us < 0 or heartbeat.duration_us < 0:
        return None
    return replace(tail, duration_us=max(tail.duration_us, heartbeat.end_us - tail.ts_us))
