"""When a cycle begins by itself, and what that question loads."""

import subprocess
import sys

import pytest

from selflow.core.events import Fill
from selflow.core.settings import BufferSettings
from selflow.discover.trigger import Attempt, lacking, reason_to_start

LIMITS = BufferSettings(budget_bytes=1_000_000)
HOUR_US = 3_600_000_000


def fill(new_events: int = 20_000, size: int = 0, consumed: int = 0) -> Fill:
    last_seq = consumed + new_events
    return Fill(last_seq, size, last_seq, LIMITS.budget_bytes, new_events)


def due(limits: BufferSettings = LIMITS, events: int = 20_000, size: int = 0) -> bool:
    return reason_to_start(fill(events, size), None, limits, 0, has_drifted=False) is not None


@pytest.mark.setting("buffer.trigger_fraction")
def test_a_full_buffer_is_enough_in_place_of_many_events() -> None:
    half = BufferSettings(budget_bytes=1_000_000, trigger_fraction=0.5)

    assert due(events=1, size=900_000)
    assert not due(events=1, size=899_999)
    assert due(half, events=1, size=500_000)


@pytest.mark.setting("buffer.trigger_events")
def test_many_events_are_enough_in_place_of_a_full_buffer() -> None:
    assert not due(events=19_999)
    assert due(BufferSettings(trigger_events=100), events=100)


@pytest.mark.parametrize(
    ("events", "hours", "wanted"),
    [(20_000, 1, False), (21_999, 23, False), (22_000, 1, True), (20_000, 24, True)],
)
def test_a_vain_attempt_is_repeated_after_growth_or_a_day(
    events: int,
    hours: int,
    wanted: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    attempt = Attempt(upto_seq=70_000, ended_at_us=5)
    now_us = 5 + hours * HOUR_US

    full = fill(events, consumed=50_000)
    for has_drifted in (False, True):
        reason = reason_to_start(full, attempt, LIMITS, now_us, has_drifted=has_drifted)

        assert reason == ("size" if wanted else None)


def test_drift_is_enough_in_place_of_many_events_but_repeats_no_vain_attempt() -> None:
    few, attempt = fill(300, consumed=50_000), Attempt(upto_seq=50_290, ended_at_us=0)

    assert reason_to_start(few, None, LIMITS, 1, has_drifted=True) == "drift"
    assert reason_to_start(few, attempt, LIMITS, 1, has_drifted=True) is None
    assert reason_to_start(few, attempt, LIMITS, 24 * HOUR_US, has_drifted=True) == "drift"


@pytest.mark.setting("buffer.min_templates")
def test_too_few_different_labels_keep_a_cycle_back() -> None:
    assert lacking(199, 3, LIMITS) == ("199 of 200 labels",)
    assert lacking(5, 3, BufferSettings(min_templates=5)) == ()


@pytest.mark.setting("buffer.min_days")
def test_too_few_days_keep_a_cycle_back() -> None:
    assert lacking(200, 2, LIMITS) == ("2 of 3 days",)
    assert lacking(200, 1, BufferSettings(min_days=1)) == ()


def test_asking_loads_nothing_heavy() -> None:
    probe = (
        "import sys, selflow.discover.trigger; print(*sorted({n.partition('.')[0] for n in "
        "sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert not {"sklearn", "hdbscan", "scipy", "torch"} & set(done.stdout.split())
