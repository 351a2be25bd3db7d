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

from actors import ray_head, sample, session
from actors.comparison import Hit, Served
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.core.paths import Root
from selflow.core.session_files import read_ray_session
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Stage, Trial, Verdict, document
from selflow.store.records import Beliefs as Kept

LEARN_LIMIT_S = 1200.0
SERVE_LIMIT_S = 180.0
INGEST_LIMIT_S = 120.0
BELIEF_LIMIT_S = 15.0
ASSIGNMENTS = (
    "ray.dashboard=false",
    "supervisor.check_interval_s=1",
    "discover.null_sets=4",
    "tune.num_samples=6",
)
"""The demo's settings: no dashboard, fewer null sets, six trials; all else is as an owner has it.
"""
_POLL_S = 0.5
_SURFACE = "predict"
Belief = dict[str, Any]


@dataclass(slots=True)
class Station:
    """One station: what it did, how long it took, and whether it really did it."""

    name: str
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    is_ok: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "station": self.name,
            "seconds": round(self.seconds, 2),
            "ok": self.is_ok,
            **self.facts,
        }


@dataclass(slots=True)
class DemoRun:
    """The stations so far, and the tables that they leave."""

    note: Callable[[str], None]
    stations: list[Station] = field(default_factory=list)
    learned: dict[str, Any] = field(default_factory=dict)
    """What the cycle left: patterns, trials, verdicts, and the pool's own figures."""
    beliefs: dict[str, list[Belief]] = field(default_factory=dict)
    """The router's, before and after the feedback."""

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
            station.seconds = perf_counter() - began_s


def start(root: Root, demo_run: DemoRun) -> Any:  # noqa: ANN401  (a Plan; Ray is not loaded here)
    """A fresh session without Serve."""
    with demo_run.at("start") as station:
        plan = session.bring_up(
            root, session.SessionRequest(assignments=ASSIGNMENTS), demo_run.note, serving=False
        )
        session.spawn_keeper(root)
        found = read_ray_session(root)
        if found is None:
            raise StoreError("the session left no note of itself", "see selflow logs")
        processes = ray_head.own_processes(root)
        station.facts = {
            "processes": len(processes),
            "pss_bytes": sum(p.memory_full_info().pss for p in processes),
        }
        station.is_ok = ray_head.is_alive(found)
    return plan


def ingest(root: Root, given: sample.Sample, demo_run: DemoRun) -> None:
    """The sample through the real ZeroMQ door."""
    from selflow.sdk.ingest import IngestClient
    from selflow.store.catalog import Catalog
    from selflow.store.log import EventLog

    with demo_run.at("ingest") as station:
        with closing(Catalog.open(root.catalog)) as catalog:
            catalog.consents.grant(
                "import", {"what": "the bundled sample"}, SystemClock().now_us(), "owner"
            )
        events = given.events
        began_s = perf_counter()
        with IngestClient(f"ipc://{root.socket('ingest.sock')}", sample.SOURCE) as client:
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


def learn(plan: Any, given: sample.Sample, demo_run: DemoRun) -> None:  # noqa: ANN401  (a Plan)
    """One full cycle; the pool of count experts learns the log meanwhile, on the other core."""
    import ray

    from actors.tasks import learn as learn_pool
    from selflow.store.catalog import Catalog

    reader = CatalogReader(plan.root.catalog)
    with demo_run.at("learn") as station:
        with closing(Catalog.open(plan.root.catalog)) as catalog:
            cycle_id = catalog.cycles.request("owner", SystemClock().now_us()).id
        pool = learn_pool.remote(plan)
        done = _wait_for_cycle(reader, cycle_id, demo_run.note)
        learned = ray.get(pool, timeout=LEARN_LIMIT_S)
        station.facts = {"cycle": done.state, "pool_steps": learned["steps"]}
        station.facts |= {"error": done.error} if done.error else {}
    stages = reader.learned(Stage, cycle_id=cycle_id)
    verdicts = reader.learned(Verdict, cycle_id=cycle_id)
    for stage in stages:
        took_us = (stage.finished_at_us or stage.started_at_us) - stage.started_at_us
        facts, is_done = _facts(stage.name, stage.result), stage.finished_at_us is not None
        demo_run.stations.append(Station(f"  {stage.name}", took_us / 1e6, facts, is_done))
    demo_run.learned = {
        "pool": learned,
        "stages": {stage.name: dict(stage.result) for stage in stages},
        "trials": [document(trial) for trial in reader.learned(Trial, cycle_id=cycle_id)],
        "verdicts": [document(verdict) for verdict in verdicts],
    }
    judged = [stage for stage in stages if stage.name.startswith("judge:")]
    is_learned = done.state == "done" and learned["steps"] >= len(given.seen) - 1
    station.is_ok = is_learned and 0 < len(judged) == len(verdicts)


def serve(plan: Any, demo_run: DemoRun) -> None:  # noqa: ANN401
    """Ray Serve with everything that was learned."""
    from actors.composition import start_serving
    from selflow.sdk.client import Client

    with demo_run.at("serve") as station:
        start_serving(plan, SERVE_LIMIT_S)
        client = Client(environ={"SELFLOW_HOME": str(plan.root.path)})
        models = client.models()
        station.facts = {
            "address": f"http://127.0.0.1:{plan.inference_port}",
            "models": len(models),
        }
        station.is_ok = client.health().status == "ok"


def ask(root: Root, given: sample.Sample, demo_run: DemoRun) -> Served:
    """The held-out commits, one after another, by turns from the pool and by the router; each with
    its outcome.
    """
    from selflow.sdk.client import Client

    client, reader = Client(environ={"SELFLOW_HOME": str(root.path)}), CatalogReader(root.catalog)
    champions = [each.agent for each in reader.learned(AgentVersion, status="champion")]
    served, arms = Served(), ["pool", *champions]
    answer_ms: list[float] = []
    with demo_run.at("predict") as station:
        demo_run.beliefs["before"] = _beliefs(reader, arms)
        for place, commit in enumerate(given.held_out):
            began_s = perf_counter()
            answer = client.predict(
                given.context(place), top_k=5, mode="routed" if place % 2 else "pool"
            )
            answer_ms.append((perf_counter() - began_s) * 1e3)
            outcome: Json = [{"kind": event.kind, "subject": event.subject} for event in commit]
            word = client.feedback(answer.decision_id, "outcome", outcome)
            bits = word.log_loss_bits or 0.0
            served.hits.append(Hit(bool(word.hit_at_1), bool(word.hit_at_5), bits, bool(place % 2)))
        counts = reader.counts()
        station.facts = {
            "requests": counts["decisions"],
            "feedback": counts["feedback"],
            "answer_p50_ms": round(statistics.median(answer_ms), 1),
            "answer_max_ms": round(max(answer_ms), 1),
        }
        station.is_ok = counts["decisions"] == counts["feedback"] == len(given.held_out)
    with demo_run.at("route") as station:
        routed = sum(1 for each in served.hits if each.is_routed)
        demo_run.beliefs["after"] = _wait_for_beliefs(reader, arms, routed)
        station.facts = {"routed": routed, "arms": len(arms)}
        station.is_ok = sum(each["pulls"] for each in demo_run.beliefs["after"]) == routed
    return served


def leave(root: Root, demo_run: DemoRun) -> None:
    """End everything and remove the state folder, also after a failure; what is left is told."""
    with demo_run.at("end") as station:
        session.take_down(root, demo_run.note)
        left = len(ray_head.own_processes(root))
        shutil.rmtree(root.path, ignore_errors=True)
        station.facts = {"processes_left": left}
        station.is_ok = left == 0 and not root.path.exists()


def _wait_for_cycle(reader: CatalogReader, cycle_id: str, note: Callable[[str], None]) -> Cycle:
    clock, said = SystemClock(), ""
    deadline_s = clock.monotonic_s() + LEARN_LIMIT_S
    while clock.monotonic_s() < deadline_s:
        (cycle,) = reader.learned(Cycle, id=cycle_id)
        if cycle.finished_at_us:
            return cycle
        if cycle.stage != said:
            said = cycle.stage
            note(f"  {said} ...")
        clock.sleep(_POLL_S)
    raise StoreError(
        f"the cycle {cycle_id} did not end within {LEARN_LIMIT_S:.0f} s", "see selflow logs"
    )


def _beliefs(reader: CatalogReader, arms: Sequence[str]) -> list[Belief]:
    """What the router believes of these arms."""
    from selflow.route.bandit import Beliefs

    kept = reader.learned(Kept)
    beliefs = Beliefs.load(kept[0].beliefs if kept else {})
    found = []
    for name in arms:
        (wins,), (losses,) = beliefs.posterior(_SURFACE, [name])
        low, high = beliefs.interval(_SURFACE, name)
        arm = beliefs.surfaces.get(_SURFACE, {}).get(name)
        success = float(wins / (wins + losses))
        found.append(
            {
                "arm": name,
                "pulls": arm.pulls if arm else 0,
                "success": success,
                "low": low,
                "high": high,
            }
        )
    return found


def _wait_for_beliefs(reader: CatalogReader, arms: Sequence[str], pulls: int) -> list[Belief]:
    """The beliefs once all feedback is folded in; what there is at the deadline."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + BELIEF_LIMIT_S
    while True:
        beliefs = _beliefs(reader, arms)
        if sum(each["pulls"] for each in beliefs) >= pulls or clock.monotonic_s() > deadline_s:
            return beliefs
        clock.sleep(_POLL_S)


def _facts(stage: str, result: Any) -> dict[str, Any]:  # noqa: ANN401  (a journal entry)
    """The few numbers of a stage that its line shows."""
    shown = {
        "represent": ("steps", "labels", "train", "tune", "gate"),
        "discover": ("windows", "k", "s_star", "c_star", "coverage"),
        "base": ("name", "parameters", "tokens", "epochs", "loss_first", "loss_last"),
        "grow": ("train_steps", "tune_steps", "config", "tune_bits"),
        "judge": ("decision",),
        "serve": ("champions",),
    }[stage.partition(":")[0]]
    return {name: result[name] for name in shown if name in result}
