"""Text experts on whole lines: bits, keys saved and how often a shown completion is right.

Shell lines of the people whose name does not begin with 0 to 3: on the others the constants of
selflow/text were chosen. Each person's past is their own. Beside them one author's commit messages,
the first ones. Intervals are 95% over people drawn anew, for messages over blocks of 50. Ends with
1 if the mix is not better than PPM alone, or a keystroke takes more than 10 ms (95th percentile).
"""

import csv
import gzip
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bench._streams import DATA, interval, require
from selflow.text.engine import make_suggester
from selflow.text.evaluate import NAMES, LineGrade, Row, by_user, figures, grade_lines
from selflow.text.lines import line_bits
from selflow.text.ppm import Ppm
from selflow.text.shared_text import shipped
from selflow.text.suggest import MIN_PRECISION

SHELL, MESSAGES = "shell_training_other.csv.gz", "git_pandoc_messages.csv.gz"
DEVELOPMENT = "0123"
N_MESSAGES, BLOCK = 2_000, 50
Grades = list[dict[str, LineGrade]]
Table = NDArray[np.float64]


def shell_rows() -> Iterable[Row]:
    """Command lines of the people who are scored, with their folders."""
    with gzip.open(DATA / SHELL, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["user"][0] not in DEVELOPMENT:
                ts_us = round(datetime.fromisoformat(row["ts"]).timestamp() * 1e6)
                yield ts_us, row["cmd"].encode(), row["cwd"].encode(), row["user"]


def message_rows() -> Iterable[Row]:
    """Commit messages with the paths that they change."""
    with gzip.open(DATA / MESSAGES, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield int(row["ts"]) * 1_000_000, row["message"].encode(), row["paths"].encode(), ""


def show(name: str, unit: str, groups: Sequence[Grades], own_bits: Sequence[float]) -> Table:
    """A table of every expert and the paired differences; returns the bounds of mix less ppm."""
    grades = [each for group in groups for each in group]
    print(f"### {name}, {len(grades):,} lines, precision bound {MIN_PRECISION}\n")
    print("| | bits/line | bits/byte | hit@1 | hit@5 | keys saved | precision when shown |")
    print("|---|---|---|---|---|---|---|")
    for expert in NAMES:
        row = figures([each[expert] for each in grades])
        cells = [row[key] for key in row if key != "lines"]
        shown = " | ".join("" if value is None else f"{value:.3f}" for value in cells)
        print(f"| {expert} | {shown} |")
    print(f"| ppm, own lines alone | {sum(own_bits) / len(own_bits):.3f} | | | | | |\n")
    print(f"| paired, 95% over {len(groups)} {unit} | difference | interval |\n|---|---|---|")
    bounds = np.zeros(2)
    for one, other in (("mix", "ppm"), ("mix", "history"), ("history", "ppm")):
        gain, low, high = interval([_bits(group, one, other) for group in groups])
        print(f"| bits/line, {one} less {other} | {gain:+.2f} | {low:+.2f} to {high:+.2f} |")
        bounds = np.array((low, high)) if (one, other) == ("mix", "ppm") else bounds
    for one, other in (("history", "fish"), ("mix", "fish"), ("mix", "history")):
        gain, low, high = interval([_keys(group, one, other) for group in groups])
        print(f"| keys saved, {one} less {other} | {gain:+.3f} | {low:+.3f} to {high:+.3f} |")
    print()
    return bounds


def _bits(group: Grades, one: str, other: str) -> tuple[float, float]:
    """Sum of the differences, and lines."""
    return sum((row[one].bits or 0.0) - (row[other].bits or 0.0) for row in group), len(group)


def _keys(group: Grades, one: str, other: str) -> tuple[float, float]:
    """Sum of the differences, and keys."""
    saved = sum(row[one].keys_saved - row[other].keys_saved for row in group)
    return saved, sum(row[one].line_bytes + 1 for row in group)


def own_ppm(rows: Iterable[Row]) -> list[float]:
    """Bits of each line by PPM without the shared text."""
    expert, bits = Ppm(), []
    for _, line, _, _ in rows:
        bits.append(line_bits(expert.start(), line))
        expert.learn(line)
    return bits


def keystrokes(rows: Iterable[Row]) -> list[float]:
    """Milliseconds of each suggestion while lines are typed to their end."""
    suggester, took = make_suggester(), []
    for _, line, context, _ in rows:
        for typed in range(1, len(line)):
            began_s = time.perf_counter()
            suggester.suggest(line[:typed], context)
            took.append((time.perf_counter() - began_s) * 1e3)
        suggester.learn(line, context)
    return took


def main() -> int:
    """Print the tables; 1 if a bound is broken."""
    require([SHELL, MESSAGES])
    began_s = time.process_time()
    shared = shipped()
    print(f"Shared text loads in {time.process_time() - began_s:.1f} s of CPU.\n")
    users = by_user(shell_rows())
    began_s = time.process_time()
    groups = [list(grade_lines(rows, shared)) for rows in users]
    spent_s = time.process_time() - began_s
    own = [bits for rows in users for bits in own_ppm(rows)]
    shell = show("shell lines, each person alone", "people", groups, own)
    print(f"{spent_s / len(own) * 10_000:.0f} s of CPU per 10,000 lines, all experts.\n")
    messages = list(islice(sorted(message_rows()), N_MESSAGES))
    began_s = time.process_time()
    grades = list(grade_lines(messages, shared))
    spent_s = time.process_time() - began_s
    blocks = [grades[start : start + BLOCK] for start in range(0, len(grades), BLOCK)]
    show(
        "commit messages of one author, the first", f"blocks of {BLOCK}", blocks, own_ppm(messages)
    )
    print(f"{spent_s / len(messages) * 10_000:.0f} s of CPU per 10,000 messages, all experts.\n")
    took = keystrokes(row for rows in users[:10] for row in rows)
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    print(f"A suggestion of the mix, {len(took):,} keystrokes of 10 people one after another: ")
    print(f"{p50:.2f} ms median, {p95:.2f} ms p95, {p99:.2f} ms p99 (wall clock).")
    return int(shell[1] >= 0.0 or p95 > 10.0)


sys.exit(main())
