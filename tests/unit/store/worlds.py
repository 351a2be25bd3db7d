"""Events, cycles and agents with known contents, for the tests of the store."""

from collections.abc import Callable, Sequence
from pathlib import Path

from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.store.records import AgentVersion, Artifact, Cycle, Opening, Verdict

START_US = 1_767_225_600_000_000


def record(number: int, ts_us: int | None = None, padding_bytes: int = 0) -> bytes:
    moment_us = START_US + number if ts_us is None else ts_us
    data = {"n": number, "padding": "x" * padding_bytes}
    return encode_record(Event(moment_us, "files", "file.modify", f"/w/{number}", data=data))


def open_log(folder: Path, map_bytes: int = 1 << 20) -> EventLog:
    return EventLog(folder, budget_bytes=64_000_000, credits=8, map_bytes=map_bytes)


PATTERN = {
    "name": "writing",
    "terms": [["docs", 0.5]],
    "agreement": 0.9,
    "days": 6,
    "steps": 40,
    "families": {"ward": 0.9, "gmm": 0.8},
    "grade": "strong",
    "reason": "",
    "alive_cycles": 2,
    "parts": [],
    "windows": 40,
    "events": 800,
    "share": 0.25,
    "hours": [0.0] * 24,
    "medoids": [["file.modify docs/a.md"]],
    "number": 3,
}


def begun(catalog: Catalog, now_us: int = 10) -> Cycle:
    """A cycle that runs, the same one while it is open."""
    return catalog.cycles.begin(catalog.cycles.request("owner", now_us).id, 100, now_us)


def next_look(gate_set: str) -> Callable[[Sequence[Opening]], tuple[str, int]]:
    """A rule for the ledger: one more look at this set."""
    return lambda opened: (gate_set, 1 + sum(each.gate_set == gate_set for each in opened))


def register(
    catalog: Catalog, letter: str, decision: str = "passed", now_us: int = 20, **other: object
) -> AgentVersion:
    """An adapter of the agent ``writing`` whose hash is one letter, grown, judged and registered by
    the open cycle.
    """
    cycle, sha256 = begun(catalog, now_us), letter * 64
    ids = catalog.patterns.record(cycle.id, [PATTERN], now_us)
    grown = Artifact(sha256, "adapter", 10, {})
    catalog.cycles.stage_done(cycle.id, f"grow:{letter}{now_us}", grown, [], {}, now_us)
    look: tuple[str | None, int | None, float | None] = (None, None, None)
    if decision != "no_verdict":
        opened = catalog.verdicts.open_gate(next_look("set"), (1, 9), sha256, cycle.id, now_us)
        assert opened is not None
        look = ("set", opened.opening, 0.05)
    asked = {
        "agent": "writing",
        "sha256": sha256,
        "base_sha256": "b" * 64,
        "pattern_id": ids["writing"],
        "cycle_id": cycle.id,
        "verdict": Verdict(decision, ["because"], {"slice_gain_bits": 0.2}, *look),
        "stage": f"judge:{letter}{now_us}",
        "now_us": now_us,
    }
    version = catalog.agents.register(**{**asked, **other})
    catalog.cycles.finish(cycle.id, "done", "", now_us)
    return version
