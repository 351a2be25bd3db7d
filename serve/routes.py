"""What each route of the inference port demands. Light: Serve's proxy loads it too."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from selflow.core.settings import ServeSettings
from selflow.web.access import Policies, Rate, RoutePolicy

ANY_MODEL = "/v1/models/{model_id:path}"
OTHERS_PER_MIN = 600
"""The rate of everything that is not inference (docs/http.md#access)."""
MAX_SUGGEST_BYTES = 65_536
"""A prefix and a context at their limits, each character as an escape of JSON."""


class _Routes(Mapping[tuple[str, str], RoutePolicy]):
    """Policies by exact path; whatever follows ``/v1/models/`` is a model's id."""

    def __init__(self, exact: Policies) -> None:
        self._exact = exact

    def __getitem__(self, key: tuple[str, str]) -> RoutePolicy:
        method, path = key
        return self._exact[method, ANY_MODEL if path.startswith("/v1/models/") else path]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)


def policies(settings: ServeSettings) -> Policies:
    """What each route demands."""
    body_bytes = settings.max_body_bytes
    predict = RoutePolicy(
        "/v1/predict",
        "operate",
        "inference",
        Rate("inference", settings.rate_per_min),
        body_bytes,
        is_queued=True,
    )
    feedback = RoutePolicy(
        "/v1/feedback",
        "operate",
        "feedback",
        Rate("feedback", OTHERS_PER_MIN),
        body_bytes,
        is_queued=True,
    )
    suggest = RoutePolicy(
        "/v1/suggest",
        "operate",
        "inference",
        Rate("suggest", OTHERS_PER_MIN),
        min(body_bytes, MAX_SUGGEST_BYTES),
        is_queued=True,
        media=("application/json", "text/plain"),
    )
    health = RoutePolicy("/health", None)
    models = RoutePolicy("/v1/models", "view", "inference", Rate("models", OTHERS_PER_MIN))
    texts = {
        ("POST", path): replace(predict, route=path)
        for path in ("/v1/completions", "/v1/chat/completions")
    }
    exact = {
        **texts,
        ("GET", "/v1/models"): models,
        ("GET", ANY_MODEL): models,
        ("POST", "/v1/predict"): predict,
        ("POST", "/predict"): predict,
        ("POST", "/v1/suggest"): suggest,
        ("POST", "/v1/feedback"): feedback,
        ("POST", "/feedback"): feedback,
        ("GET", "/health"): health,
        ("GET", "/healthz"): health,
        ("GET", "/metrics"): RoutePolicy(
            "/metrics", "view", "metrics", Rate("metrics", OTHERS_PER_MIN)
        ),
    }
    return _Routes(exact)
