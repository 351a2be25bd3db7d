"""What the session has written down, as Prometheus metrics: read again at each scrape."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from selflow.core import processes
from selflow.core.catalog_location import CatalogLocation
from selflow.core.events import Fill
from selflow.core.histogram import cumulative
from selflow.store.pattern_records import Pattern
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Stage, Verdict
from selflow.store.session_facts import SessionFacts

_RUNNING = frozenset({"requested", "running"})


class SessionMetrics(Collector):
    """Metrics of the whole session (docs/http.md#health-and-metrics).

    No label holds a path, a title or an id.

    Cost: a few reads of the catalog, one of the log's size, and one of /proc per process.
    """

    def __init__(self, location: CatalogLocation, fill: Callable[[], Fill | None]) -> None:
        self._catalog = CatalogReader(location)
        self._fill = fill

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry must not read the disk when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        facts = self._catalog.facts()
        yield from _ingest(facts)
        yield from self._buffer(facts)
        yield from self._learning()
        yield _memory(facts)

    def _buffer(self, facts: SessionFacts) -> Iterator[Metric]:
        fill = self._fill()
        if fill is not None:
            yield GaugeMetricFamily(
                "selflow_buffer_bytes", "Events not consumed yet.", value=fill.size_bytes
            )
        if facts.budget_bytes is not None:
            yield GaugeMetricFamily(
                "selflow_buffer_budget_bytes",
                "Capacity for unconsumed events.",
                value=facts.budget_bytes,
            )

    def _learning(self) -> Iterator[Metric]:
        read = self._catalog.learned
        ended = Counter[str](record.state for record in read(Cycle) if record.state not in _RUNNING)
        yield _counted("selflow_cycle", "Ended cycles.", "outcome", ended)
        yield _stages(read(Stage))
        decisions = Counter[str](record.decision for record in read(Verdict))
        yield _counted("selflow_verdict", "Verdicts of the gate.", "decision", decisions)
        alive = sum(record.state == "alive" for record in read(Pattern))
        yield GaugeMetricFamily("selflow_patterns", "Patterns that are alive.", value=alive)
        changes = GaugeMetricFamily(
            "selflow_behaviour_changes", "Changes that no cycle knows.", labels=["kind"]
        )
        noticed = Counter[str](change.kind for change in self._catalog.behaviour_changes())
        for kind in ("new", "drift"):
            changes.add_metric([kind], noticed[kind])
        yield changes
        agents = GaugeMetricFamily("selflow_agents", "Agents' versions.", labels=["status"])
        for status, count in Counter(record.status for record in read(AgentVersion)).items():
            agents.add_metric([status], count)
        yield agents


def _ingest(facts: SessionFacts) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "selflow_events", "Events that reached the collector.", labels=["source", "outcome"]
    )
    for source, counts in facts.ingested.events.items():
        for outcome, count in counts.items():
            events.add_metric([source, outcome], count)
    yield events
    buckets, sum_s = cumulative(facts.ingested.durations)
    yield HistogramMetricFamily(
        "selflow_ingest_seconds", "From reading a batch to its acknowledgement.", buckets, sum_s
    )


def _stages(stages: Iterable[Stage]) -> Metric:
    """A stage of one agent (``grow:NAME``) counts under its kind."""
    family = SummaryMetricFamily(
        "selflow_cycle_stage_seconds", "Time of finished stages.", labels=["stage"]
    )
    durations_s: dict[str, list[float]] = {}
    for stage in stages:
        if stage.finished_at_us is not None:
            kind = stage.name.partition(":")[0]
            spent_s = (stage.finished_at_us - stage.started_at_us) / 1e6
            durations_s.setdefault(kind, []).append(spent_s)
    for kind, spent in durations_s.items():
        family.add_metric([kind], count_value=len(spent), sum_value=sum(spent))
    return family


def _memory(facts: SessionFacts) -> Metric:
    family = GaugeMetricFamily(
        "selflow_process_pss_bytes", "Memory by kind of process.", labels=["process"]
    )
    total: Counter[str] = Counter()
    for record in facts.processes:
        if processes.is_running(record) and (process := processes.look(record.pid)) is not None:
            total[record.name] += process.memory_bytes
    for name, size_bytes in total.items():
        family.add_metric([name], size_bytes)
    return family


def _counted(name: str, text: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
