"""Test, then train, over a stream of lines: how well each text expert would have known them, and
how many keys its completions would have saved.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from operator import itemgetter

from selflow.core.errors import UsageError
from selflow.text.adapted_expert import AdaptedExpert
from selflow.text.adapter_rows import AdapterRows, Disturb, as_it_came
from selflow.text.adapter_tuner import AdapterTuner
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.history import FREQUENT_HALF_LIFE_LINES, LineCounts
from selflow.text.lines import Cursor, TextExpert, line_bits
from selflow.text.mixer import LineRules, Mixer
from selflow.text.precision_bound import SEARCH_FLOOR, PrecisionBound
from selflow.text.shared_text import SharedText, shipped
from selflow.text.suggest import (
    Suggestion,
    completer,
    first_guesses,
    follow,
)

Row = tuple[int, bytes, bytes, str]
"""(ts_us, line, context, user); no line is longer than ``MAX_LINE_BYTES``."""
Figures = dict[str, dict[str, float | int | None]]
RULES, MIXED = ("fish", "frecency"), ("history", "ppm", "mix")
NAMES = (*RULES, *MIXED)
BASE_NAME, AGENTS_NAME = "mix_base", "mix_agents"
FIRST_GUESSES = 5
"""Guesses before the first key."""
_PROGRESS_LINES = 50
_COLLECT_LINES = 8
"""A line's cursors hold up to 5 MB (estimated)."""


@dataclass(frozen=True, slots=True)
class LineGrade:
    """One line by one expert."""

    line_bytes: int
    bits: float | None
    """-log2 of the line's probability, its end included; None of a rule without a distribution."""
    rank: int | None
    """Among the first five guesses before the first key; None if it is not there."""
    displays: int
    keys_saved: int
    accepted: int
    """Completions shown with which the line went on."""


def evaluate_lines(
    rows: Iterable[Row],
    *,
    shared: SharedText | None = None,
    models: "Models | None" = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Judge a table of lines, in the shape of ``selflow eval text`` (docs/learning.md#text).

    Args:
        rows: One per line, in any order; each user's past is its own.
        shared: The text that PPM starts from; the shipped one by default.
        models: What else is mixed, if anything.
        progress: Called with (lines done, lines in all) now and then, and at the end.

    Returns:
        ``{"experts": {NAME: {"lines", "bits_per_line", "bits_per_byte", "hit@1", "hit@5",
        "keys_saved", "precision_shown"}}}``; None where a rule gives no distribution, or nothing
        was shown.

    Raises:
        UsageError: There is no row.
    """
    users = by_user(rows)
    if not users:
        raise UsageError("the stream holds no lines", "name a file with at least one row")
    grades: dict[str, list[LineGrade]] = {}
    total = sum(map(len, users))
    lines = (row for rows in users for row in grade_lines(rows, shared or shipped(), models))
    for done, row in enumerate(lines, start=1):
        for name, grade in row.items():
            grades.setdefault(name, []).append(grade)
        if progress is not None and (done % _PROGRESS_LINES == 0 or done == total):
            progress(done, total)
    return {"experts": {name: figures(lines) for name, lines in grades.items()}}


def by_user(rows: Iterable[Row]) -> list[list[Row]]:
    """Each user's rows in the order of their moments; users in the order of their first row."""
    users: dict[str, list[Row]] = {}
    for row in sorted(rows, key=itemgetter(0)):
        users.setdefault(row[3], []).append(row)
    return list(users.values())


@dataclass(frozen=True, slots=True)
class Models:
    """What is mixed in beside the rules."""

    base: ByteModel
    adapts: bool = False
    """Whether an adapter follows each user, mixed in besides the base."""
    controls: Mapping[str, Disturb] = field(default_factory=dict)
    """Further mixes by name, whose adapter learns disturbed lines; their bits alone are judged."""

    def mixers(self, rules: LineRules) -> dict[str, Mixer]:
        """A mix for each of them over the same rules, nothing learned."""
        mixers = {BASE_NAME: Mixer(models=[ByteExpert(self.base)], rules=rules)}
        if self.adapts:
            for name, disturb in {AGENTS_NAME: as_it_came, **self.controls}.items():
                rows = AdapterRows(disturb=disturb)
                adapted = AdaptedExpert(self.base, AdapterTuner(self.base), rows)
                mixers[name] = Mixer(models=[ByteExpert(self.base), adapted], rules=rules)
        return mixers


def grade_lines(
    rows: Iterable[Row], shared: SharedText, models: Models | None = None
) -> Iterator[dict[str, LineGrade]]:
    """One user's lines, each by every expert before anybody learns it.

    Cost: bench/typing_cost.py.
    """
    contest = Contest(shared, models)
    with _rare_collections() as collect:
        for _, line, context, _ in rows:
            yield contest.grade(line, context)
            contest.learn(line, context)
            collect()


@contextmanager
def _rare_collections() -> Iterator[Callable[[], None]]:
    """Look for garbage every few lines alone, among what is new: Python would search all counts of
    the past again and again, an estimated sixth of the time. Yields what to call after each line.
    """
    lines = count(1)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield lambda: None if next(lines) % _COLLECT_LINES else _collect_new()
    finally:
        if was_enabled:
            gc.enable()


def _collect_new() -> None:
    gc.collect(0)


class Contest:
    """All experts side by side on one user's lines."""

    def __init__(self, shared: SharedText, models: Models | None = None) -> None:
        self._mix = Mixer(shared)
        self._mixers = {} if models is None else models.mixers(self._mix.rules)
        self._controls = () if models is None else tuple(models.controls)
        rules = self._mix.rules
        ranking: dict[str, TextExpert] = {"history": rules.history, "ppm": rules.primed}
        self._experts = {**ranking, "mix": self._mix, **self._mixers}
        self._bounds = {name: PrecisionBound() for name in self._experts}
        self._counts = LineCounts(FREQUENT_HALF_LIFE_LINES)

    def grade(self, line: bytes, context: bytes) -> dict[str, LineGrade]:
        """What each of them would have said of a line; thresholds of completions learn from it."""
        counts = self._counts
        shares = counts.shares(b"")
        ranked = {"fish": counts.newest(), "frecency": sorted(shares, key=lambda x: -shares[x])}
        grades = {name: _grade_rule(line, lines) for name, lines in ranked.items()}
        for mixer in self._mixers.values():
            mixer.read_ahead(line, context)
        for name, expert in self._experts.items():
            start = expert.start(context)
            grades[name] = (
                LineGrade(len(line), line_bits(start, line), None, 0, 0, 0)
                if name in self._controls
                else _grade_expert(line, start, self._bounds[name])
            )
        return grades

    def learn(self, line: bytes, context: bytes) -> None:
        """The line came."""
        self._counts.learn(b"", line)
        for mixer in (*self._mixers.values(), self._mix):
            mixer.learn(line, context)


def _grade_rule(line: bytes, ranked: Sequence[bytes]) -> LineGrade:
    """A rule that only ranks the lines of the past; it shows its first one from the first key, and
    that is accepted as a whole.
    """
    matching = ranked

    def complete(prefix: bytes) -> Suggestion | None:
        nonlocal matching
        matching = [old for old in matching if old.startswith(prefix)]
        longer = next((old for old in matching if len(old) > len(prefix)), None)
        return Suggestion(longer, 1.0, 0.0) if longer is not None else None

    shown = follow(line, complete, whole_lines=True)
    rank = _rank(line, ranked[:FIRST_GUESSES])
    return LineGrade(len(line), None, rank, shown.displays, shown.keys_saved, shown.accepted)


def _grade_expert(line: bytes, start: Cursor, bound: PrecisionBound) -> LineGrade:
    bits = line_bits(start, line)
    guesses = first_guesses(start, FIRST_GUESSES, SEARCH_FLOOR)
    shown = follow(line, completer(start, bound.floor, line), bound)
    rank = _rank(line, guesses)
    return LineGrade(len(line), bits, rank, shown.displays, shown.keys_saved, shown.accepted)


def _rank(line: bytes, guesses: Sequence[bytes]) -> int | None:
    return guesses.index(line) if line in guesses else None


def figures(grades: Sequence[LineGrade]) -> dict[str, float | int | None]:
    """The figures of ``evaluate_lines`` for one expert; Enter is a key of every line."""
    n = len(grades)
    bits = [grade.bits for grade in grades if grade.bits is not None]
    line_bytes = sum(grade.line_bytes for grade in grades)
    displays = sum(grade.displays for grade in grades)
    return {
        "lines": n,
        "bits_per_line": sum(bits) / n if bits else None,
        "bits_per_byte": sum(bits) / max(1, line_bytes) if bits else None,
        "hit@1": sum(grade.rank == 0 for grade in grades) / n,
        "hit@5": sum(grade.rank is not None for grade in grades) / n,
        "keys_saved": sum(grade.keys_saved for grade in grades) / (line_bytes + n),
        "precision_shown": (
            sum(grade.accepted for grade in grades) / displays if displays else None
        ),
    }
