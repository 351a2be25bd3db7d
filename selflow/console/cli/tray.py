"""``selflow tray``: SelFlow in the desktop's tray, in a process of its own."""

import asyncio
import platform

import typer

from selflow.core.errors import ConfigError
from selflow.core.invocation import Invocation


def tray(ctx: typer.Context) -> None:
    """Show SelFlow in the desktop's tray, until it is ended.

    Exit code 3 if the desktop shows no trays; selflow ui opens the page instead. It needs the extra
    `tray`. Tested on Linux alone (StatusNotifierItem); on Windows and macOS it was never run.
    """
    from selflow.console.tray.actions import TrayActions

    call: Invocation = ctx.obj
    system = platform.system()
    settings = call.settings().settings
    emoji, with_toasts = settings.tray.emoji, settings.notifications.desktop
    with_emoji = emoji == "on" or (emoji == "auto" and system != "Windows")
    actions = TrayActions(call.root)
    try:
        if system == "Windows":
            from selflow.console.tray import pystray_icon

            pystray_icon.show_tray(actions, with_emoji=with_emoji)
        elif system == "Darwin":
            from selflow.console.tray import rumps_icon

            rumps_icon.show_tray(actions, with_emoji=with_emoji)
        else:
            from selflow.console.tray import linux

            show = linux.show_tray(actions, with_emoji=with_emoji, with_toasts=with_toasts)
            asyncio.run(show)
    except ImportError as error:
        raise ConfigError(
            "the tray needs a library that is not installed", "install the extra: selflow[tray]"
        ) from error
