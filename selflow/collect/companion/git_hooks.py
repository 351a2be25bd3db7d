"""Puts our hooks into a repository and takes them out: ``prepare-commit-msg`` suggests a message,
``post-commit`` writes down the finished commit.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from selflow.core.errors import RefusedError, UsageError
from selflow.core.events import MAX_COMMIT_PATHS
from selflow.core.paths import Root

SUGGEST, RECORD = "prepare-commit-msg", "post-commit"
SUFFIX = ".before-selflow"
"""What a hook of the owner's is called while ours is in its place."""
NOTE = "selflow-suggestion"
"""In the repository's git folder, from the editor to the finished commit."""
MAX_WAITING_FILES = 256
"""Commits that wait for the collector; beyond them the oldest go, and are counted. With paths of at
most 256 KiB each that is at most 70 MB.
"""
_SHARED_FOLDER = (
    '"$(git rev-parse --path-format=absolute --git-common-dir | sed -n "s|/\\.git\\$||p")"'
)
"""Of the repository that commits: hooks of a folder elsewhere may run for more than one."""
_MARK = "# Made by selflow git install"
_SPOOL = re.compile(r"^spool=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GitHooks:
    """The hooks of one repository."""

    folder: Path
    """Its working tree."""
    git_folder: Path
    """What all its worktrees share."""
    hooks: Path
    """Where git looks for hooks."""

    @classmethod
    def of(cls, repository: Path, *, is_elsewhere_meant: bool = False) -> "GitHooks":
        """Those of the repository that a folder lies in.

        Args:
            repository: The folder.
            is_elsewhere_meant: Whether its hooks may lie where core.hooksPath leads; where ours
                lie already, they may.

        Raises:
            UsageError: There is no git, or no repository with a working tree.
            RefusedError: Its hooks lie elsewhere, where other repositories may have theirs.
        """
        git = shutil.which("git")
        if git is None:
            raise UsageError("git is not installed", "install git")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        asked_for = ("--path-format=absolute", "--show-toplevel", "--git-common-dir")
        result = subprocess.run(  # noqa: S603  (fixed arguments; the folder is the working directory)
            [git, "rev-parse", *asked_for, "--git-path", "hooks"],
            cwd=repository,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise UsageError(
                f"{repository} is not a git repository with a working tree",
                "give the folder of a repository",
            )
        folder, git_folder, hooks = (Path(line) for line in result.stdout.splitlines())
        # From a linked worktree too it is the main one that names the repository
        named = git_folder.parent if git_folder.name == ".git" else folder
        own = cls(named, git_folder, hooks)
        if own.is_elsewhere and not is_elsewhere_meant and not _is_ours(hooks / SUGGEST):
            raise RefusedError(
                f"core.hooksPath leads to {hooks}, beyond this repository's own hooks",
                "to install there, for every repository that it serves: "
                "selflow git install --hooks-path",
            )
        return own

    @property
    def is_elsewhere(self) -> bool:
        """Whether core.hooksPath leads away from the repository's own hooks."""
        return self.hooks.resolve() != (self.git_folder / "hooks").resolve()

    @property
    def is_recorded(self) -> bool:
        """Whether the finished commits are written down."""
        return _is_ours(self._hook(RECORD))

    def install(self, root: Root, *, is_recorded: bool) -> Iterator[Path]:
        """Write the hooks; yields each. One that was there is kept, and runs before ours.

        Raises:
            UsageError: Another hook has been kept already.
        """
        names = (SUGGEST, RECORD) if is_recorded else (SUGGEST,)
        retained = [self._hook(name + SUFFIX) for name in names if self._is_foreign(name)]
        for before in retained:
            if before.exists():
                raise UsageError(f"{before} exists already", "move it away, then install again")
        for name in names:
            hook = self._hook(name)
            if self._is_foreign(name):
                hook.rename(self._hook(name + SUFFIX))
            hook.parent.mkdir(parents=True, exist_ok=True)
            hook.write_text(self._script(name, root, is_recorded=is_recorded), encoding="utf-8")
            hook.chmod(0o755)
            yield hook

    def uninstall(self) -> Iterator[Path]:
        """Remove our hooks, and put back those that were there; yields each.

        Raises:
            UsageError: None is ours.
        """
        ours = [name for name in (SUGGEST, RECORD) if _is_ours(self._hook(name))]
        if not ours:
            hook = self._hook(SUGGEST)
            raise UsageError(f"{hook} is not a hook of SelFlow", "selflow git install adds one")
        for name in ours:
            hook, before = self._hook(name), self._hook(name + SUFFIX)
            hook.unlink()
            if before.exists():
                before.rename(hook)
            yield hook
        for note in (self.git_folder / NOTE, *self.git_folder.glob(f"worktrees/*/{NOTE}")):
            note.unlink(missing_ok=True)

    def runs_before(self, name: str) -> Path | None:
        """The hook that runs before ours."""
        before = self._hook(name + SUFFIX)
        return before if before.exists() else None

    def _hook(self, name: str) -> Path:
        return self.hooks / name

    def _is_foreign(self, name: str) -> bool:
        hook = self._hook(name)
        return hook.exists() and not _is_ours(hook)

    def _script(self, name: str, root: Root, *, is_recorded: bool) -> str:
        script = files("selflow.collect.companion").joinpath(f"{name}.sh")
        text = script.read_text(encoding="utf-8")
        filled = {
            "SOCKET": shlex.quote(str(root.socket("suggest.sock"))),
            "SPOOL": shlex.quote(str(root.commit_spool)),
            "FOLDER": _SHARED_FOLDER if self.is_elsewhere else shlex.quote(str(self.folder)),
            "MAX_FILES": str(MAX_WAITING_FILES),
            "MAX_PATHS": str(MAX_COMMIT_PATHS),
            "IS_RECORDED": "true" if is_recorded else "false",
        }
        for slot, value in filled.items():
            text = text.replace(f"@{slot}@", value)
        return text


def recorded_since_us(hooks: Path) -> int | None:
    """Since when the commits of the repositories with this folder of hooks are written down; None
    if they are not: no hook, or no consent.
    """
    hook = hooks / RECORD
    if not _is_ours(hook):
        return None
    spool = _SPOOL.search(hook.read_text(encoding="utf-8", errors="replace"))
    if spool is None or not Path(*shlex.split(spool[1])).is_dir():
        return None
    return hook.stat().st_mtime_ns // 1_000


def _is_ours(hook: Path) -> bool:
    return hook.exists() and _MARK in hook.read_text(encoding="utf-8", errors="replace")
