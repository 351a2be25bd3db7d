"""The port to the desktop: what is in front, and since when nobody has touched the machine."""

import re
import socket
import sys
from collections.abc import Mapping
from typing import Protocol

from selflow.collect.applications.focus import Window
from selflow.core.errors import RefusedError

_LOCAL = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d+)?")
_INSTEAD = "running programs are recorded instead; to have only these: track_window_focus: false"


class Desktop(Protocol):
    """One desktop session."""

    def foreground(self) -> Window | None:
        """The window in front; None if there is none.

        Raises:
            ConnectionError: The desktop has ended.
        """
        ...

    def idle_s(self) -> float:
        """Seconds since the last key, click or movement; 0 if the desktop does not tell."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


def open_desktop(environ: Mapping[str, str], platform: str = sys.platform) -> Desktop:
    """The desktop that the environment names.

    Raises:
        RefusedError: There is none that tells which window is in front.
    """
    if platform != "linux":
        raise RefusedError(f"the foreground window is not available on {platform}", _INSTEAD)
    if environ.get("WAYLAND_DISPLAY"):
        raise RefusedError("the foreground window is not available under Wayland", _INSTEAD)
    display = environ.get("DISPLAY", "")
    if not display:
        raise RefusedError("the foreground window is not available: no desktop here", _INSTEAD)
    if not _is_here(display):
        raise RefusedError(
            f"the foreground window is not available: no X server of this machine at {display}",
            _INSTEAD,
        )
    from selflow.collect.applications.x11 import X11Desktop

    try:
        return X11Desktop(display)
    except ConnectionError as error:
        raise RefusedError(
            f"the foreground window is not available: no answer from {display}", _INSTEAD
        ) from error


def _is_here(display: str) -> bool:
    """Whether a display is behind a socket of this machine that answers: without one the library
    would try the network.
    """
    named = _LOCAL.fullmatch(display)
    if named is None:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(f"/tmp/.X11-unix/X{named[1]}") == 0  # noqa: S108  (X11's own place)
