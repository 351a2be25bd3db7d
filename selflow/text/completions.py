"""How a half-typed line may go on: what a search finds, and how likely an expert finds that.

Where a model is mixed in, the search goes by the rules alone, and the mix judges what it finds: a
model reads a line in one pass much faster than byte by byte. What is worth showing need not be a
whole line: along each way to go on, the place is found up to which it is worth most (decision
0048).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace, nlargest
from operator import itemgetter
from typing import NamedTuple

from selflow.text.lines import BYTES, END, Cursor
from selflow.text.mixer import MixCursor

PRICE_KEYS = 0.25
"""What a wrong completion costs its reader, in keys."""
KNOWN_LINES = 2
"""Lines of the past whose probability is computed whatever the search finds."""
FIRST_READ_BYTES = 32
"""That models read of a completion before it is looked at again."""
FIRST_READ_TOGETHER_BYTES = 8
"""The same where they read for several keys at once: a further pass costs little there."""
SHOWN_FROM = 3
"""Whole lines, and as many beginnings of lines, of which the one that is worth most is shown."""
MAX_STEPS = 32
"""Bytes that one search may look at beyond those that an earlier one did."""
MAX_TYPED_BYTES = 256
"""Behind this many bytes nothing more is suggested: it bounds what a search holds."""
LIKELIEST_BYTES, LEAST_LIKELY_WAY = 24, 0.1
"""How far a model goes on byte by byte, and down to which probability."""
_FIRST_OF_MANY, _WIDE = 0xC0, ((0xF0, 4), (0xE0, 3), (0xC0, 2))


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
    Whatever is below ``floor`` is left out. ``ahead``: bytes that models read of each before it is
    looked at again.

    Cost: at most ``max_steps`` steps of the search, and those along each completion.
    """
    searched = _search(_guide(cursor), count, floor, max_steps)
    known = cursor.lines_ahead()[:KNOWN_LINES]
    completed = {} if _is_judged_by_models(cursor) else searched.whole
    rests = dict.fromkeys(rest for rest in (*known, *searched.whole) if rest not in completed)
    judged = [Judgement(rest, cursor, ends=True) for rest in rests]
    judge([(b"", one) for one in judged], cursor, floor, ahead)
    completed.update((one.rest, one.p) for one in judged if one.p >= floor)
    return sorted(completed.items(), key=itemgetter(1), reverse=True)[:count]


def ways_on(cursor: Cursor, floor: float) -> list["Judgement"]:
    """Ways to go on that may be worth showing, not yet judged: lines of the past, what the search
    finds of whole lines and of beginnings, and where models are mixed in the way that the mix finds
    likeliest byte by byte.

    Cost: at most ``MAX_STEPS`` steps of the rules and ``LIKELIEST_BYTES`` of the models, less what
    was asked before.
    """
    is_judged_here = not _is_judged_by_models(cursor)
    searched = _search(_guide(cursor), SHOWN_FROM, floor, MAX_STEPS, is_for_worth=is_judged_here)
    rests = [*cursor.lines_ahead()[:KNOWN_LINES], *searched.whole, *searched.begun]
    if not is_judged_here:
        rests.append(_likeliest_way(cursor, floor))
    whole = filter(None, map(whole_characters, rests))
    return [Judgement(rest, cursor) for rest in dict.fromkeys(whole)]


def worth_keys(keys_saved: int, p: float) -> float:
    """Keys that a completion of this probability is expected to save, less the price of a glance at
    a wrong one.
    """
    return p * keys_saved - PRICE_KEYS * (1.0 - p)


def whole_characters(text: bytes) -> bytes:
    """A text without the beginning of a character that has not ended (UTF-8)."""
    for back, byte in enumerate(reversed(text[-4:]), start=1):
        if byte >= _FIRST_OF_MANY:
            size = next(size for first, size in _WIDE if byte >= first)
            return text if back >= size else text[:-back]
        if byte < 0x80:
            break
    return text


@dataclass(slots=True)
class Judgement:
    """How far the probability of a way to go on is known, and up to where it is worth most."""

    rest: bytes
    at: Cursor
    ends: bool = False
    """Whether the line has to end behind it."""
    index: int = 0
    p: float = 1.0
    best: tuple[float, int, float] = (0.0, 0, 1.0)
    """What showing its first bytes is worth, how many they are, and their probability."""

    def goes_on(self, floor: float) -> bool:
        """Multiply what is computed; whether there is more to compute."""
        while self.p >= floor and self.index < len(self.rest) + self.ends:
            if isinstance(self.at, MixCursor) and not self.at.is_read:
                return True
            self._take(floor)
            self.index += 1
        return False

    def _take(self, floor: float) -> None:
        index, rest = self.index, self.rest
        if index == len(rest):
            self.p *= float(self.at.p[END])
            return
        self.p *= float(self.at.p[rest[index]])
        if self.p < floor:
            return
        self.at = self.at.step(rest[index])
        is_inside = index + 1 < len(rest) and 0x80 <= rest[index + 1] < _FIRST_OF_MANY
        keys = worth_keys(index, self.p)
        if index and keys > self.best[0] and not is_inside:
            self.best = (keys, index + 1, self.p)


def judge(
    pending: Iterable[tuple[bytes, Judgement]], start: Cursor, floor: float, ahead: int
) -> None:
    """Compute the probability of each of these ways to go on, or that it is below ``floor``.

    Models read ``ahead`` bytes of all that are still likely enough in one pass, then twice as many:
    most fall within the first ones.

    Args:
        pending: Each behind what stands between it and ``start``.
        start: Where the models read from.
        floor: What is less likely is left.
        ahead: Bytes of the first pass.
    """
    pending = list(pending)
    if pending and isinstance(start, MixCursor) and not start.is_read:
        start.read_on([b""])
    while pending := [pair for pair in pending if pair[1].goes_on(floor)]:
        if isinstance(start, MixCursor):
            start.read_on([before + one.rest[: one.index + ahead] for before, one in pending])
        ahead *= 2


_Open = tuple[float, bytes, bool, Cursor]
"""The probability (less than 0: a heap has the least first), what is written, whether the line ends
there, and the cursor before its last byte.
"""


class _SearchResult(NamedTuple):
    """Whole lines and their probabilities, and beginnings of lines that are worth most."""

    whole: dict[bytes, float]
    begun: Sequence[bytes]


def _search(
    cursor: Cursor, count: int, floor: float, max_steps: int, *, is_for_worth: bool = False
) -> _SearchResult:
    """Best first: probabilities only fall along a line, so the first whole line that comes up is
    the likeliest of all.

    ``is_for_worth``: only the beginning that is worth most is wanted; the search ends where the
    steps that are left lead to none that is worth as much as the third one.
    """
    whole: dict[bytes, float] = {}
    begun: list[tuple[float, bytes]] = []
    bound = _WorthBound() if is_for_worth else None
    heap: list[_Open] = [(-1.0, b"", False, cursor)]
    steps = 0
    while heap and len(whole) < count and steps < max_steps:
        if bound is not None and bound.is_out_of_reach(heap, max_steps - steps):
            break
        p, text, is_whole, before = heappop(heap)
        if is_whole:
            whole[text] = -p
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
                begun.append((worth_keys(len(text), -p * share), text + BYTES[symbol]))
                if bound is not None:
                    bound.add(begun[-1][0], symbol)
    return _SearchResult(whole, [text for keys, text in nlargest(SHOWN_FROM, begun) if keys > 0.0])


class _WorthBound:
    """What a search can still find: every step makes a line one byte longer, none more likely."""

    __slots__ = ("_best", "_is_ascii")

    def __init__(self) -> None:
        self._best = [0.0] * SHOWN_FROM
        self._is_ascii = True

    def add(self, keys: float, symbol: int) -> None:
        """A beginning that ends with this byte was found, and what it is worth."""
        if keys > self._best[0]:
            heapreplace(self._best, keys)
        # A beginning that ends within a character is shown without that: its worth is no bound.
        self._is_ascii = self._is_ascii and symbol < 0x80

    def is_out_of_reach(self, heap: Sequence[_Open], steps: int) -> bool:
        """Whether ``steps`` more from any of these lead to none that is worth as much as the best
        ones that were found.
        """
        return self._is_ascii and all(
            is_whole or worth_keys(len(text) + steps - 1, -p) < self._best[0]
            for p, text, is_whole, _ in heap
        )


def _likeliest_way(cursor: Cursor, floor: float) -> bytes:
    """Where the likeliest byte leads, and the likeliest behind it."""
    text, p, least = b"", 1.0, max(floor, LEAST_LIKELY_WAY)
    for _ in range(LIKELIEST_BYTES):
        byte = int(cursor.p[:END].argmax())
        p *= float(cursor.p[byte])
        if p < least:
            break
        text += BYTES[byte]
        cursor = cursor.step(byte)
    return text


def _guide(cursor: Cursor) -> Cursor:
    """Where to look for ways to go on."""
    guide = cursor.guide if isinstance(cursor, MixCursor) else None
    return cursor if guide is None else guide


def _is_judged_by_models(cursor: Cursor) -> bool:
    return isinstance(cursor, MixCursor) and cursor.guide is not None
