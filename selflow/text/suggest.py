"""The completion that is shown for a half-typed line, and when to show none.

A completion is how the line probably goes on, to its end or as far as is worth showing, with its
probability given what was typed. It is shown where the keys that it is expected to save exceed the
price of a glance at a wrong one (decisions 0031 and 0048), and where its probability reaches a
threshold that is learned from the past: the lowest one at which, of the completions that would have
been shown, a share of at least ``min_precision`` was how the line then went on, by the lower end of
Wilson's interval (1927).
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from selflow.text.completions import (
    FIRST_READ_BYTES,
    FIRST_READ_TOGETHER_BYTES,
    MAX_TYPED_BYTES,
    SHOWN_FROM,
    Judgement,
    completions,
    judge,
    ways_on,
    worth_keys,
)
from selflow.text.lines import MAX_LINE_BYTES, Cursor, Packed
from selflow.text.mixer import MixCursor, Mixer
from selflow.text.precision_bound import MIN_PRECISION, PrecisionBound

KEYS_TOGETHER = 16
"""Keys of a known line for which models read together: a right completion ends the line early."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How a line goes on from what was typed: to its end, or a part of that."""

    text: bytes
    """What was typed, and what follows."""
    p: float
    """That the line goes on so, given what was typed."""
    keys_saved: float
    """Expected: the bytes that need not be typed, less the key that accepts."""


def first_guesses(start: Cursor, count: int, floor: float) -> list[bytes]:
    """Lines to offer before the first key: the likeliest that a search finds, then lines of the
    past by their own rules.
    """
    likeliest = completions(start, count=count, floor=floor, ahead=FIRST_READ_TOGETHER_BYTES)
    likely = [text for text, _ in likeliest]
    return list(dict.fromkeys([*likely, *start.lines_ahead()]))[:count]


class Suggester:
    """Completes lines by one expert and learns from every finished line when to be silent."""

    def __init__(self, expert: Mixer, *, min_precision: float = MIN_PRECISION) -> None:
        self._expert = expert
        self._bound = PrecisionBound(min_precision)

    def suggest(self, prefix: bytes, context: bytes = b"") -> Suggestion | None:
        """The completion to show, or None: nothing is likely enough, or nothing would be saved.
        Before the first key it is a whole line: nobody has begun one that it could go on.

        Cost: bench/text.py; after a call for a shorter prefix only what is new.
        """
        if len(prefix) > MAX_TYPED_BYTES:
            return None
        cursor = self._expert.start(context)
        for byte in prefix:
            cursor = cursor.step(byte)
        complete = best_completion if prefix else best_line
        best = complete(cursor, prefix, self._bound.floor)
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
    """Bytes not typed, less a key for each completion that was accepted."""
    accepted: int = 0
    """Completions that the line went on with; one behind another may be."""

    @property
    def was_right(self) -> bool:
        """Whether one of them was."""
        return self.accepted > 0


Following = Generator[None, None, Shown]
Complete = Callable[[bytes], Suggestion | None]
"""Asked for prefixes of one line, each longer than the one before."""


def best_completion(cursor: Cursor, prefix: bytes, floor: float) -> Suggestion | None:
    """The completion that is worth most to whoever types; None where none is worth its price."""
    judged = ways_on(cursor, floor)
    judge([(b"", one) for one in judged], cursor, floor, FIRST_READ_BYTES)
    return _worth_most(judged, prefix)


def best_line(cursor: Cursor, prefix: bytes, floor: float) -> Suggestion | None:
    """The same of whole lines alone."""
    whole = completions(cursor, count=SHOWN_FROM, floor=floor)
    keys = {rest: worth_keys(len(rest) - 1, p) for rest, p in whole if len(rest) > 1}
    best = max(keys, key=keys.__getitem__, default=b"")
    if keys.get(best, 0.0) <= 0.0:
        return None
    p = dict(whole)[best]
    return Suggestion(prefix + best, p, p * (len(best) - 1))


def _worth_most(judged: Sequence[Judgement], prefix: bytes) -> Suggestion | None:
    best = max(judged, key=lambda one: one.best[0], default=None)
    if best is None or best.best[0] <= 0.0:
        return None
    _, size, p = best.best
    return Suggestion(prefix + best.rest[:size], p, p * (size - 1))


def completer(start: Cursor, floor: float, line: bytes) -> Complete:
    """Completions by an expert while this line is typed, from its first key on.

    That the line is known changes none of them: models read for several keys in one pass.
    """
    cursor, at, ready = start, 0, dict[int, list[Judgement]]()

    def complete(prefix: bytes) -> Suggestion | None:
        nonlocal cursor, at
        for byte in prefix[at:-1]:
            cursor = cursor.step(byte)
        at = len(prefix)
        if isinstance(cursor, MixCursor) and cursor.guide is not None and at not in ready:
            keys = line[at - 1 : at - 1 + KEYS_TOGETHER]
            ready.update(enumerate(_judged_behind(cursor, keys, floor), start=at))
        cursor = cursor.step(prefix[-1])
        if at in ready:
            return _worth_most(ready[at], prefix)
        return best_completion(cursor, prefix, floor)

    return complete


def _judged_behind(start: MixCursor, keys: bytes, floor: float) -> list[list[Judgement]]:
    """The ways to go on behind each of these keys, which are typed one after the other: the models
    read all that is to be judged in the same passes.
    """
    cursor: Cursor = start
    judged: list[list[Judgement]] = []
    start.read_on([keys])
    for key in keys:
        cursor = cursor.step(key)
        judged.append(ways_on(cursor, floor))
    behind = [(keys[:typed], one) for typed, some in enumerate(judged, 1) for one in some]
    judge(behind, start, floor, FIRST_READ_TOGETHER_BYTES)
    return judged


def _may_be_completed(line: bytes, typed: int) -> bool:
    """Whether a completion of this line is worth a look, where so many bytes of it are there."""
    return typed < min(len(line) - 1, MAX_TYPED_BYTES + 1)


def follow(
    line: bytes,
    complete: Complete,
    bound: PrecisionBound | None = None,
    *,
    whole_lines: bool = False,
) -> Shown:
    """Type a line key by key, from the first key on, and accept every completion with which it goes
    on, as soon as that is shown.

    ``bound`` says which ones are shown (without it: all) and learns from those of this line.
    ``whole_lines``: none is accepted but the line itself, as by rules that show nothing else.
    """
    return _finished(follow_in_pieces(line, complete, bound, whole_lines=whole_lines))


def _finished(following: Following) -> Shown:
    while True:
        try:
            next(following)
        except StopIteration as end:
            shown: Shown = end.value
            return shown


def follow_in_pieces(
    line: bytes,
    complete: Complete,
    bound: PrecisionBound | None = None,
    *,
    whole_lines: bool = False,
) -> Following:
    """``follow`` with a pause behind each key."""
    typed, displays, accepted, saved, last = 1, 0, 0, 0, b""
    seen: dict[bytes, float] = {}
    while _may_be_completed(line, typed):
        best = complete(line[:typed])
        yield
        typed += 1
        if best is None:
            continue
        seen[best.text] = max(best.p, seen.get(best.text, 0.0))
        if bound is not None and best.p < bound.threshold:
            continue
        displays += best.text != last
        last = best.text
        is_right = best.text == line if whole_lines else line.startswith(best.text)
        if is_right and len(best.text) > typed:
            accepted, saved = accepted + 1, saved + len(best.text) - typed
            typed = len(best.text)
    if bound is not None:
        bound.learn([(p, line.startswith(text)) for text, p in seen.items()])
    return Shown(displays, saved, accepted)
