"""The desktop as an X server tells it."""

from importlib import import_module
from typing import Any

from selflow.collect.applications.focus import Window

_MAX_PARENTS = 32
_TITLE_UNITS = 400
"""Of four bytes: what is read of a title."""


class X11Desktop:
    """One X server. A window manager names its active window; without one the focus counts, which
    may follow the pointer.

    Args:
        display: As in ``DISPLAY``.

    Raises:
        ConnectionError: No server answers there, or it lets nobody in.
    """

    def __init__(self, display: str) -> None:
        self._x: Any = import_module("Xlib.X")
        self._errors: Any = import_module("Xlib.error")
        module: Any = import_module("Xlib.display")
        try:
            self._display = module.Display(display)
            self._root = self._display.screen().root
            self._atoms = {
                name: self._display.intern_atom(name)
                for name in ("_NET_ACTIVE_WINDOW", "_NET_WM_NAME", "UTF8_STRING")
            }
            self._tells_idle = self._display.has_extension("MIT-SCREEN-SAVER")
        except (self._errors.DisplayError, self._errors.ConnectionClosedError, OSError) as error:
            raise ConnectionError(f"no X server at {display}") from error

    def foreground(self) -> Window | None:
        """The window in front; None if there is none, or it has just gone.

        Raises:
            ConnectionError: The server has ended.
        """
        try:
            return self._foreground()
        except (self._errors.ConnectionClosedError, OSError) as error:
            raise ConnectionError("the X server has ended") from error
        except self._errors.XError:
            return None

    def idle_s(self) -> float:
        """Seconds since the last input.

        Raises:
            ConnectionError: The server has ended.
        """
        if not self._tells_idle:
            return 0.0
        try:
            return float(self._root.screensaver_query_info().idle) / 1_000
        except (self._errors.ConnectionClosedError, OSError) as error:
            raise ConnectionError("the X server has ended") from error

    def close(self) -> None:
        """End the connection."""
        try:
            self._display.close()
        except (self._errors.ConnectionClosedError, OSError):
            return  # the server has ended first

    def _foreground(self) -> Window | None:
        window = self._active() or self._focused()
        for _ in range(_MAX_PARENTS):
            if window is None or window == self._root:
                return None
            app = window.get_wm_class()
            if app:
                return Window(app[1] or app[0], self._title(window))
            window = window.query_tree().parent or None
        return None

    def _active(self) -> Any:  # noqa: ANN401  (the library has no types)
        named = self._root.get_full_property(
            self._atoms["_NET_ACTIVE_WINDOW"], self._x.AnyPropertyType
        )
        if named is None or not len(named.value) or not named.value[0]:
            return None
        return self._display.create_resource_object("window", named.value[0])

    def _focused(self) -> Any:  # noqa: ANN401  (as above)
        focus = self._display.get_input_focus().focus
        if focus == self._x.PointerRoot:
            focus = self._root.query_pointer().child
        return None if isinstance(focus, int) else focus

    def _title(self, window: Any) -> str:  # noqa: ANN401  (as above)
        named = window.get_property(
            self._atoms["_NET_WM_NAME"], self._atoms["UTF8_STRING"], 0, _TITLE_UNITS
        )
        if named is not None and isinstance(named.value, bytes):
            return named.value.decode("utf-8", "replace")
        title = window.get_wm_name()
        return title if isinstance(title, str) else ""
