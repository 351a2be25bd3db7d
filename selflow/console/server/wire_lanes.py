"""The API's records of the lanes of a day."""

from selflow.sdk.wire import Answer
from selflow.search.lanes import LaneGroup


class BlockItem(Answer):
    """Events of one lane that came close together: ``events`` began from ``start_at`` on and before
    ``end_at``.
    """

    start_at: str
    end_at: str
    events: int


class LaneItem(Answer):
    """One program, project or source; ``covered_s`` is what its blocks cover."""

    name: str
    events: int
    covered_s: float
    blocks: list[BlockItem]


class FocusItem(Answer):
    """A stretch at one lane; ``held_s`` is its length without glances at others."""

    name: str
    start_at: str
    end_at: str
    held_s: float


class LanesAnswer(Answer):
    """``GET /api/activity/lanes``: the lanes that cover most of a time first, and ``more`` that are
    not listed. Blocks at most ``joined_s`` apart are one. ``until_at`` is earlier than was asked
    for if there is more than one answer holds; ``unnamed_events`` are in no lane. Events begin
    last before ``since_at`` at ``before_at``, and first from ``until_at`` on at ``after_at``.
    """

    by: LaneGroup
    since_at: str
    until_at: str
    before_at: str | None
    after_at: str | None
    lanes: list[LaneItem]
    more: int
    joined_s: float
    unnamed_events: int
    focus: list[FocusItem]
    focus_s: float
    active_s: float
