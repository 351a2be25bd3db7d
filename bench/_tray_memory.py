"""The memory of ``selflow tray`` on a session bus of its own, beside a watcher that shows it."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

WATCHER = "org.kde.StatusNotifierWatcher"
_LIMIT_S = 60.0
_SETTLE_S = 5.0
_PROGRAM = "from selflow.console.cli.main import main; main()"


def tray_rss_mb(home: Path) -> float | None:
    """Resident megabytes, some seconds after it was shown; None where there is no D-Bus daemon."""
    program = shutil.which("dbus-daemon")
    if program is None:
        return None
    command = [program, "--session", "--nofork", "--print-address"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as daemon:
        try:
            return asyncio.run(
                _measure(home, daemon.stdout.readline().strip() if daemon.stdout else "")
            )
        finally:
            daemon.terminate()


async def _measure(home: Path, address: str) -> float:
    bus = await MessageBus(bus_address=address).connect()
    is_shown = asyncio.Event()

    def answer(message: Message) -> Message | bool:
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        if message.member == "RegisterStatusNotifierItem":
            return Message.new_method_return(message)
        if message.member == "Get":
            is_shown.set()
            return Message.new_method_return(message, "v", [Variant("b", True)])  # noqa: FBT003
        return False

    bus.add_message_handler(answer)
    await bus.request_name(WATCHER)
    environ = {"DBUS_SESSION_BUS_ADDRESS": address, "HOME": str(home), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-c", _PROGRAM, "--home", str(home), "tray"]
    with subprocess.Popen(command, env=environ) as tray:  # noqa: ASYNC220  (begun once)
        try:
            await asyncio.wait_for(is_shown.wait(), _LIMIT_S)
            await asyncio.sleep(_SETTLE_S)
            return float(psutil.Process(tray.pid).memory_info().rss / 1e6)
        finally:
            tray.terminate()
            bus.disconnect()
