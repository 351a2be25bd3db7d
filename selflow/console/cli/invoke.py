"""The invocation that the global options ask for."""

import os
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path

from selflow.core.invocation import Invocation
from selflow.core.paths import find_root

FLAGS = frozenset({"--json", "--quiet", "--no-color"})
"""Global options that may stand before the command and behind it."""


def make_invocation(
    flags: AbstractSet[str],
    home: str | None = None,
    config: Path | None = None,
    profile: str | None = None,
) -> Invocation:
    """Flags of ``FLAGS``, and the global options with a value."""
    has_color = (
        "--no-color" not in flags and "--json" not in flags and not os.environ.get("NO_COLOR")
    )
    return Invocation(
        root=find_root(home, os.environ),
        environ=os.environ,
        cwd=Path.cwd(),
        is_json="--json" in flags,
        is_quiet="--quiet" in flags,
        has_color=has_color and sys.stdout.isatty(),
        config_file=config,
        profile=profile,
    )
