"""A SelFlow of a measurement's own: its state root, its command line, and the memory that its
processes hold.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selflow.core.events import Event
from selflow.core.paths import Root

SELFLOW = Path(sys.executable).with_name("selflow")
QUIET_S = 20.0
Rows = list[tuple[str, str]]


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s


def selflow(*args: str) -> str:
    """What a command line that must work prints."""
    return subprocess.run(
        [str(SELFLOW), *args], stdout=subprocess.PIPE, text=True, check=True
    ).stdout


@contextmanager
def own_root(settings: str = "") -> Iterator[Root]:
    """A fresh state root that ``selflow`` uses; whatever runs there ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="sf-bench-", dir="/tmp"))
    root = Root(folder, folder)
    root.user_settings.write_text(settings, encoding="utf-8")
    os.environ["SELFLOW_HOME"] = str(folder)
    os.environ["SELFLOW_LM__BASE"] = "tiny"  # no model of the user's cache changes the figures
    try:
        yield root
    finally:
        subprocess.run([str(SELFLOW), "down"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def ingest(root: Root, events: Sequence[Event]) -> float:
    """Events from one client to the disk, acknowledged; returns the seconds."""
    from selflow.sdk.ingest import IngestClient

    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "bench") as client:
        return seconds(lambda: (client.send(events), client.flush(300)))


def memory(root: Root) -> Rows:
    """Proportional share of each process at rest, largest first: once no process has come or gone
    for a while.
    """
    from actors.ray_head import own_processes

    before: set[int] = set()
    while (now := {process.pid for process in own_processes(root)}) != before:
        before = now
        time.sleep(QUIET_S)
    shares = {f"{p.name()} ({p.pid})": p.memory_full_info().pss for p in own_processes(root)}
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    rows = [(f"PSS of {name}", f"{share / 1e6:.0f} MB") for name, share in ranked]
    return [*rows, ("PSS of all", f"{sum(shares.values()) / 1e6:.0f} MB")]


def show(rows: Rows) -> None:
    """One table."""
    print("| what | figure |\n|---|---|")
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))
