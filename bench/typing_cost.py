"""How long ``selflow eval text`` takes for 10,000 lines, and what typed lines cost a processor.

Two streams: the shell lines of everybody as one stream, and the commit messages of one author with
their paths. All experts judge the lines, the model among them, at the beginning and at the end of
10,000; those in between are learned alone. Judging all is taken to cost the mean of both ends. All
figures are seconds of one processor. The energy of typing is that of a suggestion after every key
and of learning each line, at the beginning of the shell lines. Ends with 1 if 10,000 lines take
more than ten minutes.
"""

import csv
import gzip
import sys
import time
from collections.abc import Sequence
from itertools import islice

from bench._streams import require, stream_file
from selflow.text.agent import mix_with
from selflow.text.byte_model import shipped_base
from selflow.text.evaluate import Contest, Models
from selflow.text.lines import MAX_LINE_BYTES
from selflow.text.mixer import Mixer
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester

SHELL, MESSAGES = "shell_training_other.csv.gz", "git_pandoc_messages.csv.gz"
LINES, JUDGED, TYPED = 10_000, 100, 100
LIMIT_S = 600.0
Lines = Sequence[tuple[bytes, bytes]]


def read(file: str, text: str, context: str) -> Lines:
    """The first lines of a stream in its order, with what surrounds each."""
    with gzip.open(stream_file(file), "rt", encoding="utf-8", newline="") as rows:
        pairs = ((row[text].encode(), row[context].encode()) for row in csv.DictReader(rows))
        return list(islice((pair for pair in pairs if len(pair[0]) <= MAX_LINE_BYTES), LINES))


def judged_s(contest: Contest, lines: Lines) -> float:
    """Seconds to judge and learn these."""
    began_s = time.process_time()
    for line, context in lines:
        contest.grade(line, context)
        contest.learn(line, context)
    return time.process_time() - began_s


def judge(name: str, lines: Lines) -> float:
    """Print a row; returns the seconds of all lines."""
    contest = Contest(shipped(), Models(shipped_base()))
    first = judged_s(contest, lines[:JUDGED]) / JUDGED
    began_s = time.process_time()
    between = lines[JUDGED:-JUDGED]
    for line, context in between:
        contest.learn(line, context)
    learned = (time.process_time() - began_s) / len(between)
    last = judged_s(contest, lines[-JUDGED:]) / JUDGED
    total_s = (first + last) / 2 * len(lines)
    size = sum(len(line) for line, _ in lines) / len(lines)
    cells = f"{first * 1e3:.0f} | {last * 1e3:.0f} | {learned * 1e3:.1f} | {total_s:.0f}"
    print(f"| {name} | {len(lines):,} | {size:.0f} | {cells} |", flush=True)
    return total_s


def typed_s(lines: Lines, suggester: Suggester) -> float:
    """Seconds to suggest after every key of these lines, and to learn each."""
    began_s = time.process_time()
    for line, context in lines:
        for typed in range(1, len(line)):
            suggester.suggest(line[:typed], context)
        suggester.learn(line, context)
    return time.process_time() - began_s


def main() -> int:
    """Print the tables; 1 if a bound is broken."""
    require([SHELL, MESSAGES])
    streams = {"shell": read(SHELL, "cmd", "cwd"), "messages": read(MESSAGES, "message", "paths")}
    print(
        "| | lines | bytes a line | ms a line at first | at the end | learning alone | s in all |"
    )
    print("|---|---|---|---|---|---|---|")
    took_s = [judge(name, lines) for name, lines in streams.items()]
    typed = streams["shell"][:TYPED]
    print(f"\nProcessor seconds for 1,000 lines typed, by {TYPED} of them:")
    for name, mixer in (("rules", Mixer(shipped())), ("with the model", mix_with(shipped_base()))):
        print(f"{name} {typed_s(typed, Suggester(mixer)) / len(typed) * 1e3:.0f} s;")
    return int(max(took_s) > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
