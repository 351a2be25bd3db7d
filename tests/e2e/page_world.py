"""A root with a past: events, patterns, agents, cycles and beliefs, written without a session."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.events import Event, Json
from selflow.core.grants import OWNER
from selflow.core.notice_kinds import NoticeKind
from selflow.core.paths import Root
from selflow.discover.views import Views, map_files
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.store.notice_records import Notice
from selflow.store.pattern_records import Pattern, Transition
from selflow.store.records import (
    AgentVersion,
    Artifact,
    Base,
    Beliefs,
    Consent,
    Cycle,
    Decision,
    Opening,
    Stage,
    Trial,
    Verdict,
)
from selflow.store.row_writer import writing
from selflow.store.run_records import Run

MINUTE_US = 60_000_000
EVENTS, DECISIONS = 600, 60
LONG = "x" * 10_000
MARKUP = "<img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "קובץ חדש.txt"
SUBJECTS = ("src/parser.py", "README.md", "tests/test_parser.py", MARKUP, LONG, RIGHT_TO_LEFT)
FAMILIES = ("hdbscan", "spectral", "gmm", "density", "ward")
TOLD: tuple[NoticeKind, ...] = ("agent.promoted", "learning.stalled", "permission.asked")
"""As many as may alert on a day, so that the console adds none that does."""
CYCLE, DATA_HASH = "cyc_page", "ab" * 32
LOSSES = [(step, round(6.5 + 3 / step, 3)) for step in range(1, 81)]
CHECKS = [(10 * eighth, round(6.6 + 1 / eighth, 3)) for eighth in range(1, 9)]


def write_past(root: Root) -> None:
    """Fill a fresh root."""
    now_us = SystemClock().now_us()  # the console reads the real clock too
    catalog = Catalog.open(root.catalog)
    catalog.tokens.create("view", "dashboard", now_us, OWNER)
    catalog.close()
    log = EventLog(root.events, budget_bytes=64_000_000, credits=64)
    events = [_event(number, now_us) for number in range(EVENTS)]
    log.append("page", 1, [encode_record(event) for event in events])
    log.close()
    _write_map(root)
    with writing(root.catalog) as rows:
        rows.insert(Consent("files", now_us - 9 * MINUTE_US, None, {"paths": ["~/projects"]}))
        rows.insert(Consent("metrics", now_us - 9 * MINUTE_US, now_us - MINUTE_US, {}))
        for at, kind in enumerate(TOLD):
            rows.insert(Notice(f"ntc_{at}", kind, "parser", "", now_us - at * MINUTE_US))
        _write_learning(rows.insert, now_us)


def _write_map(root: Root) -> None:
    """Three groups of windows, and what is in none."""
    rng, k = np.random.default_rng(7), 3
    groups = np.repeat(np.arange(-1, k), 80).astype(np.int32)
    x = (
        rng.standard_normal((len(groups), 2))
        + 4 * np.array([[0, 0], [0, 1], [1, 1], [1, 0]])[groups]
    )
    views = Views(
        FAMILIES,
        np.array([np.roll(groups, 9 * at) for at in range(len(FAMILIES))]),
        np.arange(len(groups)),
        np.eye(k) * 0.7 + 0.1,
        np.eye(len(FAMILIES) + 1) * 0.4 + 0.6,
    )
    names = dict(enumerate(("parser-tests-readme", "shell-make", MARKUP)))
    folder = root.artifacts / DATA_HASH
    folder.mkdir(parents=True)
    for name, content in map_files(x, groups, views, names, names).items():
        (folder / name).write_bytes(content)


def _event(number: int, now_us: int) -> Event:
    ago_us = (EVENTS - number) * 12 * MINUTE_US
    return Event(
        now_us - ago_us,
        ("files", "git", "shell")[number % 3],
        ("file.modify", "git.commit", "shell.command")[number % 3],
        SUBJECTS[number % len(SUBJECTS)],
        app=("vim", "git", "zsh")[number % 3],
        # Every twelve hours a program is at the front for long
        duration_s=float(number % 7) if number % 60 else 2_400.0,
    )


def _write_learning(insert: Callable[[Any], Any], now_us: int) -> None:
    began_us = now_us - 40 * MINUTE_US
    insert(Artifact(DATA_HASH, "adapter", 100_000, {}, began_us))
    insert(Cycle(CYCLE, "owner", "done", began_us, began_us, now_us - 30 * MINUTE_US, EVENTS, 1))
    insert(Base(DATA_HASH, "selflow-tiny", CYCLE, began_us))
    for at, name in enumerate(("represent", "discover", "base", "grow:parser", "judge:parser")):
        start_us = began_us + at * 2 * MINUTE_US
        result = {"steps": 500 + at, "gate_steps": 100}
        insert(Stage(CYCLE, name, start_us, start_us + MINUTE_US, DATA_HASH, result))
    for at in range(6):
        config = {"learning_rate": 0.0001 * (at + 1), "rank": 4 if at % 2 else 8}
        state = "finished" if at % 3 == 0 else "rung"
        insert(Trial(f"t{at}", CYCLE, "parser", config, state, 6.7 + at / 100, 5.0 + at, ""))
        run = Run(
            f"r{at}", CYCLE, "grow:parser", "parser", config, state, start_us, start_us, 1, 0, "x"
        )
        insert(replace(run, step=80, steps=80, tokens=9_000, losses=LOSSES, checks=CHECKS))
    base = Run("rb", CYCLE, "base", "", {}, "finished", start_us, start_us, 1, 0, "x")
    insert(replace(base, step=80, steps=80, tokens=9_000, losses=LOSSES))
    for at, name in enumerate(("parser-tests-readme", "shell-make", "appveyor-yml-stack", MARKUP)):
        insert(_pattern(at, name, now_us))
    insert(Transition(CYCLE, "shell-make", "survived", ["shell-make"], 0.83))
    for at, decision, status in (
        (1, "passed", "retired"),
        (0, "passed", "champion"),
        (2, "rejected", "rejected"),
    ):
        _write_version(insert, at, decision, status, now_us - at * MINUTE_US)
    summary = [
        {
            "surface": "next",
            "arm": arm,
            "pulls": pulls,
            "success": mean,
            "low": low,
            "high": high,
            "latency_s": 0.045,
        }
        for arm, pulls, mean, low, high in (
            ("parser@000000000000", 412, 0.94, 0.91, 0.96),
            ("pool", 288, 0.89, 0.85, 0.92),
            ("base", 3, 0.6, 0.2, 0.9),
        )
    ]
    arms = {
        item["arm"]: {"pulls": item["pulls"], "wins": 40.0 - at * 9, "losses": 4.0 + at}
        for at, item in enumerate(summary)
    }
    insert(Beliefs(1, {"summary": summary, "surfaces": {"next": arms}}, 703, now_us))
    for at in range(DECISIONS):
        routing = {"arm": "pool", "surface": "next", "propensity": 0.81, "policy": "thompson"}
        routing |= {"explored": at % 7 == 0, "forced": at % 11 == 0}
        at_us = now_us - (DECISIONS - at) * 9 * MINUTE_US
        guesses: list[Json] = [{"kind": "file.modify", "subject": SUBJECTS[0], "p": 0.4}]
        guesses = guesses if at == DECISIONS - 1 else []
        insert(Decision(f"dec_{at:02}", at_us, "routed", 0, guesses, [], None, routing))


def _write_version(
    insert: Callable[[Any], Any], at: int, decision: Any, status: Any, at_us: int
) -> None:
    """A version of the agent with its look at the gate set and its verdict."""
    version, reasons = str(at) * 12, ["On the 1,978 steps of its own slice it was judged."]
    name, previous = f"parser@{version}", f"parser@{'1' * 12}" if at == 0 else None
    numbers = {"gate_steps": 1978, "slice_gain_bits": 0.0723 - at / 20, "slice_p": 0.0004998}
    insert(
        AgentVersion(
            name,
            "parser",
            version,
            DATA_HASH,
            DATA_HASH,
            "p0",
            CYCLE,
            status,
            f"v{at}",
            at_us,
            previous,
        )
    )
    insert(Opening("gate", at + 1, name, CYCLE, at_us, at_us, at_us))
    insert(Verdict(decision, reasons, numbers, "gate", at + 1, 0.05, f"v{at}", name, CYCLE, at_us))


def _pattern(at: int, name: str, now_us: int) -> Pattern:
    agreement = 0.9 - at * 0.15
    reason = "" if at == 0 else f"found again with agreement {agreement:.2f}; an agent needs 0.75"
    families = {
        family: None if (at, family) == (3, "gmm") else round(agreement - place / 50, 3)
        for place, family in enumerate(FAMILIES)
    }
    hours = [0.0] * 8 + [0.1] * 4 + [0.05] * 4 + [0.1] * 4 + [0.0] * 4
    return Pattern(
        f"p{at}",
        name,
        "alive",
        CYCLE,
        now_us,
        120 - at * 20,
        900 - at * 100,
        9,
        800,
        0.4 - at / 10,
        agreement,
        families,
        "A" if at == 0 else None,
        reason,
        [("parser", 0.9), ("tests", 0.5), (RIGHT_TO_LEFT, 0.3)],
        hours,
        [["file.modify\u001fsrc/parser.py", "git.commit\u001ffix"]],
        3,
    )
