"""Layers of settings merged into one, with the layer that set each key.

Later layers win: defaults < profile < user < project < environment < command line < runtime
overrides. Exclusions are united instead, and what only the owner may loosen is refused from any
other layer.
"""

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from selflow.core.errors import ConfigError
from selflow.core.paths import settings_variables
from selflow.core.section import Section
from selflow.core.settings import PrivacySettings, Settings

Tree = Mapping[str, Any]

UNITED = (
    "privacy.exclude_paths",
    "privacy.exclude_apps",
    "privacy.redact_patterns",
    "privacy.redact_kinds",
)
"""Keys whose values of all layers are united: privacy only tightens. Only the owner's own layers
may give up what the default has.
"""
OWNER_ONLY: dict[str, tuple[object, ...]] = {
    "privacy.anonymize": (True,),
    "aw.auth": ("watcher", "token"),
}
"""Keys that only the user file, the environment or the command line may set to anything but these
tight values.
"""
OWNER_LAYERS = frozenset({"user", "environment", "command line"})
ALIASES: dict[str, tuple[str, float | None]] = {
    "privacy.anonymize_sensitive_data": ("privacy.anonymize", None),
    "buffer.budget_mb": ("buffer.budget_bytes", 1e6),
}
"""Names that the requirement documents fix: our key, and the factor to our unit."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings: its name as ``config explain`` says it, and a nested map."""

    name: str
    values: Tree


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key's value came from: the winning layer and every layer that had a say, lowest
    first.
    """

    layer: str
    said: tuple[tuple[str, Any], ...] = ()
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and the origin of each key that some layer set."""

    settings: Settings
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def origin(self, key: str) -> Origin:
        """The origin of a key; ``default`` if no layer set it."""
        return self.origins.get(key, Origin("default"))


def load(layers: Sequence[Layer]) -> Loaded:
    """Merge layers, lowest first, into checked settings. Pure.

    Raises:
        ConfigError: Names the key and the layer of the first thing that is wrong.
    """
    merged: dict[str, Any] = {}
    said: dict[str, list[tuple[str, Any]]] = {}
    aliases: dict[str, str] = {}
    for layer in layers:
        for key, value in _leaves(layer.values, "", layer.name):
            name, converted = _canonical(key, value, layer.name)
            _refuse_unknown(name, layer.name)
            _refuse_loosening(name, converted, layer.name)
            if name != key:
                aliases[name] = key
            put(merged, name, _united(merged, name, converted, layer.name), layer.name)
            said.setdefault(name, []).append((layer.name, converted))
    origins = {
        key: Origin(votes[-1][0], tuple(votes), aliases.get(key, "")) for key, votes in said.items()
    }
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, origins) from error
    return Loaded(settings, origins)


def collector_settings(settings: Settings) -> Settings:
    """What the collector runs on; all else has its default."""
    return Settings(
        data_sources=settings.data_sources,
        privacy=settings.privacy,
        ingest=settings.ingest,
        store=settings.store,
    )


def by_reference(settings: Settings) -> Settings:
    """The settings as they travel through Ray's control store, which keeps what services are made
    of: a hash in place of the catalog's URL, which may hold a password. Services find the URL in
    ``run/catalog_url`` (``catalog_of_session``).
    """
    url = settings.store.catalog_url
    if url == "sqlite":
        return settings
    named = f"sha256:{hashlib.sha256(url.encode()).hexdigest()}"
    store = settings.store.model_copy(update={"catalog_url": named})
    return settings.model_copy(update={"store": store})


def config_hash(section: Section) -> str:
    """A short stable hash of a section, by which the supervisor sees that a service runs on other
    settings.
    """
    return hashlib.sha256(section.model_dump_json().encode()).hexdigest()[:12]


def environment_layer(environ: Mapping[str, str], parse: Any) -> Layer:  # noqa: ANN401  (a YAML scalar parser)
    """``SELFLOW_SERVE__PORT=7740`` as ``{"serve": {"port": 7740}}``; ``parse`` reads one YAML
    value.
    """
    values: dict[str, Any] = {}
    for name, text in settings_variables(environ).items():
        key = name.removeprefix("SELFLOW_").lower().replace("__", ".")
        put(values, key, parse(text), "environment")
    return Layer("environment", values)


def value_at(settings: Settings, key: str) -> Any:  # noqa: ANN401  (a setting is of any type)
    """The value of a dotted key.

    Raises:
        ConfigError: No such key.
    """
    _refuse_unknown(key, "asked")
    value: Any = settings
    for part in key.split("."):
        if not isinstance(value, BaseModel) and (
            not isinstance(value, Mapping) or part not in value
        ):
            raise ConfigError(f"{key}: not set", "selflow config show lists the keys")
        value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


def known_keys() -> tuple[str, ...]:
    """Every dotted key, in the order of the sections."""
    return tuple(_keys(Settings, ""))


def meaning(key: str) -> str:
    """What a key means: the docstring under its field."""
    *path, name = key.split(".")
    model = _model_at(".".join(path)) if path else Settings
    return (
        (model.model_fields[name].description or "") if model and name in model.model_fields else ""
    )


def json_value(settings: Settings, key: str) -> Any:  # noqa: ANN401  (a setting is of any type)
    """The value of a key, or of a section, as JSON has it."""
    value_at(settings, key)
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    return value


def setting_document(loaded: Loaded, key: str) -> dict[str, Any]:
    """A key with its value, the layer that set it, and the default."""
    return {
        "key": key,
        "value": json_value(loaded.settings, key),
        "layer": loaded.origin(key).layer,
        "default": json_value(Settings(), key),
    }


def put(tree: dict[str, Any], key: str, value: Any, layer: str) -> None:  # noqa: ANN401  (a setting is of any type)
    """Set a dotted key in a nested map, making the maps on the way.

    Raises:
        ConfigError: A part of the key's path is there and holds a plain value.
    """
    *path, name = key.split(".")
    for depth, part in enumerate(path, 1):
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(
                f"{'.'.join(path[:depth])} ({layer}): holds a value, so {key} cannot be "
                "set below it"
            )
    tree[name] = dict(value) if isinstance(value, Mapping) else value


def _leaves(tree: Tree, prefix: str, layer: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if _model_at(name) is None:
            yield name, value
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.", layer)
        elif value is not None:  # a section with nothing below it is empty, as YAML reads it
            raise ConfigError(f"{name} ({layer}): expected a section with keys below it")


def _canonical(key: str, value: Any, layer: str) -> tuple[str, Any]:  # noqa: ANN401
    if key not in ALIASES:
        return key, value
    name, factor = ALIASES[key]
    if factor is None:
        return name, value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{key} ({layer}): expected a number", f"use the key {name}")
    return name, round(value * factor)


def _refuse_unknown(key: str, layer: str) -> None:
    parts = key.split(".")
    model: type[BaseModel] | None = Settings
    for depth, part in enumerate(parts):
        if model is None:
            break
        if part not in model.model_fields:
            near = difflib.get_close_matches(part, list(model.model_fields), n=1)
            where = ".".join(parts[: depth + 1])
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else f"known keys: {', '.join(model.model_fields)}"
            )
            raise ConfigError(f"{where} ({layer}): unknown key", hint)
        annotation = model.model_fields[part].annotation
        model = _model_of(annotation)
        if model is None and depth + 1 < len(parts) and get_origin(annotation) is not dict:
            raise ConfigError(
                f"{key} ({layer}): unknown key",
                f"{'.'.join(parts[: depth + 1])} has no keys below it",
            )


def _refuse_loosening(key: str, value: Any, layer: str) -> None:  # noqa: ANN401
    if key in OWNER_ONLY and not _is_tight(key, value) and layer not in OWNER_LAYERS:
        raise ConfigError(
            f"{key} ({layer}): only the owner's own settings file, the environment or "
            "the command line may loosen it",
            "other layers only tighten privacy: to loosen it, edit the user settings file",
        )


def _is_tight(key: str, value: Any) -> bool:  # noqa: ANN401
    return any(type(value) is type(tight) and value == tight for tight in OWNER_ONLY[key])


def _united(merged: Tree, key: str, value: Any, layer: str) -> Any:  # noqa: ANN401
    if key not in UNITED:
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{key} ({layer}): expected a list of texts")
    section, name = key.split(".")
    default = () if layer in OWNER_LAYERS else getattr(PrivacySettings(), name)
    before = merged.get(section, {}).get(name, default)
    return list(dict.fromkeys([*before, *value]))


def _model_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    if get_origin(annotation) in {Annotated, Union, UnionType}:
        return next((model for arg in get_args(annotation) if (model := _model_of(arg))), None)
    return (
        annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    )


def _model_at(key: str) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Settings
    for part in key.split("."):
        if model is None or part not in model.model_fields:
            return None
        model = _model_of(model.model_fields[part].annotation)
    return model


def _keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = _model_of(info.annotation)
        if inner is None:
            yield f"{prefix}{name}"
        else:
            yield from _keys(inner, f"{prefix}{name}.")


_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "this key is required",
    "union_tag_not_found": "type is missing: it names the kind of source",
}
"""Our words for what pydantic says in its own."""


def _explained(error: ValidationError, origins: Mapping[str, Origin]) -> ConfigError:
    errors = error.errors(include_url=False)
    # A typo explains a missing key
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    key = ".".join(str(part) for part in first["loc"]) or "settings"
    message = _WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    layers = [
        o.layer
        for name, o in origins.items()
        if f"{key}.".startswith(f"{name}.") or name.startswith(f"{key}.")
    ]
    where = f" ({', '.join(dict.fromkeys(layers))})" if layers else ""
    return ConfigError(f"{key}{where}: {message}", "selflow config explain KEY explains a key")
