"""``selflow shell``: the hooks of the shell companion (docs/shell.md)."""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from selflow.collect.companion.hooks import SHELLS, Change, Hook
from selflow.collect.companion.spool import ShellSpool
from selflow.core.invocation import Invocation, size
from selflow.store.reading import CatalogReader

SOURCE = "shell_companion"
_ANSWER_S = 0.2
_LEFT_OUT = {
    "files": "files of commands dropped, oldest first, because too many waited",
    "damaged": "damaged records left out",
    "long": "commands left out: longer than 4,096 characters, or dated in the future",
}
Shell = Literal["bash", "zsh", "fish"]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Install the shell companion: finished commands, and suggestions while you type.",
)


@app.command()
def install(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Add the hook to a shell; shells that start afterwards have it.

    Commands are written down only with the consent of ``selflow init --grant
    shell_companion``; suggestions need none.
    """
    call: Invocation = ctx.obj
    changes = list(_hook(call, shell).install(is_dry=dry_run))
    allowed = _is_allowed(call)
    _show(call, [shell], changes, is_dry=dry_run, is_allowed=allowed)
    if not allowed:
        call.note(f"no command is written down before: selflow init --grant {SOURCE}")


@app.command()
def uninstall(
    ctx: typer.Context,
    shell: Annotated[Shell | None, typer.Argument(help="bash, zsh or fish; default all.")] = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Remove the hook, and restore the shell's start-up file byte for byte.

    Shells that still run stop writing at once. What has been stored stays.
    """
    call: Invocation = ctx.obj
    shells = [shell] if shell else list(SHELLS)
    changes = [change for name in shells for change in _hook(call, name).uninstall(is_dry=dry_run)]
    allowed = _is_allowed(call)
    _show(call, shells, changes, is_dry=dry_run, is_allowed=allowed)
    if allowed:
        call.note(f"the consent stays; to revoke it too: selflow init --revoke {SOURCE}")


@app.command()
def status(ctx: typer.Context) -> None:
    """Show which shells have the hook, what waits, and whether suggestions are answered."""
    call: Invocation = ctx.obj
    spool = ShellSpool(call.root.shell_spool)
    commands, size_bytes = spool.waiting()
    document: dict[str, Any] = {
        "allowed": _is_allowed(call),
        "shells": [_state(_hook(call, shell)) for shell in SHELLS],
        "waiting": {"commands": commands, "size_bytes": size_bytes},
        "left_out": {what: spool.counts().get(what, 0) for what in _LEFT_OUT},
        "suggestions": _answers(call.root.socket("suggest.sock")),
    }
    call.show(document, _lines(document))


def _hook(call: Invocation, shell: str) -> Hook:
    return Hook(shell, call.root, Path.home(), call.environ)


def _is_allowed(call: Invocation) -> bool:
    consents = CatalogReader(call.catalog_location()).consents()
    return any(consent.source == SOURCE and consent.revoked_at_us is None for consent in consents)


def _state(hook: Hook) -> dict[str, Any]:
    is_installed = hook.is_installed
    return {
        "shell": hook.shell,
        "installed": is_installed,
        "current": is_installed and hook.is_current,
        "script": str(hook.script),
        "rc_file": str(hook.rc_file),
    }


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_ANSWER_S)
        return asking.connect_ex(str(path)) == 0


def _show(
    call: Invocation,
    shells: Sequence[str],
    changes: Sequence[Change],
    *,
    is_dry: bool,
    is_allowed: bool,
) -> None:
    document = {
        "shells": list(shells),
        "changes": [
            {"path": str(change.path), "action": change.action, "text": change.text}
            for change in changes
        ],
        "allowed": is_allowed,
        "dry_run": is_dry,
    }
    call.show(document, _change_lines(changes, is_dry=is_dry))


def _change_lines(changes: Sequence[Change], *, is_dry: bool) -> Iterator[str]:
    if not changes:
        yield "nothing to change"
    for change in changes:
        yield f"{'would ' if is_dry else ''}{change.action} {change.path}"
        if change.text:
            yield f"  {change.text}"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for item in document["shells"]:
        state = "installed" if item["installed"] else "not installed"
        is_old = item["installed"] and not item["current"]
        again = f", of another version: selflow shell install {item['shell']}" if is_old else ""
        yield f"{item['shell']}: {state} ({item['rc_file']}){again}"
    refused = f"not allowed: selflow init --grant {SOURCE}"
    yield f"commands: {'written down' if document['allowed'] else refused}"
    commands, size_bytes = document["waiting"].values()
    yield f"waiting for the collector: {commands:,} commands, {size(size_bytes)}"
    yield f"suggestions: {'answered' if document['suggestions'] else 'nobody answers'}"
    for what, number in document["left_out"].items():
        if number:
            yield f"{number:,} {_LEFT_OUT[what]}"
