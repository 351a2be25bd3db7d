"""What the console costs on 130,000 events: the index, the routes, and a real process with readers.

Ends with 1 if a route takes 50 ms or more (95th percentile), or the process holds 75 MB or more
(RSS) after 20 answers and with 5 readers of its stream, or 100 MB or more together with the tray.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from bench._tray_memory import tray_rss_mb
from bench._world import show
from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.paths import Root, write_private
from selflow.core.processes import living_console
from selflow.core.session_files import (
    ConsoleRecord,
    RaySession,
    SessionRequest,
    write_ray_session,
    write_request,
)
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog

EVENTS, BATCH, GAP_US = 130_000, 500, 20_000_000
ASKED, READERS, WARM = 100, 5, 20
BOUND_MS, BOUND_MB, BOUND_BOTH_MB = 50.0, 75.0, 100.0
ROUTES = (
    "/api/system",
    "/api/events?limit=50",
    "/api/events?q=module+17",
    "/api/events?app=none",
    "/api/activity?bin=day",
    "/api/activity/lanes",
    "/api/activity/lanes?by=project",
    "/api/sources",
    "/api/patterns",
)


def fill(root: Root) -> None:
    """A month of made-up file events, and a catalog with the owner's token."""
    now_us = SystemClock().now_us()
    with Catalog.open(root.catalog) as catalog:
        write_private(root.token, catalog.tokens.renew_owner(now_us))
    log = EventLog(root.events, budget_bytes=64_000_000, credits=8)
    draw = np.random.default_rng(7)
    subjects = draw.integers(0, 5_000, EVENTS)
    for first in range(0, EVENTS, BATCH):
        records = [
            encode_record(
                Event(
                    now_us - (EVENTS - n) * GAP_US,
                    "files",
                    "file.modify",
                    f"~/work/project {subjects[n] % 40}/module {subjects[n]}.py",
                    f"app{subjects[n] % 7}",
                )
            )
            for n in range(first, min(first + BATCH, EVENTS))
        ]
        log.append("files", first, records)
    log.close()


@contextmanager
def running(root: Root) -> Iterator[ConsoleRecord]:
    """A console as ``selflow up`` starts it, with its index up to date."""
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    write_request(root, SessionRequest())
    command = [sys.executable, "-m", "selflow.console.server", "--home", str(root.path)]
    with subprocess.Popen(command, env={"MALLOC_ARENA_MAX": "2", "HOME": str(root.path)}) as child:
        try:
            while (console := living_console(root)) is None:
                time.sleep(0.05)
            while get(root, console, "/api/sources")[0].get("streams", [{}])[:1] == [] or (
                get(root, console, "/api/sources")[0]["streams"][0]["events"] < EVENTS
            ):
                time.sleep(0.2)
            yield console
        finally:
            child.terminate()


def get(
    root: Root, console: ConsoleRecord, path: str
) -> tuple[dict[str, list[dict[str, int]]], float]:
    """One answer and its milliseconds."""
    connection = http.client.HTTPConnection(console.url.removeprefix("http://"), timeout=60)
    headers = {"authorization": f"Bearer {root.token.read_text().strip()}"}
    began_s = time.perf_counter()
    connection.request("GET", path, headers=headers)
    body = connection.getresponse().read()
    took_ms = (time.perf_counter() - began_s) * 1e3
    connection.close()
    return json.loads(body), took_ms


def ask(root: Root, console: ConsoleRecord, text: str) -> None:
    """One question that is answered.

    Raises:
        RuntimeError: It was refused.
    """
    connection = http.client.HTTPConnection(console.url.removeprefix("http://"), timeout=120)
    token = root.token.read_text().strip()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", "/v1/search", json.dumps({"query": text}), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"the question was answered with {answer.status}")


def main() -> int:
    """Measure; 1 if a bound is broken."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp") as folder:
        root = Root(Path(folder) / "root", Path(folder) / "root")
        root.make()
        fill(root)
        with running(root) as console:
            process = psutil.Process(console.pid)
            used = process.cpu_times()
            index_us = (used.user + used.system) / EVENTS * 1e6
            rows: list[tuple[str, str]] = []
            worst_ms = 0.0
            for path in ROUTES:
                took = [get(root, console, path)[1] for _ in range(ASKED)]
                worst_ms = max(worst_ms, float(np.percentile(took, 95)))
                p50, p95 = np.percentile(took, [50, 95])
                rows.append((path, f"{p50:.1f} ms, 95th percentile {p95:.1f} ms"))
            readers = [reader(root, console) for _ in range(READERS)]
            for _ in range(WARM):
                get(root, console, "/api/system")
            time.sleep(4)
            rss_mb = process.memory_info().rss / 1e6
            tray_mb = tray_rss_mb(root.path)
            for one in readers:
                one.close()
        size_mb = (root.derived / "search.db").stat().st_size / 1e6
    print(f"{EVENTS:,} events; start and index: {index_us:.0f} us of CPU per event")
    print(f"index on the disk: {size_mb:.1f} MB; RSS with {READERS} readers: {rss_mb:.1f} MB\n")
    show(rows)
    both_mb = rss_mb + (tray_mb or 0.0)
    said = "not measured: no dbus-daemon" if tray_mb is None else f"{tray_mb:.1f} MB"
    print(f"\nRSS of the tray: {said}; of both together: {both_mb:.1f} MB")
    return int(worst_ms >= BOUND_MS or rss_mb >= BOUND_MB or both_mb >= BOUND_BOTH_MB)


def reader(root: Root, console: ConsoleRecord) -> http.client.HTTPConnection:
    """A reader of the stream that has got its first message."""
    connection = http.client.HTTPConnection(console.url.removeprefix("http://"), timeout=60)
    headers = {"authorization": f"Bearer {root.token.read_text().strip()}"}
    connection.request("GET", "/api/stream?topics=live,runs", headers=headers)
    connection.getresponse().readline()
    return connection


if __name__ == "__main__":
    sys.exit(main())
