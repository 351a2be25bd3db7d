"""A whole session on this machine: seconds to start and end, memory at rest, ingest, answers, and the command line."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selflow.core.events import Event
from selflow.core.paths import Root

EVENTS = 20_000
REQUESTS = 200
SELFLOW = Path(sys.executable).with_name("selflow")


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s


def main() -> int:
    """Print one table."""
    folder = Path(tempfile.mkdtemp(prefix="sf-bench-", dir="/tmp"))
    root = Root(folder, folder)
    os.environ["SELFLOW_HOME"] = str(folder)

    def selflow(*args: str) -> str:
        done = subprocess.run([str(SELFLOW), *args], capture_output=True, text=True, check=True)
        return done.stdout

    try:
        rows = [("selflow up --lean", f"{seconds(lambda: selflow('up', '--lean')):.1f} s")]
        status_ms = [seconds(lambda: selflow("status")) * 1e3 for _ in range(10)]
        rows.append(("selflow status, median of 10", f"{statistics.median(status_ms):.0f} ms"))
        selflow("init", "--grant", "ingest")
        rows += measure_ingest(root)
        rows += measure_answers(root)
        rows += measure_memory(root)
        rows.append(("selflow down", f"{seconds(lambda: selflow('down')):.1f} s"))
    finally:
        subprocess.run([str(SELFLOW), "down"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    print("| what | figure |\n|---|---|")
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))
    return 0


def measure_ingest(root: Root) -> list[tuple[str, str]]:
    """Events from one client to the disk, acknowledged, in batches of 500."""
    from selflow.sdk.ingest import IngestClient

    first_us = 1_700_000_000_000_000
    subjects = [f"d{i % 9}/f{i % 211}.py" for i in range(EVENTS)]
    events = [Event(first_us + i * 60_000_000, "bench", "file.modify", name) for i, name in enumerate(subjects)]
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "bench") as client:
        took_s = seconds(lambda: (client.send(events), client.flush(300)))
    return [(f"ingest of {EVENTS:,} events, one client, redacted and durable", f"{EVENTS / took_s:,.0f} events/s")]


def measure_answers(root: Root) -> list[tuple[str, str]]:
    """HTTP answers from the live tail, one connection at a time, once the log is learned."""
    from selflow.sdk.client import Client

    client = Client(environ={"SELFLOW_HOME": str(root.path)}, timeout_s=120)
    learned_s = seconds(lambda: wait_until_learned(client))
    answer_ms = sorted(seconds(client.predict) * 1e3 for _ in range(REQUESTS))
    p50, p95 = answer_ms[REQUESTS // 2], answer_ms[int(REQUESTS * 0.95)]
    return [
        (f"learning {EVENTS:,} live events in the replica", f"{learned_s:.0f} s"),
        (f"POST /v1/predict, {REQUESTS} requests, p50 / p95", f"{p50:.1f} / {p95:.1f} ms"),
    ]


def wait_until_learned(client: Any) -> None:
    """Return once the replica has learned all that is stored; ``client`` is a selflow Client."""
    while client.health().lag_events:
        time.sleep(1.0)


def measure_memory(root: Root) -> list[tuple[str, str]]:
    """Proportional share of each process at rest."""
    from actors.launch import session_processes

    shares = {f"{p.name()} ({p.pid})": p.memory_full_info().pss for p in session_processes(root)}
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    rows = [(f"PSS of {name}", f"{share / 1e6:.0f} MB") for name, share in ranked]
    return [*rows, ("PSS of all", f"{sum(shares.values()) / 1e6:.0f} MB")]


sys.exit(main())
