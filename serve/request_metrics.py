"""What the inference process counts of itself, in a registry of its own
(docs/http.md#health-and-metrics).
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.registry import Collector

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RequestMetrics:
    """Counters with labels of few values; never a path, a title or an id."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "selflow_requests", "Answers by route and status.", ["route", "code"], registry=registry
        )
        self._seconds = Histogram(
            "selflow_request_seconds",
            "Response time.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._feedback = Counter(
            "selflow_feedback", "Stored feedback by metric.", ["metric"], registry=registry
        )
        self._bits = Summary(
            "selflow_prediction_bits",
            "Log-loss of each step, scored before learning.",
            registry=registry,
        )
        self._lag = Gauge(
            "selflow_prediction_lag_events",
            "Stored events not learned from yet.",
            registry=registry,
        )

        self._tokens = Counter(
            "selflow_tokens",
            "Tokens of prompts and generated texts.",
            ["direction"],
            registry=registry,
        )
        self._decisions = Counter(
            "selflow_decisions",
            "Answers by their source.",
            ["agent", "explored"],
            registry=registry,
        )

        self._suggestions = Counter(
            "selflow_suggestions",
            "Suggestions by what became of them.",
            ["surface", "outcome"],
            registry=registry,
        )

    def register(self, collector: Collector) -> None:
        """Render these too."""
        self._registry.register(collector)

    def decided(self, arm: str, *, explored: bool) -> None:
        """Count a decision by its arm."""
        self._decisions.labels(arm, str(int(explored))).inc()

    def suggested(self, surface: str, outcome: str) -> None:
        """Count a suggestion that was shown, abstained from, accepted or edited."""
        self._suggestions.labels(surface, outcome).inc()

    def wrote(self, prompt_tokens: int, made_tokens: int) -> None:
        """Count the tokens of a text."""
        self._tokens.labels("in").inc(prompt_tokens)
        self._tokens.labels("out").inc(made_tokens)

    def answered(self, route: str, status: int, duration_s: float) -> None:
        """Count an answer; the guard calls this for every request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(duration_s)

    def rated(self, metric: str) -> None:
        """Count a stored feedback; names of the caller's own go by ``own``."""
        self._feedback.labels(metric).inc()

    def scored(self, log_loss_bits: float) -> None:
        """Count a step that was predicted before it was learned."""
        self._bits.observe(log_loss_bits)

    def lag_from(self, lag_events: Callable[[], float]) -> None:
        """Ask this at each scrape how many stored events wait to be learned."""
        self._lag.set_function(lag_events)

    def render(self) -> bytes:
        """All of it as Prometheus text."""
        return generate_latest(self._registry)
