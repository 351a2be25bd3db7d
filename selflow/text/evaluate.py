"""Test, then train, over a stream of lines: how well each text expert would have known them, and
how many keys its completions would have saved.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from selflow.core.errors import UsageError
from selflow.text.history import FREQUENT_HALF_LIFE_LINES, LineCounts
from selflow.text.lines import Cursor, TextExpert, line_bits
from selflow.text.mixer import Mixer
from selflow.text.shared_text import SharedText, shipped
from selflow.text.suggest import PrecisionBound, Suggestion, completer, completions, follow

Row = tuple[int, bytes, bytes, str]
"""(ts_us, line, context, user); no line is longer than ``MAX_LINE_BYTES``."""
Figures = dict[str, dict[str, float | int | None]]
RULES, MIXED = ("fish", "frecency"), ("history", "ppm", "mix")
NAMES = (*RULES, *MIXED)
_FIRST, _FIRST_FLOOR = 5, 0.01
_PROGRESS_LINES = 50


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


def evaluate_lines(
    rows: Iterable[Row],
    *,
    shared: SharedText | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Judge a table of lines, in the shape of ``selflow eval text`` (docs/learning.md#text).

    Args:
        rows: One per line, in any order; each user's past is its own.
        shared: The text that PPM starts from; the shipped one by default.
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
    grades: dict[str, list[LineGrade]] = {name: [] for name in NAMES}
    total = sum(map(len, users))
    for done, row in enumerate(_all(users, shared or shipped()), start=1):
        for name, grade in row.items():
            grades[name].append(grade)
        if progress is not None and (done % _PROGRESS_LINES == 0 or done == total):
            progress(done, total)
    return {"experts": {name: figures(lines) for name, lines in grades.items()}}


def by_user(rows: Iterable[Row]) -> list[list[Row]]:
    """Each user's rows in the order of their moments; users in the order of their first row."""
    users: dict[str, list[Row]] = {}
    for row in sorted(rows, key=itemgetter(0)):
        users.setdefault(row[3], []).append(row)
    return list(users.values())


def _all(users: Sequence[Sequence[Row]], shared: SharedText) -> Iterator[dict[str, LineGrade]]:
    for rows in users:
        yield from grade_lines(rows, shared)


def grade_lines(rows: Iterable[Row], shared: SharedText) -> Iterator[dict[str, LineGrade]]:
    """One user's lines, each by every expert before anybody learns it.

    Cost: bench/text.py.
    """
    mixer = Mixer(shared)
    experts: dict[str, TextExpert] = {"history": mixer.history, "ppm": mixer.primed, "mix": mixer}
    bounds = {name: PrecisionBound() for name in experts}
    counts = LineCounts(FREQUENT_HALF_LIFE_LINES)
    for _, line, context, _ in rows:
        shares = counts.shares(b"")
        ranked = {"fish": counts.newest(), "frecency": sorted(shares, key=lambda x: -shares[x])}
        grades = {name: _grade_rule(line, lines) for name, lines in ranked.items()}
        for name, expert in experts.items():
            grades[name] = _grade_expert(line, expert.start(context), bounds[name])
        counts.learn(b"", line)
        mixer.learn(line, context)
        yield grades


def _grade_rule(line: bytes, ranked: Sequence[bytes]) -> LineGrade:
    """A rule that only ranks the lines of the past; it shows its first one from the first key."""
    matching = ranked

    def complete(prefix: bytes) -> Suggestion | None:
        nonlocal matching
        matching = [old for old in matching if old.startswith(prefix)]
        longer = next((old for old in matching if len(old) > len(prefix)), None)
        return Suggestion(longer, 1.0, 0.0) if longer is not None else None

    shown = follow(line, complete)
    rank = _rank(line, ranked[:_FIRST])
    return LineGrade(len(line), None, rank, shown.displays, shown.keys_saved)


def _grade_expert(line: bytes, start: Cursor, bound: PrecisionBound) -> LineGrade:
    bits = line_bits(start, line)
    guesses = [text for text, _ in completions(start, count=_FIRST, floor=_FIRST_FLOOR)]
    shown = follow(line, completer(start), bound)
    return LineGrade(len(line), bits, _rank(line, guesses), shown.displays, shown.keys_saved)


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
            sum(grade.keys_saved > 0 for grade in grades) / displays if displays else None
        ),
    }
