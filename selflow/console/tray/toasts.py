"""Notices on the desktop, by ``org.freedesktop.Notifications``: a mirror of the page's bell, which
is the truth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

SERVICE = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
_OPEN = ("default", "Open")
_NORMAL_URGENCY = 1
_BUS = "org.freedesktop.DBus"


@dataclass
class Toasts:
    """Shows each notice once; what stood already at the first look is not shown."""

    bus: MessageBus
    _known: set[str] | None = None
    _shown: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Hear which toast is clicked."""
        rule = f"type='signal',interface='{SERVICE}',member='ActionInvoked'"
        await self.bus.call(
            Message(
                destination=_BUS,
                path="/org/freedesktop/DBus",
                interface=_BUS,
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )

    async def show(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Show those that are new; a desktop without notifications shows none."""
        alerts = list(alerts)
        if self._known is None:
            self._known = {alert["id"] for alert in alerts}
            return
        for alert in alerts:
            if alert["id"] not in self._known:
                self._known.add(alert["id"])
                await self._show(alert)

    def clicked(self, message: Message) -> Mapping[str, Any] | None:
        """The notice whose toast a signal tells was clicked."""
        is_click = message.interface == SERVICE and message.member == "ActionInvoked"
        return self._shown.pop(message.body[0], None) if is_click else None

    async def _show(self, alert: Mapping[str, Any]) -> None:
        hints = {"urgency": Variant("y", _NORMAL_URGENCY)}
        reply = await self.bus.call(
            Message(
                destination=SERVICE,
                path=PATH,
                interface=SERVICE,
                member="Notify",
                signature="susssasa{sv}i",
                body=["SelFlow", 0, "", "SelFlow", alert["text"], [*_OPEN], hints, -1],
            )
        )
        if reply.message_type is not MessageType.ERROR:
            self._shown[reply.body[0]] = alert
