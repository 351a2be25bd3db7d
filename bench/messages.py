"""Adapters on one author's commit messages, the first ones, with the paths that they change.

All arms on the same messages, in bits: PPM, the mix, the mix with the base, an adapter beside the
base that goes on learning, and its twin that learns the same bytes in random order; each message is
judged before it is learned. Then what a cycle grows from as many, at the settings where a search
begins, judged on the last fifth: an adapter that goes on learning, and one that stands still.
Intervals are 95% over blocks of
messages drawn anew. Arguments name the numbers of messages, the last one that of what a cycle
grows. Ends with 1 if the mix is not better than PPM alone.
"""

import csv
import gzip
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from bench._streams import interval, require, stream_file
from bench.text import CONTROL
from selflow.core.settings import LoraSettings
from selflow.text.adapter_rows import as_it_came, in_random_order
from selflow.text.adapting import LineData
from selflow.text.agent import mix_with
from selflow.text.byte_model import BASE, shipped_base
from selflow.text.evaluate import AGENTS_NAME, BASE_NAME, Models, Row
from selflow.text.examples import OwnLine
from selflow.text.lines import line_bits
from selflow.text.mixer import Mixer, with_adapted_model
from selflow.text.shared_text import shipped
from tune.line_run import FROM_BASE, LINE_CHOICES, LINE_PLAN, LineRun, exported

MESSAGES = "git_pandoc_messages.csv.gz"
SIZES, GROWN, BLOCK = (100, 1_000), 500, 20
STILL = "mix_agents, standing still"
PAIRS = (
    ("mix", "ppm"),
    (BASE_NAME, "mix"),
    (AGENTS_NAME, BASE_NAME),
    (STILL, BASE_NAME),
    (AGENTS_NAME, STILL),
    (CONTROL, BASE_NAME),
    (AGENTS_NAME, CONTROL),
)
Bits = list[dict[str, float]]


def message_rows() -> Iterable[Row]:
    """Commit messages with the paths that they change."""
    with gzip.open(stream_file(MESSAGES), "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield int(row["ts"]) * 1_000_000, row["message"].encode(), row["paths"].encode(), ""


def online_bits(rows: Sequence[Row]) -> Bits:
    """Each message by every arm before anybody learns it."""
    mix = Mixer(shipped())
    models = Models(shipped_base(), adapts=True, controls={CONTROL: in_random_order})
    mixers, grades = models.mixers(mix.rules), []
    for _, line, context, _ in rows:
        for mixer in mixers.values():
            mixer.read_ahead(line, context)
        arms = {"ppm": mix.rules.primed, "mix": mix, **mixers}
        grades.append({name: line_bits(arm.start(context), line) for name, arm in arms.items()})
        for mixer in (*mixers.values(), mix):
            mixer.learn(line, context)
    return grades


def grown_bits(rows: Sequence[Row]) -> Bits:
    """The last fifth by what a cycle grows from the rest: adapters learn the first seven tenths."""
    lines = [OwnLine(seq, *row[:3]) for seq, row in enumerate(rows, start=1)]
    tune, gate = len(lines) * 7 // 10, len(lines) * 8 // 10
    model = shipped_base()
    mixer = mix_with(model)
    for line in lines[:tune]:
        mixer.learn(line.text, line.context)
    learned = mixer.state()
    data = LineData.measure(mixer, model, lines[:tune], lines[tune:gate])
    arms = {BASE_NAME: mixer}
    config = {**LINE_PLAN, "start": FROM_BASE} | {
        name: values[0] for name, values in LINE_CHOICES.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in data.files().items():
            (folder / file).write_bytes(content)
        for arm, disturb in {AGENTS_NAME: as_it_came, CONTROL: in_random_order}.items():
            run = LineRun(BASE, folder, LoraSettings(), config, 1, "cpu", disturb)
            run.advance(1.0, lambda: False)
            run.export(folder / arm)
            adapter, state = exported(folder / arm)
            follows = {AGENTS_NAME: True, STILL: False} if arm == AGENTS_NAME else {arm: False}
            for kind, learns in follows.items():
                arms[kind] = mix_with(model, adapter, adapter_learns=learns)
                arms[kind].load_state(with_adapted_model(learned, state))
                for line in lines[tune:gate]:
                    arms[kind].learn(line.text, line.context)
    return [_judge(arms, line) for line in lines[gate:]]


def _judge(arms: Mapping[str, Mixer], line: OwnLine) -> dict[str, float]:
    bits = {}
    for name, arm in arms.items():
        arm.read_ahead(line.text, line.context)
        bits[name] = line_bits(arm.start(line.context), line.text)
        arm.learn(line.text, line.context)
    return bits


def show(name: str, grades: Bits) -> dict[tuple[str, str], float]:
    """Print the bits of each arm and the paired differences; the upper bounds of those."""
    print(f"### {name}\n\n| | bits a message |\n|---|---|")
    for arm in grades[0]:
        print(f"| {arm} | {sum(row[arm] for row in grades) / len(grades):.2f} |")
    print(f"\n| paired, 95% over blocks of {BLOCK} | difference | interval |\n|---|---|---|")
    highest = {}
    for one, other in PAIRS:
        if {one, other} <= grades[0].keys():
            gains = [row[one] - row[other] for row in grades]
            blocks = [gains[start : start + BLOCK] for start in range(0, len(gains), BLOCK)]
            gain, low, high = interval([(sum(block), len(block)) for block in blocks])
            print(f"| {one} less {other} | {gain:+.2f} | {low:+.2f} to {high:+.2f} |")
            highest[one, other] = high
    print(flush=True)
    return highest


def main() -> int:
    """Print the tables; 1 if a bound is broken."""
    require([MESSAGES])
    *sizes, grown = tuple(map(int, sys.argv[1:])) or (*SIZES, GROWN)
    rows = list(islice(sorted(message_rows()), max(*sizes, grown)))
    show(
        f"an agent of the first {grown:,} messages, its adapter fixed, on the last fifth of them",
        grown_bits(rows[:grown]),
    )
    began_s = time.process_time()
    grades = online_bits(rows[: max(sizes)])
    spent_s = time.process_time() - began_s
    for size in sizes:
        highest = show(f"the first {size:,} messages, each before it is learned", grades[:size])
    print(f"{spent_s / max(sizes) * 10_000:,.0f} s of CPU per 10,000 messages, all arms.")
    return int(highest["mix", "ppm"] >= 0.0)


if __name__ == "__main__":
    sys.exit(main())
