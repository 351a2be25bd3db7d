"""What a keystroke costs at the socket of a replica, and what lines and predictions cost each
other.

A replica without Ray, with a log in memory, its real threads and a real socket; shell lines of
people that bench/text.py scores, typed key by key, 40 ms apart. A client opens a connection for
each key, as a shell does. Ends with 1 if the 95th percentile of a keystroke is above 30 ms while
nothing is learned.
"""

import asyncio
import csv
import gzip
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench._streams import require, stream_file
from selflow.collect.redact import make_redactor
from selflow.core.codec import encode_record
from selflow.core.errors import ApiError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import (
    LmSettings,
    PredictSettings,
    PrivacySettings,
    RouterSettings,
    ServeSettings,
)
from selflow.sdk.wire import PredictRequest
from selflow.testing import MemoryLog
from serve.replica import AppArgs, Replica, assemble

SHELL, DEVELOPMENT = "shell_training_other.csv.gz", "0123"
BEFORE, TYPED, LATER, PREDICTIONS = 300, 20, 200, 100
BUDGET_MS, KEY_S, PREDICT_S = 30.0, 0.04, 0.05
Lines = Sequence[tuple[str, str]]


class Bench:
    """A replica, its log, and whoever types."""

    def __init__(self, folder: Path) -> None:
        self.root = Root(folder, folder)
        self.root.make()
        self.log = MemoryLog()
        self.replica = self._assemble()

    def _assemble(self) -> Replica:
        args = AppArgs(
            root=self.root,
            serve=ServeSettings(),
            predict=PredictSettings(),
            version="bench",
            config_hash="",
            port=0,
            feed=self.log,
            redactor=make_redactor(PrivacySettings()),
            resources={},
            lm=LmSettings(),
            router=RouterSettings(),
        )
        return assemble(args, seed=7, last_seq=lambda: self.log.fill().last_seq)

    def happen(self, lines: Lines) -> None:
        now_us = time.time_ns() // 1_000
        events = [
            Event(now_us + n, "shell", "shell.command", line, "bash", 0.0, {"folder": folder})
            for n, (line, folder) in enumerate(lines)
        ]
        self.log.append("shell", time.time_ns(), [encode_record(event) for event in events])

    async def caught_up(self, *, steps_alone: bool = False) -> float:
        """Wait until steps, and unless told otherwise lines too, are learned; how long it took."""
        began_s, last_seq = time.monotonic(), self.log.fill().last_seq
        text = self.replica.engine.text
        while self._lag() or (text.cursor < last_seq and not steps_alone):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return time.monotonic() - began_s

    def _lag(self) -> int:
        try:
            return self.replica.engine.health(is_known=True).lag_events
        except ApiError:  # it is being loaded
            return 1

    async def press(self, line: str, folder: str, n: int) -> float:
        """One key; milliseconds until its answer is there."""
        body = f"shell\x1f{folder}\x1f{line[:n]}".encode()
        head = f"POST /v1/suggest HTTP/1.0\r\nAccept: text/plain\r\nContent-Length: {len(body)}"
        began_s = time.perf_counter()
        path = str(self.root.socket("suggest.sock"))
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f"{head}\r\n\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        took_ms = (time.perf_counter() - began_s) * 1e3
        assert answer.startswith(b"HTTP/1.1 200 "), answer  # noqa: S101
        return took_ms

    async def type(self, lines: Lines) -> list[float]:
        taken_ms = []
        for line, folder in lines:
            for n in range(1, min(len(line), 40)):
                taken_ms.append(await self.press(line, folder, n))
                await asyncio.sleep(KEY_S)
        return taken_ms

    async def predict(self) -> list[float]:
        return [took for took, _ in await self.predict_both_ways()]

    async def predict_both_ways(self) -> list[tuple[float, float]]:
        """Milliseconds until an answer is there, and of processor that all threads of this process
        took meanwhile: how long others held it up, whoever else uses the machine.
        """
        taken_ms = []
        for _ in range(PREDICTIONS):
            began_s, spent_s = time.perf_counter(), time.process_time()
            await self.replica.engine.predict(PredictRequest())
            took_s, spent_s = time.perf_counter() - began_s, time.process_time() - spent_s
            taken_ms.append((took_s * 1e3, spent_s * 1e3))
            await asyncio.sleep(PREDICT_S)
        return taken_ms


def shell_lines(count: int) -> Lines:
    """Lines and folders of the people on whom no constant was chosen."""
    with gzip.open(stream_file(SHELL), "rt", encoding="utf-8", newline="") as file:
        rows = (row for row in csv.DictReader(file) if row["user"][0] not in DEVELOPMENT)
        return [(row["cmd"], row["cwd"]) for row in islice(rows, count)]


def show(name: str, taken_ms: Sequence[float]) -> float:
    """A row of the table; returns the 95th percentile."""
    p50, p95, most = np.percentile(taken_ms, (50, 95, 100)).tolist()
    print(f"| {name} | {len(taken_ms):,} | {p50:.1f} | {p95:.1f} | {most:.1f} |")
    return float(p95)


async def measure(bench: Bench, lines: Lines) -> float:
    """Everything that is printed; returns the figure that has a bound."""
    before, typed = lines[:BEFORE], lines[BEFORE:][:TYPED]
    later = lines[BEFORE + TYPED :]
    bench.happen(before)
    print(
        f"{BEFORE} lines are learned, as steps and as text, in {await bench.caught_up():.1f} s.\n"
    )
    print("| ms of | n | median | 95% | most |\n|---|---|---|---|---|")
    p95 = show("a keystroke", await bench.type(typed))
    await show_predictions(bench, "a prediction")
    keys, predictions = await asyncio.gather(bench.type(typed), bench.predict())
    show("a keystroke beside predictions", keys)
    show("a prediction beside keystrokes", predictions)
    bench.happen(later)
    show(f"a keystroke while {LATER} lines wait to be learned", await bench.type(typed))
    await bench.caught_up(steps_alone=True)
    await show_predictions(bench, "a prediction while lines are learned")
    return p95


async def show_predictions(bench: Bench, name: str) -> None:
    """A row of time, and one of processor time."""
    both = await bench.predict_both_ways()
    show(name, [took for took, _ in both])
    show(f"{name}, processor of all threads", [spent for _, spent in both])


async def run(bench: Bench, lines: Lines) -> float:
    """``measure`` between the replica's start and its end."""
    to_app, from_app = asyncio.Queue[Any](), asyncio.Queue[Any]()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    serving = asyncio.create_task(bench.replica.gateway(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    await from_app.get()
    try:
        return await measure(bench, lines)
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await serving


def main() -> int:
    """Print the table; 1 if a keystroke takes too long."""
    require([SHELL])
    lines = shell_lines(BEFORE + TYPED + LATER)
    with tempfile.TemporaryDirectory(prefix="sf-") as folder:
        p95 = asyncio.run(run(Bench(Path(folder)), lines))
    print(f"\nbound: a keystroke of at most {BUDGET_MS:g} ms, 95%: {p95:.1f}")
    return int(p95 > BUDGET_MS)


sys.exit(main())
