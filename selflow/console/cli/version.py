"""``selflow version``."""

import platform
from importlib.metadata import version as version_of

import typer

from selflow.core.invocation import Invocation

API_VERSION = 1


def version(ctx: typer.Context) -> None:
    """Print the version."""
    call: Invocation = ctx.obj
    ours = version_of("selflow")
    call.show({"version": ours, "api": API_VERSION, "python": platform.python_version()}, [ours])
