"""What the shipped byte model learns from: pages, commands and people's sessions, drawn in rows.

Of people it takes shell exercises of those whom no bench scores: names that begin with 0 to 3, in
the two games of GAMES. So people of other names and all other games are new to the model.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench._values import SessionValues, stems_of
from bench.make_text_prior import plain
from selflow.text.byte_context import Entry, counted, plain_folder, session_segments
from selflow.text.lines import END

if TYPE_CHECKING:
    from selflow.lm.byte_training import Batch

GAMES = ("Junior hacker", "Junior hacker adaptive")
DEVELOPMENT = "0123"
MAX_BYTES = 200
"""Longer lines are cut before they are learned."""
SHELL_SHARE, EXAMPLES_SHARE = 0.25, 0.65
"""Rows of people's sessions and of examples; the rest are descriptions: English in the imperative,
as commit messages are.
"""
NEW_PAGE, AGAIN = 0.4, 0.1
"""How often a made-up session turns to another page, and repeats one of its lines."""
FOLDERS = (b"", b"~", b"/")
Arrange = Callable[[Sequence[Entry]], list[list[int]]]
"""The tokens of a session, in pieces."""


@dataclass(frozen=True)
class Corpus:
    """What is learned from."""

    people: list[list[Entry]]
    examples: list[list[str]]
    """By page, as pages write them: with placeholders."""
    descriptions: list[list[str]]


def read_corpus(pages: Path, shell: Path, sheets: Path | None = None) -> Corpus:
    """Lines by page and by person, each person's in order."""
    examples: dict[tuple[str, str], list[str]] = {}
    descriptions: dict[tuple[str, str], list[str]] = {}
    for row in _rows(pages):
        page = (row["platform"], row["tool"])
        if not row["command"].startswith("tldr "):
            examples.setdefault(page, []).append(row["command"])
        text = row["description"].replace("`", "").rstrip(":")
        descriptions.setdefault(page, []).append(text)
    for row in [] if sheets is None else _rows(sheets):
        examples.setdefault(("", row["sheet"]), []).append(row["command"])
    people = command_lines(shell, lambda user, game: user[0] in DEVELOPMENT and game in GAMES)
    learned = [
        [(plain_folder(folder), line[:MAX_BYTES]) for folder, line in entries]
        for entries in people.values()
    ]
    return Corpus(learned, list(examples.values()), list(descriptions.values()))


def command_lines(shell: Path, belongs: Callable[[str, str], bool]) -> dict[str, list[Entry]]:
    """Folders and lines by person, in order, of those whose name and game belong."""
    people: dict[str, list[Entry]] = {}
    for row in sorted(_rows(shell), key=lambda row: row["ts"]):
        if belongs(row["user"], row["game"]):
            entry = (row["cwd"].encode(), row["cmd"].encode())
            people.setdefault(row["user"], []).append(entry)
    return people


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@dataclass(frozen=True)
class Sessions:
    """How sessions are drawn from a corpus, and arranged in rows."""

    corpus: Corpus
    draws_values: bool = True
    arrange: Arrange = session_segments
    rows: int = 16
    tokens: int = 192

    def batches(self, seed: int) -> Iterator["Batch"]:
        """Rows for ever."""
        sessions = self.sessions(seed)
        while True:
            ids = np.full((self.rows, self.tokens), END, np.int64)
            counts = np.zeros((self.rows, self.tokens), np.float32)
            for row in range(self.rows):
                segments = self.arrange(next(sessions))
                tokens = [token for segment in segments for token in segment][: self.tokens]
                ids[row, : len(tokens)] = tokens
                counts[row, : len(tokens)] = counted(tokens)
            yield ids, counts

    def sessions(self, seed: int) -> Iterator[Sequence[Entry]]:
        """Folders and lines for ever."""
        rng = np.random.default_rng(seed)
        sizes = np.array([len(entries) for entries in self.corpus.people], float)
        stems = stems_of([text for page in self.corpus.descriptions for text in page])
        while True:
            yield self._session(sizes / sizes.sum(), SessionValues(stems, rng), rng)

    def _session(
        self, shares: NDArray[np.float64], values: SessionValues, rng: np.random.Generator
    ) -> Sequence[Entry]:
        kind, corpus = rng.random(), self.corpus
        if kind < SHELL_SHARE:
            entries = corpus.people[int(rng.choice(len(corpus.people), p=shares))]
            first = int(rng.integers(0, max(1, len(entries) - 3)))
            session = entries[first : first + 16]
            if not self.draws_values:
                return session
            return [(folder, values.line(line)[:MAX_BYTES]) for folder, line in session]
        is_example = kind < SHELL_SHARE + EXAMPLES_SHARE
        pages = corpus.examples if is_example else corpus.descriptions
        folder = FOLDERS[rng.integers(len(FOLDERS))]
        write = values.command if is_example and self.draws_values else plain
        return [(folder, write(text).encode()[:MAX_BYTES]) for text in _of_pages(pages, rng)]


def _of_pages(pages: Sequence[Sequence[str]], rng: np.random.Generator) -> list[str]:
    """The texts of a made-up session."""
    page = pages[rng.integers(len(pages))]
    texts: list[str] = []
    for _ in range(14):
        if rng.random() < NEW_PAGE:
            page = pages[rng.integers(len(pages))]
        old = bool(texts) and rng.random() < AGAIN
        source = texts if old else page
        texts.append(source[rng.integers(len(source))])
    return texts
