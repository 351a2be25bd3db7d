"""What learning found and made, as the API's records: for its routes and for the stream."""

from selflow.console.server.preconditions import pattern_etags
from selflow.console.server.read_model import ReadModel
from selflow.console.server.wire_learning import (
    AgentsAnswer,
    PatternItem,
    PatternsAnswer,
    StageItem,
    TrialItem,
)
from selflow.core.errors import ApiError
from selflow.store.records import Cycle, Stage, Trial
from selflow.store.row import document
from selflow.store.views import agent_items, patterns_document, router_beliefs


def patterns_answer(model: ReadModel) -> PatternsAnswer:
    """The current patterns, hidden ones too."""
    known = patterns_document(model.catalog, with_hidden=True)
    etags = pattern_etags(model, known["items"])
    items = [PatternItem(**item, etag=etags[item["name"]]) for item in known["items"]]
    return PatternsAnswer(**{**known, "items": items})


def find_pattern(model: ReadModel, name: str) -> PatternItem:
    """A current pattern by its name.

    Raises:
        ApiError: There is none (404).
    """
    for known in patterns_answer(model).items:
        if known.name == name:
            return known
    hint = "GET /api/patterns lists them"
    raise ApiError(404, "pattern_not_found", "no current pattern has this name", hint)


def agents_answer(model: ReadModel) -> AgentsAnswer:
    """All versions of all agents, and the router's beliefs."""
    reader = model.catalog
    return AgentsAnswer(items=agent_items(reader), beliefs=router_beliefs(reader), next=None)


def find_cycle(model: ReadModel, cycle_id: str) -> Cycle:
    """A cycle by its id.

    Raises:
        ApiError: There is none (404).
    """
    for known in model.catalog.learned(Cycle, id=cycle_id):
        return known
    raise ApiError(404, "cycle_not_found", "there is no such cycle", "GET /api/cycles lists them")


def stage_items(model: ReadModel, cycle_id: str) -> list[StageItem]:
    """The journal of a cycle; the seconds of a stage that is worked on count until now."""
    now_us = model.clock.now_us()
    return [
        StageItem(
            **document(stage),
            seconds=round(((stage.finished_at_us or now_us) - stage.started_at_us) / 1e6, 3),
        )
        for stage in model.catalog.learned(Stage, cycle_id=cycle_id)
    ]


def trial_items(model: ReadModel, **equal: str) -> list[TrialItem]:
    """The trials whose fields have these values."""
    return [TrialItem(**document(trial)) for trial in model.catalog.learned(Trial, **equal)]
