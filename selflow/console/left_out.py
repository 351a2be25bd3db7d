"""Modules that a small process never loads, though its libraries would."""

import sys


def leave_out(*names: str) -> None:
    """Let an import of these modules find nothing, as if they were not installed: for libraries
    that import them where they can, and do without them elsewhere. Before those are imported.
    """
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]
