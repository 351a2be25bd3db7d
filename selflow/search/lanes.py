"""Where the time of a day went: lanes with their blocks, and stretches of focus.

Pure rules over the spans of ``selflow.search.spans``; ``docs/console.md`` states the definitions.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

LaneGroup = Literal["app", "project", "source"]
SECOND_US = 1_000_000
BLOCK_GAP_US = 300 * SECOND_US
"""Without an event for longer, a block of a lane ends, and so does attention."""
GLANCE_US = 30 * SECOND_US
"""At another lane for longer, focus ends."""
FOCUS_US = 900 * SECOND_US
"""Shorter stretches are no focus."""
GLANCES_SHARE = 10
"""All glances of a stretch of focus together are at most one part of so many."""
MAX_LANES = 20
MAX_BLOCKS = 2_000
"""Of all lanes together: if there are more, blocks further apart are joined, too."""
_NEVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Span:
    """Events of one lane that came close together; ``end_us`` is when the last of them was over."""

    lane: str
    start_us: int
    end_us: int
    events: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One program, project or source on one day; ``covered_us`` is what its blocks cover."""

    name: str
    blocks: Sequence[Span]
    events: int
    covered_us: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A lane had the attention from one moment to another, ``held_us`` of it without glances."""

    lane: str
    start_us: int
    end_us: int
    held_us: int


@dataclass(frozen=True, slots=True)
class LaneDay:
    """The lanes that cover most, and how many more there are; blocks that are at most
    ``joined_us`` apart are one. Events without a name in this group have no lane.
    """

    lanes: Sequence[Lane]
    more: int
    joined_us: int
    unnamed_events: int
    focus: Sequence[Stretch]
    active_us: int


def joined(spans: Iterable[Span], gap_us: int) -> list[Span]:
    """Spans of one lane, those that overlap or are at most ``gap_us`` apart as one, oldest first.
    The result does not depend on the order, nor on what was joined before with a smaller gap.
    """
    result: list[Span] = []
    for span in sorted(spans, key=attrgetter("start_us")):
        last = result[-1] if result else None
        if last is not None and span.start_us - last.end_us <= gap_us:
            end_us = max(last.end_us, span.end_us)
            result[-1] = Span(span.lane, last.start_us, end_us, last.events + span.events)
        else:
            result.append(span)
    return result


def lane_day(spans: Sequence[Span]) -> LaneDay:
    """Lanes, focus and active time of these spans.

    Cost: O(n log n); 5 us a span.
    """
    by_lane: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_lane[span.lane].append(span)
    unnamed = by_lane.pop("", [])
    whole = [_lane(name, own, BLOCK_GAP_US) for name, own in by_lane.items()]
    whole.sort(key=lambda one: (-one.covered_us, -one.events, one.name))
    shown, joined_us = whole[:MAX_LANES], BLOCK_GAP_US
    while sum(len(lane.blocks) for lane in shown) > MAX_BLOCKS:
        joined_us *= 2
        shown = [_lane(lane.name, lane.blocks, joined_us) for lane in shown]
    stretches = attention([span for span in spans if span.lane])
    return LaneDay(
        lanes=shown,
        more=len(whole) - len(shown),
        joined_us=joined_us,
        unnamed_events=sum(span.events for span in unnamed),
        focus=focus(stretches),
        active_us=sum(one.held_us for one in stretches),
    )


def _lane(name: str, spans: Sequence[Span], gap_us: int) -> Lane:
    blocks = joined(spans, gap_us)
    covered_us = sum(block.end_us - block.start_us for block in blocks)
    return Lane(name, blocks, sum(block.events for block in blocks), covered_us)


def attention(spans: Iterable[Span]) -> list[Stretch]:
    """Which lane had the attention when, one after the other, oldest first.

    Of the spans that last at a moment it is the one that began last; where none lasts, the one that
    was the last to end, until another begins, but not if that takes longer than ``BLOCK_GAP_US``.
    """
    timeline = _Timeline()
    for span in sorted(spans, key=attrgetter("start_us", "lane")):
        timeline.go_on_to(span.start_us)
        timeline.lasting.append(span)
    timeline.go_on_to(_NEVER_US)
    return timeline.stretches


def focus(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Stretches of at least ``FOCUS_US`` at one lane, oldest first. Glances elsewhere of at most
    ``GLANCE_US`` each, and together a tenth of it, do not end one and do not count in it.
    """
    ended: list[Stretch] = []
    newest: dict[str, Stretch] = {}
    for one in stretches:
        before = newest.get(one.lane)
        if before is not None and _goes_on(before, one):
            held_us = before.held_us + one.held_us
            newest[one.lane] = Stretch(one.lane, before.start_us, one.end_us, held_us)
            continue
        if before is not None:
            ended.append(before)
        newest[one.lane] = one
    ended += newest.values()
    long = [one for one in ended if one.held_us >= FOCUS_US]
    return sorted(long, key=attrgetter("start_us", "lane"))


def _goes_on(before: Stretch, following: Stretch) -> bool:
    glance_us = following.start_us - before.end_us
    glances_us = following.start_us - before.start_us - before.held_us
    allowed_us = max(FOCUS_US, following.start_us - before.start_us) // GLANCES_SHARE
    return glance_us <= GLANCE_US and glances_us <= allowed_us


class _Timeline:
    """A moment that goes on, what lasts at it (what began last stands last), and what was."""

    def __init__(self) -> None:
        self.lasting: list[Span] = []
        self.stretches: list[Stretch] = []
        self._now_us = 0
        self._last = ""

    def go_on_to(self, moment_us: int) -> None:
        while self.lasting:
            top = self.lasting[-1]
            self._hold(top.lane, min(top.end_us, moment_us))
            if top.end_us > moment_us:
                return
            self.lasting.pop()
            if top.end_us >= self._now_us:
                self._last = top.lane
        if self._last and moment_us - self._now_us <= BLOCK_GAP_US:
            self._hold(self._last, moment_us)
        self._now_us = moment_us

    def _hold(self, lane: str, until_us: int) -> None:
        if until_us <= self._now_us:
            return
        start_us, self._now_us = self._now_us, until_us
        newest = self.stretches[-1] if self.stretches else None
        if newest is not None and newest.lane == lane and newest.end_us == start_us:
            start_us = self.stretches.pop().start_us
        self.stretches.append(Stretch(lane, start_us, until_us, until_us - start_us))
