"""What ``selflow watch`` shows of the newest messages: lines with a style, and lines that tell what
changed. Pure: the command draws them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from selflow.core.clock import as_datetime, owner_zone, parse_ts_us
from selflow.core.invocation import printable, size

TOPICS = "live,runs,agents"
Style = Literal["", "bold", "dim", "green", "yellow", "red"]
MAX_AGENTS = 5
_BAR_CELLS = 24
_CYCLE_STEP = 0.1
"""Of a stage's progress, that is a line of its own."""
_STATES: Mapping[str, Style] = {"running": "green", "starting": "yellow", "degraded": "yellow"}


@dataclass(frozen=True, slots=True)
class Watched:
    """The newest document of each topic; empty before the first. ``problem``: why there is no newer
    one.
    """

    system: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()
    cycle: Mapping[str, Any] | None = None
    stages: Sequence[Mapping[str, Any]] = ()
    agents: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the screen."""

    text: str
    style: Style = ""


def after(watched: Watched, topic: str, document: Any) -> Watched:  # noqa: ANN401  (JSON)
    """What is known once a message of a topic has come."""
    if problem := document.get("problem", ""):
        return replace(watched, problem=str(problem))
    if topic == "live":
        events = document["events"]
        return replace(watched, system=document["system"], events=events, problem="")
    if topic == "runs":
        cycle, stages = document["cycle"], document["stages"]
        return replace(watched, cycle=cycle, stages=stages, problem="")
    return replace(watched, agents=document, problem="")


def screen(watched: Watched, rows: int) -> list[Line]:
    """At most ``rows`` lines; the newest events take what the rest leaves."""
    head = [*_state(watched), *_learning(watched), *_agents(watched)]
    left = max(rows - len(head) - 2, 0)
    events = [Line(event_line(event)) for event in watched.events[:left]]
    shown = [*head, Line(""), Line("newest events", "bold"), *(events or [Line("none", "dim")])]
    return shown[:rows]


def changes(before: Watched, now: Watched) -> Iterator[str]:
    """What a reader of plain lines has to be told, oldest event first."""
    if now.problem != before.problem:
        yield f"waiting: {printable(now.problem)}" if now.problem else "the console answers again"
    if now.system and now.system.get("state") != before.system.get("state"):
        yield state_line(now.system)
    if now.system and _reason(now) != _reason(before):
        yield f"next learning: {_reason(now)}"
    if now.cycle and _cycle_step(now.cycle) != _cycle_step(before.cycle):
        yield cycle_line(now.cycle)
    serving = {item["id"] for item in _serving(before)}
    if before.agents:
        yield from (f"{i['id']} serves" for i in _serving(now) if i["id"] not in serving)
    known = max((event["seq"] for event in before.events), default=0)
    yield from (event_line(e) for e in reversed(now.events) if e["seq"] > known)


def state_line(system: Mapping[str, Any]) -> str:
    """The state with its reasons."""
    reasons = f": {printable('; '.join(system['reasons']))}" if system["reasons"] else ""
    return f"SelFlow is {system['state']}{reasons}"


def cycle_line(cycle: Mapping[str, Any]) -> str:
    """A cycle in a line."""
    stage = f", {cycle['stage']} {cycle['done_fraction']:.0%}" if _is_open(cycle) else ""
    error = f" ({cycle['error']})" if cycle["error"] else ""
    return printable(f"{cycle['id']} is {cycle['state']}{stage}{error}")


def event_line(event: Mapping[str, Any]) -> str:
    """A stored event in a line, in the owner's time."""
    moment = as_datetime(parse_ts_us(event["ts"])).astimezone(owner_zone())
    when = moment.strftime("%H:%M:%S")
    return printable(f"{when}  {event['source']:<10}  {event['kind']:<16}  {event['subject']}")


def _state(watched: Watched) -> Iterator[Line]:
    if watched.problem:
        yield Line(f"{printable(watched.problem)}; these are the last figures", "yellow")
    system = watched.system
    if not system:
        return
    yield Line(state_line(system), _STATES.get(system["state"], "red"))
    if buffer := system["buffer"]:
        budget_bytes = buffer["budget_bytes"]
        share = f" of {size(budget_bytes)}" if budget_bytes else ""
        fraction = buffer["fill_fraction"]
        drawn = f"{bar(fraction)} {fraction:.0%}  " if fraction is not None else ""
        new = f"{buffer['new_events']:,} new events, {size(buffer['size_bytes'])}{share}"
        yield Line(f"buffer         {drawn}{new}")
    yield Line(f"events         {system['last_hour_events']:,} in the last hour")
    yield Line(f"next learning  {_reason(watched)}")


def _learning(watched: Watched) -> Iterator[Line]:
    cycle = watched.cycle
    if cycle is None:
        return
    yield Line("")
    yield Line(cycle_line(cycle), "red" if cycle["state"] == "failed" else "bold")
    for stage in watched.stages:
        is_done = stage["finished_at"] is not None
        how = "done" if is_done else "stopped"
        if not is_done and cycle["state"] == "running":
            is_current = stage["name"] == cycle["stage"]
            how = (
                f"{bar(cycle['done_fraction'])} {cycle['done_fraction']:.0%}" if is_current else ""
            )
        yield Line(f"  {stage['name']:<20} {stage['seconds']:>8,.1f} s  {how}".rstrip())


def _agents(watched: Watched) -> Iterator[Line]:
    serving = _serving(watched)
    if not serving:
        return
    yield Line("")
    yield Line("agents that serve", "bold")
    beliefs = {item["arm"]: item for item in watched.agents["beliefs"]["items"]}
    for item in serving[:MAX_AGENTS]:
        belief = beliefs.get(item["agent"])
        success = "no feedback yet"
        if belief:
            interval = f"{belief['low']:.2f} to {belief['high']:.2f}"
            success = f"success {belief['success']:.2f} ({interval}), {belief['pulls']:,} answers"
        yield Line(printable(f"  {item['id']:<30} {success}"))
    if len(serving) > MAX_AGENTS:
        yield Line(f"  and {len(serving) - MAX_AGENTS} more: selflow agents", "dim")


def bar(fraction: float) -> str:
    """A share as a bar of text."""
    full = round(min(max(fraction, 0.0), 1.0) * _BAR_CELLS)
    return "█" * full + "░" * (_BAR_CELLS - full)


def _reason(watched: Watched) -> str:
    known = watched.system.get("next_learning")
    if not known:
        return ""
    if not known["at"]:
        return printable(known["reason"])
    moment = as_datetime(parse_ts_us(known["at"])).astimezone(owner_zone())
    return printable(f"about {moment.strftime('%a %H:%M')}: {known['reason']}")


def _serving(watched: Watched) -> list[Mapping[str, Any]]:
    return [item for item in watched.agents.get("items", []) if item["status"] == "champion"]


def _is_open(cycle: Mapping[str, Any]) -> bool:
    return cycle["state"] == "running" and bool(cycle["stage"])


def _cycle_step(cycle: Mapping[str, Any] | None) -> object:
    if cycle is None:
        return None
    tenths = int(cycle["done_fraction"] / _CYCLE_STEP) if _is_open(cycle) else 0
    return cycle["id"], cycle["state"], cycle["stage"], tenths
