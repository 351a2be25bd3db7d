"""``/api/patterns``, ``agents``, ``cycles``, ``runs``, ``trials``, ``verdicts``, ``decisions``,
``audit``.
"""

from typing import Annotated

from fastapi import Path, Query, Response

from selflow.console.server.learning_view import (
    agents_answer,
    find_cycle,
    find_pattern,
    no_map,
    patterns_answer,
    run_items,
    stage_items,
    trials_of,
)
from selflow.console.server.paging import Cursor, Limit, newest_page
from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.console.server.wire import CycleItem, Page
from selflow.console.server.wire_learning import (
    AgentsAnswer,
    AgreementAnswer,
    AuditItem,
    DecisionItem,
    PastRun,
    PatternItem,
    PatternsAnswer,
    RoutingAnswer,
    RunsAnswer,
    StagesAnswer,
    TrialsAnswer,
    VerdictItem,
)
from selflow.store.decision_view import decisions_page
from selflow.store.pattern_map import PatternMap
from selflow.store.records import AuditEntry, Cycle, Verdict
from selflow.store.routing_view import routing_document
from selflow.store.row import document
from selflow.store.run_views import past_runs

Name = Annotated[str, Path(max_length=200)]
Filter = Annotated[str | None, Query(max_length=200)]
routes = Routes()


@routes.get("/api/patterns", "view")
def patterns(model: Model) -> PatternsAnswer:
    """Every cluster of the newest discovery, hidden ones too, with the reason why it gets no
    agent, and what became of those of the discovery before.
    """
    return patterns_answer(model)


@routes.get("/api/patterns/agreement", "view")
def patterns_agreement(model: Model) -> AgreementAnswer:
    """How far the families of clusterings agree, and what the map of the windows is."""
    known = PatternMap(model.catalog, model.root).document()
    if known is None:
        raise no_map()
    return AgreementAnswer(**known)


@routes.get(
    "/api/patterns/map", "view", responses={200: {"content": {"application/octet-stream": {}}}}
)
def patterns_map(
    model: Model, view: Annotated[str, Query(max_length=40)] = "consensus"
) -> Response:
    """The windows of the newest discovery as points, 10 bytes each, little endian: Float32 x and y,
    Int16 number of the cluster (-1: none), as a family or the consensus sees them.
    """
    points = PatternMap(model.catalog, model.root).points(view)
    if points is None:
        raise no_map()
    return Response(points, media_type="application/octet-stream")


@routes.get("/api/patterns/{name}", "view")
def pattern(name: Name, model: Model, response: Response) -> PatternItem:
    """One of them; the header ``ETag`` is for ``If-Match``."""
    known = find_pattern(model, name)
    response.headers["etag"] = f'"{known.etag}"'
    return known


@routes.get("/api/agents", "view")
def agents(model: Model) -> AgentsAnswer:
    """Every version of every agent with its verdict, newest first; the router's beliefs."""
    return agents_answer(model)


@routes.get("/api/agents/routing", "view")
def agents_routing(model: Model) -> RoutingAnswer:
    """How the last 500 requests were routed, and by what beliefs."""
    return RoutingAnswer(**routing_document(model.catalog))


@routes.get("/api/cycles", "view")
def cycles(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[CycleItem]:
    """Learning cycles."""
    return Page[CycleItem](**newest_page(model.catalog, Cycle, limit, cursor))


@routes.get("/api/cycles/{cycle_id}", "view")
def cycle(cycle_id: Name, model: Model) -> CycleItem:
    """One learning cycle."""
    return CycleItem(**document(find_cycle(model, cycle_id)))


@routes.get("/api/cycles/{cycle_id}/stages", "view")
def stages(cycle_id: Name, model: Model) -> StagesAnswer:
    """The journal of a cycle, stage by stage."""
    return StagesAnswer(items=stage_items(model, cycle_id), next=None)


@routes.get("/api/trials", "view")
def trials(model: Model, cycle_id: Filter = None, agent: Filter = None) -> TrialsAnswer:
    """The trials of searches with their curves, of one cycle or one agent if they are named."""
    return TrialsAnswer(items=trials_of(model, cycle_id, agent), next=None)


@routes.get("/api/runs", "view")
def runs(model: Model, cycle_id: Filter = None) -> RunsAnswer:
    """Long work with its curves, of one cycle if it is named."""
    return RunsAnswer(items=run_items(model, cycle_id), next=None)


@routes.get("/api/runs/history", "view")
def runs_history(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[PastRun]:
    """What the runs of all cycles came to, newest first, without their curves."""
    return Page[PastRun](**past_runs(model.catalog, limit, cursor))


@routes.get("/api/verdicts", "view")
def verdicts(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[VerdictItem]:
    """Verdicts of the gate with all their numbers."""
    return Page[VerdictItem](**newest_page(model.catalog, Verdict, limit, cursor))


@routes.get("/api/decisions", "view")
def decisions(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[DecisionItem]:
    """Answered predictions with what the router chose and what was said of them."""
    return Page[DecisionItem](**decisions_page(model.catalog, limit, cursor))


@routes.get("/api/audit", "admin")
def audit(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[AuditItem]:
    """The audit log."""
    return Page[AuditItem](**newest_page(model.catalog, AuditEntry, limit, cursor))
