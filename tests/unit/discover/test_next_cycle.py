"""When the next cycle will probably begin: by the same hours of past days, and by nothing else."""

from pathlib import Path

import numpy as np
import pytest

from selflow.console.cli.next_learning import LearningAhead, span
from selflow.core.codec import encode_record
from selflow.core.events import Event, Fill
from selflow.core.settings import Settings
from selflow.core.trigger_limits import TriggerLimits
from selflow.discover.next_cycle import (
    DAY_HOURS,
    Known,
    conditions,
    missing_of,
    wait_for,
    wait_of,
)
from selflow.search.shared import SharedIndex
from selflow.store.log import LogReader
from selflow.testing import ManualClock
from tests.unit.store.worlds import open_log

LIMITS = TriggerLimits.of(Settings())
STEADY = [10] * (14 * DAY_HOURS)
OFFICE = ([0] * 9 + [100] * 8 + [0] * 7) * 14
"""Its newest hour ends at midnight."""
HOUR_US = 3_600_000_000
NOW_US = 1_767_225_600_000_000
QUIET = {"state": "running", "pause": None, "cycle": None, "behaviour": []}


def fill(new_events: int, size_bytes: int = 1_000) -> Fill:
    return Fill(new_events, size_bytes, new_events, 64_000_000, new_events)


def test_at_a_steady_rate_it_is_a_division() -> None:
    wait = wait_for(45, STEADY)

    assert wait is not None
    assert (wait.median_s, wait.low_s, wait.high_s) == (4.5 * 3_600,) * 3


def test_a_night_without_events_is_waited_out() -> None:
    wait = wait_for(250, OFFICE)

    assert wait is not None
    assert wait.median_s == (9 + 2.5) * 3_600


def test_days_that_differ_make_a_range() -> None:
    days = [[rate] * DAY_HOURS for rate in (1, 2, 5, 10, 20, 40, 80)]
    wait = wait_for(100, [events for day in days for events in day])

    assert wait is not None
    assert wait.low_s < wait.median_s < wait.high_s
    assert wait == wait_for(100, [events for day in days for events in day])


@pytest.mark.parametrize("hours", [[], [5] * 47, [0] * 480, [1] + [0] * 479])
def test_too_little_history_says_nothing(hours: list[int]) -> None:
    assert wait_for(100_000, hours) is None


def test_bytes_are_counted_by_the_size_of_the_waiting_events() -> None:
    full = round(LIMITS.trigger_bytes) - 5_000
    known = Known(fill(full // 100_000, full), 500, 9, STEADY)
    _, missing = missing_of(conditions(known, LIMITS, has_drifted=False))
    wait = wait_of(missing, known)

    assert missing[0].unit == "bytes"
    assert wait is not None
    assert wait.median_s == pytest.approx(5_000 / 100_000 / 10 * 3_600, rel=0.01)


def test_only_the_size_can_be_waited_for() -> None:
    known = Known(fill(50), 3, 9, STEADY)
    named, missing = missing_of(conditions(known, LIMITS, has_drifted=True))

    assert named == f"3 of {LIMITS.min_labels} different labels"
    assert wait_of(missing, known) is None


def ahead_of(folder: Path, events: list[Event]) -> LearningAhead:
    log = open_log(folder / "log", 1 << 24)
    log.append("test", 1, [encode_record(event) for event in events])
    log.close()
    index = SharedIndex(folder / "derived", ManualClock(NOW_US))
    reader = LogReader(folder / "log", budget_bytes=0)
    while index.follow(reader):
        pass
    reader.close()
    return LearningAhead(index, lambda: LIMITS)


def past(labels: int = 300) -> list[Event]:
    return [
        Event(NOW_US - back * HOUR_US // 2, "files", "file.modify", f"{back % labels}.py")
        for back in range(1, 480)
    ]


def test_what_comes_later_has_no_part_in_the_estimate(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    told = []
    for number in range(2):
        later = [
            Event(NOW_US + after_us, "files", "file.modify", f"{after_us}")
            for after_us in rng.integers(9 * HOUR_US, size=number * 400).tolist()
        ]
        ahead = ahead_of(tmp_path / str(number), [*past(), *later])
        told.append(ahead.document(None, fill(19_000), NOW_US, **QUIET)["next_learning"])

    assert told[0] == told[1]
    assert told[0]["text"].startswith("in about 20 d 21 h (80% of cases: ")


def test_what_hinders_a_cycle_is_said_before_what_it_waits_for(tmp_path: Path) -> None:
    ahead = ahead_of(tmp_path, past())
    stopped = ahead.document(None, fill(19_000), NOW_US, **{**QUIET, "state": "not running"})

    assert stopped["next_learning"]["text"] == ("SelFlow is not running; start it with: selflow up")
    assert stopped["next_learning"]["at"] is None
    paused = ahead.document(None, fill(19_000), NOW_US, **{**QUIET, "pause": {"until": None}})
    assert paused["next_learning"]["text"] == "collection is paused until you resume"
    uncounted = LearningAhead(None, lambda: LIMITS).document(None, fill(1), NOW_US, **QUIET)
    assert uncounted["conditions"] == []


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(5, "1 min"), (8_100, "2 h 15 min"), (172_800, "2 d 0 h"), (100_000, "27 h 47 min")],
)
def test_a_span_is_written_as_a_person_says_it(seconds: float, shown: str) -> None:
    assert span(seconds) == shown
