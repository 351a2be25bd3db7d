"""What learning found and made, as the API's records: for its routes and for the stream."""

from selflow.console.server.preconditions import pattern_etags
from selflow.console.server.read_model import ReadModel
from selflow.console.server.wire_learning import (
    AgentsAnswer,
    PatternItem,
    PatternsAnswer,
    RunItem,
    StageItem,
    TrialItem,
)
from selflow.core.errors import ApiError
from selflow.store.records import Cycle
from selflow.store.run_views import run_item, runs, trial_items
from selflow.store.views import (
    agent_items,
    patterns_document,
    router_beliefs,
    stage_documents,
)


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


def no_map() -> ApiError:
    """There is no map, or no such view of it (404)."""
    return ApiError(404, "map_not_found", "there is no such map of patterns", "selflow learn")


def stage_items(model: ReadModel, cycle_id: str) -> list[StageItem]:
    """The journal of a cycle; the seconds of a stage that is worked on count until now."""
    documents = stage_documents(model.catalog, cycle_id, model.clock.now_us())
    return [StageItem(**item) for item in documents]


def run_items(model: ReadModel, cycle_id: str | None = None) -> list[RunItem]:
    """Runs of all cycles or of one."""
    return [RunItem(**run_item(run)) for run in runs(model.catalog, cycle_id)]


def trials_of(
    model: ReadModel, cycle_id: str | None = None, agent: str | None = None
) -> list[TrialItem]:
    """The trials of a cycle and an agent, or of all."""
    return [TrialItem(**item) for item in trial_items(model.catalog, cycle_id, agent)]
