"""The machine's own load, one ``metric.sample`` event per look."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import psutil

from selflow.collect.polled import Schedule
from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import Clock
from selflow.core.events import Event, Json
from selflow.core.settings import MetricsSource as Section


def from_settings(section: Section, clock: Clock, home: str) -> "MetricsSource":  # noqa: ARG001  (every factory's shape)
    """The source that ``type: system_metrics`` asks for."""
    return MetricsSource(section, clock)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the machine's counters say at one moment; ``None`` where the machine has no such
    counter.
    """

    at_s: float
    cpu_fraction: float
    memory_fraction: float
    load_1m: float
    disk_bytes: int | None
    net_bytes: int | None
    battery_fraction: float | None
    is_plugged_in: bool | None
    disk_used_fraction: float | None = None
    """Of the file system of the home folder."""
    temperature_c: float | None = None
    """The hottest sensor's."""


def read_machine(at_s: float) -> Reading:
    """The counters now. The processor's share is that since the last call. Cost: about 1 ms."""
    disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
    battery = psutil.sensors_battery()
    return Reading(
        at_s=at_s,
        cpu_fraction=psutil.cpu_percent(interval=None) / 100,
        memory_fraction=psutil.virtual_memory().percent / 100,
        load_1m=psutil.getloadavg()[0],
        disk_bytes=disk.read_bytes + disk.write_bytes if disk else None,
        net_bytes=net.bytes_sent + net.bytes_recv if net else None,
        battery_fraction=battery.percent / 100 if battery else None,
        is_plugged_in=battery.power_plugged if battery else None,
        disk_used_fraction=_disk_used_fraction(),
        temperature_c=_temperature_c(),
    )


def _disk_used_fraction() -> float | None:
    try:
        return float(psutil.disk_usage(str(Path.home())).percent) / 100
    except OSError:  # the home folder is not there
        return None


def _temperature_c() -> float | None:
    read: Any = getattr(psutil, "sensors_temperatures", dict)  # not on every system
    heats = [float(sensor.current or 0) for group in read().values() for sensor in group]
    return max((heat for heat in heats if -50 < heat < 200), default=None)


def sample(before: Reading, now: Reading, ts_us: int) -> Event:
    """The event between two readings: shares and load as they are, disk and network as bytes per
    second.
    """
    elapsed_s = max(now.at_s - before.at_s, 1e-6)
    data: dict[str, Json] = {
        "cpu_fraction": round(now.cpu_fraction, 3),
        "memory_fraction": round(now.memory_fraction, 3),
        "load_1m": round(now.load_1m, 2),
    }
    for name, first, last in (
        ("disk_bytes_per_s", before.disk_bytes, now.disk_bytes),
        ("net_bytes_per_s", before.net_bytes, now.net_bytes),
    ):
        if first is not None and last is not None:
            # A counter restarts after suspend
            data[name] = max(0, round((last - first) / elapsed_s))
    if now.disk_used_fraction is not None:
        data["disk_used_fraction"] = round(now.disk_used_fraction, 3)
    if now.temperature_c is not None:
        data["temperature_c"] = round(now.temperature_c, 1)
    if now.battery_fraction is not None:
        data["battery_fraction"] = round(now.battery_fraction, 3)
        data["is_plugged_in"] = now.is_plugged_in
    return Event(ts_us, "metrics", "metric.sample", "machine", duration_s=elapsed_s, data=data)


class MetricsSource:
    """Samples the machine at every time of a schedule.

    Args:
        schedule: When.
        clock: For times and waits.
    """

    _before: Reading

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._events = 0
        self._repeating = Repeating("metrics", schedule.sample_interval_s, clock, schedule.schedule)

    def start(self, emit: Emit) -> None:
        """Begin; the first sample comes after one interval."""
        self._before = read_machine(self._clock.monotonic_s())
        self._repeating.start(partial(self._look, emit))

    def stop(self) -> None:
        """End."""
        self._repeating.stop()

    def health(self) -> SourceHealth:
        """Always well: what a machine cannot tell is left out."""
        with self._lock:
            return SourceHealth("metrics", self._repeating.state(), self._events)

    def _look(self, emit: Emit, is_last: bool) -> None:  # noqa: FBT001  (as it is repeated)
        if is_last:
            return
        now = read_machine(self._clock.monotonic_s())
        with self._lock:
            self._events += 1
        emit([sample(self._before, now, self._clock.now_us())])
        self._before = now
