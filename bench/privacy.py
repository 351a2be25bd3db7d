"""How many secrets that nothing announces survive redaction, and what it costs in ordinary texts.

Random strings are drawn with no filter of ours, over eight alphabets and ten lengths. Ordinary
texts are the development data below ``BENCH_DATA`` (no part of the repository) and the paths that
the packages of this machine install. ``python -m bench.privacy --train`` prints the tables of
``selflow/collect/entropy.py``: from the commands of tldr-pages (CC BY 4.0) and every second package
path; the other half is for the rates. ``--forms`` counts the forms of commands, notes and names
that let a password through, ``--speed`` takes the processor time of events of about 200 bytes.
"""

import csv
import gzip
import math
import random
import string
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench._streams import stream_file
from selflow.collect.entropy import (
    BITS_PER_CODE,
    DIGIT,
    OTHER,
    SYMBOLS,
    letter_case,
    symbol,
)
from selflow.collect.redact import SlotRedactor
from selflow.core.codec import encode_record
from selflow.core.events import Event
from tests.unit.collect import secret_forms
from tests.unit.collect.secret_forms import PASSWORDS

PACKAGES = Path("/var/lib/dpkg/info")
COLUMNS = {
    "git_pandoc.csv.gz": "path",
    "git_datasette.csv.gz": "path",
    "shell_training_other.csv.gz": "cmd",
    "tldr_examples.csv.gz": "command",
}
HASHED = ("build-id", "/cursors/")
"""Package paths whose names are hashes: they are to be replaced."""
ALPHABETS = {
    "base62": string.ascii_letters + string.digits,
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "base36": string.ascii_lowercase + string.digits,
    "base32": string.ascii_uppercase + "234567",
    "letters": string.ascii_letters,
    "small letters": string.ascii_lowercase,
    "with symbols": string.ascii_letters + string.digits + "!@#$%^&*_-+=",
}
LENGTHS = (16, 18, 20, 22, 24, 28, 32, 40, 48, 64)
DRAWS = 2_000
SEED = 7
EVENTS, START_US = 10_000, 1_700_000_000_000_000


def texts(name: str) -> list[str]:
    """The distinct values of a stream's column; none if the file is not on this machine."""
    if (path := stream_file(name)).is_file():
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            values = {row[COLUMNS[name]] for row in csv.DictReader(file)}
        return sorted(value.replace("{{", "").replace("}}", "") for value in values if value)
    return []


def package_paths() -> list[str]:
    """What Debian packages of this machine install, hashes left out."""
    lines = {
        line
        for path in PACKAGES.glob("*.list")
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    }
    return sorted(line for line in lines if not any(word in line for word in HASHED))


def train(written: Iterable[str]) -> tuple[list[str], list[tuple[float, float]]]:
    """Rows of codes for ``_PAIR_BITS`` and pairs of bits for ``_CAPITAL_BITS``, smoothed."""
    pairs = [[0.5] * SYMBOLS for _ in range(SYMBOLS)]
    cases = [[1.0, 1.0] for _ in range(4)]
    for text in written:
        before = " "
        for char in text:
            pairs[symbol(before)][symbol(char)] += 1
            if symbol(char) < DIGIT:
                cases[letter_case(before)][letter_case(char)] += 1
            before = char
    rows = []
    for row in pairs:
        bits = [-math.log2(count / sum(row)) for count in row]
        bits[DIGIT] += math.log2(10)
        bits[OTHER] = 0.0  # separators have a figure of their own
        rows.append("".join(chr(33 + min(93, round(each / BITS_PER_CODE))) for each in bits))
    return rows, [
        (round(-math.log2(small / (small + capital)), 2),
         round(-math.log2(capital / (small + capital)), 2))
        for small, capital in cases
    ]  # fmt: skip


def survival(alphabet: str, chars: int) -> float:
    """Share of drawn strings that are still there after redaction."""
    redactor, draw = SlotRedactor(), random.Random(SEED)  # noqa: S311  (a measurement)
    drawn = ("".join(draw.choices(alphabet, k=chars)) for _ in range(DRAWS))
    return sum(each in redactor.text(f"see {each} there") for each in drawn) / DRAWS


def forms() -> None:
    """Of how many forms that hand over a password it is still there."""
    print("| forms | how many | let the password through |\n|---|---|---|")
    redactor = SlotRedactor()
    for name in ("COMMANDS", "HELD_OUT", "WRITTEN", "NAMED"):
        those = getattr(secret_forms, name)
        through = [
            form
            for form in those
            if any(word in redactor.text(form.replace("{pw}", word)) for word in PASSWORDS)
        ]
        print(f"| {name} | {len(those)} | {len(through)} |")


def speed() -> None:
    """Events a second of processor time, of one core, the best of five; each text is new."""
    commands = texts("tldr_examples.csv.gz")[:EVENTS]
    paths = [f"~/work/{path}" for path in package_paths()[:EVENTS]]
    events = {
        "shell": [
            Event(START_US + place, "shell", "shell.command", command, "bash",
                  data={"folder": paths[place % 200].rpartition("/")[0], "exit": 0, "session": "a1",
                        "tty": "pts/3", "host_name": "laptop", "duration_ms": place})
            for place, command in enumerate(commands)
        ],
        "file": [
            Event(START_US + place, "files", "file.modify", path, "editor",
                  data={"size_bytes": place, "folder": path.rpartition("/")[0], "is_new": False,
                        "extension": path.rpartition(".")[2][:9], "watch": "~/work"})
            for place, path in enumerate(paths)
        ],
    }  # fmt: skip
    events["file, 211 that come again"] = [
        events["file"][place % 211] for place in range(len(paths))
    ]
    print("| events | bytes each | events/s of one core |\n|---|---|---|")
    for name, those in events.items():
        size_bytes = sum(len(encode_record(event)) for event in those) / len(those)
        best_s = min(_cpu_s(those) for _ in range(5))
        print(f"| {name} | {size_bytes:.0f} | {len(those) / best_s:,.0f} |")


def _cpu_s(events: Sequence[Event]) -> float:
    redactor = SlotRedactor()
    began_s = time.process_time()
    for event in events:
        redactor.redact(event)
    return time.process_time() - began_s


def main() -> int:
    """Print the tables of the model (``--train``), the forms, the speed, or the rates."""
    if sys.argv[1:] == ["--forms"]:
        forms()
        return 0
    if sys.argv[1:] == ["--speed"]:
        speed()
        return 0
    if sys.argv[1:] == ["--train"]:
        names = [path.rpartition("/")[2] for path in package_paths()[::2]]
        rows, cases = train([*texts("tldr_examples.csv.gz"), *names])
        print(*map(repr, rows), cases, sep="\n")
        return 0
    print(f"survive, of {DRAWS:,} drawn, in %\n\n| characters |", *(f"{n} |" for n in LENGTHS))
    print("|---|" + "---|" * len(LENGTHS))
    for name, alphabet in ALPHABETS.items():
        rates = [survival(alphabet, chars) for chars in LENGTHS]
        print(f"| {name} |", *(f"{100 * rate:.1f} |" for rate in rates))
    print("\n| ordinary texts | distinct | changed | % |\n|---|---|---|---|")
    ordinary = {name: texts(name) for name in COLUMNS}
    for name, lines in (ordinary | {"package paths, held out": package_paths()[1::2]}).items():
        redactor = SlotRedactor()
        changed = sum(redactor.text(line) != line for line in lines)
        rate = f"{100 * changed / len(lines):.2f}" if lines else "not on this machine"
        print(f"| {name} | {len(lines):,} | {changed:,} | {rate} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
