"""What the owner asks for: each act is an audited row that the supervisor carries out."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import Path, Request, Response
from pydantic import Field

from selflow.console.server.learning_view import find_cycle, find_pattern
from selflow.console.server.paging import Cursor, Limit, newest_page
from selflow.console.server.preconditions import RepeatedError, check_if_match, queue_once
from selflow.console.server.read_model import Model, ReadModel
from selflow.console.server.routes import Routes, actor_of
from selflow.console.server.wire import Page
from selflow.console.server.wire_stream import CommandItem
from selflow.core.errors import ApiError, UsageError
from selflow.core.events import Event, Json
from selflow.sdk.wire import Request as Body
from selflow.store.command_records import Action, Command
from selflow.store.outcomes import stored_outcome
from selflow.store.records import AgentVersion, Consent, Decision
from selflow.store.row import document
from selflow.store.row_writer import writing
from selflow.store.views import alive_patterns

MAX_TITLE_CHARACTERS = 200
MAX_LABEL_CHARACTERS = 4_096
Name = Annotated[str, Path(max_length=200)]
Title = Annotated[str, Field(max_length=MAX_TITLE_CHARACTERS)]
routes = Routes()


class CommandAnswer(CommandItem):
    """A command that was taken in; without a session it waits for the next one."""

    queued_until: Literal["ray_up"] | None = None


class PatternChange(Body):
    """``PATCH /api/patterns/{name}``; what is not named stays as it is."""

    title: Title | None = None
    is_hidden: bool | None = None


class Thumb(Body):
    """``POST /api/decisions/{id}/feedback``: true is a thumb up. ``label`` is the right answer, the
    subject of what really came; ``kind`` its kind, that of the first prediction if none is named.
    """

    thumb: bool
    label: Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS)] | None = None
    kind: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class MergeRequest(Body):
    """``POST /api/patterns/{name}/merge``: the two are one pattern from the next cycle on."""

    into: Annotated[str, Field(max_length=200)]
    title: Title | None = None


@routes.get("/api/commands", "view")
def commands(model: Model, limit: Limit = 50, cursor: Cursor = None) -> Page[CommandItem]:
    """What was asked for, and what became of it."""
    return Page[CommandItem](**newest_page(model.catalog, Command, limit, cursor))


@routes.get("/api/commands/{command_id}", "view")
def command(command_id: Name, model: Model) -> CommandItem:
    """One command."""
    for known in model.catalog.learned(Command, id=command_id):
        return CommandItem(**document(known))
    raise ApiError(404, "command_not_found", "there is no such command", "GET /api/commands")


@routes.change("POST", "/api/system/learn", "operate", status=202)
def learn(request: Request, response: Response, model: Model) -> CommandAnswer:
    """Begin a learning cycle; if one is open, that one goes on."""
    return queue(request, response, model, "learn.start", "")


@routes.change("POST", "/api/cycles/{cycle_id}/cancel", "operate", status=202)
def cancel(cycle_id: Name, request: Request, response: Response, model: Model) -> CommandAnswer:
    """End an open cycle."""
    known = find_cycle(model, cycle_id)
    if known.finished_at_us is not None:
        raise ApiError(409, "conflict", f"the cycle has ended: {known.state}")
    return queue(request, response, model, "learn.cancel", cycle_id)


@routes.change("POST", "/api/agents/{agent}/{act}", "operate", status=202)
def change_agent(
    agent: Name,
    act: Literal["rollback", "retire"],
    request: Request,
    response: Response,
    model: Model,
) -> CommandAnswer:
    """``rollback``: the version before serves again. ``retire``: no version serves any more."""
    if not model.catalog.learned(AgentVersion, agent=agent, status="champion"):
        raise ApiError(404, "agent_not_found", "no version of this agent serves", "GET /api/agents")
    action: Action = "agent.rollback" if act == "rollback" else "agent.retire"
    return queue(request, response, model, action, agent)


@routes.change("POST", "/api/versions/{version_id}/promote", "operate", status=202)
def promote(version_id: Name, request: Request, response: Response, model: Model) -> CommandAnswer:
    """Serve a version again that passed its verdict and served before."""
    for version in model.catalog.learned(AgentVersion, id=version_id):
        if version.status != "retired":
            code = {"no_verdict": "verdict_missing", "rejected": "verdict_failed"}
            detail = f"the version is {version.status}"
            raise ApiError(409, code.get(version.status, "conflict"), detail)
        return queue(request, response, model, "agent.promote", version_id)
    raise ApiError(404, "agent_not_found", "there is no such version", "GET /api/agents")


@routes.change("POST", "/api/decisions/{decision_id}/feedback", "operate", status=202)
def rate(
    decision_id: Name, body: Thumb, request: Request, response: Response, model: Model
) -> CommandAnswer:
    """Say whether an answer was good: feedback ``thumb`` on the decision, from which the router
    learns with the propensity that the decision holds. With a ``label`` also feedback ``outcome``,
    from which router and predictor learn as from any other.
    """
    for decision in model.catalog.learned(Decision, id=decision_id):
        details: dict[str, Json] = {"thumb": body.thumb}
        if body.label is not None:
            details["outcome"] = _correction(model, decision, body.kind, body.label)
        return queue(request, response, model, "decision.rate", decision_id, details)
    raise ApiError(404, "decision_not_found", "there is no such decision", "GET /api/decisions")


def _correction(
    model: ReadModel, decision: Decision, kind: str | None, label: str
) -> dict[str, Json]:
    """What was right, redacted before it is written anywhere; it came after all that is stored."""
    from selflow.collect.redact import make_redactor  # its patterns are large, corrections rare

    if not decision.is_prediction:
        raise UsageError("label: this decision is a text", "send the thumb alone")
    first: Any = decision.predictions[0] if decision.predictions else {}
    named = kind or first.get("kind")
    if not named:
        raise UsageError("kind: the decision predicted nothing", "say of which kind the label is")
    fill = model.fill()
    said = Event(model.clock.now_us(), "feedback", str(named), label)
    right = make_redactor(model.settings().privacy).redact(said)
    return stored_outcome([(right.kind, right.subject)], fill.last_seq if fill else 0)


@routes.change("PATCH", "/api/patterns/{name}", "operate", status=202)
def change_pattern(
    name: Name, body: PatternChange, request: Request, response: Response, model: Model
) -> CommandAnswer:
    """Give a pattern a title, or hide it; both outlive later cycles. With ``If-Match`` 412 if its
    ``etag`` is another one by now.
    """
    details: dict[str, Json] = dict(body.model_dump(exclude_none=True))
    if not details:
        raise UsageError("nothing to change", "give title or is_hidden")
    _must_be_alive(model, name)
    check_if_match(request, find_pattern(model, name).etag)
    return queue(request, response, model, "pattern.edit", name, details)


@routes.change("POST", "/api/patterns/{name}/merge", "operate", status=202)
def merge(
    name: Name, body: MergeRequest, request: Request, response: Response, model: Model
) -> CommandAnswer:
    """Let two patterns be one from the next cycle on."""
    _must_be_alive(model, name, body.into)
    return queue(request, response, model, "pattern.merge", name, body.model_dump())


@routes.change("POST", "/api/patterns/{name}/unmerge", "operate", status=202)
def unmerge(name: Name, request: Request, response: Response, model: Model) -> CommandAnswer:
    """Let a pattern and what was merged into it be patterns of their own again."""
    _must_be_alive(model, name)
    return queue(request, response, model, "pattern.unmerge", name)


@routes.change("POST", "/api/sources/{kind}/{act}", "admin", status=202)
def change_consent(
    kind: Name,
    act: Literal["grant", "revoke"],
    request: Request,
    response: Response,
    model: Model,
) -> CommandAnswer:
    """Revoke the consent to a kind of source, or give one again that was revoked. A kind that was
    never allowed needs ``selflow init``, which explains it.
    """
    known = model.catalog.learned(Consent, source=kind)
    if not known:
        raise ApiError(
            404, "source_not_found", "this kind was never allowed", "allow it with: selflow init"
        )
    if (known[0].revoked_at_us is None) == (act == "grant"):
        raise ApiError(
            409, "conflict", f"the consent is {'given' if act == 'grant' else 'revoked'}"
        )
    action: Action = "source.grant" if act == "grant" else "source.revoke"
    return queue(request, response, model, action, kind)


async def answer_again(request: Request, error: Exception) -> Response:
    """What a request is answered that was sent before with the same ``Idempotency-Key``."""
    if not isinstance(error, RepeatedError):
        raise error
    model: ReadModel = request.app.state.model
    shown = await asyncio.to_thread(_answer, model, error.command)
    headers = {"location": f"/api/commands/{shown.id}"}
    return Response(shown.model_dump_json(), 202, headers, "application/json")


def _must_be_alive(model: ReadModel, *names: str) -> None:
    known = {pattern.name for pattern in alive_patterns(model.catalog)}
    if not known.issuperset(names):
        raise ApiError(404, "pattern_not_found", "no current pattern has this name")


def queue(
    request: Request,
    response: Response,
    model: ReadModel,
    action: Action,
    subject: str,
    details: dict[str, Json] | None = None,
) -> CommandAnswer:
    """The command, queued once for each ``Idempotency-Key``."""
    queued = queue_once(request, model, actor_of(request), action, subject, details or {})
    return _taken(response, model, queued)


def queue_again(
    request: Request, response: Response, model: ReadModel, command: Command
) -> CommandAnswer:
    """Let a command wait again, with an audit entry in the same transaction."""
    with writing(model.location) as rows:
        rows.update(command)
        action, actor = f"command.{command.action}", actor_of(request)
        rows.audit(model.clock.now_us(), actor, action, command.subject, {"id": command.id})
    return _taken(response, model, command)


def _taken(response: Response, model: ReadModel, command: Command) -> CommandAnswer:
    response.headers["location"] = f"/api/commands/{command.id}"
    return _answer(model, command)


def _answer(model: ReadModel, queued: Command) -> CommandAnswer:
    is_waiting = model.status()["state"] == "not running"
    return CommandAnswer(**document(queued), queued_until="ray_up" if is_waiting else None)
