"""``/api/models``: bases and what stands on them, who answered when, and deleting what nothing
serves.
"""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from selflow.console.server.commands_api import CommandAnswer, Name, queue
from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.core.errors import ApiError
from selflow.core.until import named_moment_us
from selflow.sdk.wire import Answer
from selflow.store.models import answered_at, models_document

routes = Routes()


class ModelItem(Answer):
    """A base, or a version of an agent that stands on one (``base_id``). It learned from the events
    up to ``last_seq``; ``made_from`` is what its lineage records: spans of numbers of events, and
    hashes of artifacts. ``numbers`` are those of its verdict. ``kept_because`` says why it may not
    be deleted; empty if it may.
    """

    id: str
    name: str
    version: str
    kind: Literal["base", "adapter"]
    base_id: str | None
    surface: str | None
    cycle_id: str | None
    status: str
    licence: str
    decision: str | None
    numbers: dict[str, float]
    artifact: str
    size_bytes: int
    is_on_disk: bool
    last_seq: int | None
    made_from: list[str]
    kept_because: str
    created_at: str | None


class DiskState(Answer):
    """What artifacts take, by kind, and what is free on their disk."""

    size_bytes: int
    by_kind: dict[str, int]
    free_bytes: int


class ModelsAnswer(Answer):
    """``GET /api/models``: the document of ``selflow models --json``."""

    items: list[ModelItem]
    disk: DiskState
    next: None


class GivenAnswer(Answer):
    """One answer: which arm gave it, with which probability that arm was chosen."""

    id: str
    at: str
    mode: str
    arm: str
    surface: str | None
    propensity: float | None
    is_explored: bool


class AnsweredAnswer(Answer):
    """``GET /api/models/answered``: the newest answers up to a moment, newest first."""

    items: list[GivenAnswer]


@routes.get("/api/models", "view")
def models(model: Model) -> ModelsAnswer:
    """Every base, newest first, each followed by the versions that stand on it."""
    return ModelsAnswer(**models_document(model.catalog, model.root.artifacts))


@routes.get("/api/models/answered", "view")
def answered(model: Model, at: Annotated[str, Query(max_length=60)]) -> AnsweredAnswer:
    """What answered at a moment."""
    return AnsweredAnswer(items=answered_at(model.catalog, named_moment_us("at", at, 0)))


@routes.change("DELETE", "/api/models/{model_id}", "operate", status=202)
def delete_model(
    model_id: Name, request: Request, response: Response, model: Model
) -> CommandAnswer:
    """Delete a version, or a base, that nothing serves; its verdict and its history stay."""
    for item in models(model).items:
        if item.id == model_id:
            if item.kept_because:
                raise ApiError(409, "in_use", f"it stays: {item.kept_because}")
            return queue(request, response, model, "model.delete", model_id)
    raise ApiError(404, "model_not_found", "there is no such model", "GET /api/models")
