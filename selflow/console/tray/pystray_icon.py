"""The tray on Windows, by pystray. Never run on a Windows machine: there is none to test on."""

import threading
from typing import Any

from selflow.console.tray.actions import POLL_S, TrayActions
from selflow.console.tray.icon import rgba
from selflow.console.tray.menu import MenuItem, build_menu

_SIZE = 44


def show_tray(actions: TrayActions, *, with_emoji: bool) -> None:
    """Show the tray until the process ends."""
    import pystray
    from PIL import Image

    def picture(state_icon: Any) -> Any:  # noqa: ANN401  (untyped libraries)
        return Image.frombytes("RGBA", (_SIZE, _SIZE), rgba(state_icon, _SIZE))

    def entry(item: MenuItem) -> Any:  # noqa: ANN401
        below = pystray.Menu(*map(entry, item.children)) if item.children else None
        act = below or (lambda: actions.act(item))
        return pystray.MenuItem(item.label(with_emoji=with_emoji), act, enabled=bool(item.action))

    def menu() -> list[Any]:
        return [entry(item) for item in build_menu(actions.fetch()).items]

    icon = pystray.Icon("selflow", picture(actions.fetch().icon), "SelFlow", pystray.Menu(menu))
    ended = threading.Event()

    def follow(shown: Any) -> None:  # noqa: ANN401
        shown.visible = True
        while not ended.wait(POLL_S):
            shown.icon = picture(actions.fetch().icon)
            shown.update_menu()

    icon.run(setup=follow)
    ended.set()
