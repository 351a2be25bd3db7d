"""Text experts on one author's commit messages, the first ones, with the paths that they change.

All arms on the same lines, among them an adapter that follows the author and its twin that learns
the same bytes in random order. Intervals are 95% over blocks of 50 messages drawn anew. Arguments
name the numbers of messages. Ends with
1 if the mix is not better than PPM alone.
"""

import csv
import gzip
import sys
import time
from collections.abc import Iterable
from itertools import islice

from bench._streams import DATA, require
from bench._texts import show
from bench.text import CONTROL
from selflow.lm.byte_adapter import ByteTuner
from selflow.text.adapter_rows import in_random_order
from selflow.text.byte_model import BASE, shipped_base
from selflow.text.evaluate import Models, Row, grade_lines
from selflow.text.shared_text import shipped

MESSAGES = "git_pandoc_messages.csv.gz"
SIZES, BLOCK = (100, 1_000), 50


def message_rows() -> Iterable[Row]:
    """Commit messages with the paths that they change."""
    with gzip.open(DATA / MESSAGES, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield int(row["ts"]) * 1_000_000, row["message"].encode(), row["paths"].encode(), ""


def main() -> int:
    """Print the tables; 1 if a bound is broken."""
    require([MESSAGES])
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    rows = list(islice(sorted(message_rows()), sizes[-1]))
    models = Models(shipped_base(), lambda: ByteTuner(BASE), {CONTROL: in_random_order})
    began_s = time.process_time()
    grades = list(grade_lines(rows, shipped(), models))
    spent_s = time.process_time() - began_s
    for size in sizes:
        blocks = [grades[start : min(start + BLOCK, size)] for start in range(0, size, BLOCK)]
        bounds = show(f"the first {size:,} commit messages", "blocks", blocks)
    print(f"{spent_s / len(rows) * 10_000:,.0f} s of CPU per 10,000 messages, all arms.")
    return int(bounds["mix", "ppm"][1] >= 0.0)


if __name__ == "__main__":
    sys.exit(main())
