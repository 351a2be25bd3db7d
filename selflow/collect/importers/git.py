"""What was changed when, from the log of a local repository: times and paths, and of the owner's
own commits the first line of the message; no authors.

The repository is not trusted: nothing of it is ever on a command line, its configuration may start
no program and reach no network, and its paths are read between NUL bytes, so a path may hold
anything.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from selflow.collect.companion.git_hooks import recorded_since_us
from selflow.collect.progress import Progress
from selflow.core.errors import UsageError
from selflow.core.events import COMMIT_MESSAGE, MAX_COMMIT_PATHS, Event, Json

_KINDS = {b"A": "file.create", b"M": "file.modify", b"T": "file.modify", b"D": "file.delete"}
_COMMIT = re.compile(rb"\n?\x02([0-9a-f]{40}|[0-9a-f]{64}) (\d+) ([^\x03]*)\x03(.*)", re.DOTALL)
_CHUNK_BYTES = 65_536
_SHORT_HASH_CHARS = 10
_HARMLESS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never"),
    *(
        "-c",
        "log.showSignature=false",
        "-c",
        "log.mailmap=false",
        "--no-pager",
        "--no-replace-objects",
    ),
)
_LOG = (
    *(
        "log",
        "--reverse",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-notes",
        "-z",
    ),
    *(
        "--ignore-submodules=all",
        "--name-status",
        "--format=tformat:%x02%H %ct %ae%x03%s",
        "--diff-filter=AMDT",
        "HEAD",
        "--",
    ),
)


def import_git(folder: Path, progress: Progress) -> Iterator[Event]:
    """One event per path that a commit changed, oldest commit first; a commit is one step.

    The subject is the whole path, so that it meets the events of the file source; ``data["step"]``
    is the commit's short hash. Merges show no paths. ``progress`` counts commits. A commit whose
    author has the address that git is configured with here (``user.email``) is followed by one
    event with the first line of its message and its first paths, from the repository's root; the
    address itself is not kept. Messages that the hook of ``selflow git install --record`` writes
    down are left to it.

    Args:
        folder: The repository, or a folder in it.
        progress: Filled while reading.

    Raises:
        UsageError: If git is missing, or the folder is not a repository with commits (also later,
            while reading).
    """
    git = shutil.which("git")
    if git is None:
        raise UsageError("git is not installed", "install git to import from repositories")
    if not folder.is_dir():
        raise UsageError(f"folder not found: {folder}", "give the folder of a repository")
    root = (
        _ask(git, folder, "rev-parse", "--show-toplevel")
        .decode("utf-8", "replace")
        .removesuffix("\n")
    )
    progress.total = int(_ask(git, folder, "rev-list", "--count", "--no-merges", "HEAD", "--"))
    owner = _address(git, folder)
    shared = _ask(git, folder, "rev-parse", "--path-format=absolute", "--git-common-dir")
    since_us = recorded_since_us(Path(os.fsdecode(shared.removesuffix(b"\n"))) / "hooks")
    return _events(git, folder, _Reader(root, owner, since_us, progress))


def _environment() -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **variables,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
    }


def _ask(git: str, folder: Path, *question: str) -> bytes:
    done = subprocess.run(  # noqa: S603  (fixed arguments; the folder is the working directory)
        [git, *_HARMLESS, *question],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise _refused(folder, done.stderr)
    return done.stdout


def _address(git: str, folder: Path) -> bytes:
    """Whose commits are the owner's; empty if git does not know."""
    done = subprocess.run(  # noqa: S603  (as above)
        [git, *_HARMLESS, "config", "--get", "user.email"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        check=False,
    )
    return done.stdout.strip().lower()


def _refused(folder: Path, said: bytes) -> UsageError:
    if b"dubious ownership" in said:
        return UsageError(
            f"{folder} belongs to another user", "git config --global --add safe.directory FOLDER"
        )
    if b"not a git repository" in said:
        return UsageError(f"{folder} is not a git repository", "give the folder of a repository")
    return UsageError(
        f"git cannot read the commits of {folder}", "run `git log` there to see the reason"
    )


def _events(git: str, folder: Path, reader: "_Reader") -> Iterator[Event]:
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603  (as above)
            [git, *_HARMLESS, *_LOG],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        try:
            if process.stdout is not None:
                yield from reader.read(_fields(process.stdout))
            if process.wait():
                said.seek(0)
                raise _refused(folder, said.read())
        finally:
            process.kill()  # a reader that stops early leaves no git behind


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands between NUL bytes."""
    rest = b""
    while chunk := stream.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest


class _Reader:
    """Fields of git's log as events."""

    def __init__(
        self, root: str, owner: bytes, recorded_since_us: int | None, progress: Progress
    ) -> None:
        self._root, self._owner, self._progress = root, owner, progress
        self._recorded_since_us = recorded_since_us
        self._step, self._ts_us, self._message = "", 0, ""
        self._paths: list[Json] = []

    def read(self, fields: Iterator[bytes]) -> Iterator[Event]:
        """A field is a commit, or a status that a path follows; so a path is never taken for
        anything else.
        """
        for field in fields:
            commit = _COMMIT.fullmatch(field)
            if commit is not None:
                yield from self._written()
                self._begin(commit)
                continue
            kind = _KINDS.get(field.strip(b"\n")[:1])
            path = next(fields, None)
            self._progress.rows += 1
            if kind is None or path is None or not self._step:
                self._progress.skip(self._progress.rows)
                continue
            name = path.decode("utf-8", "replace")
            self._paths.append(name)
            subject = f"{self._root}/{name}"
            yield Event(self._ts_us, "git", kind, subject, "git", data={"step": self._step})
        yield from self._written()

    def _begin(self, commit: re.Match[bytes]) -> None:
        self._step = commit[1].decode()[:_SHORT_HASH_CHARS]
        self._ts_us = int(commit[2]) * 1_000_000
        is_own = bool(self._owner) and commit[3].strip().lower() == self._owner
        since_us = self._recorded_since_us
        is_wanted = is_own and (since_us is None or self._ts_us < since_us)
        self._message = commit[4].decode("utf-8", "replace").strip() if is_wanted else ""
        self._paths = []
        self._progress.done += 1

    def _written(self) -> Iterator[Event]:
        """The message of the commit that has just ended; git writes those of merges."""
        if self._message and self._paths:
            paths = self._paths[:MAX_COMMIT_PATHS]
            data: dict[str, Json] = {"step": self._step, "folder": self._root, "paths": paths}
            yield Event(self._ts_us, "git", COMMIT_MESSAGE, self._message, "git", data=data)
        self._message = ""
