"""``selflow git``: a hook that suggests a commit's message in the editor, as a comment.

The hook asks over the owner's socket with curl, so that a commit starts no Python; without curl,
socket or suggestion it changes nothing. It never fails a commit.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from selflow.core.errors import RefusedError, UsageError
from selflow.core.events import MAX_COMMIT_PATHS
from selflow.core.invocation import Invocation

HOOK, BEFORE = "prepare-commit-msg", "prepare-commit-msg.before-selflow"
MARK = "# Made by selflow git install"
_SCRIPT = f"""#!/bin/sh
{MARK}; `selflow git uninstall` removes it and puts back what was here before.
before="$(dirname "$0")/{BEFORE}"
if [ -x "$before" ]; then "$before" "$@" || exit $?; fi
[ -S @SOCKET@ ] && command -v curl >/dev/null 2>&1 || exit 0
# Comments are the lines of git's own form; where it has none, ours would be part of the message
[ "$(git config core.commentChar || echo '#')" = '#' ] || exit 0
[ -z "$(git config core.commentString)" ] && grep -q '^#' "$1" || exit 0
# Nothing where there is a message already (-m, a merge, --amend)
[ -z "$(sed -e '/^#/d' -e '/^[[:space:]]*$/d' "$1" | head -n 1)" ] || exit 0
answer="$({{ printf 'commit\\037'
  git -c core.quotePath=false diff --cached --name-only --no-renames 2>/dev/null |
    head -n {MAX_COMMIT_PATHS} | head -c 4000
  printf '\\037'
}} | curl -s --fail --max-time 0.5 --unix-socket @SOCKET@ -H 'Accept: text/plain' \\
  -H 'Content-Type: text/plain' --data-binary @- http://selflow/v1/suggest 2>/dev/null)"
text="$(printf '%s' "$answer" | cut -f 2-)"
[ -n "$text" ] || exit 0
temporary="$1.selflow"
{{ printf '\\n# suggestion: %s\\n' "$text" && cat "$1"; }} >"$temporary" 2>/dev/null &&
  cat "$temporary" >"$1"
rm -f "$temporary"
exit 0
"""

app = typer.Typer(
    help="Suggest commit messages in a repository, by a hook.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Repository = Annotated[Path, typer.Argument(metavar="[REPO]", help="The repository.")]


@app.command()
def install(ctx: typer.Context, repo: Repository = Path()) -> None:
    """Add the hook prepare-commit-msg to a repository.

    Where a commit without a message opens an editor, a comment shows what SelFlow suggests, if it
    suggests anything. A hook that is there already runs first.
    """
    call: Invocation = ctx.obj
    hook = _hooks_folder(repo) / HOOK
    before = hook.with_name(BEFORE)
    if hook.exists() and not _is_ours(hook):
        if before.exists():
            raise UsageError(f"{before} exists already", "move it away, then install again")
        hook.rename(before)
    script = _SCRIPT.replace("@SOCKET@", shlex.quote(str(call.root.socket("suggest.sock"))))
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(script, encoding="utf-8")
    hook.chmod(0o755)
    call.show({"hook": str(hook), "runs_before": _named(before)}, [f"installed {hook}"])


@app.command()
def uninstall(ctx: typer.Context, repo: Repository = Path()) -> None:
    """Remove the hook, and put back the one that was there before."""
    call: Invocation = ctx.obj
    hook = _hooks_folder(repo) / HOOK
    before = hook.with_name(BEFORE)
    if not hook.exists() or not _is_ours(hook):
        raise UsageError(f"{hook} is not a hook of SelFlow", "selflow git install adds one")
    hook.unlink()
    if before.exists():
        before.rename(hook)
    call.show({"hook": str(hook), "restored": _named(hook)}, [f"removed {hook}"])


def _named(path: Path) -> str | None:
    return str(path) if path.exists() else None


def _is_ours(hook: Path) -> bool:
    return MARK in hook.read_text(encoding="utf-8", errors="replace")


def _hooks_folder(repo: Path) -> Path:
    """Where the repository's own hooks lie.

    Raises:
        UsageError: There is no git, or no repository.
        RefusedError: Its hooks are shared with other repositories.
    """
    git = shutil.which("git")
    if git is None:
        raise UsageError("git is not installed", "install git")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    asked_for = ("rev-parse", "--path-format=absolute", "--git-common-dir", "--git-path", "hooks")
    result = subprocess.run(  # noqa: S603  (fixed arguments; the folder is the working directory)
        [git, *asked_for], cwd=repo, env=environ, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise UsageError(f"{repo} is not a git repository", "give the folder of a repository")
    common, hooks = (Path(line) for line in result.stdout.splitlines())
    if not hooks.resolve().is_relative_to(common.resolve()):
        raise RefusedError(
            f"core.hooksPath leads to {hooks}, beyond this repository",
            "unset it, or add the hook there by hand",
        )
    return hooks
