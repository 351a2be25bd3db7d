"""``/api/events/preview-delete``, ``/api/events/forget`` and ``/api/privacy``: what is deleted, and
what is never stored.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import Header, Request, Response

from selflow.console.event_listing import event_document
from selflow.console.rule_preview import preview_rules
from selflow.console.server.commands_api import CommandAnswer, Name, queue, queue_again
from selflow.console.server.read_model import Model, ReadModel
from selflow.console.server.routes import Routes, actor_of
from selflow.console.server.wire_data import EventItem
from selflow.console.server.wire_privacy import (
    ForgetPreview,
    RulesAnswer,
    RulesBody,
    RulesPreview,
    SelectionBody,
)
from selflow.core.errors import ApiError
from selflow.core.events import Stored
from selflow.core.ids import new_id
from selflow.core.privacy_rules import add_rules, added_rules
from selflow.core.selection import END_US, EventSelection
from selflow.core.until import named_moment_us
from selflow.store.command_records import Command
from selflow.store.forget_preview import Preview, forget_command, preview
from selflow.store.row_writer import writing

Confirm = Annotated[str, Header(alias="X-SelFlow-Confirm", max_length=100)]
routes = Routes()


@routes.change("POST", "/api/events/preview-delete", "admin")
def preview_delete(body: SelectionBody, model: Model) -> ForgetPreview:
    """What a deletion would reach; nothing is changed."""
    return ForgetPreview(**_preview(model, body).document())


@routes.change("POST", "/api/events/forget", "admin", status=202)
def forget(
    body: SelectionBody,
    request: Request,
    response: Response,
    model: Model,
    confirm: Confirm = "",
) -> CommandAnswer:
    """Delete events with all that was learned from them. The header ``X-SelFlow-Confirm`` holds the
    ``confirm_id`` of a preview that still says what the events are.
    """
    known = _preview(model, body)
    if confirm != known.confirm_id:
        raise ApiError(
            428,
            "confirmation_required",
            f"this deletes {len(known.seqs):,} events"
            + (": not what was confirmed" if confirm else ""),
            "POST /api/events/preview-delete, then send its confirm_id as X-SelFlow-Confirm",
        )
    if not known.seqs:
        raise ApiError(409, "conflict", "no stored event is meant", "GET /api/events")
    command = forget_command(
        new_id("cmd"),
        known.selection,
        len(known.seqs),
        actor_of(request),
        model.clock.now_us(),
    )
    return queue(request, response, model, command.action, command.subject, dict(command.details))


@routes.change("POST", "/api/commands/{command_id}/retry", "admin", status=202)
def retry(command_id: Name, request: Request, response: Response, model: Model) -> CommandAnswer:
    """Let a deletion go on that failed at one of its stages."""
    for command in model.catalog.learned(Command, id=command_id):
        if command.action != "events.forget" or command.state != "failed":
            raise ApiError(409, "conflict", f"the command is {command.state}")
        return queue_again(request, response, model, command.again())
    raise ApiError(404, "command_not_found", "there is no such command", "GET /api/commands")


@routes.get("/api/privacy/rules", "admin")
def rules(model: Model) -> RulesAnswer:
    """What is never stored."""
    return _rules(model)


@routes.change("POST", "/api/privacy/preview", "admin")
def preview_rule(body: RulesBody, model: Model) -> RulesPreview:
    """What rules would have hidden of the newest events; nothing is saved."""
    with model.reading() as log:
        shown = preview_rules(log, body.paths, body.apps, str(Path.home()))
    items = [EventItem.model_validate(event_document(stored)) for stored in shown.items]
    return RulesPreview(examined=shown.examined, hidden=shown.hidden, items=items)


@routes.change("POST", "/api/privacy/rules", "admin")
def save_rules(body: RulesBody, request: Request, model: Model) -> RulesAnswer:
    """Add rules of exclusion; what they mean is not stored from now on. None is removed here."""
    with model.reading() as log:
        preview_rules(log, body.paths, body.apps, str(Path.home()))  # refuses what is not valid
    counts = {"paths": len(body.paths), "apps": len(body.apps)}
    with writing(model.location) as rows:
        rows.audit(model.clock.now_us(), actor_of(request), "privacy.exclude", "", counts)
        add_rules(model.root, body.paths, body.apps)
    return _rules(model)


def _rules(model: ReadModel) -> RulesAnswer:
    privacy, added = model.settings_now().settings.privacy, added_rules(model.root)
    return RulesAnswer(
        paths=list(dict.fromkeys(privacy.exclude_paths)),
        apps=list(dict.fromkeys(privacy.exclude_apps)),
        added_paths=list(added.paths),
        added_apps=list(added.apps),
    )


def _preview(model: ReadModel, body: SelectionBody) -> Preview:
    from selflow.collect.selecting import matches_of  # what it stands on is large, previews rare

    selection = EventSelection(
        since_us=named_moment_us("since", body.since, 0),
        until_us=named_moment_us("until", body.until, END_US),
        source=body.source,
        kind=body.kind,
        app=body.app,
        folder=body.folder,
        words=body.q,
        paths=tuple(body.paths),
        apps=tuple(body.apps),
    )
    selection.require_some()
    matches = matches_of(selection, str(Path.home()))
    return preview(_SharedLog(model), model.catalog, selection, matches)


class _SharedLog:
    """The model's log, let go of between two batches: other requests go on meanwhile."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        with self._model.reading() as log:
            return log.read(after_seq, limit_events) if log else []
