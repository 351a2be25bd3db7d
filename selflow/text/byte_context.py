"""What a byte model reads before a line: the folder, and the lines that came before it.

A session is a row of tokens: the 256 bytes, END after each folder and line, FOLDER before a folder.
A folder stands where it changes. It is free of host and owner: the home is ``~``, and of a path
the last bytes are read. After ``WINDOW_TOKENS`` the window begins anew with the newest lines, so
that what was computed for a window serves all lines that come in it.
"""

import re
from collections.abc import Iterable, Sequence

from selflow.text.lines import END, Packed

FOLDER = 257
VOCABULARY = 258
WINDOW_TOKENS = 224
RETAINED_TOKENS = 80
"""Of the old window, at most, when a new one begins."""
MAX_FOLDER_BYTES = 40
MAX_CONTEXT_LINE_BYTES = 64
"""What a later line sees of an earlier one, at most: its beginning."""
_HOME = re.compile(rb"^(?:/home/[^/]+|/root|/Users/[^/]+)(?=/|$)")

Entry = tuple[bytes, bytes]
"""(folder, line) as they are read."""


def plain_folder(context: bytes) -> bytes:
    """A folder without its owner's name, and its last bytes alone."""
    return _HOME.sub(b"~", context)[-MAX_FOLDER_BYTES:]


def folder_tokens(folder: bytes) -> list[int]:
    """What stands before a line where the folder changes."""
    return [FOLDER, *folder, END]


def line_tokens(line: bytes) -> list[int]:
    """A whole line."""
    return [*line, END]


def session_segments(entries: Iterable[Entry]) -> list[list[int]]:
    """The tokens of each entry, the folder first where it changed."""
    segments, last = [], None
    for folder, line in entries:
        before = folder_tokens(folder) if folder != last else []
        segments.append([*before, *line_tokens(line)])
        last = folder
    return segments


def counted(tokens: Sequence[int]) -> list[float]:
    """What counts when a model learns these tokens: lines and their ends, no folder."""
    counts, in_folder = [], False
    for token in tokens:
        in_folder = in_folder or token == FOLDER
        counts.append(0.0 if in_folder else 1.0)
        in_folder = in_folder and token != END
    return counts


class ContextWindow:
    """The entries that the next line can see."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    @property
    def entries(self) -> Sequence[Entry]:
        return self._entries

    def learn(self, line: bytes, context: bytes) -> None:
        """A line was finished."""
        self._entries.append((plain_folder(context), line[:MAX_CONTEXT_LINE_BYTES]))
        if _size(self._entries) > WINDOW_TOKENS:
            while len(self._entries) > 1 and _size(self._entries) > RETAINED_TOKENS:
                del self._entries[0]

    def state(self) -> Packed:
        return [list(entry) for entry in self._entries]

    def load_state(self, state: Packed) -> None:
        self._entries = [(folder, line) for folder, line in state]


def _size(entries: Sequence[Entry]) -> int:
    return sum(map(len, session_segments(entries)))
