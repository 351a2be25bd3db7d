"""Follows one history file by its content: shells append to it, cut it at the front, rewrite it
whole, and replace it by another file.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from hashlib import blake2b
from pathlib import Path

from selflow.collect.importers.shell import (
    Command,
    Shell,
    is_time_line,
    parse_history,
    shell_of,
)
from selflow.collect.progress import Progress

RETAINED_COMMANDS = 10_000
"""The newest commands whose digests are kept to align a rewritten file: shells that rewrite keep
500 to a few thousand.
"""
_DIFF_COMMANDS = 2_000
"""A diff costs the square of this in the worst case, so only the newest are compared that way."""
_TAIL_BYTES = 4_096
_HEAD_BYTES = 256
_UNREAD = (0, 0, 0)


def added(
    before: Sequence[bytes], after: Sequence[bytes], limit: int = RETAINED_COMMANDS
) -> list[int]:
    """Which entries of ``after`` were not in ``before``, by position.

    A file that grew begins with ``before``, or holds it after what was forgotten; one that was cut
    at its front and then grew begins with the end of ``before``. Both are found exactly. Otherwise
    (another shell wrote over it, duplicates were erased) the entries that a diff inserts are new.

    Args:
        before: Digests of the commands at the last look, oldest first; at most ``limit``.
        after: Digests of the commands now.
        limit: How many are retained: with so many, older ones may have been forgotten.

    Cost: linear for the first two (Knuth, Morris, Pratt 1977); the diff looks at the newest 2,000.
    """
    end = _end_of(before, after)
    if end is not None and (end == len(before) or len(before) >= limit):
        return list(range(end, len(after)))
    overlap = _overlap(before, after)
    if overlap == len(after) or overlap >= max(1, len(after) // 2):
        return list(range(overlap, len(after)))
    first = max(0, len(after) - _DIFF_COMMANDS)
    known = _aligned(before[-_DIFF_COMMANDS:], after[first:])
    return [first + position for position in range(len(after) - first) if position not in known]


def _aligned(before: Sequence[bytes], after: Sequence[bytes]) -> set[int]:
    """The positions in ``after`` of the runs of entries that a diff finds in ``before`` too.

    A run counts only if one of its entries stands once in each: commands that people repeat align
    by chance where everything else is new.
    """
    counts = Counter(before), Counter(after)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return {
        position
        for run in matcher.get_matching_blocks()
        if any(
            counts[0][entry] == counts[1][entry] == 1 for entry in after[run.b : run.b + run.size]
        )
        for position in range(run.b, run.b + run.size)
    }


def _end_of(part: Sequence[bytes], whole: Sequence[bytes]) -> int | None:
    """Where ``part`` ends in ``whole`` for the first time; None if it is not in it."""
    if not part:
        return 0
    for end, length in enumerate(_matched(part, whole), start=1):
        if length == len(part):
            return end
    return None


def _overlap(before: Sequence[bytes], after: Sequence[bytes]) -> int:
    """The length of the longest end of ``before`` with which ``after`` begins."""
    length = 0
    for matched in _matched(after, before[-len(after) :]) if after else ():
        length = matched
    return length


def _matched(pattern: Sequence[bytes], entries: Sequence[bytes]) -> Iterator[int]:
    """After each entry, how much of the beginning of ``pattern`` the entries end with."""
    borders = [0] * (len(pattern) + 1)
    length = 0
    for position in range(1, len(pattern)):
        while length and pattern[position] != pattern[length]:
            length = borders[length]
        length += pattern[position] == pattern[length]
        borders[position + 1] = length
    length = 0
    for entry in entries:
        while length and (length == len(pattern) or entry != pattern[length]):
            length = borders[length]
        length += entry == pattern[length]
        yield length


@dataclass(slots=True)
class HistoryFile:
    """Where reading of one file stopped, and what it held then. For one thread.

    A file that is not there yet is read from its beginning once it is. Kept are 8-byte digests of
    the newest commands, never their texts.
    """

    path: Path
    _offset_bytes: int = 0
    _tail: bytes = b""
    _seen: tuple[int, int, int] = _UNREAD
    _digests: list[bytes] = field(default_factory=list)
    _is_cut: bool = False

    def skip_present(self) -> None:
        """Take what the file holds now as known: the importer's part. Missing files hold nothing.

        Raises:
            OSError: The file cannot be read; all of it will be new once it can.
        """
        if self.path.exists():
            self.new_commands()

    def new_commands(self) -> tuple[Shell, list[Command]]:
        """What was written since the last call, oldest first; half a line waits for its rest.

        Raises:
            OSError: The file cannot be read. After FileNotFoundError a new file of that name is
                read from its beginning.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_size, status.st_mtime_ns)
                shell = shell_of(file.read(_HEAD_BYTES))
                if seen == self._seen and not self._is_cut:
                    return shell, []
                is_still = seen == self._seen
                self._seen = seen
                if not self._is_cut and self._is_continued(file.fileno()):
                    return shell, self._appended(file.fileno(), status.st_size, shell)
                file.seek(0)
                content = file.read(status.st_size)
                return shell, self._aligned(content, shell, is_still=is_still)
        except FileNotFoundError:
            self._offset_bytes, self._tail, self._seen = 0, b"", _UNREAD
            self._digests, self._is_cut = [], False
            raise

    def _is_continued(self, descriptor: int) -> bool:
        """Whether the bytes before the place where reading stopped are still the same."""
        start = max(0, self._offset_bytes - _TAIL_BYTES)
        there = os.pread(descriptor, self._offset_bytes - start, start)
        return _digest(there) == self._tail if self._offset_bytes else not self._digests

    def _appended(self, descriptor: int, size_bytes: int, shell: Shell) -> list[Command]:
        """What comes later than the size that was seen waits for the next look: which shell writes
        was told before it.
        """
        commands = self._take(
            os.pread(descriptor, size_bytes - self._offset_bytes, self._offset_bytes), shell
        )
        start = max(0, self._offset_bytes - _TAIL_BYTES)
        self._tail = _digest(os.pread(descriptor, self._offset_bytes - start, start))
        self._retain([*self._digests, *map(_identity, commands)])
        return commands

    def _aligned(self, content: bytes, shell: Shell, *, is_still: bool) -> list[Command]:
        """The new commands of a rewritten file.

        A file that became shorter and holds nothing new may be in the middle of being rewritten: it
        counts as the whole file only if the next look finds it unchanged.
        """
        before = self._offset_bytes
        self._offset_bytes = 0
        commands = self._take(content, shell)
        digests = [_identity(command) for command in commands]
        new = added(self._digests, digests)
        if not new and len(digests) < len(self._digests) and not is_still:
            self._offset_bytes, self._is_cut = before, True
            return []
        self._is_cut = False
        self._tail = _digest(content[max(0, self._offset_bytes - _TAIL_BYTES) : self._offset_bytes])
        self._retain(digests)
        return [commands[position] for position in new]

    def _take(self, content: bytes, shell: Shell) -> list[Command]:
        """The commands of the whole lines; a time line at the end waits for its command."""
        whole = content[: content.rfind(b"\n") + 1]
        last = whole[whole.rfind(b"\n", 0, -1) + 1 :]
        if shell == "bash" and is_time_line(last):
            whole = whole[: len(whole) - len(last)]
        self._offset_bytes += len(whole)
        return list(parse_history(whole.splitlines(keepends=True), shell, Progress()))

    def _retain(self, digests: list[bytes]) -> None:
        self._digests = digests[-RETAINED_COMMANDS:]


def _identity(command: Command) -> bytes:
    return _digest(f"{command.ts_us} {command.text}".encode())


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=8).digest()
