"""Installed entry points: commands, sources and what else comes in by name."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from selflow.core.errors import ConfigError

_OURS = "selflow"


def installed(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name; more than one where distributions share a name."""
    by_name: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        by_name.setdefault(point.name, []).append(point)
    return by_name


def load(points: Sequence[EntryPoint], kind: str) -> Any:  # noqa: ANN401
    """Import the object that an installed entry point names.

    Args:
        points: The entry points of one name, at least one.
        kind: What it offers, for the message: "command", "source".

    Raises:
        ConfigError: There is more than one: none of them, ours neither, is preferred. Or the import
            fails, whatever the module raises: the installation is stale or the plugin is broken.
    """
    point, *others = points
    if others:
        offers = " and ".join(f"{_distribution(offer)} ({offer.value})" for offer in points)
        names = sorted({_plugin(offer) for offer in points} - {""})
        raise ConfigError(
            f"more than one distribution has the {kind} {point.name!r}: {offers}",
            f"keep one of them: pip uninstall {' or '.join(names)}" if names else _AGAIN,
        )
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
        ConfigError: It is not installed, more than one distribution has it, or its import fails.
    """
    points = installed(group).get(name)
    if points is None:
        raise ConfigError(f"the {kind} {name!r} is not installed ({group})", _AGAIN)
    return load(points, kind)


_AGAIN = (
    "install SelFlow again: make setup in a checkout, pip install --force-reinstall selflow else"
)


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed distribution"


def _plugin(point: EntryPoint) -> str:
    """The plugin that has it; empty if it is ours or of an unnamed distribution."""
    return point.dist.name if point.dist and point.dist.name != _OURS else ""


def _next_step(point: EntryPoint) -> str:
    name = _plugin(point)
    if not name:
        return _AGAIN
    return f"update or remove {name}: pip install --upgrade {name}, or pip uninstall {name}"
