"""The tray on Linux: ``org.kde.StatusNotifierItem`` and its menu over D-Bus.

Source: the StatusNotifierItem specification of freedesktop.org, and ``com.canonical.dbusmenu``.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from dbus_fast import BusType, DBusError, ErrorType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

from selflow.console.tray.actions import OPEN_POLL_S, POLL_S, TrayActions
from selflow.console.tray.dbus_menu import NumberedMenu
from selflow.console.tray.icon import SIZES, argb
from selflow.console.tray.menu import MenuModel, build_menu
from selflow.console.tray.state import NOT_RUNNING, TrayState
from selflow.console.tray.toasts import Toasts
from selflow.core.errors import NotRunningError

WATCHER = "org.kde.StatusNotifierWatcher"
WATCHER_PATH = "/StatusNotifierWatcher"
ITEM, ITEM_PATH = "org.kde.StatusNotifierItem", "/StatusNotifierItem"
MENU, MENU_PATH = "com.canonical.dbusmenu", "/MenuBar"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus")
_MENU_OPEN_S = 60.0
"""A desktop that never tells that the menu was closed."""
_NO_HOST = "this desktop has no tray that shows StatusNotifierItem"
Answer = tuple[str, list[Any]]


async def show_tray(actions: TrayActions, *, with_emoji: bool, with_toasts: bool) -> None:
    """Show the tray until SIGTERM or SIGINT.

    Raises:
        NotRunningError: No session bus, or no desktop that shows such trays.
    """
    try:
        bus = await MessageBus(bus_type=BusType.SESSION).connect()
    except (OSError, EOFError, AuthError, InvalidAddressError) as error:
        raise NotRunningError("no D-Bus session bus is reachable", _INSTEAD) from error
    toasts = Toasts(bus) if with_toasts else None
    tray = _LinuxTray(bus, actions, toasts, with_emoji=with_emoji)
    try:
        await tray.register()
        await tray.live()
    finally:
        bus.disconnect()


_INSTEAD = "selflow ui opens the page instead"


class _LinuxTray:
    """One icon with its menu."""

    def __init__(
        self, bus: MessageBus, actions: TrayActions, toasts: Toasts | None, *, with_emoji: bool
    ) -> None:
        self._bus = bus
        self._actions = actions
        self._toasts = toasts
        self._state: TrayState = NOT_RUNNING
        self._menu = NumberedMenu(with_emoji, MenuModel(()))
        self._name = f"{ITEM}-{os.getpid()}-1"
        self._wake = asyncio.Event()
        self._open_until_s = 0.0
        self._is_ending = False
        self._works: set[asyncio.Future[None]] = set()
        self._calls: dict[tuple[str, str], Callable[..., Answer]] = {
            (_PROPERTIES, "Get"): self._get,
            (_PROPERTIES, "GetAll"): self._get_all,
            (ITEM, "Activate"): self._activate,
            (ITEM, "SecondaryActivate"): self._activate,
            (ITEM, "ContextMenu"): self._ignore,
            (ITEM, "Scroll"): self._ignore,
            (MENU, "GetLayout"): self._get_layout,
            (MENU, "GetGroupProperties"): self._get_group_properties,
            (MENU, "GetProperty"): self._get_property,
            (MENU, "Event"): self._event,
            (MENU, "EventGroup"): self._event_group,
            (MENU, "AboutToShow"): self._about_to_show,
        }

    async def register(self) -> None:
        """Fetch the first picture, and tell the desktop's watcher.

        Raises:
            NotRunningError: Nobody shows trays.
        """
        self._take(await asyncio.to_thread(self._actions.fetch))
        if self._toasts:
            await self._toasts.listen()
        await self._show_toasts()
        self._bus.add_message_handler(self._answer)
        await self._bus.request_name(self._name)
        rule = f"type='signal',sender='{_BUS[0]}',member='NameOwnerChanged',arg0='{WATCHER}'"
        await self._ask(*_BUS, _BUS[0], "AddMatch", "s", [rule])
        await self._tell_watcher()
        body = [WATCHER, "IsStatusNotifierHostRegistered"]
        hosted = await self._ask(WATCHER, WATCHER_PATH, _PROPERTIES, "Get", "ss", body)
        if hosted.message_type is MessageType.ERROR or not hosted.body[0].value:
            raise NotRunningError(_NO_HOST, _INSTEAD)

    async def live(self) -> None:
        """Keep the picture up to date until a signal comes or the bus is gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        while True:
            is_open = loop.time() < self._open_until_s
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), OPEN_POLL_S if is_open else POLL_S)
            if self._is_over():
                return
            self._wake.clear()
            self._publish(await asyncio.to_thread(self._actions.fetch))
            await self._show_toasts()

    async def _show_toasts(self) -> None:
        if self._toasts:
            await self._toasts.show(await asyncio.to_thread(self._actions.alerts))

    def _is_over(self) -> bool:
        return self._is_ending or not self._bus.connected

    def _end(self) -> None:
        self._is_ending = True
        self._wake.set()

    def _take(self, state: TrayState) -> list[tuple[int, dict[str, Variant]]] | None:
        self._state = state
        return self._menu.replace(build_menu(state))

    def _publish(self, state: TrayState) -> None:
        """Show a new picture; what has not changed is not sent."""
        before, revision = self._state, self._menu.revision
        changed = self._take(state)
        if changed:
            body = [[[number, properties] for number, properties in changed], []]
            self._signal(MENU_PATH, MENU, "ItemsPropertiesUpdated", "a(ia{sv})a(ias)", body)
        elif self._menu.revision != revision:
            self._signal(MENU_PATH, MENU, "LayoutUpdated", "ui", [self._menu.revision, 0])
        if before.icon != state.icon:
            self._signal(ITEM_PATH, ITEM, "NewIcon")
            self._signal(ITEM_PATH, ITEM, "NewStatus", "s", [self._status])
        if before.state != state.state:
            self._signal(ITEM_PATH, ITEM, "NewToolTip")

    async def _tell_watcher(self) -> None:
        member = "RegisterStatusNotifierItem"
        await self._ask(WATCHER, WATCHER_PATH, WATCHER, member, "s", [self._name])

    async def _ask(
        self, to: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> Message:
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        return await self._bus.call(message)

    def _signal(
        self, path: str, interface: str, member: str, signature: str = "", body: Sequence[Any] = ()
    ) -> None:
        self._work(self._bus.send(Message.new_signal(path, interface, member, signature, [*body])))

    def _work(self, work: "asyncio.Future[None]") -> None:
        """Keep what goes on beside; the loop alone would forget it."""
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    def _answer(self, message: Message) -> Message | bool:
        """A call of the desktop's, or news of its watcher and its toasts."""
        if message.message_type is MessageType.SIGNAL:
            self._hear(message)
        is_call = message.message_type is MessageType.METHOD_CALL
        call = self._calls.get((message.interface or "", message.member or ""))
        if not is_call or call is None or message.path not in {ITEM_PATH, MENU_PATH}:
            return False
        try:
            signature, body = call(*message.body)
        except DBusError as error:
            return Message.new_error(message, error.type, error.text)
        except (TypeError, ValueError, KeyError):
            text = "the arguments do not fit"
            return Message.new_error(message, ErrorType.INVALID_ARGS, text)
        return Message.new_method_return(message, signature, body)

    def _hear(self, message: Message) -> None:
        """The watcher was started again, or a toast was clicked."""
        if message.member == "NameOwnerChanged":
            if message.body[0] == WATCHER and message.body[2]:
                self._work(asyncio.ensure_future(self._tell_watcher()))
        elif self._toasts and (alert := self._toasts.clicked(message)):
            self._beside(partial(self._actions.follow, alert))

    def _get(self, interface: str, name: str) -> Answer:
        known = self._properties(interface)
        if name not in known:
            raise DBusError(ErrorType.UNKNOWN_PROPERTY, "there is no such property")
        return "v", [known[name]]

    def _get_all(self, interface: str) -> Answer:
        return "a{sv}", [self._properties(interface)]

    @property
    def _status(self) -> str:
        return "NeedsAttention" if self._state.icon == "attention" else "Active"

    def _properties(self, interface: str) -> dict[str, Variant]:
        if interface == MENU:
            return {
                "Version": Variant("u", 3),
                "TextDirection": Variant("s", "ltr"),
                "Status": Variant("s", "normal"),
                "IconThemePath": Variant("as", []),
            }
        if interface != ITEM:
            return {}
        pixmaps = [[size, size, argb(self._state.icon, size)] for size in SIZES]
        drawn = Variant("a(iiay)", pixmaps)
        return {
            "Category": Variant("s", "ApplicationStatus"),
            "Id": Variant("s", "selflow"),
            "Title": Variant("s", "SelFlow"),
            "Status": Variant("s", self._status),
            "WindowId": Variant("i", 0),
            "IconName": Variant("s", ""),
            "IconPixmap": drawn,
            "OverlayIconName": Variant("s", ""),
            "AttentionIconName": Variant("s", ""),
            "AttentionIconPixmap": drawn,
            "ToolTip": Variant("(sa(iiay)ss)", ["", [], "SelFlow", self._state.state]),
            "ItemIsMenu": Variant("b", True),  # noqa: FBT003  (D-Bus's own type)
            "Menu": Variant("o", MENU_PATH),
        }

    def _activate(self, _x: int, _y: int) -> Answer:
        self._click("dashboard")
        return "", []

    def _ignore(self, *_: object) -> Answer:
        return "", []

    def _get_layout(self, parent: int, depth: int, _names: list[str]) -> Answer:
        layout = self._menu.layout(parent, depth)
        if layout is None:
            raise DBusError(ErrorType.INVALID_ARGS, "there is no such entry")
        return "u(ia{sv}av)", [self._menu.revision, layout]

    def _get_group_properties(self, numbers: list[int], _names: list[str]) -> Answer:
        return "a(ia{sv})", [self._menu.all_properties(numbers)]

    def _get_property(self, number: int, name: str) -> Answer:
        item = self._menu.item(number)
        known = self._menu.properties(item) if item else {}
        if name not in known:
            raise DBusError(ErrorType.INVALID_ARGS, "there is no such property")
        return "v", [known[name]]

    def _event(self, number: int, kind: str, _data: Variant, _timestamp: int) -> Answer:
        now_s = asyncio.get_running_loop().time()
        item = self._menu.item(number)
        if kind == "clicked" and item:
            self._click(item.key)
        elif kind == "opened":
            self._open_until_s = now_s + _MENU_OPEN_S
            self._wake.set()
        elif kind == "closed" and number == 0:
            self._open_until_s = 0.0
        return "", []

    def _event_group(self, events: list[tuple[int, str, Variant, int]]) -> Answer:
        for event in events:
            self._event(*event)
        return "ai", [[number for number, *_ in events if number and not self._menu.item(number)]]

    def _about_to_show(self, _number: int) -> Answer:
        self._open_until_s = asyncio.get_running_loop().time() + _MENU_OPEN_S
        self._wake.set()
        return "b", [False]  # news come as signals

    def _click(self, key: str) -> None:
        """Act beside the loop, then look again."""
        item = next((one for _, one in self._menu.model.walk() if one.key == key), None)
        if item is not None:
            self._beside(partial(self._actions.act, item))

    def _beside(self, act: Callable[[], None]) -> None:
        """Do something in a thread, then look again."""
        work = asyncio.get_running_loop().run_in_executor(None, act)
        work.add_done_callback(lambda _: self._wake.set())
        self._work(work)
