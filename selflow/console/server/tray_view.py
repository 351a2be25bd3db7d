"""The tray's picture, from catalog, log and session."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from selflow.console.server.read_model import ReadModel
from selflow.console.server.system_view import system_document
from selflow.console.server.wire import SystemAnswer
from selflow.console.tray.state import (
    AppState,
    HotPattern,
    ServingAgent,
    TrainingAgent,
    TrayState,
)
from selflow.core.clock import as_datetime, owner_zone, parse_ts_us
from selflow.search.rollups import DAY_US
from selflow.store.command_records import Command
from selflow.store.notice_records import Notice
from selflow.store.notice_view import is_unread
from selflow.store.pattern_records import Pattern
from selflow.store.records import AgentVersion, Cycle, Stage
from selflow.store.views import alive_patterns, router_beliefs

PAGES = (
    *("/", "/activity", "/patterns", "/ask", "/training", "/agents"),
    *("/privacy", "/settings"),
)
"""The addresses of the page's parts (``web/src/lib/pages.ts``; a test compares)."""
LEAST_ANSWERS = 10
"""Below, a share of successes is too uncertain to be shown."""
SHOWN = 3
_METHOD = "Consensus"
_GROWING = ("grow:", "adapt:")
_FAMILY_NAMES: Mapping[str, str] = {
    "hdbscan": "HDBSCAN",
    "gmm": "GMM",
    "spectral": "Spectral",
    "density": "Density",
    "ward": "Ward",
}
_MAX_KINDS = 10_000


def tray_state(model: ReadModel) -> TrayState:
    """Everything that the tray shows."""
    system, now_us, catalog = system_document(model), model.clock.now_us(), model.catalog
    midnight_us = _midnight_us(now_us)
    kinds = model.index.activity(midnight_us, now_us + 1, DAY_US, "kind", _MAX_KINDS)
    by_kind: Counter[str] = Counter()
    for one in kinds:
        by_kind[one.group] += one.events
    patterns = [p for p in alive_patterns(catalog) if p.agreement is not None and not p.is_hidden]
    champions = catalog.learned(AgentVersion, status="champion")
    pause = model.status().get("pause")
    size = next((c for c in system.conditions if c.name == "size"), None)
    return TrayState(
        state=_state(system, is_paused=bool(pause)),
        pause_reason=_pause_reason(pause) if pause else "",
        today_events=by_kind.total(),
        patterns=len(patterns) if patterns else None,
        method=_METHOD if patterns else "",
        families=_families(patterns),
        hot_patterns=_hot(patterns),
        today_file_operations=sum(n for kind, n in by_kind.items() if kind.startswith("file.")),
        active_agents=len(champions),
        agents=serving(champions, router_beliefs(catalog)["items"]),
        training=_training(catalog.newest(Cycle, 1), catalog.learned(Stage)),
        data_fraction=size.value / size.needed if size else None,
        is_training_ready=all(condition.is_met for condition in system.conditions),
        waiting_cycles=_waiting(catalog.learned(Cycle), catalog.learned(Command)),
        unread_notices=sum(map(is_unread, catalog.learned(Notice))),
        pages=PAGES,
    )


def serving(
    champions: Iterable[AgentVersion], beliefs: Iterable[Mapping[str, Any]]
) -> tuple[ServingAgent, ...]:
    """The best of those that serve; those with too few answers come last."""
    known = {str(item["arm"]): item for item in beliefs if item["pulls"] >= LEAST_ANSWERS}
    agents = [
        ServingAgent(
            f"{one.agent}-{one.version[:7]}",
            float(known[one.agent]["success"]) if one.agent in known else None,
        )
        for one in champions
    ]
    return tuple(sorted(agents, key=lambda one: -(one.success_fraction or 0.0))[:SHOWN])


def _state(system: SystemAnswer, *, is_paused: bool) -> AppState:
    return "paused" if is_paused and system.state == "running" else system.state


def _pause_reason(pause: Mapping[str, Any]) -> str:
    if not pause["until"]:
        return "until you resume"
    moment = as_datetime(parse_ts_us(pause["until"])).astimezone(owner_zone())
    return f"until {moment.strftime('%H:%M')}"


def _hot(patterns: Iterable[Pattern]) -> tuple[HotPattern, ...]:
    """The largest ones."""
    return tuple(
        HotPattern(pattern.title or pattern.name, pattern.agreement)
        for pattern in list(patterns)[:SHOWN]
        if pattern.agreement is not None
    )


def _families(patterns: Iterable[Pattern]) -> tuple[str, ...]:
    names = dict.fromkeys(name for pattern in patterns for name in pattern.families)
    return tuple(_FAMILY_NAMES.get(name, name) for name in names)


def _training(cycles: Iterable[Cycle], stages: Iterable[Stage]) -> tuple[TrainingAgent, ...]:
    """The agent whose stage is worked on; the journal of a cycle names it."""
    return tuple(
        TrainingAgent(stage.name.partition(":")[2], cycle.done_fraction or None)
        for cycle in cycles
        if cycle.state == "running"
        for stage in stages
        if (stage.cycle_id, stage.name, stage.finished_at_us) == (cycle.id, cycle.stage, None)
        and stage.name.startswith(_GROWING)
    )


def _waiting(cycles: Iterable[Cycle], commands: Iterable[Command]) -> int:
    """Cycles that were asked for and have not begun."""
    requested = sum(cycle.state == "requested" for cycle in cycles)
    return requested + sum((c.action, c.state) == ("learn.start", "queued") for c in commands)


def _midnight_us(now_us: int) -> int:
    """When the owner's day began."""
    now = as_datetime(now_us).astimezone(owner_zone())
    midnight = datetime(now.year, now.month, now.day, tzinfo=owner_zone())
    return round(midnight.timestamp() * 1e6)
