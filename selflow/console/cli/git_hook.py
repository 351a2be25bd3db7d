"""``selflow git``: hooks that suggest a commit's message in the editor, as a comment, and write
down finished commits.

The first asks over the owner's socket with curl, so that a commit starts no Python; without curl,
socket or suggestion it changes nothing. None of them ever fails a commit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Protocol

import typer

from selflow.collect.companion.git_hooks import RECORD, SUGGEST, GitHooks
from selflow.core.invocation import Invocation
from selflow.core.plugins import load_one

_COLLECTED = (
    "collected: the first line of a commit's message, its paths, its repository, what became of "
    "a suggestion; with secrets replaced before they are stored"
)
_NEVER = "never: what is in a file, the rest of a message, commits of other people"

app = typer.Typer(
    help="Suggest commit messages in a repository, and write down its commits, by hooks.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)


class _Consent(Protocol):
    """The owner's consent to the commits of repositories."""

    def allow(self, repository: Path) -> None: ...

    def refuse(self, repository: Path) -> None: ...


Repository = Annotated[Path, typer.Argument(metavar="[REPO]", help="The repository.")]


@app.command()
def install(
    ctx: typer.Context,
    repo: Repository = Path(),
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Allow its finished commits to be written down.")
    ] = False,
    hooks_path: Annotated[
        bool,
        typer.Option(
            "--hooks-path", help="Install where core.hooksPath leads; uninstall puts it back."
        ),
    ] = False,
) -> None:
    """Add hooks to a repository.

    Where a commit without a message opens an editor, a comment shows what SelFlow
    suggests, if it suggests anything (prepare-commit-msg). With --record, finished commits are
    written down too, which is your consent for this repository (post-commit, kind git_commits).
    Hooks that are there already run first. With --hooks-path they go where core.hooksPath leads,
    and run for every repository that does so; only commits of allowed ones are stored.
    """
    call: Invocation = ctx.obj
    hooks = GitHooks.of(repo, is_elsewhere_meant=hooks_path)
    is_recorded = record or hooks.is_recorded
    written = [*hooks.install(call.root, is_recorded=is_recorded)]
    if record:
        _consent(call).allow(hooks.folder)
    document = {
        "hooks": [str(hook) for hook in written],
        "runs_before": [
            str(before) for name in (SUGGEST, RECORD) if (before := hooks.runs_before(name))
        ],
        "recorded": is_recorded,
    }
    notice = (_COLLECTED, _NEVER) if record else ()
    call.show(document, [*(f"installed {hook}" for hook in written), *notice])


@app.command()
def uninstall(ctx: typer.Context, repo: Repository = Path()) -> None:
    """Remove the hooks, and put back those that were there before.

    The consent to this repository's commits ends, and what waits of them is not stored. What has
    been stored stays.
    """
    call: Invocation = ctx.obj
    hooks = GitHooks.of(repo)
    removed = [*hooks.uninstall()]
    _consent(call).refuse(hooks.folder)
    restored = [str(hook) for hook in removed if hook.exists()]
    document = {"hooks": [str(hook) for hook in removed], "restored": restored}
    call.show(document, [f"removed {hook}" for hook in removed])


def _consent(call: Invocation) -> _Consent:
    consent: Callable[[Invocation], _Consent] = load_one(
        "selflow.consents", "commits", "consent to commits"
    )
    return consent(call)
