"""Heartbeats per second over HTTP, ours durable as shipped beside ActivityWatch's own server, and
the import of a large export.

Both servers run on this machine in turns, each with a store on the same disk, asked by the same
generator: keep-alive where the server keeps the connection, a new connection where it does not.
Every tenth heartbeat begins a new event. Needs `make clients`. The bounds are those of the project:
4 times theirs on one connection, 12 times on eight.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from actors.ray_head import free_ports
from selflow.core.clock import SystemClock, as_datetime
from selflow.core.paths import Root
from selflow.core.session_files import RaySession, SessionRequest, write_ray_session, write_request
from selflow.store.catalog import Catalog

THEIRS = Path(sys.prefix) / "activitywatch" / "bin" / "aw-server"
SECONDS, ROUNDS = 5.0, 3
BOUNDS = {1: 4.0, 8: 12.0}
IMPORT_EVENTS = 1_000_000
BUCKET = "aw-watcher-window_bench"
START_US = 1_767_225_600_000_000
_IMPORT = """
import json, resource, sys, time
from selflow.console.cli.main import run
begin = time.process_time()
code = run(["--home", sys.argv[1], "import", "activitywatch", sys.argv[2]])
usage = resource.getrusage(resource.RUSAGE_SELF)
cpu_s = time.process_time() - begin
print(f"CPU {cpu_s:.1f} s, at most {usage.ru_maxrss / 1e3:.0f} MB, exit {code}")
"""


def start_ours(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    root, (port, console) = Root(folder, folder), free_ports(2)
    root.make()
    Catalog.open(root.catalog).close()
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    write_request(root, SessionRequest(assignments=(f"aw.port={port}", f"console.port={console}")))
    command = [sys.executable, "-m", "selflow.console.server", "--home", str(folder)]
    return subprocess.Popen(command), port


def start_theirs(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    folder.mkdir()
    (port,) = free_ports(1)
    environ = {**os.environ, "HOME": str(folder)}
    for name in ("DATA", "CONFIG", "CACHE", "STATE"):
        environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    command = [str(THEIRS), "--port", str(port), "--storage", "peewee"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environ, stdout=quiet, stderr=quiet), port


def wait_for(port: int) -> None:
    clock = SystemClock()
    for _ in range(3_000):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/0/info", timeout=5).read()
        except OSError:
            clock.sleep(0.1)
        else:
            return
    raise SystemExit("a server did not start")


def message(port: int, path: str, body: object) -> bytes:
    text = json.dumps(body).encode()
    return (
        f"POST /api/0/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    ).encode() + text


async def ask(port: int, messages: Callable[[], bytes], until_s: float) -> list[float]:
    """The time of each answer, one request after the other."""
    times: list[float] = []
    writer = None
    while (begin_s := time.perf_counter()) < until_s:
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(messages())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head and b" 304 " not in head:
            raise SystemExit(f"refused: {head[:80]!r}")
        size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        await reader.readexactly(size)
        times.append(time.perf_counter() - begin_s)
        if head.startswith(b"http/1.0") or b"connection: close" in head:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    return times


async def load(port: int, connections: int) -> tuple[float, float]:
    """Answers per second, and the median answer in ms."""

    def sender(number: int) -> Callable[[], bytes]:
        sent = 0

        def following() -> bytes:
            nonlocal sent
            sent += 1
            moment = as_datetime(START_US + sent * 1_000_000).isoformat()
            data = {"app": f"program {number}", "title": f"window {sent // 10}"}
            beat = {"timestamp": moment, "duration": 0, "data": data}
            return message(port, f"buckets/{BUCKET}_{number}/heartbeat?pulsetime=5", beat)

        return following

    bucket = {"client": "bench", "type": "currentwindow", "hostname": "bench"}
    for number in range(connections):
        create = message(port, f"buckets/{BUCKET}_{number}", bucket)
        await ask_once(port, create)
    until_s = time.perf_counter() + SECONDS
    found = await asyncio.gather(*(ask(port, sender(n), until_s) for n in range(connections)))
    times = [one for times in found for one in times]
    return len(times) / SECONDS, 1_000 * statistics.median(times)


async def ask_once(port: int, text: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


def heartbeats(folder: Path) -> bool:
    """The table; whether the bounds are kept."""
    servers = {"theirs": start_theirs(folder / "theirs"), "ours": start_ours(folder / "ours")}
    rates: dict[tuple[str, int], list[float]] = {}
    medians: dict[tuple[str, int], list[float]] = {}
    try:
        for _, port in servers.values():
            wait_for(port)
        for _ in range(ROUNDS):
            for connections in BOUNDS:
                for name, (_, port) in servers.items():
                    rate, median_ms = asyncio.run(load(port, connections))
                    rates.setdefault((name, connections), []).append(rate)
                    medians.setdefault((name, connections), []).append(median_ms)
    finally:
        for process, _ in servers.values():
            process.send_signal(signal.SIGKILL)
            process.wait()
    print("| connections | aw-server per s | ours per s | ratio | median ms, theirs and ours |")
    print("|---|---|---|---|---|")
    is_kept = True
    for connections, bound in BOUNDS.items():
        theirs, ours = (statistics.median(rates[name, connections]) for name in servers)
        slow, fast = (statistics.median(medians[name, connections]) for name in servers)
        is_kept = is_kept and ours >= bound * theirs
        ratio = f"{ours / theirs:.1f} (bound {bound:g})"
        print(f"| {connections} | {theirs:.0f} | {ours:.0f} | {ratio} | {slow:.1f}, {fast:.1f} |")
    return is_kept


def write_export(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write('{"buckets":{"b":{"id":"b","type":"currentwindow","client":"c","hostname":"h",')
        file.write('"created":"2026-01-01T00:00:00Z","events":[')
        for number in range(IMPORT_EVENTS):
            moment = as_datetime(START_US + number * 7_000_000).isoformat()
            title = f"file {number % 5_000}.py - project {number % 17}"
            data = {"app": f"program {number % 40}", "title": title}
            event = {"timestamp": moment, "duration": number % 90, "data": data}
            file.write("," * (number > 0) + json.dumps(event))
        file.write("]}}}")


def imports(folder: Path) -> None:
    """Twice the same export: the second one adds nothing."""
    path, root = folder / "export.json", Root(folder / "root", folder / "root")
    write_export(path)
    root.make()
    Catalog.open(root.catalog).close()
    print(f"\nAn export of {IMPORT_EVENTS:,} events, {path.stat().st_size / 1e6:.0f} MB:\n")
    for _ in range(2):
        begin_s = time.perf_counter()
        command = [sys.executable, "-c", _IMPORT, str(root.path), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = done.stdout.strip().splitlines()
        print(f"* {lines[0]}; {time.perf_counter() - begin_s:.0f} s, {lines[-1]}")


def main() -> None:
    if not THEIRS.exists():
        raise SystemExit("ActivityWatch's server is missing: make clients")
    with TemporaryDirectory() as folder:
        is_kept = heartbeats(Path(folder))
        imports(Path(folder))
    if not is_kept:
        sys.exit(1)


if __name__ == "__main__":
    main()
