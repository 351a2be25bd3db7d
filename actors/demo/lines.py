"""The demo's shell: one person's command lines from a public data set, learned live, completed over
HTTP, and an agent of lines before the gate.
"""

import csv
import gzip
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from time import perf_counter
from typing import Any

from actors.demo.stations import INGEST_LIMIT_S, DemoRun
from selflow.core.clock import SystemClock
from selflow.core.events import SHELL_COMMAND, Event
from selflow.core.paths import Root
from selflow.sdk.client import Client
from selflow.sdk.wire import SuggestedText

FILE = "shell_lines.csv.gz"
SOURCE = "import:shell"
TYPED_LINES = 20
LEARN_LIMIT_S = 60.0
ASK_AGAIN_S = 1.5
"""Whoever asks holds up what is learned: for a moment it counts as typing."""
LinesFigures = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Typed:
    """A line of the person: when, in which folder, and what."""

    ts_us: int
    folder: str
    text: str

    def event(self) -> Event:
        """As the shell companion reports it."""
        return Event(
            self.ts_us, SOURCE, SHELL_COMMAND, self.text, "bash", data={"folder": self.folder}
        )


def load_lines() -> list[Typed]:
    """152 lines of a person in a security exercise, oldest first (NOTICE names the data set).

    Neither the person nor the exercise is among what the shipped byte model was trained on.
    """
    data = files("actors.demo").joinpath(FILE).read_bytes()
    rows = csv.DictReader(io.StringIO(gzip.decompress(data).decode()))
    return [
        Typed(
            round(datetime.fromisoformat(row["ts"]).timestamp() * 1e6), row["folder"], row["line"]
        )
        for row in rows
    ]


def complete_lines(root: Root, demo_run: DemoRun) -> LinesFigures:
    """All but the last lines are learned as any event is; the last ones are typed key by key."""
    typed = load_lines()
    known, later = typed[:-TYPED_LINES], typed[-TYPED_LINES:]
    client = Client(environ={"SELFLOW_HOME": str(root.path)})
    with demo_run.at("type") as station:
        acknowledged = _send(root, known)
        _wait_until_learned(client, known)
        answer_ms, shown = _type(client, later)
        station.facts = {
            "lines": len(typed),
            "keys": len(answer_ms),
            "shown": shown,
            "answer_p50_ms": round(statistics.median(answer_ms), 1),
            "answer_p95_ms": round(statistics.quantiles(answer_ms, n=20)[-1], 1),
        }
        station.is_ok = acknowledged == len(known) and shown > 0
    with demo_run.at("lines") as station:
        figures = _compare(typed)
        station.facts = _judge(typed)
        station.is_ok = figures["mix"]["lines"] == len(typed)
    return figures


def _send(root: Root, lines: Sequence[Typed]) -> int:
    from selflow.sdk.ingest import IngestClient

    with IngestClient(f"ipc://{root.socket('ingest.sock')}", SOURCE) as client:
        client.send([line.event() for line in lines])
        return sum(result.accepted for result in client.flush(INGEST_LIMIT_S))


def _wait_until_learned(client: Client, lines: Sequence[Typed]) -> None:
    """Until the line that came most often is completed, by a chance that no longer changes: each
    line that is learned changes it.
    """
    texts = [line.text for line in lines if len(line.text) > 3]
    common = max(set(texts), key=texts.count)
    folder = next(line.folder for line in reversed(lines) if line.text == common)
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + LEARN_LIMIT_S
    before: list[SuggestedText] = []
    while clock.monotonic_s() < deadline_s:
        now = client.suggest(common[:2], context=folder).suggestions
        if now and now == before:
            return
        before = now
        clock.sleep(ASK_AGAIN_S)


def _type(client: Client, lines: Sequence[Typed]) -> tuple[list[float], int]:
    """Milliseconds of each answer, and how many of them were a suggestion."""
    answer_ms, shown = [], 0
    for line in lines:
        for end in range(1, len(line.text)):
            began_s = perf_counter()
            answer = client.suggest(line.text[:end], context=line.folder)
            answer_ms.append((perf_counter() - began_s) * 1e3)
            shown += not answer.abstained
    return answer_ms, shown


def _compare(lines: Sequence[Typed]) -> LinesFigures:
    """Every rule and the mixes on all lines, each judged before it is learned."""
    from selflow.text.byte_model import shipped_base
    from selflow.text.evaluate import Models, evaluate_lines

    rows = [(line.ts_us, line.text.encode(), line.folder.encode(), "") for line in lines]
    return dict(evaluate_lines(rows, models=Models(shipped_base()))["experts"])


def _judge(lines: Sequence[Typed]) -> dict[str, Any]:
    """An agent of lines, grown from all but the gate part, and how it did there beside the pool.

    The gate asks for ``gate.min_lines`` lines in the gate part; this person has fewer, so that the
    figures stand without a verdict.
    """
    from actors.line_judging import line_steps
    from selflow.core.settings import GateSettings
    from selflow.judge.splits import split_by_time
    from selflow.text.agent import LineAgent
    from selflow.text.byte_model import shipped_base
    from selflow.text.examples import OwnLine

    model = shipped_base()
    own = [
        OwnLine(seq, line.ts_us, line.text.encode(), line.folder.encode())
        for seq, line in enumerate(lines, start=1)
    ]
    first = split_by_time(line_steps(own)).gate[0]
    agent = LineAgent.grow(own, len(own), own[first].ts_us, model)
    replayed = agent.replay(own[:first], own[first:], model)
    return {
        "gate_lines": len(own) - first,
        "gate_asks": GateSettings().min_lines,
        "pool_bits": round(float(replayed.pool.bits.mean()), 2),
        "agent_bits": round(float(replayed.whole.bits.mean()), 2),
    }
