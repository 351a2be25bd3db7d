"""Text experts on whole lines: bits, keys saved and how often a shown completion is right.

Shell lines of the people whose name does not begin with 0 to 3: on the others the constants of
selflow/text were chosen, and some of those taught the byte model. People of games that the model
never saw come first, all arms on the same lines; then those of the games that it saw other people
play.
Each person's past is their own. Intervals are 95% over people drawn anew. An argument names how
many people of each kind are taken, the ones that came first; without it all. Ends with 1 if the mix
is not better than PPM alone, the mix with the base not better than the mix, or a suggestion takes
more than 30 ms of CPU (95th percentile; 10 ms without the model).
"""

import csv
import gzip
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial

import numpy as np
import psutil

from bench._corpus import DEVELOPMENT, GAMES, read_corpus
from bench._streams import require, stream_file
from bench._texts import BY_WORDS, PEOPLE, Grades, show
from selflow.text.adapter_rows import in_random_order
from selflow.text.adapter_tuner import AdapterTuner
from selflow.text.agent import mix_with
from selflow.text.byte_model import BASE, shipped_base
from selflow.text.evaluate import LineGrade, Models, Row, by_user, grade_lines
from selflow.text.history import FREQUENT_HALF_LIFE_LINES, LineCounts
from selflow.text.lines import line_bits
from selflow.text.mixer import Mixer
from selflow.text.shared_text import SHARED_FILE, SharedText, decode_lines, shipped
from selflow.text.suggest import Suggester, Suggestion, follow

SHELL, PAGES = "shell_training_other.csv.gz", "tldr_examples.csv.gz"
CONTROL = "shuffled twin"
WORD = re.compile(rb"\W*\w+")


def shell_rows(*, are_known: bool) -> Iterable[Row]:
    """Command lines of the people who are scored, with their folders: of the games that the model
    learned from other people, or of all others.
    """
    with gzip.open(stream_file(SHELL), "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["user"][0] not in DEVELOPMENT and (row["game"] in GAMES) == are_known:
                ts_us = round(datetime.fromisoformat(row["ts"]).timestamp() * 1e6)
                yield ts_us, row["cmd"].encode(), row["cwd"].encode(), row["user"]


def grade_with_agents(rows: Sequence[Row]) -> Grades:
    """One person's lines by every arm."""
    models = Models(shipped_base(), adapts=True, controls={CONTROL: in_random_order})
    return _with_words(rows, grade_lines(rows, shipped(), models))


def grade_without_agents(rows: Sequence[Row]) -> Grades:
    """One person's lines without an adapter."""
    return _with_words(rows, grade_lines(rows, shipped(), Models(shipped_base())))


def _with_words(rows: Sequence[Row], grades: Iterable[dict[str, LineGrade]]) -> Grades:
    pairs = zip(grades, grade_words(rows), strict=True)
    return [{**grade, BY_WORDS: by_words} for grade, by_words in pairs]


def grade_words(rows: Iterable[Row]) -> Iterator[LineGrade]:
    """The newest line of the past that goes on, from the first key, by somebody who never errs: it
    is taken as a whole where that is right, else word by word, a key for each.
    """
    counts = LineCounts(FREQUENT_HALF_LIFE_LINES)
    for _, line, _, _ in rows:
        complete = partial(_next_words, counts.newest(), line)
        shown = follow(line, complete)
        yield LineGrade(len(line), None, None, shown.displays, shown.keys_saved, shown.accepted)
        counts.learn(b"", line)


def _next_words(newest: Sequence[bytes], line: bytes, prefix: bytes) -> Suggestion | None:
    matching = (old for old in newest if old.startswith(prefix) and len(old) > len(prefix))
    text = next(matching, None)
    if text is not None and not line.startswith(text) and (word := WORD.match(text, len(prefix))):
        text = text[: word.end()]
    return None if text is None else Suggestion(text, 1.0, 0.0)


def mix_of(rows: Iterable[Row], shared: SharedText) -> tuple[float, int]:
    """Bits of a mix over other shared text, and lines."""
    mixer, bits, n = Mixer(shared), 0.0, 0
    for _, line, context, _ in rows:
        bits += line_bits(mixer.start(context), line)
        mixer.learn(line, context)
        n += 1
    return bits, n


def with_exercises() -> SharedText:
    """The shipped lines and the exercises that the base learned from: what the rules gain from the
    same text.
    """
    people = read_corpus(stream_file(PAGES), stream_file(SHELL)).people
    lines = decode_lines((BASE.parent / SHARED_FILE).read_bytes())[1]
    return SharedText([*lines, *(line for entries in people for _, line in entries)])


def keystrokes(rows: Iterable[Row], suggester: Suggester) -> list[tuple[float, float]]:
    """Milliseconds of each suggestion while lines are typed to their end: by the wall clock, and of
    the processor.
    """
    took = []
    for _, line, context, _ in rows:
        for typed in range(1, len(line)):
            began_s, spent_s = time.perf_counter(), time.thread_time()
            suggester.suggest(line[:typed], context)
            wall_s, cpu_s = time.perf_counter() - began_s, time.thread_time() - spent_s
            took.append((wall_s * 1e3, cpu_s * 1e3))
        suggester.learn(line, context)
    return took


def show_latency(rows: Sequence[Row]) -> bool:
    """Print what a suggestion costs, with the model and without; whether the budgets hold."""
    process = psutil.Process()
    print("| a suggestion | keystrokes | CPU ms median | p95 | p99 | wall ms p95 | MB held |")
    print("|---|---|---|---|---|---|---|")
    holds = True
    adapter = AdapterTuner(shipped_base()).adapter()
    mixers: dict[str, Callable[[], Mixer]] = {
        "rules": lambda: Mixer(shipped()),
        "with the model": lambda: mix_with(shipped_base()),
        "with the model and an adapter": lambda: mix_with(shipped_base(), adapter),
    }
    for name, make in mixers.items():
        budget_ms, before = 10.0 if name == "rules" else 30.0, process.memory_info().rss
        mixer = make()
        suggester = Suggester(mixer)
        took = np.array(keystrokes(rows, suggester))
        held_mb = (process.memory_info().rss - before) / 1e6
        p50, p95, p99 = np.percentile(took[:, 1], [50, 95, 99])
        wall = np.percentile(took[:, 0], 95)
        cells = f"{p50:.2f} | {p95:.2f} | {p99:.2f} | {wall:.2f} | {held_mb:.0f}"
        print(f"| {name} | {len(took):,} | {cells} |")
        holds = holds and p95 <= budget_ms
    print("\nAll hold the shared text of the first.\n", flush=True)
    return holds


def main() -> int:
    """Print the tables; 1 if a bound is broken."""
    require([SHELL, PAGES])
    most = int(sys.argv[1]) if len(sys.argv) > 1 else None
    new, known = (by_user(shell_rows(are_known=is_known))[:most] for is_known in (False, True))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        unseen = list(pool.map(grade_with_agents, new))
        bounds = show("shell lines, games that the model never saw", PEOPLE, unseen)
        primed = [mix_of(rows, with_exercises()) for rows in new]
        bits = sum(bits for bits, _ in primed) / sum(n for _, n in primed)
        print(f"The mix without a model whose shared text holds the model's exercises: {bits:.2f}")
        print("bits a line.\n")
        seen = list(pool.map(grade_without_agents, known))
        show("shell lines, games that the model saw other people play", PEOPLE, seen)
        show("shell lines, all of these people", PEOPLE, [*seen, *unseen])
    holds_latency = show_latency([row for rows in new[:5] for row in rows][:250])
    is_better = bounds["mix", "ppm"][1] < 0.0 and bounds["mix_base", "mix"][1] < 0.0
    return int(not (is_better and holds_latency))


if __name__ == "__main__":
    sys.exit(main())
