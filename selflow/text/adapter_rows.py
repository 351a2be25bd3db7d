"""What an adapter of the byte model learns from: rows of the newest lines and of the past."""

from collections.abc import Callable, Sequence

import numpy as np

from selflow.core.ports import TokenRow
from selflow.text.byte_context import (
    MAX_CONTEXT_LINE_BYTES,
    WINDOW_TOKENS,
    Entry,
    counted,
    plain_folder,
    session_segments,
)
from selflow.text.lines import MAX_LINE_BYTES, Packed

EVERY_LINES = 4
"""Lines between two times that it learns, where no search says otherwise."""
MAX_ROW_TOKENS = WINDOW_TOKENS
"""Of a row: what a line sees before it when it is predicted. The newest ones are kept."""
_NEW_ENTRIES, _OLD_ENTRIES, _OLD_ROWS, _PAST = 8, 6, 2, 2_000
Disturb = Callable[[bytes], bytes]


def as_it_came(line: bytes) -> bytes:
    """What an owner's adapter learns from."""
    return line


def in_random_order(line: bytes) -> bytes:
    """The same bytes in another order, the same for the same line: what an adapter learns from
    that serves as a control.
    """
    order = np.random.default_rng(list(line)).permutation(len(line))
    return bytes(line[index] for index in order)


class AdapterRows:
    """The past of one owner, handed out in rows. A pure function of the lines before."""

    def __init__(
        self, every_lines: int = EVERY_LINES, disturb: Disturb = as_it_came, seed: int = 1
    ) -> None:
        """``disturb``: what the adapter learns in the place of a line."""
        self._every_lines, self._disturb, self._seed = every_lines, disturb, seed
        self._past: list[tuple[Entry, float]] = []
        self._lines = 0

    def add(self, line: bytes, context: bytes, weight: float = 1.0) -> list[TokenRow]:
        """Take a line, and return what to learn now: nothing between two times.

        Args:
            line: What was written.
            context: What surrounds it, such as a folder.
            weight: How much the line counts; 1 where nobody said anything of it.
        """
        if len(line) > MAX_LINE_BYTES:
            return []
        learned = self._disturb(line[: 2 * MAX_CONTEXT_LINE_BYTES])
        self._past.append(((plain_folder(context), learned), weight))
        del self._past[:-_PAST]
        self._lines += 1
        return [] if self._lines % self._every_lines else self._rows()

    def state(self) -> Packed:
        """All lines that it may hand out again."""
        past = [[*entry, weight] for entry, weight in self._past]
        return [past, self._lines, self._every_lines]

    def load_state(self, state: Packed) -> None:
        """Go on from what ``state`` gave."""
        past, self._lines, self._every_lines = state
        self._past = [((folder, line), weight) for folder, line, weight in past]

    def _rows(self) -> list[TokenRow]:
        """The newest lines behind those before them, and a few pieces of the past at random."""
        rng = np.random.default_rng([self._seed, self._lines])
        firsts = rng.integers(0, max(1, len(self._past) - _OLD_ENTRIES), _OLD_ROWS).tolist()
        pieces = [self._past[first : first + _OLD_ENTRIES] for first in firsts]
        newest = self._past[-max(_NEW_ENTRIES, self._every_lines) :]
        return [_row(newest, self._every_lines), *(_row(piece, len(piece)) for piece in pieces)]


def _row(lines: Sequence[tuple[Entry, float]], counting: int) -> TokenRow:
    """Tokens of these lines, of which the last ``counting`` count, by their weights.

    At most ``MAX_ROW_TOKENS``: the cost of a row grows faster than its length, and what stands
    before a folder of 40 bytes and a line of 128 was the larger part of it.
    """
    segments = session_segments([entry for entry, _ in lines])
    counts = [
        weight * count if index >= len(segments) - counting else 0.0
        for index, (segment, (_, weight)) in enumerate(zip(segments, lines, strict=True))
        for count in counted(segment)
    ]
    tokens = [token for segment in segments for token in segment]
    return tokens[-MAX_ROW_TOKENS:], counts[-MAX_ROW_TOKENS:]
