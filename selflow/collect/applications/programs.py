"""Which of the owner's programs run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from selflow.core.events import Event


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs at least once."""

    name: str
    since_us: int
    """When its oldest process began."""


def running_programs() -> dict[str, Program]:
    """The owner's programs by name. Cost: about 0.1 ms a process."""
    programs: dict[str, Program] = {}
    for process in psutil.process_iter(["name", "create_time", "uids"]):
        facts = process.info
        if not facts["name"] or facts["uids"] is None or facts["uids"].real != os.getuid():
            continue
        since_us = round((facts["create_time"] or 0.0) * 1e6)
        known = programs.get(facts["name"])
        if known is None or since_us < known.since_us:
            programs[facts["name"]] = Program(facts["name"], since_us)
    return programs


def changes(before: Mapping[str, Program], now: Mapping[str, Program], now_us: int) -> list[Event]:
    """``app.start`` of programs that run now and did not, ``app.end`` of those that ended."""
    started = [
        Event(min(program.since_us, now_us), "apps", "app.start", name, name)
        for name, program in now.items()
        if name not in before
    ]
    ended = [
        Event(
            *(now_us, "apps", "app.end", name, name),
            duration_s=max(0.0, (now_us - program.since_us) / 1e6),
        )
        for name, program in before.items()
        if name not in now
    ]
    return [*started, *ended]
