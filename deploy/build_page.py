"""The wheel's build hook: builds the web page where it is missing, so that a wheel brings it.

An editable install never builds (``make web`` does), and ``SELFLOW_WEB=skip`` leaves the page out.
Needs Node.js 20.19 or newer and npm's packages, at build time alone.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_WEB = "selflow/console/web"
_BUILT = "selflow/console/static/index.html"


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it collects the files of a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page, if this is no editable install and it is not there yet."""
        root = Path(self.root)
        is_skipped = os.environ.get("SELFLOW_WEB") == "skip"
        if version == "editable" or is_skipped or (root / _BUILT).exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            self.app.abort(
                "the web page cannot be built: npm is missing; install Node.js 20.19 or newer, "
                "or set SELFLOW_WEB=skip for a wheel without the page"
            )
            return
        web = root / _WEB
        if not (web / "node_modules").exists():
            self._run(npm, "ci", "--no-progress", folder=web)
        self._run(npm, "run", "--silent", "build", folder=web)

    def _run(self, *command: str, folder: Path) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.app.abort(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")
