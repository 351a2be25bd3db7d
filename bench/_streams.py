"""The development streams: no part of the repository, ``BENCH_DATA`` names their folder; a stream
lies in it or in a folder of it.
"""

import csv
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from selflow.core.shell_line import program_of
from selflow.core.steps import event_label
from selflow.predict.evaluate import Row
from selflow.predict.shared_counts import SHELL_KIND

DATA = Path(os.environ.get("BENCH_DATA", "."))
NO_DATA = 77
"""Exit status of a measurement whose streams are not on this machine."""
_DRAWS = 4_000
SHELL = "shell_training_other.csv.gz"
RULES = ("pool", "rrf", "ipam", "markov1", "markov2", "most_recent", "most_frequent")

Experts = dict[str, dict[str, float]]


def stream_file(name: str) -> Path:
    """Where a stream is, or would be."""
    places = (DATA / name, *sorted(DATA.glob(f"*/{name}")))
    return next((place for place in places if place.is_file()), DATA / name)


def require(names: Sequence[str]) -> None:
    """End the measurement unless every stream is there."""
    missing = [name for name in names if not stream_file(name).is_file()]
    if missing:
        print(f"not in the folder that BENCH_DATA names: {', '.join(missing)}")
        sys.exit(NO_DATA)


def shell_rows(*, whole_lines: bool) -> Iterable[Row]:
    """Commands as the product stores them, or their programs."""
    with gzip.open(stream_file(SHELL), "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            text = row["cmd"] if whole_lines else program_of(row["cmd"])
            ts_us = round(datetime.fromisoformat(row["ts"]).timestamp() * 1e6)
            yield ts_us, event_label(SHELL_KIND, text), None, row["user"]


def file_rows(name: str) -> Iterable[Row]:
    """Paths by commit."""
    with gzip.open(stream_file(f"{name}.csv.gz"), "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield int(row["ts"]) * 1_000_000, row["path"], row["commit"], ""


def judge(path: Path, options: list[str]) -> tuple[Experts, float, float]:
    """Figures of ``selflow eval stream``, its seconds and those of CPU that it took."""
    selflow = str(Path(sys.executable).with_name("selflow"))
    began_s, spent_s = time.perf_counter(), _cpu_s()
    done = subprocess.run(
        [selflow, "--json", "--quiet", "eval", "stream", str(path), *options],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)["experts"], time.perf_counter() - began_s, _cpu_s() - spent_s


def show(name: str, experts: Experts, took_s: float, cpu_s: float) -> None:
    """One table: the pool beside every simple rule."""
    print(f"### {name}, {experts['pool']['steps']:,} steps, {took_s:.0f} s, {cpu_s:.0f} s of CPU\n")
    print("| | hit@1 | hit@5 | log-loss bits | ece |\n|---|---|---|---|---|")
    for rule in RULES:
        own = experts[rule]
        print(
            f"| {rule} | {own['hit@1']:.3f} | {own['hit@5']:.3f} | "
            f"{own['log_loss_bits']:.2f} | {own['ece']:.3f} |"
        )
    print()


def interval(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """A ratio of sums and its bounds when the groups are drawn anew."""
    table = np.array(pairs)
    drawn = np.random.default_rng(7).integers(0, len(table), (_DRAWS, len(table)))
    sums = table[drawn].sum(axis=1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    whole = table.sum(axis=0)
    return float(whole[0] / whole[1]), float(low), float(high)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
