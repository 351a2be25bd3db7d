"""The tray's process: it holds neither Typer nor pydantic, which would double its memory."""

import asyncio
import os
import platform
import sys
from argparse import ArgumentParser

from selflow.console.tray.actions import TrayActions
from selflow.core.errors import SelFlowError
from selflow.core.paths import find_root


def main() -> None:
    """``python -m selflow.console.tray --home DIR [--emoji] [--toasts]``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True)
    parser.add_argument("--emoji", action="store_true")
    parser.add_argument("--toasts", action="store_true")
    given = parser.parse_args()
    actions = TrayActions(find_root(given.home, os.environ))
    try:
        show(actions, with_emoji=given.emoji, with_toasts=given.toasts)
    except SelFlowError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        sys.exit(error.exit_code)


def show(actions: TrayActions, *, with_emoji: bool, with_toasts: bool) -> None:
    """Show the tray until the process is ended.

    Raises:
        NotRunningError: This desktop shows none. ImportError: Its library is not installed.
    """
    system = platform.system()
    if system == "Windows":
        from selflow.console.tray import pystray_icon

        pystray_icon.show_tray(actions, with_emoji=with_emoji)
    elif system == "Darwin":
        from selflow.console.tray import rumps_icon

        rumps_icon.show_tray(actions, with_emoji=with_emoji)
    else:
        from selflow.console.tray import linux

        asyncio.run(linux.show_tray(actions, with_emoji=with_emoji, with_toasts=with_toasts))
