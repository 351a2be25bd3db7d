"""What ``selflow status`` tells, without Ray and without Typer: what was written down, checked
against the kernel.

The supervisor writes what it sees into the catalog; a killed supervisor cannot write that it is
dead. So every process is checked again, and a note that is too old is called so.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Literal

from selflow.collect.companion.spool import ShellSpool
from selflow.console.cli.next_learning import LearningAhead
from selflow.core import processes
from selflow.core.clock import SystemClock, rfc3339
from selflow.core.disk import storage_problem
from selflow.core.events import Fill
from selflow.core.invocation import Invocation, printable, size, table
from selflow.core.listening import listens
from selflow.core.session_files import ProcessRecord, read_ray_session
from selflow.core.until import pause_text
from selflow.store.pauses import Pause, pause_item, standing
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Service
from selflow.store.row import document as as_document
from selflow.store.views import behaviour_items, router_beliefs

State = Literal["running", "starting", "degraded", "not running"]
_NOT_RUNNING_EXIT = 3
_OUTCOMES = ("accepted", "dropped", "rejected", "lost")
_SLOW_ROUND_S = 30.0
_COLOURS: Mapping[str, str] = {
    "running": "green",
    "ok": "green",
    "degraded": "yellow",
    "starting": "yellow",
}


@dataclass(frozen=True, slots=True)
class ObservedStatus:
    """A service as it was written down, and whether its process is that one and alive."""

    service: Service
    is_alive: bool

    @property
    def state(self) -> str:
        """What the service said of itself, or ``dead`` if nobody is there to have said it."""
        return self.service.state if self.is_alive else "dead"


def status_report(call: Invocation) -> int:
    """Print the status; returns 0, or 3 if SelFlow does not run."""
    now_us = SystemClock().now_us()
    document = collect_status(call, now_us)
    call.show(document, _lines(call, document, now_us))
    return _NOT_RUNNING_EXIT if document["state"] == "not running" else 0


def collect_status(
    call: Invocation,
    now_us: int,
    read_fill: Callable[[], Fill | None] | None = None,
    ahead: LearningAhead | None = None,
) -> dict[str, Any]:
    """Everything that is to be said, in the shape of ``GET /api/system``.

    ``read_fill`` tells how full the log is in a process that has it open: LMDB opens one only once.
    ``ahead`` is what that process knows of the hours and settings.
    """
    catalog = CatalogReader(call.catalog_location())
    facts = catalog.facts()
    keeper, console = processes.living_keeper(call.root), processes.living_console(call.root)
    seen = observe(catalog.services())
    marked = frozenset(processes.session_pids(call.root.path))
    ray = _ray(call, marked)
    listeners = {
        name: {"url": url, "listens": listens(url)} for name, url in call.endpoints().items()
    }
    silent_s = _silent_s(seen, facts.check_interval_s, now_us)
    state, reasons = judge(seen, silent_s, ray["state"], has_keeper=keeper is not None)
    if state != "not running" and console is None and call.root.console.exists():
        state, reasons = "degraded", [*reasons, "the console is dead; the keeper starts it again"]
    problem = storage_problem(call.root.path)
    if problem:
        reasons = [problem, *reasons]
        state = state if state == "not running" else "degraded"
    return {
        "state": state,
        "reasons": reasons,
        "storage": {"state": "full" if problem else "ok"},
        "ray": ray,
        "serve": {
            "state": next((s.state for s in seen if s.service.name == "serve"), "not running")
        },
        "keeper": _beside(keeper),
        "console": _beside(console),
        **_learning_state(call, catalog, now_us, state, read_fill, ahead),
        "ingested": facts.ingested.totals,
        "shell_left_out": dict(ShellSpool(call.root.shell_spool).counts()),
        "commits_left_out": dict(ShellSpool(call.root.commit_spool).counts()),
        **_serving(catalog),
        "consents": [
            consent.source for consent in catalog.consents() if consent.revoked_at_us is None
        ],
        "endpoints": listeners,
        "services": [_service(item, now_us) for item in seen],
        "processes": _processes(seen, marked, [*facts.processes, *filter(None, (keeper, console))]),
        "versions": {"selflow": version("selflow")},
        "root": str(call.root.path),
    }


def _learning_state(
    call: Invocation,
    catalog: CatalogReader,
    now_us: int,
    state: str,
    read_fill: Callable[[], Fill | None] | None,
    ahead: LearningAhead | None,
) -> dict[str, Any]:
    """What waits to be learned, what the next cycle waits for, and the newest cycle."""
    facts, cycles = catalog.facts(), catalog.learned(Cycle)
    pause = standing(catalog.learned(Pause), now_us)
    shown_pause = pause_item(pause) if pause else None
    fill, behaviour = (read_fill or partial(_fill, call))(), behaviour_items(catalog)
    cycle = as_document(cycles[-1]) if cycles else None
    learning = (ahead or LearningAhead.of(call)).document(
        facts.trigger,
        fill,
        now_us,
        state=state,
        pause=shown_pause,
        cycle=cycle,
        behaviour=behaviour,
    )
    return {
        "pause": shown_pause,
        "buffer": _buffer(fill, facts.budget_bytes),
        **learning,
        "cycle": cycle,
        "behaviour": behaviour,
    }


def _serving(catalog: CatalogReader) -> dict[str, Any]:
    """Who answers: the predictor, the agents, and what the router believes of its arms."""
    champion = catalog.champion()
    return {
        "champion": champion
        and {
            "id": champion.id,
            "upto_seq": champion.upto_seq,
            "created_at": rfc3339(champion.created_at_us),
        },
        "agents": [item.id for item in catalog.learned(AgentVersion, status="champion")],
        "router": router_beliefs(catalog),
    }


def observe(services: Iterable[Service]) -> list[ObservedStatus]:
    """Each service, with a look at its process."""
    return [ObservedStatus(service, _is_alive(service)) for service in services]


def _beside(process: ProcessRecord | None) -> dict[str, Any]:
    """A process beside Ray; None if none lives."""
    return {"state": "running" if process else "not running", "pid": process and process.pid}


def judge(
    seen: list[ObservedStatus], silent_s: float, ray_state: str, *, has_keeper: bool
) -> tuple[State, list[str]]:
    """The state in one word, and what keeps it from being ``running``; ``silent_s`` is 0 unless it
    is too long.
    """
    alive = {observed.service.name for observed in seen if observed.is_alive}
    if not alive and ray_state == "running":
        return "degraded", ["Ray is running, but no SelFlow service is"]
    if not alive:
        return "not running", ["the Ray session died"] if ray_state == "dead" else []
    reasons = [] if ray_state == "running" else ["the Ray session is gone"]
    if "supervisor" not in alive:
        reasons.append("the supervisor is dead: services are not recreated")
    elif silent_s:
        reasons.append(f"the supervisor has not reported for {silent_s:,.0f} s")
    if not has_keeper:
        reasons.append("the keeper is not running: a dead session is not rebuilt; see selflow up")
    states = {observed.service.name: observed.state for observed in seen}
    reasons += [
        f"{name} is {state}"
        for name, state in states.items()
        if state not in {"ok", "starting"} and (name, state) != ("supervisor", "dead")
    ]
    if reasons:
        return "degraded", reasons
    waiting = [f"{name} is starting" for name, state in states.items() if state == "starting"]
    return ("starting", waiting) if waiting else ("running", [])


def _silent_s(seen: list[ObservedStatus], check_interval_s: float | None, now_us: int) -> float:
    """How long the supervisor has said nothing, if that is longer than a slow round or three of its
    intervals.
    """
    patience_s = max(_SLOW_ROUND_S, 3 * (check_interval_s or 0.0))
    for observed in seen:
        silent_s = (now_us - observed.service.seen_at_us) / 1e6
        if observed.service.name == "supervisor" and silent_s > patience_s:
            return silent_s
    return 0.0


def _is_alive(service: Service) -> bool:
    """Whether the process that said so still is."""
    if service.state == "dead":
        return False
    if service.pid == 0:  # it is being made: the supervisor's word is all there is
        return service.state == "starting"
    return processes.is_running(service)


def _ray(call: Invocation, marked: AbstractSet[int]) -> dict[str, Any]:
    """The session that was started or attached, and whether its core is among the living that carry
    its mark.
    """
    session = read_ray_session(call.root)
    if session is None:
        return {"state": "not running", "address": None, "is_ours": None, "warnings": []}
    if session.is_ours:
        core = set(session.core_pids)
        is_up = bool(core) and core <= marked
    else:
        is_up = listens(session.address)
    return {
        "state": "running" if is_up else "dead",
        "address": session.address,
        "is_ours": session.is_ours,
        "warnings": list(session.warnings),
    }


def _buffer(fill: Fill | None, budget: int | None) -> dict[str, Any] | None:
    """How full it is. The budget is a setting, and loading settings would take longer than all the
    rest.
    """
    if fill is None:
        return None
    return {
        "events": fill.events,
        "new_events": fill.new_events,
        "size_bytes": fill.size_bytes,
        "budget_bytes": budget,
        "fill_fraction": fill.size_bytes / budget if budget else None,
    }


def _fill(call: Invocation) -> Fill | None:
    if not (call.root.events / "data.mdb").exists():
        return None
    from selflow.store.log import LogReader

    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        return reader.fill()
    finally:
        reader.close()


def _service(seen: ObservedStatus, now_us: int) -> dict[str, Any]:
    health = seen.service
    return {
        "name": health.name,
        "state": seen.state,
        "pid": health.pid,
        "restarts": seen.service.restarts,
        "lag_events": health.lag_events,
        "last_error": health.last_error,
        "version": health.version,
        "seen_s_ago": round((now_us - seen.service.seen_at_us) / 1e6, 1),
    }


def _processes(
    seen: list[ObservedStatus], marked: AbstractSet[int], recorded: Iterable[ProcessRecord]
) -> list[dict[str, Any]]:
    """Our session's living processes, largest first: those with its mark, and those that were
    recorded and are still the same.
    """
    names = {item.pid: item.name for item in recorded if processes.is_running(item)}
    names |= {item.service.pid: item.service.name for item in seen if item.is_alive}
    pids = {pid for pid in (*names, *marked) if pid != os.getpid()}
    running = [process for pid in pids if (process := processes.look(pid))]
    return [
        {
            "pid": p.pid,
            "name": names.get(p.pid, p.name),
            "memory_bytes": p.memory_bytes,
            "is_pss": p.is_pss,
        }
        for p in sorted(running, key=lambda p: (-p.memory_bytes, p.pid))
    ]


def _learning(cycle: dict[str, Any] | None, agents: list[str]) -> Iterator[str]:
    if cycle is not None:
        at = cycle["finished_at"] or cycle["started_at"] or cycle["requested_at"]
        stage = (
            f", {cycle['stage']} {cycle['done_fraction']:.0%}"
            if cycle["state"] == "running"
            else ""
        )
        error = f" ({cycle['error']})" if cycle["error"] else ""
        yield f"learning: {cycle['id']} is {cycle['state']}{stage}{printable(error)}, since {at}"
    yield f"agents: {', '.join(agents) or 'none; selflow learn'}"


def _counts(document: dict[str, Any]) -> Iterator[str]:
    if counts := document["ingested"]:
        counted = ", ".join(f"{counts.get(outcome, 0):,} {outcome}" for outcome in _OUTCOMES)
        yield f"events since the collector started: {counted}"
    for name, what, hint in (
        ("shell_left_out", "shells' commands", " (selflow shell status)"),
        ("commits_left_out", "git's commits", ""),
    ):
        if left_out := document[name]:
            counted = ", ".join(f"{number:,} {reason}" for reason, number in left_out.items())
            yield f"left out of {what}: {counted}{hint}"


def _lines(call: Invocation, document: dict[str, Any], now_us: int) -> Iterator[str]:
    state = document["state"]
    painted = call.paint(state, _COLOURS.get(state, "red"))
    yield f"SelFlow {document['versions']['selflow']} is {painted}"
    yield from (f"  {reason}" for reason in (*document["reasons"], *document["ray"]["warnings"]))
    if pause := document["pause"]:
        yield f"collection is {pause_text(pause['until'], now_us)}; to end it: selflow resume"
    yield f"root: {document['root']}"
    if buffer := document["buffer"]:
        share = f" of {size(buffer['budget_bytes'])}" if buffer["budget_bytes"] else ""
        yield f"log: {buffer['events']:,} events"
        yield f"buffer: {buffer['new_events']:,} events, {size(buffer['size_bytes'])}{share}"
    yield from _counts(document)
    if champion := document["champion"]:
        yield f"predictor: {champion['id']}, learned up to event {champion['upto_seq']:,}"
    yield from _learning(document["cycle"], document["agents"])
    yield f"next learning: {document['next_learning']['text']}"
    yield from (printable(change["text"]) for change in document["behaviour"])
    if arms := document["router"]["items"]:
        held = [f"{a['arm']} {a['success']:.2f} ({a['low']:.2f} to {a['high']:.2f})" for a in arms]
        yield f"router: {printable('; '.join(held))}"
    yield f"allowed sources: {', '.join(document['consents']) or 'none; selflow init'}"
    for name, endpoint in document["endpoints"].items():
        yield f"{name}: {endpoint['url']}{'' if endpoint['listens'] else ' (does not listen)'}"
    if document["services"]:
        yield ""
        rows = [
            [s["name"], s["state"], s["pid"], s["restarts"], s["last_error"]]
            for s in document["services"]
        ]
        yield from table(
            ["service", "state", "pid", "restarts", "last error"],
            [[*row[:2], str(row[2]), *row[3:]] for row in rows],
        )
    if document["processes"]:
        yield ""
        measured = "PSS" if all(p["is_pss"] for p in document["processes"]) else "PSS or RSS"
        rows = [[p["name"], str(p["pid"]), size(p["memory_bytes"])] for p in document["processes"]]
        rows.append(["all", "", size(sum(p["memory_bytes"] for p in document["processes"]))])
        yield from table(["process", "pid", f"memory ({measured})"], rows)
