"""The byte model as a text expert: what it reads before a line, and cursors that share its work."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from selflow.text.byte_context import ContextWindow, folder_tokens, line_tokens, plain_folder
from selflow.text.byte_model import HIDDEN, ByteModel, KeyValues, Visible, log_softmax
from selflow.text.lines import END, MAX_LINE_BYTES, Distribution, Floats, Packed

_ROOM = 64
"""Slots of a line's tree at first."""
Slots = NDArray[np.intp]


class _Prefix:
    """Chunks of tokens that were read, one pass each; they are reused as long as nothing before
    them changed, and computed in the same passes again where they are not: the same bits.
    """

    def __init__(self, model: ByteModel) -> None:
        self._model = model
        self._chunks: list[list[int]] = []
        self._ends: list[int] = [0]
        self._log_p: list[Floats] = []
        self.cache = KeyValues(model.shape)

    def read(self, chunks: Sequence[list[int]]) -> Floats:
        """Make these the chunks; (tokens of the last, 257) log probabilities behind each of its
        tokens.
        """
        same = 0
        while same < min(len(chunks), len(self._chunks)) and chunks[same] == self._chunks[same]:
            same += 1
        del self._chunks[same:], self._log_p[same:], self._ends[same + 1 :]
        self.cache.length = self._ends[-1]
        for chunk in chunks[same:]:
            self._append(chunk)
        return self._log_p[-1]

    def _append(self, chunk: list[int]) -> None:
        n, before = len(chunk), self.cache.length
        slots = self.cache.take(n)
        mask = np.zeros((n, before + n), np.float32)
        mask[:, before:][~np.tri(n, dtype=bool)] = HIDDEN
        visible = Visible(slice(0, before + n), mask)
        logits = self._model.forward(chunk, slots, self.cache, slots, visible)
        self._chunks.append(chunk)
        self._ends.append(before + n)
        self._log_p.append(log_softmax(logits))


class ByteExpert:
    """A byte model behind the lines of the past: it learns what it reads next, no weights."""

    def __init__(self, model: ByteModel) -> None:
        self._model = model
        self._window = ContextWindow()
        self._prefix = _Prefix(model)
        self._started: tuple[bytes, ByteCursor] | None = None
        self._read: tuple[bytes, bytes, Floats] | None = None

    def start(self, context: bytes = b"") -> "ByteCursor":
        if self._started is None or self._started[0] != context:
            log_p = self._prefix.read(self._chunks(context))[-1]
            tree = _Tree(self._model, self._prefix.cache)
            self._started = (context, ByteCursor(tree, None, END, log_p))
        return self._started[1]

    def read(self, line: bytes, context: bytes = b"") -> Floats:
        """(bytes + 1, 257) log probabilities before each byte and before the end, of a whole line
        at once: a pass that does not depend on what was asked before.
        """
        if self._read is None or self._read[:2] != (line, context):
            start = self._chunks(context)
            first = self._prefix.read(start)[-1:]
            rest = self._prefix.read([*start, line_tokens(line)])
            self._read = (line, context, np.concatenate([first, rest[:-1]]))
        return self._read[2]

    def read_ahead(self, line: bytes, context: bytes = b"") -> None:
        """Let the cursors along a line have what ``read`` computes."""
        log_p = self.read(line, context)
        before = self._prefix.cache.length - len(line) - 1
        tree = _Tree(self._model, self._prefix.cache, before)
        cursor = root = ByteCursor(tree, None, END, log_p[0])
        for index, byte in enumerate(line):
            slots = np.arange(before, before + index + 1)
            cursor = cursor.follow(byte, slots, log_p[index + 1])
        self._started = (context, root)

    def forget_questions(self) -> None:
        """Forget the cursors that were handed out, and what they computed."""
        self._started = None

    def use(self, model: ByteModel) -> None:
        """Compute with another model of the same shape from now on."""
        self._model, self._prefix = model, _Prefix(model)
        self._started = self._read = None

    def learn(self, line: bytes, context: bytes = b"") -> None:
        for _ in self.learn_in_pieces(line, context):
            pass

    def learn_in_pieces(self, line: bytes, context: bytes, weight: float = 1.0) -> Iterator[None]:
        """The same with a pause wherever it yields; ``weight``: how much the line counts for what
        learns weights.
        """
        del weight  # it reads the line next time, no more
        if len(line) <= MAX_LINE_BYTES:
            self._window.learn(line, context)
            self._started = self._read = None
        yield from ()

    def state(self) -> Packed:
        return self._window.state()

    def load_state(self, state: Packed) -> None:
        self._window.load_state(state)
        self._started = self._read = None

    def _chunks(self, context: bytes) -> list[list[int]]:
        """What stands before a line: a chunk for each folder that is new and each line."""
        chunks, last = [], None
        for folder, line in self._window.entries:
            if folder != last:
                chunks.append(folder_tokens(folder))
            chunks.append(line_tokens(line))
            last = folder
        folder = plain_folder(context)
        return chunks if folder == last else [*chunks, folder_tokens(folder)]


class _Tree:
    """Keys and values of one line's cursors behind a prefix."""

    def __init__(self, model: ByteModel, prefix: KeyValues, before: int | None = None) -> None:
        self._model = model
        self._cache = prefix.copy(prefix.length, _ROOM)
        self._before = prefix.length if before is None else before

    def evaluate(self, ends: "Sequence[ByteCursor]") -> None:
        """Log probabilities of these cursors and of those that lead to them, in one pass."""
        pending = list(dict.fromkeys(cursor for end in ends for cursor in end.unread()))
        if not pending:
            return
        slots = self._cache.take(len(pending))
        for unread, slot in zip(pending, slots, strict=True):
            unread.enter(slot)
        paths = [unread.slots for unread in pending]
        positions = np.array([self._before + len(path) - 1 for path in paths])
        visible = (_path if len(ends) == 1 else _branches)(self._before, paths)
        tokens = [unread.token for unread in pending]
        logits = self._model.forward(tokens, positions, self._cache, slots, visible)
        for unread, log_p in zip(pending, log_softmax(logits), strict=True):
            unread.fill(log_p)


def _path(before: int, paths: Sequence[Slots]) -> Visible:
    """What each position of a path reads: the prefix, and the path up to itself.

    Args:
        before: Slots of the prefix.
        paths: Slots from the line's first byte to each position, each one longer than the last.
    """
    path = paths[-1]
    is_one_piece = path[-1] - before + 1 == len(path)
    columns = slice(0, int(path[-1]) + 1) if is_one_piece else _columns(before, path)
    n = len(paths)
    if n == 1:
        return Visible(columns, None)
    mask = np.zeros((n, before + len(path)), np.float32)
    mask[:, -n:][~np.tri(n, dtype=bool)] = HIDDEN
    return Visible(columns, mask)


def _branches(before: int, paths: Sequence[Slots]) -> Visible:
    """The same for positions on several paths: each reads its own."""
    columns = _columns(before, np.unique(np.concatenate(paths)))
    mask = np.full((len(paths), len(columns)), HIDDEN, np.float32)
    mask[:, :before] = 0.0
    for row, path in enumerate(paths):
        mask[row, np.searchsorted(columns, path)] = 0.0
    return Visible(columns, mask)


def _columns(before: int, path: Slots) -> Slots:
    return np.concatenate([np.arange(before), path])


class ByteCursor:
    """A place in a line; computed when it is first asked."""

    __slots__ = ("_log_p", "_next", "_tree", "parent", "slots", "token")

    def __init__(
        self, tree: _Tree, parent: "ByteCursor | None", token: int, log_p: Floats | None = None
    ) -> None:
        self._tree, self.parent, self.token = tree, parent, token
        self._log_p = log_p
        self._next: dict[int, ByteCursor] = {}
        self.slots: Slots = np.empty(0, np.intp)
        """Where the keys of the bytes up to here are; set when it is computed."""

    @property
    def log_p(self) -> Floats:
        """(257,) before the next byte."""
        if self._log_p is None:
            self._tree.evaluate([self])
        return cast("Floats", self._log_p)

    @property
    def is_read(self) -> bool:
        """Whether it was computed already."""
        return self._log_p is not None

    @property
    def p(self) -> Floats:
        return self.distribution.p

    @property
    def distribution(self) -> Distribution:
        return Distribution(np.asarray(np.exp(self.log_p)))

    def read_on(self, texts: Sequence[bytes]) -> None:
        """Compute the cursors along all these ways to go on in one pass."""
        ends = []
        for text in texts:
            cursor = self
            for byte in text:
                cursor = cursor.step(byte)
            ends.append(cursor)
        self._tree.evaluate([end for end in ends if not end.is_read])

    def step(self, byte: int) -> "ByteCursor":
        cursor = self._next.get(byte)
        if cursor is None:
            cursor = self._next[byte] = ByteCursor(self._tree, self, byte)
        return cursor

    def lines_ahead(self) -> Sequence[bytes]:
        """None: it remembers no lines."""
        return ()

    def follow(self, byte: int, slots: Slots, log_p: Floats) -> "ByteCursor":
        """The next cursor, which was computed elsewhere."""
        cursor = self.step(byte)
        cursor.slots = slots
        cursor.fill(log_p)
        return cursor

    def unread(self) -> list["ByteCursor"]:
        """This cursor and those before it that nobody computed, the first one first."""
        cursors = [self]
        while (before := cursors[-1].parent) is not None and not before.is_read:
            cursors.append(before)
        return cursors[::-1]

    def enter(self, slot: int) -> None:
        """Take a slot, behind those of the cursor before."""
        before = self.parent.slots if self.parent is not None else self.slots
        self.slots = np.append(before, slot)

    def fill(self, log_p: Floats) -> None:
        """What was computed."""
        self._log_p = log_p
