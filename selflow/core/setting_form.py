"""How one setting is asked for: kind of input, choices and bounds, whether it may be overridden at
run time, and when a change is taken up. From the types of ``settings`` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from selflow.core.config import OWNER_ONLY
from selflow.core.settings import Settings

Kind = Literal["switch", "whole", "number", "text", "choice", "texts", "none"]
TakesEffect = Literal["up", "restart"]
_OWN_FILE = "is set in your own settings file, the environment or with --set"
FIXED: Final[Mapping[str, str]] = {
    "aw.auth": f"who may read what watchers sent {_OWN_FILE}",
    "aw.origins": f"which pages may ask {_OWN_FILE}",
    "aw.port": f"a port for other programs {_OWN_FILE}",
    "aw.testing": f"how a bucket is deleted {_OWN_FILE}",
    "data_sources": f"what is watched {_OWN_FILE}, and by your consent",
    "ingest.tcp_port": f"a port for other programs {_OWN_FILE}",
    "lm.base": f"which weights are loaded {_OWN_FILE}",
    "ray.address": f"which cluster is trusted {_OWN_FILE}",
    "ray.attach_without_token": f"which cluster is trusted {_OWN_FILE}",
    "ray.knobs": f"what Ray itself is given {_OWN_FILE}",
    "store.catalog_url": f"the URL of the catalog {_OWN_FILE}: it may hold a password",
}
"""What the page and the API never change, and why: a session that was stolen opens nothing."""
_KINDS: Mapping[str, Kind] = {"boolean": "switch", "integer": "whole", "number": "number"}


@dataclass(frozen=True, slots=True)
class SettingForm:
    """``kind`` ``none`` has no input; ``bounds`` says minimum and maximum in words, and ``fixed``
    why the key cannot be changed here; both may be empty.
    """

    kind: Kind
    choices: tuple[str | int, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    bounds: str = ""
    fixed: str = ""


def form_of(key: str) -> SettingForm:
    """The form of a known key."""
    if key in FIXED:
        return SettingForm("none", fixed=FIXED[key])
    schema = _schema(key)
    if "anyOf" in schema:  # X or null, where null is what the key has without an override
        schema = next(part for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return SettingForm("choice", choices=tuple(schema["enum"]))
    if schema.get("type") == "array":
        return SettingForm("texts")
    kind = _KINDS.get(schema.get("type", ""), "text")
    minimum, maximum = _limit(schema, "inimum"), _limit(schema, "aximum")
    return SettingForm(kind, (), minimum, maximum, _bounds(schema))


def fixed_reason(key: str, value: object) -> str:
    """Why a key that has this value cannot be changed at run time; empty if it can."""
    if key in FIXED:
        return FIXED[key]
    if value in OWNER_ONLY.get(key, ()):
        return f"redaction {_OWN_FILE}: all else only tightens privacy"
    return ""


def takes_effect(key: str) -> TakesEffect:
    """``up``: the next ``selflow up`` gives it to the running session. ``restart``: Ray gets it
    when it starts, after ``selflow down``.
    """
    return "restart" if key.startswith("ray.") else "up"


@cache
def _schema(key: str) -> Mapping[str, Any]:
    section, _, name = key.partition(".")
    model: Any = Settings.model_fields[section].annotation
    schema: Mapping[str, Any] = model.model_json_schema()["properties"][name]
    return schema


def _limit(schema: Mapping[str, Any], name: str) -> float | None:
    limit: float | None = schema.get(f"m{name}", schema.get(f"exclusiveM{name}"))
    return limit


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return ", ".join(
        f"{phrase} {schema[name]:,}" for name, phrase in words.items() if name in schema
    )
