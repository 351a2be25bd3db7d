"""Where things lie on disk: one 0700 root for all that came from the owner
(docs/architecture.md#what-lies-on-disk).
"""

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from selflow.core.errors import ConfigError

RESERVED_ENVIRONMENT = frozenset(
    {"SELFLOW_HOME", "SELFLOW_TOKEN", "SELFLOW_TOKEN_FILE", "SELFLOW_URL", "SELFLOW_RAY_SESSION"}
)
"""Variables of ours that are not settings."""
_SOCKET_PATH_LIMIT_BYTES = 107
"""Linux keeps a Unix socket's path in 108 bytes with its zero."""
_MARKER = ".made-by-selflow"
"""In each folder whose content may be deleted: nothing is deleted from a folder without it."""


@dataclass(frozen=True, slots=True)
class Root:
    """The state root and the folders below it. Only names; ``make`` creates."""

    path: Path
    config_dir: Path

    @property
    def events(self) -> Path:
        """The LMDB event log."""
        return self.path / "events"

    @property
    def catalog(self) -> Path:
        """The SQLite catalog."""
        return self.path / "catalog.db"

    @property
    def catalog_url(self) -> Path:
        """Which catalog the running session uses (``catalog_location``)."""
        return self.run / "catalog_url"

    @property
    def derived(self) -> Path:
        """What was computed from log and catalog, such as the search index: it may be deleted."""
        return self.path / "derived"

    @property
    def artifacts(self) -> Path:
        """Immutable folders by content hash."""
        return self.path / "artifacts"

    @property
    def runtime_overrides(self) -> Path:
        """The machine-owned settings layer."""
        return self.path / "config" / "runtime.yaml"

    @property
    def trusted_projects(self) -> Path:
        """Hashes of the project settings files that the owner trusted."""
        return self.path / "config" / "trusted.json"

    @property
    def spool(self) -> Path:
        """Acknowledged events that wait for the buffer; never wiped."""
        return self.path / "spool"

    @property
    def shell_spool(self) -> Path:
        """Finished commands that shells wrote. It exists while the owner allows the shell
        companion: without it the hooks write nothing.
        """
        return self.spool / "shell"

    @property
    def commit_spool(self) -> Path:
        """Finished commits that git's hooks wrote. It exists while the owner allows those of at
        least one repository.
        """
        return self.spool / "git"

    @property
    def positions(self) -> Path:
        """How far each source has read what it follows: numbers and times, never content."""
        return self.spool / "positions"

    @property
    def source_copies(self) -> Path:
        """Copies of what a source reads, while it reads them."""
        return self.run / "copies"

    @property
    def shell_hooks(self) -> Path:
        """The hook scripts that shells read when they start."""
        return self.path / "config" / "shell"

    @property
    def aw(self) -> Path:
        """What ActivityWatch's watchers sent; never wiped. It exists once the port was open."""
        return self.path / "aw"

    @property
    def work(self) -> Path:
        """What a running cycle keeps over a restart; emptied when the cycle ends."""
        return self.path / "work"

    @property
    def run(self) -> Path:
        """Sockets, token, Ray's temp folder, pids; wiped at start."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        """Content-free logs."""
        return self.path / "log"

    @property
    def token(self) -> Path:
        """The owner's admin token (0600), recreated by each ``selflow up``."""
        return self.run / "token"

    @property
    def endpoints(self) -> Path:
        """Which address carries what (docs/http.md#listeners)."""
        return self.run / "endpoints.json"

    @property
    def ray_session(self) -> Path:
        """How Ray came to run (``session_files``)."""
        return self.run / "ray.json"

    @property
    def request(self) -> Path:
        """How the session was asked for (``session_files``)."""
        return self.run / "request.json"

    @property
    def keeper(self) -> Path:
        """Which process keeps the session (``session_files``)."""
        return self.run / "keeper.json"

    @property
    def console(self) -> Path:
        """Which process is the console (``session_files``)."""
        return self.run / "console.json"

    @property
    def aw_port(self) -> Path:
        """Whether ActivityWatch's clients are answered (``session_files``)."""
        return self.run / "aw.json"

    @property
    def user_settings(self) -> Path:
        """The owner's own settings file; never rewritten."""
        return self.config_dir / "config.yaml"

    @property
    def profiles(self) -> Path:
        """The owner's own profiles."""
        return self.config_dir / "profiles"

    def socket(self, name: str) -> Path:
        """A socket below ``run``, or below a short 0700 folder if the path would be too long for
        the system.
        """
        path = self.run / name
        return (
            path if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT_BYTES else self.short_run() / name
        )

    def short_run(self) -> Path:
        """A short folder for sockets when the root's path is long: under XDG_RUNTIME_DIR, else
        /tmp.
        """
        base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"  # noqa: S108  (made 0700 and owned by us, see make)
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:10]
        return Path(base) / f"selflow-{os.getuid()}-{digest}"

    def make(self) -> None:
        """Create every folder with mode 0700 and tighten those that are wider.

        Raises:
            ConfigError: A folder cannot be made, belongs to another user, or ``run`` holds files
            that are not ours.
        """
        for folder in (
            self.path,
            self.events,
            self.artifacts,
            self.path / "config",
            self.spool,
            self.work,
            self.log,
        ):
            private_folder(folder)
        disposable_folder(self.run)
        if self.socket("ingest.sock").parent != self.run:
            disposable_folder(self.short_run())


def private_folder(folder: Path) -> Path:
    """Make a folder with mode 0700, or tighten an existing one.

    Raises:
        ConfigError: It cannot be made, is not a folder, or belongs to another user.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        link, status = folder.lstat(), folder.stat()
    except OSError as error:
        raise ConfigError(
            f"cannot create the folder {folder}: {error.strerror}",
            "choose another root with --home or SELFLOW_HOME",
        ) from error
    # A link of another user may lead to any folder of the owner's; one of root's is the machine's
    if status.st_uid != os.getuid() or link.st_uid not in {os.getuid(), 0}:
        raise ConfigError(
            f"the folder {folder} belongs to another user", "choose another root with --home"
        )
    if status.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def disposable_folder(folder: Path) -> Path:
    """Make a private folder whose entries ``remove_entry`` may delete: a real one that we made.

    Raises:
        ConfigError: It is a symbolic link, belongs to another user, holds files that are not ours,
        or other users could replace it.
    """
    if folder.is_symlink():
        raise ConfigError(
            f"{folder} is a symbolic link", "remove it, or choose another root with --home"
        )
    private_folder(folder)
    above = folder.parent.stat()
    if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
        raise ConfigError(
            f"other users can replace {folder}: everybody may write in {folder.parent}",
            "choose another root with --home, or set XDG_RUNTIME_DIR to a private folder",
        )
    if not _is_disposable(folder):
        if any(folder.iterdir()):
            raise ConfigError(
                f"the folder {folder} holds files that SelFlow did not create",
                "move them away, or choose another root with --home",
            )
        write_private(folder / _MARKER, "")
    return folder


def entries(folder: Path) -> list[Path]:
    """What lies in a disposable folder; nothing if the folder is not one that we made."""
    if not _is_disposable(folder):
        return []
    return sorted(path for path in folder.iterdir() if path.name != _MARKER)


def remove_entry(folder: Path, name: str) -> None:
    """Delete one entry of a disposable folder; a link is removed and never followed.

    Does nothing if the folder is not one that we made.
    """
    path = folder / name
    if not _is_disposable(folder):
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_disposable(folder: Path) -> bool:
    try:
        status, marker = folder.lstat(), (folder / _MARKER).lstat()
    except OSError:
        return False
    is_ours = {status.st_uid, marker.st_uid} == {os.getuid()}
    return is_ours and stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a file's own fsync does not do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically with mode 0600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def settings_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are settings: ``SELFLOW_SECTION__KEY``."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if name.startswith("SELFLOW_") and name not in RESERVED_ENVIRONMENT
    }


def find_root(home: str | None, environ: Mapping[str, str]) -> Root:
    """The root that was asked for: ``--home``, then ``SELFLOW_HOME``, then the XDG folders."""
    requested = home or environ.get("SELFLOW_HOME")
    if requested:
        path = Path(requested).expanduser().absolute()
        return Root(path, path)
    dirs = platformdirs.PlatformDirs("selflow", appauthor=False)
    return Root(Path(dirs.user_data_dir), Path(dirs.user_config_dir))
