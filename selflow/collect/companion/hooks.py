"""Puts the hooks into shells and takes them out: a script below the state root, and one guarded
block in a file that the shell reads when it starts.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from selflow.collect.companion import rc_block
from selflow.core.errors import ConfigError
from selflow.core.paths import Root, private_folder, write_private

SHELLS = ("bash", "zsh", "fish")
BUDGET_S = 0.05
"""How long a hook waits for a suggestion."""
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """One file that an installation writes or removes."""

    path: Path
    action: str
    """``write``, ``change``, ``remove``."""
    text: str = ""
    """What is added to a file that is the owner's."""


@dataclass(frozen=True, slots=True)
class Hook:
    """The companion of one shell.

    Args:
        shell: bash, zsh or fish.
        root: The state root.
        home: The owner's home folder.
        environ: ``ZDOTDIR`` and ``XDG_CONFIG_HOME`` say where zsh and fish look.
    """

    shell: str
    root: Root
    home: Path
    environ: Mapping[str, str]

    @property
    def script(self) -> Path:
        """What the shell reads."""
        return _script(self.root.shell_hooks, self.shell)

    @property
    def rc_file(self) -> Path:
        """The owner's file that the shell reads first."""
        if self.shell == "bash":
            return self.home / ".bashrc"
        if self.shell == "zsh":
            return Path(self.environ.get("ZDOTDIR") or self.home) / ".zshrc"
        config = Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")
        return config / "fish" / "conf.d" / "selflow.fish"

    @property
    def is_installed(self) -> bool:
        """Whether script and block are both there."""
        return self.script.exists() and rc_block.has_block(_content(self.rc_file))

    @property
    def is_current(self) -> bool:
        """Whether the script is that of this program."""
        return _content(self.script) == self._text().encode()

    def install(self, *, is_dry: bool) -> Iterator[Change]:
        """Write what is missing or old; a second call changes nothing.

        Raises:
            ConfigError: A file or folder cannot be written.
        """
        if not self.is_current:
            yield Change(self.script, "write")
            if not is_dry:
                _write_script(self.script, self._text())
        before = _content(self.rc_file)
        after = rc_block.with_block(before, self._line(), _missing_folders(self.rc_file))
        if after != before:
            yield Change(self.rc_file, "change" if before is not None else "write", self._line())
            if not is_dry:
                _rewrite(self.rc_file, after)

    def uninstall(self, *, is_dry: bool) -> Iterator[Change]:
        """Remove script and block: byte for byte what was there before, and no file or folder that
        an installation made.

        Raises:
            ConfigError: A file cannot be written.
        """
        before = _content(self.rc_file)
        after, folders = rc_block.without_block(before)
        if after != before:
            yield Change(self.rc_file, "remove" if after is None else "change")
            if not is_dry:
                _rewrite(self.rc_file, after)
                _remove_folders(self.rc_file, folders if after is None else 0)
        if self.script.exists():
            yield Change(self.script, "remove")
            if not is_dry:
                self.script.unlink()
                if not any(self.script.parent.iterdir()):
                    self.script.parent.rmdir()

    def _text(self) -> str:
        name = f"selflow.{self.shell}"
        text = files("selflow.collect.companion").joinpath(name).read_text(encoding="utf-8")
        filled = {
            "SCRIPT": self._quoted(self.script),
            "SPOOL": self._quoted(self.root.shell_spool),
            "SOCKET": self._quoted(self.root.socket("suggest.sock")),
            "BUDGET_S": str(BUDGET_S),
        }
        for slot, value in filled.items():
            text = text.replace(f"@{slot}@", value)
        return text

    def _line(self) -> str:
        path = self._quoted(self.script)
        if self.shell == "fish":
            return f"test -r {path}; and source {path}"
        return f"if [ -r {path} ]; then . {path}; fi"

    def _quoted(self, path: Path) -> str:
        """As one word of the shell."""
        text = str(path)
        if self.shell == "fish":
            escaped = text.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        return shlex.quote(text)


def recording_since_us(hooks: Path, spool: Path, shell: str) -> int | None:
    """Since when the companion records a shell; None if it does not: no hook, or no consent.

    Down to the whole second: so exact are the times in histories.
    """
    try:
        installed_us = _script(hooks, shell).stat().st_mtime_ns // 1_000
    except FileNotFoundError:
        return None
    return installed_us - installed_us % _SECOND_US if spool.is_dir() else None


def _script(hooks: Path, shell: str) -> Path:
    return hooks / f"selflow.{shell}"


def _write_script(path: Path, text: str) -> None:
    """An older script's time stays: since then the shell is recorded (``recording_since_us``)."""
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns) if path.exists() else None
    for folder in reversed(path.parents[:3]):  # the root, its config, the hooks
        private_folder(folder)
    write_private(path, text)
    if times is not None:
        os.utime(path, ns=times)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error) from error


def _missing_folders(path: Path) -> int:
    return sum(not folder.exists() for folder in path.parents)


def _rewrite(path: Path, content: bytes | None) -> None:
    """Replace a file of the owner's at once, with its mode, through the link that it may be."""
    real = Path(os.path.realpath(path))
    try:
        if content is None:
            path.unlink()
            return
        real.parent.mkdir(parents=True, exist_ok=True)
        mode = real.stat().st_mode & 0o7777 if real.exists() else 0o644
        temporary = real.with_name(f".{real.name}.selflow")
        temporary.write_bytes(content)
        temporary.chmod(mode)
        temporary.replace(real)
    except OSError as error:
        raise _refused(path, error) from error


def _remove_folders(path: Path, folders: int) -> None:
    """Those that the installation made, as far as they are empty."""
    for folder in list(path.parents)[:folders]:
        if any(folder.iterdir()):
            return
        folder.rmdir()


def _refused(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot use {path}: {error.strerror}", "check its mode and its owner")
