"""Immutable folders addressed by the hash of their content (``core.content_hash``)."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from selflow.core.content_hash import file_hashes, manifest_sha256
from selflow.core.errors import ArtifactError, StoreError, is_storage_full, storage_code
from selflow.core.paths import private_folder, sync_folder

_HASH = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = ".unfinished-"


class ArtifactStore:
    """Puts folders in whole or not at all, and hands them out only if they are what was put in."""

    def __init__(self, folder: Path) -> None:
        """Open ``<root>/artifacts`` and sweep what a crash left unfinished."""
        self._folder = private_folder(folder)
        with self._shared(fcntl.LOCK_EX | fcntl.LOCK_NB) as is_alone:
            # Another process may be in the middle of a put; then the next one to open sweeps.
            if is_alone:
                for left in folder.glob(f"{_UNFINISHED}*"):
                    _remove(left)

    def put(self, content: Mapping[str, bytes] | Path) -> str:
        """Store files by relative name, or a copy of a folder, and return the hash. Putting again
        changes nothing.

        Raises:
            ArtifactError: There is no file, a name would leave the folder, or the folder holds
            something else than
                files and folders.
            StoreError: The disk refused; nothing is left but an unfinished folder, swept at the
            next opening.

        Cost: two passes over the content, one fsync per file.
        """
        with self._shared(fcntl.LOCK_SH):
            try:
                unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._folder))
                try:
                    return self._finish(unfinished, _fill(unfinished, content))
                finally:
                    _remove(unfinished)
            except OSError as error:
                raise StoreError(
                    f"cannot write an artifact below {self._folder}: {error.strerror}; "
                    f"{shutil.disk_usage(self._folder).free:,} bytes are free on its disk",
                    "free some space and try again",
                    storage_code(is_full=is_storage_full(error)),
                ) from error

    def get(self, sha256: str) -> Path:
        """The folder of an artifact, after every file was read and compared. Nobody may write
        there.

        Raises:
            ArtifactError: It is not there, or its content is not what was put in.
        """
        path = self._folder / sha256
        if not _HASH.fullmatch(sha256) or not path.is_dir():
            raise ArtifactError(
                f"there is no artifact {sha256[:64]!r}",
                "`selflow status` names the one that serves",
            )
        try:
            actual = manifest_sha256(_manifest(path))
        except OSError as error:
            raise ArtifactError(
                f"artifact {sha256} cannot be read: {error.strerror}", "restore a backup"
            ) from error
        if actual != sha256:
            raise ArtifactError(
                f"artifact {sha256} was changed on disk: its content hashes to {actual}",
                "recreate it, or restore the folder from a backup",
            )
        return path

    def remove(self, sha256: str) -> bool:
        """Take an artifact away, whole or not at all; False if it is not there."""
        path = self._folder / sha256
        if not _HASH.fullmatch(sha256) or not path.is_dir():
            return False
        with self._shared(fcntl.LOCK_SH):
            gone = self._folder / f"{_UNFINISHED}{sha256}"
            path.chmod(0o700)  # a folder that may not be written cannot be renamed everywhere
            path.rename(gone)
            sync_folder(self._folder)
            _remove(gone)
        return True

    def hashes(self) -> frozenset[str]:
        """Of all artifacts that lie there."""
        return frozenset(path.name for path in self._folder.iterdir() if _HASH.fullmatch(path.name))

    def _finish(self, unfinished: Path, sha256: str) -> str:
        try:
            self.get(sha256)
        except ArtifactError:
            path = self._folder / sha256
            if path.exists():
                # Its content is not what its name says; ours is.
                path.rename(self._folder / f"{_UNFINISHED}{sha256}")
            _seal(unfinished)
            unfinished.rename(path)
            path.chmod(0o500)
            sync_folder(self._folder)
            _remove(self._folder / f"{_UNFINISHED}{sha256}")
        return sha256

    @contextlib.contextmanager
    def _shared(self, how: int) -> Iterator[bool]:
        """Hold the folder's lock; False if that would mean to wait."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


def _fill(folder: Path, content: Mapping[str, bytes] | Path) -> str:
    """Write the content below ``folder`` and return its hash."""
    if isinstance(content, Path):
        for name in _manifest(content):
            _make_parents(folder, name)
            shutil.copyfile(content / name, folder / name)
    else:
        for name, data in content.items():
            if (
                not name
                or not name.isprintable()
                or any(part in {"", ".", ".."} for part in name.split("/"))
            ):
                raise ArtifactError(
                    f"{name!r} is not a file name inside an artifact", "use names such as a/b.json"
                )
            _make_parents(folder, name)
            (folder / name).write_bytes(data)
    manifest = _manifest(folder)
    if not manifest:
        raise ArtifactError("an artifact holds at least one file")
    return manifest_sha256(manifest)


def _make_parents(folder: Path, name: str) -> None:
    for parent in reversed(PurePosixPath(name).parents[:-1]):
        (folder / parent).mkdir(mode=0o700, exist_ok=True)


def _manifest(folder: Path) -> dict[str, str]:
    """``file_hashes`` of a folder that holds nothing else than files and folders."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(
                f"{path.name!r} is neither a file nor a folder", "an artifact holds nothing else"
            )
    return file_hashes(folder)


def _seal(folder: Path) -> None:
    """Put every file and folder on the disk for good, read-only; the top folder stays writable for
    its renaming.
    """
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if path != folder:
            path.chmod(0o500 if path.is_dir() else 0o400)


def _remove(folder: Path) -> None:
    """Remove a folder of ours, also a sealed one."""
    if folder.exists():
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o700)
        shutil.rmtree(folder)
