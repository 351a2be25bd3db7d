"""The tray on macOS, by rumps. Never run on a Mac: there is none to test on.

All changes happen in rumps's own timer, on the main thread: macOS ends a process otherwise.
"""

from typing import Any

from selflow.console.tray.actions import POLL_S, TrayActions
from selflow.console.tray.menu import MenuItem, build_menu
from selflow.console.tray.state import Icon

_SIGNS: dict[Icon, str] = {"learning": "🧠", "paused": "⏸", "training": "🔄", "attention": "⚠️"}


def show_tray(actions: TrayActions, *, with_emoji: bool) -> None:
    """Show the tray until the process ends."""
    import rumps

    app = rumps.App("SelFlow", quit_button=None)

    def entry(item: MenuItem) -> Any:  # noqa: ANN401  (an untyped library)
        act = (lambda _: actions.act(item)) if item.action else None
        shown = rumps.MenuItem(item.label(with_emoji=with_emoji), callback=act)
        for child in item.children:
            shown.add(entry(child))
        return shown

    def refresh(_: object) -> None:
        state = actions.fetch()
        app.title = _SIGNS[state.icon]
        app.menu.clear()
        app.menu.update([entry(item) for item in build_menu(state).items])

    refresh(None)
    rumps.Timer(refresh, POLL_S).start()
    app.run()
