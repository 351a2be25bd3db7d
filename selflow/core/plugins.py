"""Installed entry points: commands, sources and what else comes in by name."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from selflow.core.errors import ConfigError

_OURS = "selflow"


def load(point: EntryPoint, kind: str) -> Any:  # noqa: ANN401
    """Import the object that an installed entry point names.

    Args:
        point: The entry point.
        kind: What it offers, for the message: "command", "source".

    Raises:
        ConfigError: The import fails, whatever the module raises: the installation is stale or
            the plugin is broken.
    """
    try:
        return point.load()
    except Exception as error:
        raise ConfigError(
            f"cannot load the {kind} {point.name!r} ({point.value}) of {_distribution(point)}: "
            f"{type(error).__name__}: {error}",
            _next_step(point),
        ) from error


def load_one(group: str, name: str, kind: str) -> Any:  # noqa: ANN401
    """Import the only entry point of a group that has this name.

    Raises:
        ConfigError: It is not installed, or its import fails.
    """
    points = tuple(entry_points(group=group, name=name))
    if not points:
        raise ConfigError(f"the {kind} {name!r} is not installed ({group})", _AGAIN)
    return load(points[0], kind)


_AGAIN = (
    "install SelFlow again: make setup in a checkout, pip install --force-reinstall selflow else"
)


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed distribution"


def _next_step(point: EntryPoint) -> str:
    if point.dist is None or point.dist.name == _OURS:
        return _AGAIN
    name = point.dist.name
    return f"update or remove {name}: pip install --upgrade {name}, or pip uninstall {name}"
