"""When a cycle begins by itself, and what that question loads."""

import subprocess
import sys

import pytest

from selflow.core.settings import BufferSettings
from selflow.discover.trigger import missing_for_cycle

LIMITS = BufferSettings(budget_bytes=1_000_000)


def missing(
    limits: BufferSettings = LIMITS,
    events: int = 20_000,
    size: int = 0,
    templates: int = 200,
    days: int = 3,
) -> str:
    return " ".join(missing_for_cycle(events, size, templates, days, limits))


def test_enough_of_everything_means_go() -> None:
    assert missing() == ""


def test_all_that_is_missing_is_named() -> None:
    assert missing(events=0, templates=0, days=0) == "size diversity patterns"


@pytest.mark.setting("buffer.trigger_fraction")
def test_a_full_buffer_is_enough_in_place_of_many_events() -> None:
    assert missing(events=1, size=900_000) == ""
    assert missing(events=1, size=899_999) == "size"
    assert (
        missing(
            BufferSettings(budget_bytes=1_000_000, trigger_fraction=0.5), events=1, size=500_000
        )
        == ""
    )


@pytest.mark.setting("buffer.trigger_events")
def test_many_events_are_enough_in_place_of_a_full_buffer() -> None:
    assert missing(events=19_999) == "size"
    assert missing(BufferSettings(trigger_events=100), events=100) == ""


@pytest.mark.setting("buffer.min_templates")
def test_too_few_different_labels_keep_a_cycle_back() -> None:
    assert missing(templates=199) == "diversity"
    assert missing(BufferSettings(min_templates=5), templates=5) == ""


@pytest.mark.setting("buffer.min_days")
def test_too_few_days_keep_a_cycle_back() -> None:
    assert missing(days=2) == "patterns"
    assert missing(BufferSettings(min_days=1), days=1) == ""


def test_asking_loads_nothing_heavy() -> None:
    probe = (
        "import sys, selflow.discover.trigger; print(*sorted({n.partition('.')[0] for n in "
        "sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert not {"sklearn", "hdbscan", "scipy", "torch"} & set(done.stdout.split())
