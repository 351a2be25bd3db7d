"""``selflow config``: what the settings are, where each came from, and how to change one."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from selflow.collect.normalise import PathRules
from selflow.console.overrides import override
from selflow.core import config as rules
from selflow.core import config_files as files
from selflow.core.clock import SystemClock
from selflow.core.errors import ConfigError
from selflow.core.grants import OWNER
from selflow.core.invocation import Invocation, table
from selflow.core.session_files import read_request
from selflow.core.setting_form import takes_effect
from selflow.core.settings import Settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show, explain, check and change settings.",
)
_WIDTH = 60
Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="A dotted key such as serve.port; selflow config show lists all."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]


@app.command()
def show(ctx: typer.Context) -> None:
    """Every key, its value and the layer that set it."""
    call: Invocation = ctx.obj
    loaded = call.settings()
    items = [rules.setting_document(loaded, key) for key in rules.known_keys()]
    call.show(
        {"items": items},
        table(
            ["key", "value", "layer"],
            [[i["key"], _short(_yaml(i["value"])), i["layer"]] for i in items],
        ),
    )


@app.command()
def get(ctx: typer.Context, key: Key) -> None:
    """The value of one key, or of a whole section."""
    call: Invocation = ctx.obj
    name = _canonical(key)
    value = rules.json_value(call.settings().settings, name)
    call.show({"key": name, "value": value}, [_yaml(value)])


@app.command()
def explain(ctx: typer.Context, key: Key) -> None:
    """What a key means, which layer won, what every layer said, and what a running session has."""
    call: Invocation = ctx.obj
    name = _canonical(key)
    loaded = call.settings()
    item = rules.setting_document(loaded, name)
    said = loaded.origin(name).said
    alias = next((alias for alias, (ours, _) in rules.ALIASES.items() if ours == name), None)
    document = {
        **item,
        "meaning": rules.meaning(name),
        "said": [{"layer": layer, "value": value} for layer, value in said],
        "alias": alias,
        "is_united": name in rules.UNITED,
        "session": _session_item(call, name),
    }
    lines = [
        f"{name}: {_yaml(item['value'])}",
        f"  {document['meaning']}",
        f"  from: {item['layer']}",
    ]
    lines += [f"  set by {layer}: {_yaml(value)}" for layer, value in said]
    lines.append(f"  default: {_yaml(item['default'])}")
    lines += [f"  alias: {alias}"] if alias else []
    lines += ["  the values of all layers are merged"] if name in rules.UNITED else []
    if (session := document["session"]) is not None:
        lines.append(f"  running session: {_yaml(session['value'])} (from: {session['layer']})")
    call.show(document, lines)


@app.command()
def check(ctx: typer.Context) -> None:
    """Whether all layers are right and every watched folder can be read; exit code 5 on a fault."""
    call: Invocation = ctx.obj
    faults = _faults(call)
    lines = [
        line for fault in faults for line in (f"fault: {fault['detail']}", f"hint: {fault['hint']}")
    ]
    call.show({"ok": not faults, "faults": faults}, lines or ["the settings are valid"])
    raise typer.Exit(5 if faults else 0)


@app.command(name="set")
def set_(
    ctx: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A YAML value.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Override one key for this machine; the owner's own file is never rewritten."""
    call: Invocation = ctx.obj
    name = _canonical(key)
    parsed = yaml.safe_load(value)
    if parsed is None:
        raise ConfigError(
            f"{name}: the value is missing",
            f"to remove the override: selflow config unset {name}",
        )
    loaded = call.settings()
    before = rules.json_value(loaded.settings, name)
    wanted = rules.load([rules.Layer(files.OVERRIDES, _nested(key, parsed))])
    after = rules.json_value(wanted.settings, name)
    if not dry_run:
        after = rules.json_value(_override(call, name, after).settings, name)
    call.show(*_change(name, before, after, is_dry=dry_run))


@app.command()
def unset(ctx: typer.Context, key: Key, *, dry_run: DryRun = False) -> None:
    """Drop the override of one key."""
    call: Invocation = ctx.obj
    name = _canonical(key)
    loaded = call.settings()
    before = rules.json_value(loaded.settings, name)
    others = [value for layer, value in loaded.origin(name).said if layer != files.OVERRIDES]
    after = others[-1] if others else rules.json_value(Settings(), name)
    if not dry_run:
        after = rules.json_value(_override(call, name, None).settings, name)
    call.show(*_change(name, before, after, is_dry=dry_run))


@app.command()
def trust(ctx: typer.Context, *, dry_run: DryRun = False) -> None:
    """Let the nearest selflow.yaml, as it is now, have a say."""
    call: Invocation = ctx.obj
    path = files.project_file(call.cwd) if dry_run else files.trust_project(call.root, call.cwd)
    if path is None:
        raise ConfigError(
            f"no {files.PROJECT_FILE} in {call.cwd} or above it", "change to the project's folder"
        )
    call.show(
        {"path": str(path), "dry_run": dry_run},
        [f"{'would trust' if dry_run else 'trusted'}: {path}"],
    )


@app.command()
def path(ctx: typer.Context) -> None:
    """Where the settings files are, whether they exist or not."""
    call: Invocation = ctx.obj
    project = files.project_file(call.cwd)
    paths = {
        "user": str(call.config_file or call.root.user_settings),
        "project": str(project) if project else None,
        "runtime_overrides": str(call.root.runtime_overrides),
        "root": str(call.root.path),
    }
    call.show(paths, [f"{name}: {location or 'none'}" for name, location in paths.items()])


def _canonical(key: str) -> str:
    return rules.ALIASES[key][0] if key in rules.ALIASES else key


def _session_item(call: Invocation, key: str) -> dict[str, Any] | None:
    """The key as the request of the running session sets it, its own command line and environment
    included; None without a session.
    """
    request = read_request(call.root)
    if request is None:
        return None
    loaded = request.layers(call.root)
    return {"value": rules.json_value(loaded.settings, key), "layer": loaded.origin(key).layer}


def _override(call: Invocation, name: str, value: Any) -> rules.Loaded:  # noqa: ANN401
    """Write the override, unless it contradicts what other layers say; None removes it."""

    def check(overrides: Mapping[str, Any]) -> rules.Loaded:
        return call.settings(overrides=overrides)

    now_us = SystemClock().now_us()
    loaded = override(call.root, call.catalog_location(), {name: value}, check, now_us, OWNER)
    if read_request(call.root) is not None:
        steps = "selflow down, then selflow up" if takes_effect(name) == "restart" else "selflow up"
        call.note(f"the running session has it after: {steps}")
    return loaded


def _nested(key: str, value: object) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return cast("dict[str, Any]", value)


def _change(
    name: str, before: object, after: object, *, is_dry: bool
) -> tuple[dict[str, Any], list[str]]:
    document = {"key": name, "before": before, "after": after, "dry_run": is_dry}
    return document, [f"{name}: {_yaml(before)} -> {_yaml(after)}{' (dry run)' if is_dry else ''}"]


def _faults(call: Invocation) -> list[dict[str, str]]:
    try:
        loaded = call.settings()
    except ConfigError as error:
        return [{"detail": str(error), "hint": error.hint}]
    project = files.untrusted_project(call.root, call.cwd)
    if project is not None:
        call.note(f"note: {project} is ignored; to trust it: selflow config trust")
    folders = [
        {
            "detail": f"data_sources: {error}",
            "hint": "correct the path, or make the folder readable",
        }
        for source in loaded.settings.data_sources
        if source.type == "file_system"
        for error in map(_unreadable, source.paths)
        if error
    ]
    return [*folders, *_bad_globs(loaded.settings)]


def _bad_globs(settings: Settings) -> Iterator[dict[str, str]]:
    """The path patterns that are none, each by its key and position."""
    globs = {"privacy.exclude_paths": settings.privacy.exclude_paths}
    for index, source in enumerate(settings.data_sources):
        if source.type == "file_system":
            globs[f"data_sources[{index}].include"] = source.include
            globs[f"data_sources[{index}].exclude"] = source.exclude
    for key, patterns in globs.items():
        for position, pattern in enumerate(patterns):
            try:
                PathRules([pattern], str(Path.home()))
            except ConfigError as error:
                yield {"detail": f"{key}[{position}]: {error}", "hint": error.hint}


def _unreadable(folder: str) -> str:
    path = Path(folder).expanduser()
    if not path.is_dir():
        return f"folder not found: {path}"
    return "" if os.access(path, os.R_OK | os.X_OK) else f"cannot read the folder {path}"


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 4]} ..."


def _yaml(value: object) -> str:
    if value is None:
        return "null"
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    ).strip()
    return text.removesuffix("\n...").strip()
