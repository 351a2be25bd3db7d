"""What a question costs on 130,000 real events, and what vectors of character n-grams would add.

The index is built from the development streams (``BENCH_DATA`` names their folder), then the forty
questions of the tests are asked, five times over. The second part asks the same questions of the
bundled stream, whose right rows a plain scan finds: full text alone (all words, else any), vectors
of hashed n-grams of whole items alone, both by reciprocal rank, and what the product does; then
again with two letters exchanged in each word. Ends with 1 if the 95th percentile of a question is
0.2 s of CPU or more.
"""

import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actors.demo.lines import load_lines
from actors.demo.sample import load
from bench._streams import SHELL, file_rows, require, shell_rows
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.steps import label_event
from selflow.search.asking import Request, SearchPlace, answer_question, ask
from selflow.search.event_words import words_of
from selflow.search.follow import catch_up
from selflow.search.index import SearchIndex, file_of
from selflow.search.question import understand
from selflow.search.records import Question
from selflow.testing import ManualClock, MemoryLog
from tests.unit.search.scan import NOW, ZONE, Scan
from tests.unit.search.test_questions import QUESTIONS

EVENTS = 130_000
ROUNDS = 5
BOUND_S = 0.2
NOW_US = round(NOW.timestamp() * 1e6)
WIDTH = 1 << 12
NEWEST, FROM_TEXT, TOP = 2_000, 300, 10


def streams() -> Iterator[Event]:
    """Files of two repositories, then command lines."""
    for name in ("git_pandoc", "git_datasette"):
        for ts_us, path, commit, _ in file_rows(name):
            data = {"step": commit, "action": "M"}
            yield Event(ts_us, name, "file.change", path, data=data)
    for ts_us, label, _, user in shell_rows(whole_lines=True):
        kind, line = label_event(label)
        yield Event(ts_us, "shell", kind, line, data={"user": user})


def index_of(events: list[Event], folder: Path) -> SearchPlace:
    """An index that is up to date."""
    log = MemoryLog()
    log.append("bench", 1, [encode_record(event) for event in events])
    where = SearchPlace(folder, log, ManualClock(NOW_US), ZONE)
    catch_up(folder, log, where.clock)
    return where


def cost(folder: Path) -> float:
    """Print what building and asking cost; the 95th percentile of a question in seconds."""
    found = list(streams())
    events = list(islice((found * (1 + EVENTS // len(found))), EVENTS))
    began_s = time.process_time()
    where = index_of(events, folder)
    built_s = time.process_time() - began_s
    again_s = time.process_time()
    catch_up(folder, where.feed, where.clock)
    again_s = time.process_time() - again_s
    spent: list[tuple[float, str]] = []
    began_s = time.process_time()
    ask(Request("how many files on 3 May 2020"), where)
    first_s = time.process_time() - began_s
    for text, *_ in QUESTIONS * ROUNDS:
        began_s = time.process_time()
        ask(Request(text), where)
        spent.append((time.process_time() - began_s, text))
    seconds = np.array([took for took, _ in spent])
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    size = file_of(folder).stat().st_size
    print(f"{len(events):,} events ({len(found):,} of the streams, then again); seconds of CPU\n")
    print("| build | file MB | nothing new | first date in words | question p50 | p95 | max |")
    print("|---|---|---|---|---|---|---|")
    row = [f"{built_s:.1f}", f"{size / 1e6:.1f}"]
    row += [f"{value:.4f}" for value in (again_s, first_s, p50, p95, seconds.max())]
    print(f"| {' | '.join(row)} |\n")
    print(f"{len(spent)} questions; the dearest: {max(spent)[1]!r}\n")
    return float(p95)


def grams(text: str) -> NDArray[np.float32]:
    """Counts of the hashed 3- to 5-grams of the words of a text: (WIDTH,)."""
    vector = np.zeros(WIDTH, dtype=np.float32)
    for word in text.lower().replace("/", " ").replace(".", " ").split():
        padded = f" {word} "
        for width in (3, 4, 5):
            for begin in range(len(padded) - width + 1):
                vector[zlib.crc32(padded[begin : begin + width].encode()) % WIDTH] += 1
    return vector


class Vectors:
    """Hashed n-grams with the idf of the items before the question, on distinct items only."""

    def __init__(self, events: list[Event]) -> None:
        items = sorted({event.subject for event in events})
        texts = {event.subject: words_of(event) for event in events}
        counts = np.stack([grams(f"{texts[i].path_words} {texts[i].words}") for i in items])
        self._idf = np.log((1 + len(items)) / (1 + (counts > 0).sum(axis=0))).astype(np.float32)
        self._row = {item: row for row, item in enumerate(items)}
        self._vectors = self._unit(counts)
        self._events = events

    def rank(self, text: str, seqs: list[int]) -> list[int]:
        """Candidates by cosine, equal ones newest first."""
        query = self._unit(grams(text)[None, :])[0]
        rows = [self._row[self._events[seq - 1].subject] for seq in seqs]
        scores = self._vectors[rows] @ query
        order = np.lexsort((-np.array(seqs), -scores.round(5)))
        return [seqs[index] for index in order if scores[index] > 0]

    def _unit(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        weighted = np.sqrt(counts) * self._idf
        norm = np.linalg.norm(weighted, axis=1, keepdims=True)
        unit: NDArray[np.float32] = weighted / np.maximum(norm, 1e-9)
        return unit


def fused(*rankings: list[int]) -> list[int]:
    """Reciprocal rank fusion, k = 60 (Cormack et al. 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, seq in enumerate(ranking, 1):
            scores[seq] = scores.get(seq, 0.0) + 1 / (60 + rank)
    return sorted(scores, key=lambda seq: (-scores[seq], -seq))


def exchanged(word: str) -> str:
    """Two letters in the middle of a word exchanged."""
    middle = len(word) // 2
    return word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]


def misspelt(question: Question) -> Question:
    """The question with a slip in every word that has one to exchange."""
    slip = [tuple(map(exchanged, words)) for words in (question.words, question.path_words)]
    return replace(question, words=slip[0], path_words=slip[1])


def value_of_vectors(folder: Path) -> None:
    """Print precision among the first ten, for questions with words."""
    events = [*load().events, *(line.event() for line in load_lines())]
    where = index_of(events, folder)
    vectors, scan = Vectors(events), Scan(events)
    seq_of = {id(event): seq for seq, event in enumerate(events, 1)}
    index = SearchIndex(folder)
    print("| questions with words | n | full text | vectors | both | product |")
    print("|---|---|---|---|---|---|")
    for name, change in (("as they are", lambda q: q), ("misspelt", misspelt)):
        scores = []
        for text, _, _, tests in QUESTIONS:
            question = understand(text, NOW_US, ZONE)
            words = question.words + question.path_words
            if not words:
                continue
            question = change(question)
            answer = answer_question(question, TOP, where, ())
            shown = [result.seq for result in answer.results]
            words = question.words + question.path_words
            right = {seq_of[id(event)] for event in scan.chosen(*tests)}
            by_text = index.ranked(question, FROM_TEXT, may_miss_words=False)
            by_text = by_text or index.ranked(question, FROM_TEXT, may_miss_words=True)
            wide = index.match(replace(question, words=(), path_words=()))[-NEWEST:, 0]
            candidates = sorted({*by_text, *wide.tolist()})
            by_vector = vectors.rank(" ".join(words), candidates)[:FROM_TEXT]
            asked = (by_text, by_vector, fused(by_text, by_vector), shown)
            best = min(TOP, len(right))
            scores.append([len(right.intersection(found[:best])) / best for found in asked])
        means = " | ".join(f"{value:.3f}" for value in np.mean(scores, axis=0))
        print(f"| {name} | {len(scores)} | {means} |")
    index.close()


def main() -> int:
    """Both parts; 1 if a question is too slow."""
    require([SHELL, "git_pandoc.csv.gz", "git_datasette.csv.gz"])
    with tempfile.TemporaryDirectory() as folder:
        p95_s = cost(Path(folder) / "large")
        value_of_vectors(Path(folder) / "bundled")
    return int(p95_s >= BOUND_S)


if __name__ == "__main__":
    sys.exit(main())
