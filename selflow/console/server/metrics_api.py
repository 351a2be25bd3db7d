"""``GET /metrics``: what the session has written down and what the console answered, for
Prometheus. Nothing of it is loaded before the first scrape.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.core.histogram import Histogram, cumulative

if TYPE_CHECKING:
    from prometheus_client import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
routes = Routes()


class AnswerCounts:
    """Answers of the console by route and status, and how long they took. Safe for threads.

    A route is counted by its form, never by a path that somebody sent.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, Histogram] = defaultdict(Histogram)

    def answered(self, route: str, status: int, duration_s: float) -> None:
        """Count an answer; the guard calls this for every request."""
        with self._lock:
            self._answers[route, status] += 1
            self._seconds[route].observe(duration_s)

    def collect(self) -> "Iterator[Metric]":
        """As Prometheus's own records."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "selflow_requests", "Answers by route and status.", labels=["route", "code"]
        )
        seconds = HistogramMetricFamily(
            "selflow_request_seconds", "Response time.", labels=["route"]
        )
        with self._lock:
            for (route, status), count in sorted(self._answers.items()):
                requests.add_metric([route, str(status)], count)
            for route, durations in sorted(self._seconds.items()):
                buckets, sum_s = cumulative(durations.document())
                seconds.add_metric([route], buckets, sum_s)
        yield requests
        yield seconds


@routes.get("/metrics", "view", area="metrics", response_class=PlainTextResponse)
def metrics(request: Request, model: Model) -> Response:
    """Prometheus text. No label holds a path, a title or an id."""
    from prometheus_client import CollectorRegistry, generate_latest

    from selflow.store.session_metrics import SessionMetrics

    registry = CollectorRegistry()
    registry.register(SessionMetrics(model.location, model.fill))
    registry.register(request.app.state.answer_counts)
    return Response(generate_latest(registry), media_type=MEDIA_TYPE)
