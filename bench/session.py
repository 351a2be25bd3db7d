"""A whole session on this machine: seconds to start and end, memory at rest, ingest, answers, the
command line, and how long answers stay away after each process of Ray's was killed.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import grpc
import psutil

from bench._world import Rows, ingest, memory, own_root, seconds, selflow, show
from selflow.core.events import Event
from selflow.core.paths import Root

EVENTS = 20_000
REQUESTS = 200
RECOVERY_LIMIT_S = 150.0
RECOVERY_BOUND_S = 30.0
"""Answers are back within this on a machine that does nothing else, whatever was killed."""
VICTIMS = {
    "Ray's Serve replica": "ray::ServeReplica:selflow",
    "Ray's Serve proxy": "ray::ProxyActor",
    "Ray's Serve controller": "ray::ServeController",
    "Ray's runtime-environment agent": "ray::RuntimeEnvAgent",
    "Ray's dashboard agent": "ray::DashboardAgent",
    "Ray's raylet": "raylet",
    "Ray's control store": "gcs_server",
}
START_SYNC = "/ray.rpc.syncer.RaySyncer/StartSync"
"""Ray 2.60 aborts raylet or control store when this call comes without a node id or token."""
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
        away_s = measure_recovery(root)
        rows += [
            (f"answers away after {what}", f"{each_s:.1f} s (bound {RECOVERY_BOUND_S:.0f} s)")
            for what, each_s in away_s.items()
        ]
        rows.append(("selflow down", f"{seconds(lambda: selflow('down')):.1f} s"))
    show(rows)
    return 1 if max(away_s.values()) > RECOVERY_BOUND_S else 0


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


def measure_recovery(root: Root) -> dict[str, float]:
    """Seconds from each kill -9, and from the call that aborts Ray, to the next answer."""
    away_s = {
        f"kill -9 of {name}": answers_away_s(root, lambda title=title: kill(root, title))
        for name, title in VICTIMS.items()
    }
    return {**away_s, "a StartSync without token": answers_away_s(root, lambda: abort(root))}


def answers_away_s(root: Root, act: Callable[[], None]) -> float:
    """Seconds from ``act`` to the first of 20 answers in a row; infinite if they never come."""
    from selflow.core.errors import SelFlowError
    from selflow.sdk.client import Client

    def is_answered() -> bool:
        with suppress(SelFlowError, OSError):
            Client(environ={"SELFLOW_HOME": str(root.path)}, timeout_s=2).predict()
            return True
        return False

    while not is_answered():
        time.sleep(0.2)
    began_s = back_s = time.perf_counter()
    act()
    in_a_row = 0
    while in_a_row < 20:
        if time.perf_counter() - began_s > RECOVERY_LIMIT_S:
            return math.inf
        if is_answered():
            in_a_row += 1
        else:
            in_a_row, back_s = 0, time.perf_counter()
        time.sleep(0.25)
    return back_s - began_s


def process(root: Root, title: str) -> psutil.Process:
    """The process of the session whose title begins so."""
    from actors.ray_head import session_processes

    return next(each for each in session_processes(root) if each.name().startswith(title))


def kill(root: Root, title: str) -> None:
    """Kill -9."""
    process(root, title).kill()


def abort(root: Root) -> None:
    """Send the control store the call that Ray 2.60 does not survive."""
    connections = process(root, "gcs_server").net_connections("inet")
    (port,) = {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, suppress(grpc.RpcError):
        list(channel.stream_stream(START_SYNC)(iter([b""]), timeout=5))


sys.exit(main())
