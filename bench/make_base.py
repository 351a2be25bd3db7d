"""Make the shipped byte model that text experts mix in.

Run: python -m bench.make_base tldr_examples.csv.gz shell_training_other.csv.gz

It learns from the examples and descriptions of tldr-pages, from the commands that
bench/make_sheets.py wrote, and from shell exercises of people whom no bench scores
(bench/_corpus.py). A third argument names a file in which an interrupted training is kept and goes
on.
"""

import json
import sys
import time
from pathlib import Path

import torch

from bench._corpus import Sessions, read_corpus
from bench.make_sheets import SHEETS
from selflow.lm.byte_training import BytePlan, ByteShape, train_byte_model, write_byte_model
from selflow.text.byte_context import VOCABULARY
from selflow.text.lines import END

OUT = Path(__file__).parent.parent / "selflow" / "text" / "base"
STEPS = 1_200
SEED = 3
"""Of the sessions that are drawn."""


def main() -> None:
    """Train and write the model; its card and licences stand beside it."""
    sessions = Sessions(read_corpus(Path(sys.argv[1]), Path(sys.argv[2]), SHEETS))
    plan = BytePlan(STEPS)
    began_s = time.perf_counter()

    def progress(done: int, steps: int, bits: float) -> None:
        rate = done * sessions.rows * sessions.tokens / (time.perf_counter() - began_s)
        print(f"{done}/{steps} {bits:.3f} bits/byte {rate:,.0f} tokens/s", file=sys.stderr)

    shape = ByteShape(VOCABULARY, END)
    kept = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    torch.set_num_threads(1)
    model = train_byte_model(shape, plan, sessions.batches(SEED), progress, kept)
    parameters = sum(held.numel() for held in model.parameters())
    write_byte_model(model, OUT)
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(json.dumps({"parameters": parameters, "bytes": size}))


if __name__ == "__main__":
    main()
