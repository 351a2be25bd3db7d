"""The folder that hooks append to, and how files leave it: whole, once, and in spite of kill -9.

A shell opens its file by name for content record, appends and closes. The collector renames a file
before it reads it, so that the shell's next record goes to a new one. What was renamed does not
change any more once nobody has it open; then its name and a place in it identify a record for good,
and the event log stores content batch once, however often it is sent.
"""

import errno
import fcntl
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from selflow.collect.companion.records import Parsed, parse
from selflow.core import processes

MAX_FILE_BYTES = 8_000_000
"""What is read of one file: hooks begin a new one at 256 KiB."""
_BATCH_RECORDS = 100
_BATCH_BYTES = 64_000
_COUNTS = "counts"


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that no shell writes to any more."""

    path: Path
    parsed: Parsed

    def batches(self) -> Iterator[tuple[int, list[tuple[bytes, ...]]]]:
        """Its records in batches, content with the number that is its own for good."""
        batch: list[tuple[bytes, ...]] = []
        size_bytes = number = 0
        for record in self.parsed.records:
            batch.append(record)
            size_bytes += sum(map(len, record))
            if len(batch) == _BATCH_RECORDS or size_bytes >= _BATCH_BYTES:
                yield self._batch_id(number), batch
                batch, size_bytes, number = [], 0, number + 1
        if batch:
            yield self._batch_id(number), batch

    def _batch_id(self, number: int) -> int:
        named = f"{self.path.name}:{number}".encode()
        return int.from_bytes(blake2b(named, digest_size=8).digest())


class ShellSpool:
    """``<root>/spool/shell``. For one thread; shells and ``selflow shell`` look at the same folder.

    Args:
        folder: Need not exist: then nothing is recorded and nothing waits.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self) -> Iterator[TakenFile]:
        """What can be read for good, oldest first; the caller calls ``remove`` once it is stored.

        A file that ends in half a record waits for the other half while its shell lives.

        Raises:
            OSError: The folder or a file cannot be read.
        """
        for path in sorted(self._folder.glob("*.log")):
            self._retire(path)
        for path in sorted(self._folder.glob(".scratch-*")):
            if not _is_alive(path):
                path.unlink(missing_ok=True)
        for path in sorted(self._folder.glob("*.taken")):
            if not _is_open(path):
                yield TakenFile(path, parse(_read(path)))

    def remove(self, taken: TakenFile) -> None:
        """Delete what is stored for good."""
        taken.path.unlink(missing_ok=True)

    def drop(self, is_meant: Callable[[tuple[bytes, ...]], bool]) -> int:
        """Take records out of files that no shell writes to any more, and return how many. Only
        while no collector runs: what is left gets another name, and so other batch numbers.
        """
        count = 0
        for taken in self.take():
            records = taken.parsed.records
            retained = [record for record in records if not is_meant(record)]
            if len(retained) == len(records):
                continue
            count += len(records) - len(retained)
            if retained:
                name = taken.path.name.partition(".")[0]
                content = b"".join(b"\0".join(record) + b"\0" for record in retained)
                after = taken.path.with_name(f"{name}.{secrets.token_hex(8)}.taken")
                after.write_bytes(content)
                after.chmod(0o600)
            self.remove(taken)
        return count

    def count(self, what: str, number: int) -> None:
        """Remember how much was left out, for ``selflow shell status``."""
        if number and self._folder.is_dir():
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._folder / _COUNTS, flags, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{what} {number}\n")

    def counts(self) -> Mapping[str, int]:
        """What was left out since the owner allowed the companion: ``files`` that hooks removed,
        oldest first, because too many waited; ``damaged`` places; commands that were ``long``.
        """
        counts = Counter[str]()
        path = self._folder / _COUNTS
        for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
            what, _, number = line.partition(" ")
            if number.isascii() and number.isdigit():
                counts[what] += int(number)
        return counts

    def waiting(self) -> tuple[int, int]:
        """Commands that wait for the collector, and their bytes."""
        paths = [*self._folder.glob("*.log"), *self._folder.glob("*.taken")]
        contents = [_read(path) for path in paths]
        return sum(len(parse(content).records) for content in contents), sum(map(len, contents))

    def _retire(self, path: Path) -> None:
        """Rename a file with records; delete an empty one of a shell that is gone."""
        content = _read(path)
        is_alive = _is_alive(path)
        if content and (parse(content).is_whole or not is_alive):
            path.rename(path.with_suffix(f".{secrets.token_hex(8)}.taken"))
        elif not content and not is_alive:
            path.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:  # a hook removed it, or the owner revoked the consent
        return b""


def _is_alive(path: Path) -> bool:
    """Whether the shell in a name such as ``1767225600000000-bash-4711.log`` still runs; a process
    that took its number later does not count.
    """
    pid = path.name.partition(".log")[0].rpartition("-")[2]
    if not (pid.isascii() and pid.isdigit()):
        return False
    return processes.began_before(int(pid), path.stat().st_mtime_ns // 1_000)


def _is_open(path: Path) -> bool:
    """Whether anybody has the file open. Nobody can open it any more: its name is ours alone.

    The kernel grants a write lease only on a file that nobody else has open (fcntl(2)). Where there
    are no leases, what was opened before the renaming is taken to be written by now.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
