"""The inference API's own models (``interfaces.md`` 6, 10): what the gateway checks and what the client returns.

Requests refuse unknown fields by name; answers may grow, so readers ignore fields that they do not know.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_CONTEXT_EVENTS = 2_000
"""Most events in one context; the live tail is shorter."""
KEPT_PREDICTIONS = 50
"""Ranked events that a decision remembers; the rest of the probability is ``none of these``."""

Label = Annotated[str, Field(max_length=4_096)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]


class Request(BaseModel):
    """Something that a caller sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    """Something that a caller receives."""

    model_config = ConfigDict(frozen=True)


class PredictRequest(Request):
    """``POST /v1/predict``. Events of the context are checked by ``selflow.core.codec``, one by one."""

    context: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_CONTEXT_EVENTS)] | None = None
    horizon: Literal[1] = 1
    top_k: Annotated[int, Field(ge=1, le=KEPT_PREDICTIONS)] = 5
    kinds: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)] | None = None
    mode: Literal["pool", "routed"] = "pool"

    @field_validator("mode")
    @classmethod
    def _only_the_pool_answers(cls, mode: str) -> str:
        if mode != "pool":
            raise ValueError("routed is not available yet; use pool")
        return mode


class Share(Answer):
    """One expert's part in a prediction, or its weight in the pool."""

    id: str
    weight: float


class Guess(Answer):
    """One possible next event. ``because`` names patterns, ``experts`` who put it there and how much, largest first."""

    kind: str
    subject: str
    app: str = ""
    p: float
    because: list[str] = []
    experts: list[Share] = []


class PredictAnswer(Answer):
    """Ranked next events. ``other_p`` is the probability of everything that is not listed."""

    decision_id: str
    at: str
    predictions: list[Guess]
    other_p: float
    experts: list[Share]


class FeedbackRequest(Request):
    """``POST /v1/feedback``: exactly one id, one metric, its value."""

    inference_id: str | None = None
    decision_id: str | None = None
    episode_id: str | None = None
    metric_name: Name
    value: Any
    tags: Annotated[dict[Name, Label], Field(max_length=32)] = {}
    dryrun: bool = False

    @model_validator(mode="after")
    def _exactly_one_id(self) -> Self:
        given = [name for name in ("inference_id", "decision_id", "episode_id") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("exactly one of decision_id, inference_id and episode_id")
        return self


class OutcomeLabel(Request):
    """One event that really came next."""

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    subject: Label = ""


class FeedbackAnswer(Answer):
    """What was stored (no id after a dry run) and, for the metric ``outcome``, how good the decision was."""

    feedback_id: str | None
    hit_at_1: bool | None = None
    hit_at_5: bool | None = None
    log_loss_bits: float | None = None


class HealthAnswer(Answer):
    """``GET /health``; no user data. ``lag_events`` are stored and not learned from yet."""

    status: Literal["ok", "degraded"]
    version: str
    lag_events: int = 0
    last_error: str = ""
