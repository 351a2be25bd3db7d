"""The stations of the demo: each does its part of the main job, says what it did, and whether it
really did it.
"""

import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from actors import ray_head, session
from actors.demo.comparison import Answered
from actors.demo.sample import SOURCE, Sample
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.core.paths import Root
from selflow.core.session_files import SessionRequest, read_ray_session
from selflow.route.arms import prediction_arms
from selflow.sdk.client import Client
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Stage, Trial, Verdict
from selflow.store.records import Beliefs as Kept
from selflow.store.row import document

LEARN_LIMIT_S = 1200.0
SERVE_LIMIT_S = 180.0
INGEST_LIMIT_S = 120.0
BELIEF_LIMIT_S = 15.0
ASSIGNMENTS = (
    "ray.dashboard=false",
    "supervisor.check_interval_s=1",
    "discover.null_sets=2",
    "tune.num_samples=6",
    "lm.base=tiny",
)
"""The demo's settings: no dashboard, fewer null sets, six trials, and the embedded base, so that a
model in the user's cache changes nothing; all else is as an owner has it.
"""
_STAGE_FACTS = {
    "represent": ("steps", "labels", "train", "tune", "gate"),
    "discover": ("windows", "k", "s", "s_star", "c_star", "coverage"),
    "base": ("name", "parameters", "tokens", "epochs", "loss_first", "loss_last"),
    "grow": ("train_steps", "tune_steps", "config", "tune_bits", "lines", "lacking"),
    "judge": ("decision",),
    "serve": ("champions",),
}
POLL_S = 0.5
_SURFACE = "predict"
Belief = dict[str, Any]


@dataclass(slots=True)
class Station:
    """One station: what it did, how long it took, and whether it really did it."""

    name: str
    duration_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    is_ok: bool = False
    is_stage: bool = False
    """A stage of the cycle, timed within the station ``learn``."""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "station": self.name,
            "seconds": round(self.duration_s, 2),
            "ok": self.is_ok,
            **self.facts,
        }


@dataclass(slots=True)
class DemoRun:
    """The stations so far, and the tables that they leave."""

    note: Callable[[str], None]
    stations: list[Station] = field(default_factory=list)
    learned: dict[str, Any] = field(default_factory=dict)
    """What the cycle left: stages, trials and verdicts."""
    beliefs: dict[str, list[Belief]] = field(default_factory=dict)
    """The router's, before and after the feedback."""
    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Figures of the experts of lines, by name."""

    @contextmanager
    def at(self, name: str) -> Iterator[Station]:
        """Time a station and say that it has begun."""
        station = Station(name)
        self.stations.append(station)
        self.note(f"{name} ...")
        began_s = perf_counter()
        try:
            yield station
        finally:
            station.duration_s = perf_counter() - began_s


def start(root: Root, demo_run: DemoRun) -> None:
    """A fresh session, as ``selflow up`` makes it."""
    with demo_run.at("start") as station:
        session.bring_up(root, SessionRequest(assignments=ASSIGNMENTS), demo_run.note)
        session.spawn_keeper(root)
        ray_session = read_ray_session(root)
        if ray_session is None:
            raise StoreError("the session record is missing", "see selflow logs")
        processes = ray_head.own_processes(root)
        station.facts = {
            "processes": len(processes),
            "pss_bytes": sum(p.memory_full_info().pss for p in processes),
        }
        station.is_ok = ray_head.is_alive(ray_session)


def ingest(root: Root, sample: Sample, demo_run: DemoRun) -> None:
    """The sample, sent as any program sends its events."""
    from selflow.sdk.ingest import IngestClient
    from selflow.store.catalog import Catalog
    from selflow.store.log import EventLog

    with demo_run.at("ingest") as station:
        with Catalog.open(catalog_of_session(root)) as catalog:
            catalog.consents.grant(
                "import", {"what": "the bundled sample"}, SystemClock().now_us(), "owner"
            )
        events = sample.events
        began_s = perf_counter()
        with IngestClient(f"ipc://{root.socket('ingest.sock')}", SOURCE) as client:
            client.send(events)
            acknowledged = sum(result.accepted for result in client.flush(INGEST_LIMIT_S))
        rate = len(events) / (perf_counter() - began_s)
        with closing(EventLog.open_for_reading(root.events, 1)) as reader:
            fill = reader.fill()
        station.facts = {
            "events": fill.events,
            "log_bytes": fill.size_bytes,
            "events_per_s": round(rate),
        }
        station.is_ok = fill.events == acknowledged == len(events)


def learn(root: Root, demo_run: DemoRun) -> None:
    """One full cycle, requested as ``selflow learn`` does; the replica learns the log meanwhile."""
    from selflow.store.catalog import Catalog

    reader = CatalogReader(catalog_of_session(root))
    with demo_run.at("learn") as station:
        with Catalog.open(catalog_of_session(root)) as catalog:
            cycle_id = catalog.cycles.request("owner", SystemClock().now_us()).id
        cycle = _wait_for_cycle(reader, cycle_id, demo_run.note)
        station.facts = {"cycle": cycle.state, **({"error": cycle.error} if cycle.error else {})}
    stages = reader.learned(Stage, cycle_id=cycle_id)
    verdicts = reader.learned(Verdict, cycle_id=cycle_id)
    demo_run.stations += [_stage_station(stage) for stage in stages]
    demo_run.learned = {
        "stages": {stage.name: dict(stage.result) for stage in stages},
        "trials": [document(trial) for trial in reader.learned(Trial, cycle_id=cycle_id)],
        "verdicts": [document(verdict) for verdict in verdicts],
    }
    judged = [stage for stage in stages if stage.name.startswith("judge:")]
    station.is_ok = cycle.state == "done" and 0 < len(judged) == len(verdicts)


def serve(root: Root, demo_run: DemoRun) -> None:
    """The replica, once it has learned the whole log."""
    with demo_run.at("serve") as station:
        client = Client(environ={"SELFLOW_HOME": str(root.path)})
        clock = SystemClock()
        deadline_s = clock.monotonic_s() + SERVE_LIMIT_S
        while (health := client.health()).lag_events and clock.monotonic_s() < deadline_s:
            clock.sleep(POLL_S)
        station.facts = {"lag_events": health.lag_events, "models": len(client.models())}
        station.is_ok = health.status == "ok" and health.lag_events == 0


def ask(root: Root, sample: Sample, demo_run: DemoRun) -> list[Answered]:
    """The held-out commits, one after another, by turns from the pool and by the router; each with
    its outcome.
    """
    client, reader = (
        Client(environ={"SELFLOW_HOME": str(root.path)}),
        CatalogReader(catalog_of_session(root)),
    )
    champions = reader.learned(AgentVersion, status="champion")
    arms = list(prediction_arms({item.agent: item.version for item in champions}))
    answers: list[Answered] = []
    answer_ms: list[float] = []
    with demo_run.at("predict") as station:
        demo_run.beliefs["before"] = _beliefs(reader, arms)
        for index, commit in enumerate(sample.held_out):
            is_routed = bool(index % 2)
            began_s = perf_counter()
            answer = client.predict(
                sample.context(index), top_k=5, mode="routed" if is_routed else "pool"
            )
            answer_ms.append((perf_counter() - began_s) * 1e3)
            outcome: Json = [{"kind": event.kind, "subject": event.subject} for event in commit]
            graded = client.feedback(answer.decision_id, "outcome", outcome)
            answers.append(Answered(bool(graded.hit_at_1), bool(graded.hit_at_5), is_routed))
        counts = reader.counts()
        station.facts = {
            "requests": counts["decisions"],
            "feedback": counts["feedback"],
            "answer_p50_ms": round(statistics.median(answer_ms), 1),
            "answer_max_ms": round(max(answer_ms), 1),
        }
        station.is_ok = counts["decisions"] == counts["feedback"] == len(sample.held_out)
    with demo_run.at("route") as station:
        routed = sum(1 for answer in answers if answer.is_routed)
        demo_run.beliefs["after"] = _wait_for_beliefs(reader, arms, routed)
        station.facts = {"routed": routed, "arms": len(arms)}
        station.is_ok = sum(item["pulls"] for item in demo_run.beliefs["after"]) == routed
    return answers


def end(root: Root, demo_run: DemoRun) -> None:
    """End everything and remove the state folder, also after a failure, and count what is left."""
    with demo_run.at("end") as station:
        session.take_down(root, demo_run.note)
        left = len(ray_head.own_processes(root))
        shutil.rmtree(root.path, ignore_errors=True)
        station.facts = {"processes_left": left}
        station.is_ok = left == 0 and not root.path.exists()


def _wait_for_cycle(reader: CatalogReader, cycle_id: str, note: Callable[[str], None]) -> Cycle:
    clock, noted = SystemClock(), ""
    deadline_s = clock.monotonic_s() + LEARN_LIMIT_S
    while clock.monotonic_s() < deadline_s:
        (cycle,) = reader.learned(Cycle, id=cycle_id)
        if cycle.finished_at_us:
            return cycle
        if cycle.stage != noted:
            noted = cycle.stage
            note(f"  {noted} ...")
        clock.sleep(POLL_S)
    raise StoreError(
        f"the cycle {cycle_id} did not end within {LEARN_LIMIT_S:.0f} s", "see selflow logs"
    )


def _beliefs(reader: CatalogReader, arms: Sequence[str]) -> list[Belief]:
    """What the router believes of these arms."""
    from selflow.route.bandit import Beliefs

    stored = reader.learned(Kept)
    beliefs = Beliefs.load_state(stored[0].beliefs if stored else {})
    rows = []
    for name in arms:
        (wins,), (losses,) = beliefs.posterior(_SURFACE, [name])
        low, high = beliefs.interval(_SURFACE, name)
        arm = beliefs.surfaces.get(_SURFACE, {}).get(name)
        success = float(wins / (wins + losses))
        rows.append(
            {
                "arm": name,
                "pulls": arm.pulls if arm else 0,
                "success": success,
                "low": low,
                "high": high,
            }
        )
    return rows


def _wait_for_beliefs(reader: CatalogReader, arms: Sequence[str], pulls: int) -> list[Belief]:
    """The beliefs once all feedback is folded in; what there is at the deadline."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + BELIEF_LIMIT_S
    while True:
        beliefs = _beliefs(reader, arms)
        if sum(belief["pulls"] for belief in beliefs) >= pulls or clock.monotonic_s() > deadline_s:
            return beliefs
        clock.sleep(POLL_S)


def _stage_station(stage: Stage) -> Station:
    """A stage of the cycle, with the few figures that its line shows."""
    duration_us = (stage.finished_at_us or stage.started_at_us) - stage.started_at_us
    names = _STAGE_FACTS[stage.name.partition(":")[0]]
    return Station(
        f"  {stage.name}",
        duration_us / 1e6,
        {name: stage.result[name] for name in names if name in stage.result},
        is_ok=stage.finished_at_us is not None,
        is_stage=True,
    )
