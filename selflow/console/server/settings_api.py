"""``/api/settings``: what is set, which layer said so, and runtime overrides of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import Request
from pydantic import Field, JsonValue

from selflow.console.overrides import override
from selflow.console.server.preconditions import check_if_match
from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes, actor_of
from selflow.core.config import (
    UNITED,
    Loaded,
    by_reference,
    config_hash,
    known_keys,
    meaning,
    setting_document,
)
from selflow.core.config_files import OVERRIDES
from selflow.core.errors import ApiError
from selflow.core.setting_form import Kind, TakesEffect, fixed_reason, form_of, takes_effect
from selflow.sdk.wire import Answer
from selflow.store.records import Service

MAX_CHANGES = 100
_UNITS = ("bytes", "events", "steps", "bits", "windows", "per_min", "days", "s")
"""A key with a unit ends in it."""
routes = Routes()


class SettingItem(Answer):
    """One key: ``layer`` is the one that won; ``unit`` is empty where the value has none.

    ``override`` is what the runtime overrides say, null if nothing; where ``is_united`` is true it
    is added to what the other layers say. ``fixed`` says why a key cannot be changed here.
    """

    key: str
    value: JsonValue
    layer: str
    default: JsonValue
    unit: str
    meaning: str
    override: JsonValue
    is_united: bool
    kind: Kind
    choices: list[str | int]
    minimum: float | None
    maximum: float | None
    bounds: str
    fixed: str
    takes_effect: TakesEffect


class SettingsAnswer(Answer):
    """``GET /api/settings``: every key, in the order of the sections. ``is_waiting``: the session
    that runs has others until the next ``selflow up``. ``etag`` is for ``If-Match``.
    """

    items: list[SettingItem]
    is_waiting: bool
    etag: str


Changes = Annotated[dict[str, JsonValue], Field(min_length=1, max_length=MAX_CHANGES)]
"""Values by key; null removes the override."""


@routes.get("/api/settings", "admin")
def settings(model: Model) -> SettingsAnswer:
    """The settings of the session that runs, or ran last; else those of the files. A catalog's URL,
    which may hold a password, is shown by its hash.
    """
    return _answer(model.settings_now(), model.catalog.learned(Service, name="supervisor"))


@routes.change("PATCH", "/api/settings", "admin")
def change_settings(body: Changes, request: Request, model: Model) -> SettingsAnswer:
    """Set runtime overrides, or remove them: all of them, or none. What may be loosened by the
    owner alone, and what opens a way in or out, is not changed here.
    """
    known = settings(model)
    check_if_match(request, known.etag)
    now = {item.key: item for item in known.items}
    for key, value in body.items():
        if value is not None and key in now and now[key].fixed:
            raise ApiError(403, "refused_by_policy", f"{key}: {now[key].fixed}")
    loaded = override(
        model.root,
        model.location,
        body,
        model.settings_now,
        model.clock.now_us(),
        actor_of(request),
    )
    return _answer(loaded, model.catalog.learned(Service, name="supervisor"))


def _answer(loaded: Loaded, supervisors: list[Service]) -> SettingsAnswer:
    shown = replace(loaded, settings=by_reference(loaded.settings))
    wanted = config_hash(shown.settings)
    return SettingsAnswer(
        items=[_item(shown, key) for key in known_keys()],
        is_waiting=any(row.state != "dead" and row.config_hash != wanted for row in supervisors),
        etag=wanted,
    )


def _item(shown: Loaded, key: str) -> SettingItem:
    document = setting_document(shown, key)
    said: Mapping[str, JsonValue] = dict(shown.origin(key).said)
    form, is_fixed = form_of(key), fixed_reason(key, document["value"])
    return SettingItem(
        **document,
        unit=_unit(key),
        meaning=meaning(key),
        override=None if form.kind == "none" else said.get(OVERRIDES),
        is_united=key in UNITED,
        kind="none" if is_fixed else form.kind,
        choices=list(form.choices),
        minimum=form.minimum,
        maximum=form.maximum,
        bounds=form.bounds,
        fixed=is_fixed,
        takes_effect=takes_effect(key),
    )


def _unit(key: str) -> str:
    name = next((unit for unit in _UNITS if key.endswith(f"_{unit}")), "")
    return name.replace("_", " ")
