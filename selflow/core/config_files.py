"""The files and variables that the settings layers come from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from selflow.core.config import UNITED, Layer, Loaded, environment_layer, load, put
from selflow.core.errors import ConfigError
from selflow.core.paths import Root, write_private

PROJECT_FILE = "selflow.yaml"
OVERRIDES = "runtime overrides"
"""The name of the layer that the page, the API and ``selflow config set`` write."""


def load_settings(
    root: Root,
    environ: Mapping[str, str],
    *,
    config_file: Path | None = None,
    profile: str | None = None,
    assignments: Sequence[str] = (),
    cwd: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """Settings from every layer.

    Args:
        root: Where the runtime overrides and the list of trusted projects lie.
        environ: ``SELFLOW_SECTION__KEY`` variables.
        config_file: ``--config``: read instead of the user's file.
        profile: ``--profile``: an overlay from the owner's profiles or from ``configs/``.
        assignments: ``key=value`` texts of the command line; values are YAML.
        cwd: Where the search for a project file begins; None skips project files (services).
        overrides: Runtime overrides instead of those on the disk: whether they could stand there.

    Raises:
        ConfigError: Names file or variable, key and next step.
    """
    layers = [_profile_layer(root, profile)] if profile else []
    layers.append(Layer("user", _user_values(root, config_file)))
    if cwd is not None:
        layers.extend(_project_layers(root, cwd))
    layers.append(environment_layer(environ, _yaml_value))
    layers.append(Layer("command line", _assigned(assignments)))
    runtime = read_yaml(root.runtime_overrides) if overrides is None else overrides
    layers.append(Layer(OVERRIDES, runtime))
    return load(layers)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file with a map at its top; an absent file is empty.

    Raises:
        ConfigError: It cannot be read, or is not a map.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the settings file {path}: {type(error).__name__}", "check its mode"
        ) from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" at line {line + 1}" if line is not None else ""
        raise ConfigError(
            f"{path} is not valid YAML{where}", "selflow config check names the file"
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a map of sections", "see selflow config show")
    return values


def set_override(root: Root, key: str, value: Any) -> None:  # noqa: ANN401  (a setting is of any type)
    """Write one runtime override, after the whole has been checked. ``value`` None removes it.

    Raises:
        ConfigError: The key or the value is wrong; the file stays as it was.
    """
    values = changed_overrides(root, {key: value})
    load([Layer(OVERRIDES, values)])
    write_overrides(root, values)


def changed_overrides(root: Root, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The runtime overrides as they would be; a value None removes its key. Writes nothing.

    Raises:
        ConfigError: The file cannot be read, or a key lies below a plain value.
    """
    values = read_yaml(root.runtime_overrides)
    for key, value in changes.items():
        if value is None:
            _drop(values, key)
        else:
            put(values, key, value, OVERRIDES)
    return values


def write_overrides(root: Root, values: Mapping[str, Any]) -> None:
    """Replace the runtime overrides by what was checked before."""
    root.make()
    write_private(root.runtime_overrides, yaml.safe_dump(dict(values), sort_keys=True))


def clear_overrides(root: Root, assignments: Sequence[str]) -> None:
    """Drop the runtime overrides of keys that the command line sets: the newest explicit
    act wins. Those that only tighten stay.
    """
    overrides = read_yaml(root.runtime_overrides)
    for assignment in assignments:
        key = assignment.partition("=")[0]
        if key not in UNITED and _drop(overrides, key):
            set_override(root, key, None)


def _drop(tree: dict[str, Any], key: str) -> bool:
    *path, name = key.split(".")
    holder: Any = tree
    for part in path:
        holder = holder.get(part) if isinstance(holder, dict) else None
    return isinstance(holder, dict) and holder.pop(name, None) is not None


def project_file(cwd: Path) -> Path | None:
    """The nearest ``selflow.yaml`` at or above a folder."""
    return next(
        (p for folder in (cwd, *cwd.parents) if (p := folder / PROJECT_FILE).is_file()), None
    )


def untrusted_project(root: Root, cwd: Path) -> Path | None:
    """The nearest project file if it has no say: never trusted, or changed since."""
    path = project_file(cwd)
    return None if path is None or _is_trusted(root, path) else path


def trust_project(root: Root, cwd: Path) -> Path:
    """Trust the nearest project file as it is now; a later change of it must be trusted again.

    Raises:
        ConfigError: There is none.
    """
    path = project_file(cwd)
    if path is None:
        raise ConfigError(
            f"no {PROJECT_FILE} in {cwd} or above it",
            "create one, or change to the project's folder",
        )
    trusted = _trusted(root)
    trusted[str(path)] = _digest(path)
    root.make()
    write_private(root.trusted_projects, json.dumps(trusted, indent=1, sort_keys=True))
    return path


def _project_layers(root: Root, cwd: Path) -> list[Layer]:
    path = project_file(cwd)
    if path is None or not _is_trusted(root, path):
        return []
    return [Layer("project", read_yaml(path))]


def _is_trusted(root: Root, path: Path) -> bool:
    return _trusted(root).get(str(path)) == _digest(path)


def _trusted(root: Root) -> dict[str, str]:
    try:
        raw = json.loads(root.trusted_projects.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {root.trusted_projects}", "remove it and run selflow config trust"
        ) from error
    return {str(key): str(value) for key, value in raw.items()} if isinstance(raw, dict) else {}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"cannot read the settings file {path}: {error.strerror}", "check its mode"
        ) from error


def _user_values(root: Root, config_file: Path | None) -> dict[str, Any]:
    if config_file is None:
        return read_yaml(root.user_settings)
    if not config_file.is_file():
        raise ConfigError(f"no settings file {config_file}", "check the path given with --config")
    return read_yaml(config_file)


def _profile_layer(root: Root, name: str) -> Layer:
    shipped = Path(__file__).parents[2] / "configs"
    for folder in (root.profiles, shipped):
        path = folder / f"{name}.yaml"
        if "/" not in name and path.is_file():
            return Layer("profile", read_yaml(path))
    profiles = sorted(
        {
            p.stem
            for folder in (root.profiles, shipped)
            if folder.is_dir()
            for p in folder.glob("*.yaml")
        }
    )
    raise ConfigError(f"unknown profile: {name}", f"profiles: {', '.join(profiles) or 'none'}")


def _assigned(assignments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"{assignment!r} (command line): expected KEY=VALUE", "for example serve.port=7740"
            )
        put(values, key, _yaml_value(text), "command line")
    return values


def _yaml_value(text: str) -> Any:  # noqa: ANN401  (a YAML value is of any type)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{text!r} is not a YAML value", "quote it, or write a number, true, false or a list"
        ) from error
