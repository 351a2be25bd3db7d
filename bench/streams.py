"""Prediction on the development streams, the pool beside every simple rule; then what the rankers'
parts add: the same predictor without the ranker of what is outside of the candidates, without
crosses, without both.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

from bench._streams import SHELL, file_rows, judge, require, shell_rows, show, stream_file
from selflow.predict.crosses import Crosses
from selflow.predict.evaluate import Row
from selflow.predict.grades import Tally
from selflow.predict.predictor import Predictor
from selflow.predict.prior import shipped
from selflow.predict.steps import steps_from_rows

FILE_OPTIONS = ["--time", "ts", "--label", "path", "--group", "commit"]
SHELL_OPTIONS = ["--time", "ts", "--label", "cmd", "--user", "user", "--program"]
STREAMS = {
    "git_pandoc.csv.gz": FILE_OPTIONS,
    "git_datasette.csv.gz": FILE_OPTIONS,
    SHELL: SHELL_OPTIONS,
}
READERS: dict[str, Callable[[], Iterable[Row]]] = {
    "git_pandoc.csv.gz": partial(file_rows, "git_pandoc"),
    "git_datasette.csv.gz": partial(file_rows, "git_datasette"),
    SHELL: partial(shell_rows, whole_lines=False),
}
ARMS = ("neither", "wide", "crosses", "both")


def _no_labels(*_: object) -> list[int]:
    return []


def _nothing(*_: object) -> None:
    """Learn nothing."""


@contextmanager
def only(arm: str) -> Iterator[None]:
    """The rankers with the parts of this arm."""
    with ExitStack() as parts:
        if arm in {"neither", "crosses"}:
            parts.enter_context(patch("selflow.predict.ensemble.further_labels", _no_labels))
        if arm in {"neither", "wide"}:
            parts.enter_context(patch.object(Crosses, "learn", _nothing))
        yield


def row(job: tuple[str, str]) -> str:
    """A line of the table of parts: one arm on one stream."""
    name, arm = job
    steps = steps_from_rows(READERS[name]())
    with only(arm):
        predictor = Predictor(is_shared=name == SHELL, prior=shipped())
        tally, began_s = Tally(), time.process_time()
        for step in steps:
            tally.add(predictor.learn(step))
        took_ms = (time.process_time() - began_s) * 1e3 / len(steps)
    own = tally.figures()
    return (
        f"| {name} | {arm} | {own['hit@1']:.4f} | {own['hit@5']:.4f} | "
        f"{own['log_loss_bits']:.3f} | {own['ece']:.3f} | {took_ms:.2f} |"
    )


def main() -> int:
    """Print a table for each stream, and one of the parts."""
    require(list(STREAMS))
    for name, options in STREAMS.items():
        show(name, *judge(stream_file(name), options))
    print("### What the rankers' parts add: probabilities for 200 more labels (wide), crosses\n")
    print("| stream | parts | hit@1 | hit@5 | log-loss bits | ece | ms of CPU per step |")
    print("|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(2) as workers:
        for line in workers.map(row, [(name, arm) for name in STREAMS for arm in ARMS]):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
