"""``/api/activity/lanes``: on what a day went, block by block."""

from typing import Annotated

from fastapi import Query

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.console.server.wire_lanes import BlockItem, FocusItem, LaneItem, LanesAnswer
from selflow.core.clock import rfc3339
from selflow.core.errors import UsageError
from selflow.core.until import named_moment_us
from selflow.search.lanes import Lane, LaneGroup, Stretch, lane_day
from selflow.search.rollups import DAY_US
from selflow.search.spans import span_day

MAX_LANE_DAYS = 2
"""A day that the clock is set back has 25 hours."""
Moment = Annotated[str | None, Query(max_length=200)]
routes = Routes()


@routes.get("/api/activity/lanes", "view")
def lanes(
    model: Model, since: Moment = None, until: Moment = None, by: LaneGroup | None = None
) -> LanesAnswer:
    """The lanes of a time, up to the end of a quarter of an hour; of the last 24 hours if none is
    given. By program if any event has one, else by project, else by source.
    """
    until_us = named_moment_us("until", until, model.clock.now_us() + 1)
    since_us = named_moment_us("since", since, until_us - DAY_US)
    if until_us - since_us > MAX_LANE_DAYS * DAY_US:
        raise UsageError(
            f"the range is longer than {MAX_LANE_DAYS} days",
            "ask for one day, or for sums: /api/activity?bin=day",
        )
    with model.index.reading() as connection:
        seen = span_day(connection, since_us, until_us, by)
    day = lane_day(seen.spans)
    return LanesAnswer(
        by=seen.by,
        since_at=rfc3339(seen.since_us),
        until_at=rfc3339(seen.until_us),
        before_at=None if seen.before_us is None else rfc3339(seen.before_us),
        after_at=None if seen.after_us is None else rfc3339(seen.after_us),
        lanes=[_lane(lane, seen.until_us) for lane in day.lanes],
        more=day.more,
        joined_s=day.joined_us / 1e6,
        unnamed_events=day.unnamed_events,
        focus=[_focus(stretch) for stretch in day.focus],
        focus_s=sum(stretch.held_us for stretch in day.focus) / 1e6,
        active_s=day.active_us / 1e6,
    )


def _lane(lane: Lane, until_us: int) -> LaneItem:
    blocks = [
        BlockItem(
            start_at=rfc3339(block.start_us),
            end_at=rfc3339(min(block.end_us + 1, until_us)),
            events=block.events,
        )
        for block in lane.blocks
    ]
    return LaneItem(
        name=lane.name, events=lane.events, covered_s=lane.covered_us / 1e6, blocks=blocks
    )


def _focus(stretch: Stretch) -> FocusItem:
    return FocusItem(
        name=stretch.lane,
        start_at=rfc3339(stretch.start_us),
        end_at=rfc3339(stretch.end_us),
        held_s=stretch.held_us / 1e6,
    )
