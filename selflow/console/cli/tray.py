"""``selflow tray``: SelFlow in the desktop's tray, in a process of its own."""

import os
import platform
import sys
from importlib.util import find_spec

import typer

from selflow.core.errors import ConfigError
from selflow.core.invocation import Invocation

_LIBRARIES = {"Windows": "pystray", "Darwin": "rumps"}


def tray(ctx: typer.Context) -> None:
    """Show SelFlow in the desktop's tray, until it is ended.

    Exit code 3 if the desktop shows no trays; selflow ui opens the page instead. It needs the extra
    `tray`. Tested on Linux alone (StatusNotifierItem); on Windows and macOS it was never run.
    """
    call: Invocation = ctx.obj
    system = platform.system()
    if find_spec(_LIBRARIES.get(system, "dbus_fast")) is None:
        raise ConfigError(
            "the tray needs a library that is not installed", "install the extra: selflow[tray]"
        )
    settings = call.settings().settings
    emoji = settings.tray.emoji
    command = [sys.executable, "-m", "selflow.console.tray", "--home", str(call.root.path)]
    if emoji == "on" or (emoji == "auto" and system != "Windows"):
        command.append("--emoji")
    if settings.notifications.desktop:
        command.append("--toasts")
    call.out.flush()
    os.execv(sys.executable, command)  # noqa: S606  (this very program, without what it loaded)
