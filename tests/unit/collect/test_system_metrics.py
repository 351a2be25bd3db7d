"""Samples of the machine: shares, rates, and nothing where there is no counter."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from selflow.collect.system_metrics import Reading, read_machine, sample
from selflow.core.events import Event


def _reading(
    at_s: float, disk_bytes: int | None = 0, net_bytes: int | None = 0, **more: object
) -> Reading:
    values: dict[str, object] = {"battery_fraction": None, "is_plugged_in": None, **more}
    return Reading(at_s, 0.12345, 0.5, 1.234, disk_bytes, net_bytes, **values)  # type: ignore[arg-type]


def test_counters_become_rates_per_second() -> None:
    event = sample(_reading(10.0, 1_000, 50), _reading(12.0, 5_000, 250), 99)

    assert event == Event(
        99, "metrics", "metric.sample", "machine", "", 2.0,
        {"cpu_fraction": 0.123, "memory_fraction": 0.5, "load_1m": 1.23,
         "disk_bytes_per_s": 2_000, "net_bytes_per_s": 100},
    )  # fmt: skip


def test_a_counter_that_starts_anew_is_no_negative_rate() -> None:
    assert sample(_reading(0, 5_000), _reading(1, 10), 1).data["disk_bytes_per_s"] == 0


def test_what_the_machine_has_not_is_left_out() -> None:
    bare = sample(_reading(0, None, None), _reading(1, None, None), 1)
    mobile = sample(_reading(0), _reading(1, battery_fraction=0.8, is_plugged_in=False), 1)

    assert set(bare.data) == {"cpu_fraction", "memory_fraction", "load_1m"}
    assert (mobile.data["battery_fraction"], mobile.data["is_plugged_in"]) == (0.8, False)


def test_disk_and_temperature_are_told_where_they_are_known() -> None:
    data = sample(_reading(0), _reading(1, disk_used_fraction=0.5, temperature_c=61.04), 1).data

    assert (data["disk_used_fraction"], data["temperature_c"]) == (0.5, 61.0)


def test_the_hottest_plausible_sensor_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    heats = [SimpleNamespace(current=heat) for heat in (41.0, 63.5, -273.0, 6_553.5)]
    sensors = {"coretemp": heats[:2], "broken": heats[2:]}
    monkeypatch.setattr("psutil.sensors_temperatures", lambda: sensors, raising=False)

    assert read_machine(1.0).temperature_c == 63.5


def test_this_machine_can_be_read() -> None:
    first, second = read_machine(1.0), read_machine(2.0)
    fractions: Sequence[float] = (second.cpu_fraction, second.memory_fraction)

    assert all(0 <= value <= 1 for value in fractions)
    assert sample(first, second, 1).duration_s == 1.0
