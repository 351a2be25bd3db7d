"""The completion that is shown for a half-typed line, and when to show none.

A completion is a whole line with its probability given what was typed. It is shown where the keys
that it is expected to save exceed the price of a glance at a wrong one (decision 0031), and where
its probability reaches a threshold that is learned from the past: the lowest one at which, of the
completions that would have been shown, a share of at least ``min_precision`` was what then came, by
the lower end of Wilson's interval (1927).
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter

from selflow.text.lines import BYTES, END, LEAST_LIKELY, MAX_LINE_BYTES, Cursor, Packed
from selflow.text.mixer import MixCursor, Mixer

MIN_PRECISION = 0.05
PRICE_KEYS = 0.25
"""What a wrong completion costs its reader, in keys."""
SEARCH_FLOOR = LEAST_LIKELY
"""Completions below this probability are not looked for; no threshold is lower."""
FLOOR_OF_THRESHOLD = 0.25
"""Of the threshold: below it no completion is looked for, so that a search is short where little is
certain, and a threshold that is too high can still fall.
"""
KNOWN_LINES = 2
"""Lines of the past whose probability is computed whatever the search finds."""
FIRST_READ_BYTES = 32
"""That models read of a completion before it is looked at again."""
FIRST_READ_TOGETHER_BYTES = 8
"""The same where they read for several keys at once: a further pass costs little there."""
KEYS_TOGETHER = 16
"""Keys of a known line for which models read together: a right completion ends the line early."""
SHOWN_FROM = 3
"""Completions of which the one that is worth most is shown."""
MAX_STEPS = 32
"""Bytes that one search may look at beyond those that an earlier one did."""
MAX_TYPED_BYTES = 256
"""Behind this many bytes nothing more is suggested: it bounds what a search holds."""
_PAST, _REFIT, _Z = 1_500, 25, 1.28


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A line that goes on from what was typed."""

    line: bytes
    p: float
    """Of exactly this line, given what was typed."""
    keys_saved: float
    """Expected: the bytes that need not be typed, less the key that accepts."""


def completions(
    cursor: Cursor,
    *,
    count: int,
    floor: float,
    max_steps: int = MAX_STEPS,
    ahead: int = FIRST_READ_BYTES,
) -> list[tuple[bytes, float]]:
    """The likeliest ways to go on to the end of the line, the likeliest first.

    What a search finds, and the heaviest lines of the past: a long one is far away byte by byte.
    Where a model is mixed in, the search goes by the rules alone, and the mix judges what it finds:
    a model reads a line in one pass much faster than byte by byte. Whatever is below ``floor`` is
    left out. ``ahead``: bytes that models read of each before it is looked at again.

    Cost: at most ``max_steps`` steps of the search, and those along each completion.
    """
    known, searched, is_judged = _candidates(cursor, count, floor, max_steps)
    completed = {} if is_judged else searched
    judged = dict.fromkeys(rest for rest in (*known, *searched) if rest not in completed)
    completed.update(_judged(cursor, list(judged), floor, ahead))
    return sorted(completed.items(), key=itemgetter(1), reverse=True)[:count]


def _candidates(
    cursor: Cursor, count: int, floor: float, max_steps: int
) -> tuple[Sequence[bytes], dict[bytes, float], bool]:
    """Lines of the past, what a search finds, and whether that has yet to be judged."""
    guide = cursor.guide if isinstance(cursor, MixCursor) else None
    searched = _search(cursor if guide is None else guide, count, floor, max_steps)
    return cursor.lines_ahead()[:KNOWN_LINES], searched, guide is not None


def _search(cursor: Cursor, count: int, floor: float, max_steps: int) -> dict[bytes, float]:
    """Best first: probabilities only fall along a line, so the first whole line that comes up is
    the likeliest of all.
    """
    completed: dict[bytes, float] = {}
    heap: list[tuple[float, bytes, bool, Cursor]] = [(-1.0, b"", False, cursor)]
    steps = 0
    while heap and len(completed) < count and steps < max_steps:
        p, text, is_whole, before = heappop(heap)
        if is_whole:
            completed[text] = -p
            continue
        steps += 1
        at = before.step(text[-1]) if text else before
        least = floor / -p
        for share, symbol in at.distribution.likely:
            if share < least:
                break
            if symbol == END:
                heappush(heap, (p * share, text, True, at))
            elif len(text) < MAX_TYPED_BYTES:
                heappush(heap, (p * share, text + BYTES[symbol], False, at))
    return completed


def _judged(cursor: Cursor, rests: Sequence[bytes], floor: float, ahead: int) -> dict[bytes, float]:
    """The probability of exactly each of these rests, without those below ``floor``.

    Models read ``ahead`` bytes of all that are still likely enough in one pass, then twice as many:
    most fall within the first ones.
    """
    judgements = [_Judgement(rest, cursor) for rest in rests]
    if rests and isinstance(cursor, MixCursor) and not cursor.is_read:
        cursor.read_on([b""])
    while pending := [judgement for judgement in judgements if judgement.goes_on(floor)]:
        if isinstance(cursor, MixCursor):
            cursor.read_on([judged.rest[: judged.index + ahead] for judged in pending])
        ahead *= 2
    return {judged.rest: judged.p for judged in judgements if judged.p >= floor}


@dataclass(slots=True)
class _Judgement:
    """How far the probability of a rest is known."""

    rest: bytes
    at: Cursor
    index: int = 0
    p: float = 1.0

    def goes_on(self, floor: float) -> bool:
        """Multiply what is computed; whether there is more to compute."""
        while self.p >= floor and self.index <= len(self.rest):
            if isinstance(self.at, MixCursor) and not self.at.is_read:
                return True
            if self.index == len(self.rest):
                self.p *= float(self.at.p[END])
            else:
                self.p *= float(self.at.p[self.rest[self.index]])
                self.at = self.at.step(self.rest[self.index]) if self.p >= floor else self.at
            self.index += 1
        return False


def first_guesses(start: Cursor, count: int, floor: float) -> list[bytes]:
    """Lines to offer before the first key: the likeliest that a search finds, then lines of the
    past by their own rules.
    """
    likeliest = completions(start, count=count, floor=floor, ahead=FIRST_READ_TOGETHER_BYTES)
    likely = [text for text, _ in likeliest]
    return list(dict.fromkeys([*likely, *start.lines_ahead()]))[:count]


class PrecisionBound:
    """The threshold of the probability, from what would have been shown and what then came."""

    def __init__(self, min_precision: float = MIN_PRECISION) -> None:
        self._min_precision = min_precision
        self._past: deque[tuple[float, bool]] = deque(maxlen=_PAST)
        self._new = 0
        self.threshold = min_precision
        """Until enough came, probabilities are taken at their word."""

    @property
    def floor(self) -> float:
        """Completions below this probability need not be looked for."""
        return max(SEARCH_FLOOR, FLOOR_OF_THRESHOLD * self.threshold)

    def learn(self, outcomes: Sequence[tuple[float, bool]]) -> None:
        """The different completions of a line: the highest probability of each, and whether it
        was the line. Whether they were shown does not matter.
        """
        self._past.extend(outcomes)
        self._new += len(outcomes)
        if self._new >= _REFIT:
            self._new = 0
            self.threshold = self._fit()

    def _fit(self) -> float:
        best, shown, right = 1.0, 0, 0
        for p, same in groupby(sorted(self._past, reverse=True), key=itemgetter(0)):
            outcomes = [was_right for _, was_right in same]
            shown, right = shown + len(outcomes), right + sum(outcomes)
            if _lower_bound(right, shown) >= self._min_precision:
                best = p
        return best

    def state(self) -> Packed:
        return [self._min_precision, [list(pair) for pair in self._past], self._new, self.threshold]

    def load_state(self, state: Packed) -> None:
        self._min_precision, past, self._new, self.threshold = state
        self._past.clear()
        self._past.extend((p, was_right) for p, was_right in past)


def _lower_bound(right: int, shown: int) -> float:
    """Lower end of Wilson's one-sided 90% interval of a share."""
    share, spread = right / shown, _Z * _Z / shown
    middle = share + spread / 2.0
    width = _Z * ((share * (1.0 - share) + spread / 4.0) / shown) ** 0.5
    return float((middle - width) / (1.0 + spread))


class Suggester:
    """Completes lines by one expert and learns from every finished line when to be silent."""

    def __init__(self, expert: Mixer, *, min_precision: float = MIN_PRECISION) -> None:
        self._expert = expert
        self._bound = PrecisionBound(min_precision)

    def suggest(self, prefix: bytes, context: bytes = b"") -> Suggestion | None:
        """The completion to show, or None: nothing is likely enough, or nothing would be saved.

        Cost: bench/text.py; after a call for a shorter prefix only what is new.
        """
        if len(prefix) > MAX_TYPED_BYTES:
            return None
        cursor = self._expert.start(context)
        for byte in prefix:
            cursor = cursor.step(byte)
        best = best_completion(cursor, prefix, self._bound.floor)
        return best if best is not None and best.p >= self._bound.threshold else None

    def learn(self, line: bytes, context: bytes = b"", weight: float = 1.0) -> "Shown":
        """A line was finished: what would have been shown while it was typed, by the threshold of
        that time. Then both threshold and expert learn it.
        """
        if len(line) > MAX_LINE_BYTES:
            return Shown(0, 0)
        start = self._expert.start_apart(context)
        shown = follow(line, completer(start, self._bound.floor, line), self._bound)
        self._expert.learn(line, context, weight)
        return shown

    def learn_in_pieces(self, line: bytes, context: bytes, weight: float) -> Iterator[None]:
        """The same, as ``Mixer.learn_in_pieces``."""
        if len(line) <= MAX_LINE_BYTES:
            start = self._expert.start_apart(context)
            complete = completer(start, self._bound.floor, line)
            yield from follow_in_pieces(line, complete, self._bound)
            yield from self._expert.learn_in_pieces(line, context, weight, start)

    def state(self) -> Packed:
        return [self._expert.state(), self._bound.state()]

    def load_state(self, state: Packed) -> None:
        self._expert.load_state(state[0])
        self._bound.load_state(state[1])


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person would have seen while typing one line."""

    displays: int
    """Different completions that came up, one after another; the same one staying is one."""
    keys_saved: int
    """Bytes not typed, less the key that accepts; 0 where no completion was right."""

    @property
    def was_right(self) -> bool:
        """Whether one of them was the line."""
        return self.keys_saved > 0


Following = Generator[None, None, Shown]
Complete = Callable[[bytes], Suggestion | None]
"""Asked for prefixes of one line, each a byte longer than the one before."""


def best_completion(cursor: Cursor, prefix: bytes, floor: float) -> Suggestion | None:
    """The completion that is worth most to whoever types; None where none is worth its price."""
    return _worth_most(completions(cursor, count=SHOWN_FROM, floor=floor), prefix)


def _worth_most(whole: Sequence[tuple[bytes, float]], prefix: bytes) -> Suggestion | None:
    best, most = None, 0.0
    for rest, p in whole:
        keys_saved = p * (len(rest) - 1)
        gain = keys_saved - PRICE_KEYS * (1.0 - p)
        if gain > most and keys_saved > 0.0:
            best, most = Suggestion(prefix + rest, p, keys_saved), gain
    return best


def completer(start: Cursor, floor: float, line: bytes) -> Complete:
    """Completions by an expert while this line is typed, from its first key on.

    That the line is known changes none of them: models read for several keys in one pass.
    """
    cursor, ready = start, dict[int, list[tuple[bytes, float]]]()

    def complete(prefix: bytes) -> Suggestion | None:
        nonlocal cursor
        if isinstance(cursor, MixCursor) and cursor.guide is not None and len(prefix) not in ready:
            keys = line[len(prefix) - 1 : len(prefix) - 1 + KEYS_TOGETHER]
            ready.update(enumerate(_completions_behind(cursor, keys, floor), start=len(prefix)))
        cursor = cursor.step(prefix[-1])
        if len(prefix) in ready:
            return _worth_most(ready[len(prefix)], prefix)
        return best_completion(cursor, prefix, floor)

    return complete


def _completions_behind(
    start: MixCursor, keys: bytes, floor: float
) -> list[list[tuple[bytes, float]]]:
    """``completions`` behind each of these keys, which are typed one after the other: the models
    read all that is to be judged in the same passes.
    """
    cursor: Cursor = start
    judged: list[list[_Judgement]] = []
    for typed in range(1, len(keys) + 1):
        cursor = cursor.step(keys[typed - 1])
        known, searched, _ = _candidates(cursor, SHOWN_FROM, floor, MAX_STEPS)
        rests = dict.fromkeys((*known, *searched))
        judged.append([_Judgement(rest, cursor) for rest in rests])
    pending = [(keys[:typed], one) for typed, some in enumerate(judged, 1) for one in some]
    ahead = FIRST_READ_TOGETHER_BYTES
    while pending := [pair for pair in pending if pair[1].goes_on(floor)]:
        start.read_on([before + one.rest[: one.index + ahead] for before, one in pending])
        ahead *= 2
    return [_likeliest(some, floor) for some in judged]


def _likeliest(judged: Sequence["_Judgement"], floor: float) -> list[tuple[bytes, float]]:
    likely = [(one.rest, one.p) for one in judged if one.p >= floor]
    return sorted(likely, key=itemgetter(1), reverse=True)[:SHOWN_FROM]


def _typed(line: bytes) -> range:
    """How many bytes are typed where a completion of this line is worth a look."""
    return range(1, min(len(line) - 1, MAX_TYPED_BYTES + 1))


def follow(line: bytes, complete: Complete, bound: PrecisionBound | None = None) -> Shown:
    """Type a line key by key, from the first key on, and accept the first completion that is right.

    ``bound`` says which ones are shown (without it: all) and learns from those of this line.
    """
    return _finished(follow_in_pieces(line, complete, bound))


def _finished(following: Following) -> Shown:
    while True:
        try:
            next(following)
        except StopIteration as end:
            shown: Shown = end.value
            return shown


def follow_in_pieces(
    line: bytes, complete: Complete, bound: PrecisionBound | None = None
) -> Following:
    """``follow`` with a pause behind each key."""
    shown, last, saved = 0, b"", 0
    seen: dict[bytes, float] = {}
    for typed in _typed(line):
        best = complete(line[:typed])
        yield
        if best is None:
            continue
        seen[best.line] = max(best.p, seen.get(best.line, 0.0))
        if bound is not None and best.p < bound.threshold:
            continue
        shown += best.line != last
        last = best.line
        if best.line == line:
            saved = len(line) - typed - 1
            break
    if bound is not None:
        bound.learn([(p, other == line) for other, p in seen.items()])
    return Shown(shown, saved)
