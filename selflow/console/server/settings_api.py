"""``/api/settings``: what is set, and which layer said so."""

from dataclasses import replace

from pydantic import JsonValue

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.core.config import by_reference, known_keys, meaning, setting_document
from selflow.sdk.wire import Answer

_UNITS = ("bytes", "events", "steps", "bits", "windows", "per_min", "days", "s")
"""A key with a unit ends in it."""
routes = Routes()


class SettingItem(Answer):
    """One key: ``layer`` is the one that won; ``unit`` is empty where the value has none."""

    key: str
    value: JsonValue
    layer: str
    default: JsonValue
    unit: str
    meaning: str


class SettingsAnswer(Answer):
    """``GET /api/settings``: every key, in the order of the sections."""

    items: list[SettingItem]


@routes.get("/api/settings", "admin")
def settings(model: Model) -> SettingsAnswer:
    """The settings of the session that runs, or ran last; else those of the files. A catalog's URL,
    which may hold a password, is shown by its hash.
    """
    loaded = model.settings_now()
    shown = replace(loaded, settings=by_reference(loaded.settings))
    items = [
        SettingItem(**setting_document(shown, key), unit=_unit(key), meaning=meaning(key))
        for key in known_keys()
    ]
    return SettingsAnswer(items=items)


def _unit(key: str) -> str:
    name = next((unit for unit in _UNITS if key.endswith(f"_{unit}")), "")
    return name.replace("_", " ")
