"""What the tray does, whatever the desktop: ask for its picture, open a page, start SelFlow."""

import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selflow.console.owner_client import ask_console
from selflow.console.page_opening import open_page, page_url
from selflow.console.tray.menu import MenuItem
from selflow.console.tray.state import NOT_RUNNING, TrayState
from selflow.core.errors import SelFlowError
from selflow.core.paths import Root

POLL_S = 30.0
OPEN_POLL_S = 2.0
"""While the menu is open."""
_START = "import sys; from selflow.console.cli.main import run; sys.exit(run(sys.argv[1:]))"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrayActions:
    """For one state root."""

    root: Root

    def fetch(self) -> TrayState:
        """The newest picture; a console that does not answer, or refuses, is not running."""
        try:
            return TrayState.from_json(ask_console(self.root, "GET", "/api/tray"))
        except SelFlowError as error:
            _log.info("no picture: %s", error)
            return NOT_RUNNING

    def alerts(self) -> list[Mapping[str, Any]]:
        """The notices that alert, oldest first; none where no console answers."""
        try:
            answer = ask_console(self.root, "GET", "/api/notices")
        except SelFlowError as error:
            _log.info("no notices: %s", error)
            return []
        items: list[Mapping[str, Any]] = answer["items"]
        return [one for one in reversed(items) if not one["silence"] and not one["read_at"]]

    def follow(self, alert: Mapping[str, Any]) -> None:
        """Open what a notice leads to, and write down that its owner acted on it."""
        try:
            ask_console(self.root, "POST", f"/api/notices/{alert['id']}/acted")
            open_page(self.root, page_url(self.root, alert["path"]))
        except SelFlowError as error:
            _log.warning("the notice was not followed: %s", error)

    def act(self, item: MenuItem) -> None:
        """Do what an entry says; ``refresh`` needs no act of its own: the picture is fetched after
        every click.
        """
        if item.action == "open":
            try:
                open_page(self.root, page_url(self.root, item.path))
            except SelFlowError as error:
                _log.warning("the page was not opened: %s", error)
        elif item.action == "start":
            command = [sys.executable, "-c", _START, "--home", str(self.root.path), "up"]
            subprocess.Popen(  # noqa: S603  (our own program)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
