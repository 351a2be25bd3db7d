"""Make the shipped byte model that text experts mix in.

Run: python -m bench.make_base tldr_examples.csv.gz shell_training_other.csv.gz

It learns from the examples and descriptions of tldr-pages, and from shell exercises of people whom
no bench scores: names that begin with 0 to 3, in the two games of GAMES. So people of other names
and all other games are new to it. About ten minutes on one core.
"""

import csv
import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.make_text_prior import plain
from selflow.lm.byte_training import (
    Batch,
    BytePlan,
    ByteShape,
    train_byte_model,
    write_byte_model,
)
from selflow.text.byte_context import (
    VOCABULARY,
    Entry,
    counted,
    plain_folder,
    session_segments,
)
from selflow.text.lines import END

OUT = Path(__file__).parent.parent / "selflow" / "text" / "base"
GAMES = ("Junior hacker", "Junior hacker adaptive")
DEVELOPMENT = "0123"
STEPS, BATCH, TOKENS = 1_000, 16, 192
SEED = 3
"""Of the sessions that are drawn."""
MAX_BYTES = 200
"""Longer lines are cut before they are learned."""
SHELL_SHARE, EXAMPLES_SHARE = 0.25, 0.65
"""Rows of people's sessions and of examples; the rest are descriptions: English in the imperative,
as commit messages are.
"""
NEW_PAGE, AGAIN = 0.4, 0.1
"""How often a made-up session turns to another page, and repeats one of its lines."""
FOLDERS = (b"", b"~", b"/")


@dataclass(frozen=True)
class Corpus:
    """What is learned from."""

    people: list[list[Entry]]
    examples: list[list[bytes]]
    descriptions: list[list[bytes]]


def read_corpus(pages: Path, shell: Path) -> Corpus:
    """Lines by page and by person, each person's in order."""
    examples: dict[tuple[str, str], list[bytes]] = {}
    descriptions: dict[tuple[str, str], list[bytes]] = {}
    for row in _rows(pages):
        page = (row["platform"], row["tool"])
        if not row["command"].startswith("tldr "):
            examples.setdefault(page, []).append(plain(row["command"]).encode()[:MAX_BYTES])
        text = row["description"].replace("`", "").rstrip(":")
        descriptions.setdefault(page, []).append(text.encode()[:MAX_BYTES])
    people: dict[str, list[Entry]] = {}
    for row in sorted(_rows(shell), key=lambda row: row["ts"]):
        if row["user"][0] in DEVELOPMENT and row["game"] in GAMES:
            entry = (plain_folder(row["cwd"].encode()), row["cmd"].encode()[:MAX_BYTES])
            people.setdefault(row["user"], []).append(entry)
    return Corpus(list(people.values()), list(examples.values()), list(descriptions.values()))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def batches(corpus: Corpus, seed: int) -> Iterator[Batch]:
    """Rows of sessions for ever."""
    rng = np.random.default_rng(seed)
    sizes = np.array([len(entries) for entries in corpus.people], float)
    while True:
        ids = np.full((BATCH, TOKENS), END, np.int64)
        counts = np.zeros((BATCH, TOKENS), np.float32)
        for row in range(BATCH):
            segments = session_segments(_session(corpus, sizes / sizes.sum(), rng))
            tokens = [token for segment in segments for token in segment][:TOKENS]
            ids[row, : len(tokens)] = tokens
            counts[row, : len(tokens)] = counted(tokens)
        yield ids, counts


def _session(
    corpus: Corpus, shares: NDArray[np.float64], rng: np.random.Generator
) -> Sequence[Entry]:
    kind = rng.random()
    if kind < SHELL_SHARE:
        entries = corpus.people[int(rng.choice(len(corpus.people), p=shares))]
        first = int(rng.integers(0, max(1, len(entries) - 3)))
        return entries[first : first + 16]
    is_example = kind < SHELL_SHARE + EXAMPLES_SHARE
    pages = corpus.examples if is_example else corpus.descriptions
    page = pages[rng.integers(len(pages))]
    folder = FOLDERS[rng.integers(len(FOLDERS))]
    lines: list[bytes] = []
    for _ in range(14):
        if rng.random() < NEW_PAGE:
            page = pages[rng.integers(len(pages))]
        old = bool(lines) and rng.random() < AGAIN
        source = lines if old else page
        lines.append(source[rng.integers(len(source))])
    return [(folder, line) for line in lines]


def main() -> None:
    """Train and write the model; its card and licences stand beside it."""
    corpus = read_corpus(Path(sys.argv[1]), Path(sys.argv[2]))
    plan = BytePlan(STEPS)
    began_s = time.perf_counter()

    def progress(done: int, steps: int, bits: float) -> None:
        rate = done * BATCH * TOKENS / (time.perf_counter() - began_s)
        print(f"{done}/{steps} {bits:.3f} bits/byte {rate:,.0f} tokens/s", file=sys.stderr)

    shape = ByteShape(VOCABULARY, END)
    model = train_byte_model(shape, plan, batches(corpus, SEED), progress)
    parameters = sum(held.numel() for held in model.parameters())
    write_byte_model(model, OUT)
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(json.dumps({"parameters": parameters, "bytes": size}))


if __name__ == "__main__":
    main()
