"""``selflow demo``: the main job on real events, station by station, each checked and measured."""

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Annotated, Any

import typer

from actors import launch, sample, session
from actors.yardstick import Figures, Served, compare
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.core.invocation import Invocation, size, table
from selflow.core.paths import Root, find_root

LEARN_LIMIT_S = 600.0
SERVE_LIMIT_S = 90.0
INGEST_LIMIT_S = 120.0
_RULES = ("pool", "rrf", "ipam", "markov1", "markov2", "most_recent", "most_frequent")
_COLUMNS = ("steps", "hit@1", "hit@5", "log_loss_bits")


@dataclass(slots=True)
class Station:
    """One station: what it did, how long it took, and whether it really did it."""

    name: str
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    is_ok: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"station": self.name, "seconds": round(self.seconds, 2), "ok": self.is_ok, **self.facts}


@dataclass(slots=True)
class Journey:
    """The stations so far."""

    note: Callable[[str], None]
    stations: list[Station] = field(default_factory=list)

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


def demo(
    ctx: typer.Context,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave SelFlow running on the demo's state folder.")] = False,
    rows: Annotated[int | None, typer.Option(min=500, help="Replay only the newest rows of the sample.")] = None,
) -> None:
    """Replay real events, learn, serve, predict later ones over HTTP, and learn from their outcomes."""
    call: Invocation = ctx.obj
    root = find_root(tempfile.mkdtemp(prefix="selflow-demo-"), {})
    journey = Journey(call.note)
    figures: dict[str, Figures] = {}
    try:
        figures = _travel(root, journey, sample.load(rows))
    finally:
        if not keep:
            _leave(root, journey)
    _report(call, journey, figures)
    if keep:
        call.note(f"left running: selflow --home {root.path} status; end it with: selflow --home {root.path} down")
    if not all(station.is_ok for station in journey.stations):
        raise typer.Exit(1)


def _travel(root: Root, journey: Journey, given: sample.Sample) -> dict[str, Figures]:
    with journey.at("start") as station:
        plan = session.bring_up(root, session.Wish(assignments=("ray.dashboard=false",)), journey.note, serving=False)
        session.spawn_keeper(root)
        found = launch.current(root)
        if found is None:
            raise StoreError("the session left no note of itself", "see selflow logs")
        processes = launch.session_processes(root)
        station.facts = {"processes": len(processes), "pss_bytes": sum(p.memory_full_info().pss for p in processes)}
        station.is_ok = launch.is_alive(found)
    with journey.at("ingest") as station:
        _ingest(root, given, station)
    session.connect(root, found)
    import ray

    try:
        with journey.at("learn") as station:
            learned = _learn(plan, given, station)
        with journey.at("serve") as station:
            _serve(plan, station)
    finally:
        ray.shutdown()
    with journey.at("predict") as station:
        served = _ask(root, given, station)
    with journey.at("compare") as station:
        figures, is_same = compare(root, plan.settings, given, learned, served)
        station.facts = {"steps": figures["replayed"]["rrf"]["steps"], "served_as_computed": is_same}
        station.is_ok = is_same
    return figures


def _ingest(root: Root, given: sample.Sample, station: Station) -> None:
    from selflow.sdk.ingest import IngestClient
    from selflow.store.catalog import Catalog
    from selflow.store.log import EventLog

    catalog = Catalog.open(root.catalog)
    catalog.consents.grant("import", {"what": "the bundled sample"}, SystemClock().now_us(), "owner")
    catalog.close()
    events = given.events
    began_s = perf_counter()
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", sample.SOURCE) as client:
        client.send(events)
        acknowledged = sum(result.accepted for result in client.flush(INGEST_LIMIT_S))
    rate = len(events) / (perf_counter() - began_s)
    reader = EventLog.open_for_reading(root.events, 1)
    fill = reader.fill()
    reader.close()
    station.facts = {"events": fill.events, "log_bytes": fill.size_bytes, "events_per_s": round(rate)}
    station.is_ok = fill.events == acknowledged == len(events)


def _learn(plan: Any, given: sample.Sample, station: Station) -> dict[str, Any]:  # noqa: ANN401  (a Plan; Ray is not loaded above)
    import ray

    from actors.tasks import learn
    from selflow.store.reading import CatalogReader

    learned: dict[str, Any] = ray.get(learn.remote(plan), timeout=LEARN_LIMIT_S)
    champion = CatalogReader(plan.root.catalog).champion()
    if champion is None:
        raise StoreError("no predictor was registered", "see selflow logs")
    folder = plan.root.artifacts / champion.sha256
    artifact_bytes = sum(path.stat().st_size for path in folder.iterdir())
    station.facts = {"steps": learned["steps"], "artifact_bytes": artifact_bytes, "artifact": champion.sha256[:12]}
    station.is_ok = champion.upto_seq == len(given.events) and learned["steps"] >= len(given.seen) - 1
    return learned


def _serve(plan: Any, station: Station) -> None:  # noqa: ANN401
    from actors.composition import start_serving
    from selflow.sdk.client import Client

    start_serving(plan, SERVE_LIMIT_S)
    health = Client(f"http://127.0.0.1:{plan.inference_port}").health()
    station.facts = {"address": f"http://127.0.0.1:{plan.inference_port}", "status": health.status}
    station.is_ok = health.status == "ok"


def _ask(root: Root, given: sample.Sample, station: Station) -> Served:
    from selflow.sdk.client import Client
    from selflow.store.reading import CatalogReader

    client = Client(environ={"SELFLOW_HOME": str(root.path)})
    served = Served()
    answer_ms: list[float] = []
    feedback_ms: list[float] = []
    for place, commit in enumerate(given.held_out):
        began_s = perf_counter()
        answer = client.predict(given.context(place), top_k=5)
        asked_s = perf_counter()
        outcome: Json = [{"kind": event.kind, "subject": event.subject} for event in commit]
        word = client.feedback(answer.decision_id, "outcome", outcome)
        answer_ms.append((asked_s - began_s) * 1e3)
        feedback_ms.append((perf_counter() - asked_s) * 1e3)
        served.add(hit_at_1=bool(word.hit_at_1), hit_at_5=bool(word.hit_at_5))
    counts = CatalogReader(root.catalog).counts()
    station.facts = {
        "requests": counts["decisions"],
        "feedback": counts["feedback"],
        "answer_p50_ms": round(statistics.median(answer_ms), 1),
        "answer_max_ms": round(max(answer_ms), 1),
        "feedback_p50_ms": round(statistics.median(feedback_ms), 1),
    }
    station.is_ok = counts["decisions"] == counts["feedback"] == len(given.held_out)
    return served


def _leave(root: Root, journey: Journey) -> None:
    """End everything and remove the state folder, also after a failure; what is left is told."""
    with journey.at("end") as station:
        session.take_down(root, journey.note)
        left = len(launch.session_processes(root))
        shutil.rmtree(root.path, ignore_errors=True)
        station.facts = {"processes_left": left}
        station.is_ok = left == 0 and not root.path.exists()


def _report(call: Invocation, journey: Journey, figures: dict[str, Figures]) -> None:
    stations = [
        (each.name, "ok" if each.is_ok else "FAILED", f"{each.seconds:.1f}", _told(each.facts))
        for each in journey.stations
    ]
    lines = table(("station", "", "seconds", "what it did"), stations)
    for title, shown in (
        ("replayed commits, each predicted before it was learned", figures["replayed"]),
        ("the 50 later commits, asked over HTTP", figures["asked"]),
    ):
        rows = [(name, *(shown[name][column] for column in _COLUMNS)) for name in _RULES]
        lines += ["", title, *table(("", "steps", "hit@1", "hit@5", "log-loss bits"), rows)]
    lines += ["", f"total {sum(each.seconds for each in journey.stations):.0f} s"]
    call.show({"stations": [each.document() for each in journey.stations], "figures": figures}, lines)


def _told(facts: dict[str, Any]) -> str:
    said = []
    for name, value in facts.items():
        shown = size(value) if name.endswith("_bytes") else f"{value:,}" if type(value) is int else str(value)
        said.append(f"{name.removesuffix('_bytes').replace('_', ' ')} {shown}")
    return ", ".join(said)
