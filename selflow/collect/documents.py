"""The source ``documents``: the text of documents below the owner's folders, as ``document.text``
events.
"""

import json
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from selflow.collect.confined.document_file import kind_of
from selflow.collect.confined.exchange import Answer, Request
from selflow.collect.confined.runner import read_confined
from selflow.collect.files import FileFilter, real_path
from selflow.collect.polled import PolledSource, problem_of
from selflow.collect.rooted import DocumentsAt
from selflow.collect.sources import Emit, Source
from selflow.core.clock import Clock
from selflow.core.errors import StoreError
from selflow.core.events import DOCUMENT_TEXT, Event, Json
from selflow.core.paths import private_folder, write_private

_MAX_READ_FILES = 20
"""In one look, so that the source can be stopped, and the machine is left to its owner."""
_PART_CHARACTERS = 3_000
"""Of one event: four bytes each at most."""


def from_settings(section: DocumentsAt, clock: Clock, home: str) -> Source:
    """The source that ``type: documents`` asks for."""
    return PolledSource("documents", DocumentReader(section, home), section, clock)


class DocumentReader:
    """Reads each version of a document once.

    Which versions were read lies in a file of hashes, so that a restart reads none again; the batch
    of a version has the same number for good.

    Args:
        section: Folders, kinds and limits.
        home: The owner's home folder.
        parse: Reads one file; None: in a child process with limits.
    """

    def __init__(
        self,
        section: DocumentsAt,
        home: str,
        parse: Callable[[Path, Request], Answer] | None = None,
    ) -> None:
        self._parse = parse or read_confined
        self._section = section
        self._home = home
        self._file = Path(section.positions) / "documents.json"
        self._known: dict[str, int] | None = None
        self._refused: dict[int, str] = {}

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:
        """Events that were stored, and problems by name; a document's harms no other."""
        if is_last:
            return
        known = self._load()
        left = _MAX_READ_FILES
        for path in self._documents():
            try:
                status = path.stat()
                number = _version(path, status.st_mtime_ns, status.st_size)
                if number in self._refused:
                    yield self._refused[number]
                    continue
                if not left or known.get(_key(path)) == number:
                    continue
                left -= 1
                outcome = self._store(path, number, min(status.st_mtime_ns // 1_000, now_us), emit)
            except OSError as error:
                yield f"{path}: {os.strerror(error.errno or 0)}; make it readable"
                continue
            yield outcome
        if left < _MAX_READ_FILES:
            private_folder(self._file.parent)
            write_private(self._file, json.dumps(known))

    def _store(self, path: Path, number: int, ts_us: int, emit: Emit) -> int | str:
        try:
            answer = self._parse(path, Request(kind_of(path.name), self._section.max_characters))
        except StoreError as error:
            self._refused[number] = problem_of(error)
            return problem_of(error)
        events = _events(path, answer, ts_us, number)
        if events and not emit(events, number):
            return 0
        self._load()[_key(path)] = number
        return len(events)

    def _load(self) -> dict[str, int]:
        if self._known is None:
            try:
                self._known = dict(json.loads(self._file.read_bytes()))
            except (FileNotFoundError, ValueError):
                self._known = {}  # every version is offered again, under the number that it had
        return self._known

    def _documents(self) -> Iterator[Path]:
        for text in self._section.paths:
            root = real_path(text, self._home)
            filtering = FileFilter(root, self._section.include, self._section.exclude, self._home)
            for folder, below, names in os.walk(root):
                below[:] = sorted(
                    name for name in below if not filtering.skips_folder(f"{folder}/{name}")
                )
                for name in sorted(names):
                    path = Path(folder, name)
                    if kind_of(name) and filtering.counts(str(path)) and not path.is_symlink():
                        yield path


def _events(path: Path, answer: Answer, ts_us: int, number: int) -> list[Event]:
    parts = range(0, len(answer.text), _PART_CHARACTERS)
    events = []
    for index, begin in enumerate(parts):
        data: dict[str, Json] = {
            "text": answer.text[begin : begin + _PART_CHARACTERS],
            "part": index,
            "characters": answer.characters,
            "step": f"{number:016x}",
        }
        if answer.title:
            data["title"] = answer.title
        name = os.fsencode(path).decode("utf-8", "replace")
        events.append(Event(ts_us, "documents", DOCUMENT_TEXT, name, data=data))
    return events


def _version(path: Path, mtime_ns: int, size_bytes: int) -> int:
    seed = b"%s\0%d\0%d" % (os.fsencode(path), mtime_ns, size_bytes)
    return int.from_bytes(sha256(seed).digest()[:8], "big")


def _key(path: Path) -> str:
    return sha256(os.fsencode(path)).hexdigest()[:24]
