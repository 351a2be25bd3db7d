"""A private session bus with a watcher of trays that remembers what it was told."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from selflow.console.tray.linux import ITEM, ITEM_PATH, MENU, MENU_PATH, WATCHER
from selflow.console.tray.toasts import PATH, SERVICE

LIMIT_S = 15.0
_PROPERTIES = "org.freedesktop.DBus.Properties"
_CONFIG = """<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


@contextmanager
def session_bus(program: str, folder: Any) -> Iterator[str]:
    """The address of a bus that lives as long as the block."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG)
    command = [program, f"--config-file={config}", "--nofork", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


@dataclass
class Desktop:
    """A watcher with a host; ``items`` are the trays that registered."""

    bus: MessageBus
    has_host: bool = True
    items: list[str] = field(default_factory=list)
    signals: list[Message] = field(default_factory=list)
    is_shown: bool = False
    toasts: list[list[Any]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def begin(cls, address: str, *, has_host: bool = True) -> "Desktop":
        desktop = cls(await MessageBus(bus_address=address).connect(), has_host)
        desktop.bus.add_message_handler(desktop.answer)
        await desktop.bus.request_name(WATCHER)
        await desktop.bus.request_name("org.freedesktop.Notifications")
        rules = [f"type='signal',interface='{name}'" for name in (ITEM, MENU)]
        for rule in rules:
            await desktop.ask(
                "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "AddMatch", "s", [rule]
            )
        return desktop

    def answer(self, message: Message) -> Message | bool:
        if message.message_type is MessageType.SIGNAL and message.interface in {ITEM, MENU}:
            self.signals.append(message)
            self._news.set()
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        self._news.set()
        if message.member == "RegisterStatusNotifierItem":
            self.items.append(message.body[0])
            return Message.new_method_return(message)
        if message.member == "Notify":
            self.toasts.append(message.body)
            return Message.new_method_return(message, "u", [len(self.toasts)])
        if message.member == "Get":
            self.is_shown = True
            return Message.new_method_return(message, "v", [Variant("b", self.has_host)])
        return False

    async def ask(
        self, to: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> list[Any]:
        reply = await self.bus.call(
            Message(
                destination=to,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
        )
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise AssertionError(f"{reply.error_name}: {reply.body}")
        return list(reply.body)

    async def click_toast(self, number: int) -> None:
        signal = Message.new_signal(PATH, SERVICE, "ActionInvoked", "us", [number, "default"])
        await self.bus.send(signal)

    async def until(self, is_true: Any) -> None:
        """Wait for news after which it is true."""
        async with asyncio.timeout(LIMIT_S):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def property_of(self, name: str) -> Any:
        (value,) = await self.ask(self.items[-1], ITEM_PATH, _PROPERTIES, "Get", "ss", [ITEM, name])
        return value.value

    async def labels(self) -> dict[str, int]:
        """Every entry's number by its label."""
        _, root = await self.ask(
            self.items[-1], MENU_PATH, MENU, "GetLayout", "iias", [0, -1, ["label"]]
        )
        return dict(_labels(root))

    async def click(self, number: int) -> None:
        body = [number, "clicked", Variant("i", 0), 0]
        await self.ask(self.items[-1], MENU_PATH, MENU, "Event", "isvu", body)


def _labels(layout: Any) -> Iterator[tuple[str, int]]:
    number, properties, children = layout
    if "label" in properties:
        yield properties["label"].value, number
    for child in children:
        yield from _labels(child.value)
