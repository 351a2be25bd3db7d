"""A whole session on this machine: seconds to start and end, memory at rest, ingest, answers, and
the command line.
"""

import statistics
import sys
import time

from bench._world import Rows, ingest, memory, own_root, seconds, selflow, show
from selflow.core.events import Event
from selflow.core.paths import Root

EVENTS = 20_000
REQUESTS = 200
SETTINGS = (
    "learning: {automatic: false}\n"  # 20,000 events would begin a cycle beside the measurement
)


def main() -> int:
    """Print one table."""
    with own_root(SETTINGS) as root:
        rows = [("selflow up --lean", f"{seconds(lambda: selflow('up', '--lean')):.1f} s")]
        status_ms = [seconds(lambda: selflow("status")) * 1e3 for _ in range(10)]
        rows.append(("selflow status, median of 10", f"{statistics.median(status_ms):.0f} ms"))
        selflow("init", "--grant", "ingest")
        rows += measure_ingest(root)
        rows += measure_answers(root)
        rows += memory(root)
        rows.append(("selflow down", f"{seconds(lambda: selflow('down')):.1f} s"))
    show(rows)
    return 0


def measure_ingest(root: Root) -> Rows:
    """Events in batches of 500."""
    first_us = 1_700_000_000_000_000
    subjects = [f"d{i % 9}/f{i % 211}.py" for i in range(EVENTS)]
    events = [
        Event(first_us + i * 60_000_000, "bench", "file.modify", name)
        for i, name in enumerate(subjects)
    ]
    rate = EVENTS / ingest(root, events)
    return [
        (f"ingest of {EVENTS:,} events, one client, redacted and durable", f"{rate:,.0f} events/s")
    ]


def measure_answers(root: Root) -> Rows:
    """HTTP answers from the live tail, one connection at a time, once the log is learned."""
    from selflow.sdk.client import Client

    client = Client(environ={"SELFLOW_HOME": str(root.path)}, timeout_s=120)

    def wait_until_learned() -> None:
        while client.health().lag_events:
            time.sleep(1.0)

    learned_s = seconds(wait_until_learned)
    answer_ms = sorted(seconds(client.predict) * 1e3 for _ in range(REQUESTS))
    p50, p95 = answer_ms[REQUESTS // 2], answer_ms[int(REQUESTS * 0.95)]
    return [
        (f"learning {EVENTS:,} live events in the replica", f"{learned_s:.0f} s"),
        (f"POST /v1/predict, {REQUESTS} requests, p50 / p95", f"{p50:.1f} / {p95:.1f} ms"),
    ]


sys.exit(main())
