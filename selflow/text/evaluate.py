"""Test, then train, over a stream of lines: how well each text expert would have known them, and
how many keys its completions would have saved.
"""

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
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
from selflow.text.processes import Report, run_in_processes
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
RULES, RANKING, MIX_NAME = ("fish", "frecency"), ("history", "ppm"), "mix"
NAMES = (*RULES, *RANKING, MIX_NAME)
BASE_NAME, AGENTS_NAME = "mix_base", "mix_agents"
FIRST_GUESSES = 5
"""Guesses before the first key."""
MANY_LINES = 500
"""So many are judged in several processes, where there may be several."""
MAX_PROCESSES = 8
"""Each holds up to .4 GB (estimated)."""
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
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Judge a table of lines, in the shape of ``selflow eval text`` (docs/learning.md#text).

    Args:
        rows: One per line, in any order; each user's past is its own.
        shared: The text that PPM starts from; the shipped one by default.
        models: What else is mixed, if anything.
        processes: How many may share the work of many lines; the figures are the same.
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
    total = sum(map(len, users))
    is_divided = processes > 1 and total >= MANY_LINES
    processes = min(processes, MAX_PROCESSES) if is_divided else 1
    parts = _parts(users, shared or shipped(), models, processes)
    report = _reporter(progress, total, sum(_lines(part.users) for part in parts))
    if is_divided:
        graded = run_in_processes(_grade_part, parts, processes, report)
    else:
        graded = [_grade_part(part, report) for part in parts]
    grades: dict[str, list[LineGrade]] = {}
    for _, of_user in sorted(chain.from_iterable(graded), key=itemgetter(0)):
        for name, lines in of_user.items():
            grades.setdefault(name, []).extend(lines)
    names = (*NAMES, *(() if models is None else models.names))
    return {"experts": {name: figures(grades[name]) for name in names}}


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process can do alone: the lines of some users by some of the experts."""

    users: Sequence[tuple[int, Sequence[Row]]]
    """Each with its number."""
    shared: SharedText
    names: Sequence[str] | None
    """Of the experts; None for all of them, which share a part of their work."""
    models: "Models | None"


def _parts(
    users: Sequence[Sequence[Row]], shared: SharedText, models: "Models | None", processes: int
) -> list[_Part]:
    """Users dealt out among processes, the one with most lines first; where one of them has more
    lines than a fair share, the experts are dealt out too.
    """
    numbered = sorted(enumerate(users), key=lambda user: len(user[1]), reverse=True)
    hands: list[list[tuple[int, Sequence[Row]]]] = [[] for _ in users[:processes]]
    for user in numbered:
        min(hands, key=_lines).append(user)
    is_one_large = len(numbered[0][1]) * processes > sum(map(_lines, hands))
    everybody: tuple[Sequence[str] | None, Models | None] = (None, models)
    groups = _groups(models) if processes > 1 and is_one_large else [everybody]
    hands.sort(key=_lines, reverse=True)
    return [_Part(hand, shared, *group) for hand in hands for group in groups]


def _lines(users: Sequence[tuple[int, Sequence[Row]]]) -> int:
    return sum(len(rows) for _, rows in users)


def _groups(models: "Models | None") -> list[tuple[Sequence[str], "Models | None"]]:
    """The experts in groups, each with the models that it needs; what takes longest is first."""
    mixed_with = () if models is None else models.names[::-1]
    groups: list[tuple[Sequence[str], Models | None]] = [((name,), models) for name in mixed_with]
    return [*groups, ((*RULES, *RANKING), None), ((MIX_NAME,), None)]


def _grade_part(part: _Part, report: Report) -> list[tuple[int, dict[str, list[LineGrade]]]]:
    """The grades of each user's lines by expert."""
    return [(user, _grade_user(rows, part, report)) for user, rows in part.users]


def _grade_user(rows: Sequence[Row], part: _Part, report: Report) -> dict[str, list[LineGrade]]:
    grades: dict[str, list[LineGrade]] = {}
    lines = grade_lines(rows, part.shared, part.models, part.names)
    for done, row in enumerate(lines, start=1):
        for name, grade in row.items():
            grades.setdefault(name, []).append(grade)
        if done % _PROGRESS_LINES == 0 or done == len(rows):
            report((done - 1) % _PROGRESS_LINES + 1)
    return grades


def _reporter(progress: Callable[[int, int], None] | None, total: int, steps: int) -> Report:
    """Takes the lines of parts that are done, out of ``steps``; says how many of ``total`` lines
    that is.
    """
    done = 0

    def report(lines: int) -> None:
        nonlocal done
        done += lines
        if progress is not None:
            progress(done * total // steps, total)

    return report


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

    @property
    def names(self) -> Sequence[str]:
        """Of the mixes with them."""
        return (BASE_NAME, AGENTS_NAME, *self.controls) if self.adapts else (BASE_NAME,)

    def mixers(self, rules: LineRules, names: Collection[str] | None = None) -> dict[str, Mixer]:
        """A mix for each of them, or of these names, over the same rules, nothing learned."""
        disturb = {AGENTS_NAME: as_it_came, **self.controls}
        return {
            name: Mixer(
                models=[ByteExpert(self.base), *self._adapted(disturb.get(name))], rules=rules
            )
            for name in self.names
            if names is None or name in names
        }

    def _adapted(self, disturb: Disturb | None) -> list[AdaptedExpert]:
        if disturb is None:
            return []
        return [AdaptedExpert(self.base, AdapterTuner(self.base), AdapterRows(disturb=disturb))]


def grade_lines(
    rows: Iterable[Row],
    shared: SharedText,
    models: Models | None = None,
    names: Collection[str] | None = None,
) -> Iterator[dict[str, LineGrade]]:
    """One user's lines, each by every expert, or by those of these names, before anybody learns it.

    Cost: bench/typing_cost.py.
    """
    contest = Contest(shared, models, names)
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

    def __init__(
        self,
        shared: SharedText,
        models: Models | None = None,
        names: Collection[str] | None = None,
    ) -> None:
        """``names``: of those that judge; without them all do. None changes what others say."""
        self._rules = rules = LineRules(shared)
        self._mixers = {MIX_NAME: Mixer(rules=rules)} if _is_in(names, MIX_NAME) else {}
        self._mixers |= {} if models is None else models.mixers(rules, names)
        self._controls = () if models is None else tuple(models.controls)
        ranking: dict[str, TextExpert] = {"history": rules.history, "ppm": rules.primed}
        ranking = {name: expert for name, expert in ranking.items() if _is_in(names, name)}
        self._experts = {**ranking, **self._mixers}
        self._bounds = {name: PrecisionBound() for name in self._experts}
        self._counts = LineCounts(FREQUENT_HALF_LIFE_LINES)
        self._simple = [name for name in RULES if _is_in(names, name)]

    def grade(self, line: bytes, context: bytes) -> dict[str, LineGrade]:
        """What each of them would have said of a line; thresholds of completions learn from it."""
        grades = {name: _grade_rule(line, self._ranked(name)) for name in self._simple}
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
        for mixer in self._mixers.values():
            mixer.learn(line, context)
        self._rules.learn(line, context)

    def _ranked(self, rule: str) -> Sequence[bytes]:
        """Lines of the past by one of the simple rules."""
        if rule == "fish":
            return self._counts.newest()
        shares = self._counts.shares(b"")
        return sorted(shares, key=lambda line: -shares[line])


def _is_in(names: Collection[str] | None, name: str) -> bool:
    return names is None or name in names


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
