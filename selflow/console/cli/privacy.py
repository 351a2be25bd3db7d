"""``selflow privacy``: rules of exclusion, tried before they are saved."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from selflow.console.event_listing import event_document
from selflow.console.rule_preview import RulePreview, preview_rules
from selflow.core.invocation import Invocation, printable

app = typer.Typer(
    help="Show, try and add rules for what is never stored.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Paths = Annotated[
    list[str] | None,
    typer.Option("--path", metavar="GLOB", help="A path, as in .gitignore; may be repeated."),
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", metavar="NAME", help="A program, * allowed; may be repeated."),
]


@app.command()
def rules(ctx: typer.Context) -> None:
    """List the rules of every layer of the settings."""
    call: Invocation = ctx.obj
    privacy = call.settings().settings.privacy
    paths, apps = list(privacy.exclude_paths), list(privacy.exclude_apps)
    lines = [*(f"path  {path}" for path in paths), *(f"app   {name}" for name in apps)]
    call.show({"paths": paths, "apps": apps}, map(printable, lines or ["no rule of exclusion"]))


@app.command()
def preview(ctx: typer.Context, path: Paths = None, app_name: Apps = None) -> None:
    """Show which of the newest 1,000 events rules would have hidden, and save nothing."""
    call: Invocation = ctx.obj
    shown = _preview(call, path or [], app_name or [])
    document = {
        "examined": shown.examined,
        "hidden": shown.hidden,
        "items": [event_document(stored) for stored in shown.items],
    }
    call.show(document, _lines(shown))


@app.command()
def exclude(
    ctx: typer.Context,
    path: Paths = None,
    app_name: Apps = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what they would have hidden, save nothing.")
    ] = False,
) -> None:
    """Add rules: what they mean is not stored from now on.

    What is stored already stays; selflow forget deletes it. A rule is removed only in the settings
    file that it was written to.
    """
    call: Invocation = ctx.obj
    paths, apps = path or [], app_name or []
    shown = _preview(call, paths, apps)
    if not dry_run:
        from selflow.core.privacy_rules import add_rules

        call.root.make()
        add_rules(call.root, paths, apps)
    document = {"examined": shown.examined, "hidden": shown.hidden, "dry_run": dry_run}
    call.show(document, _lines(shown))


def _preview(call: Invocation, paths: list[str], apps: list[str]) -> RulePreview:
    home = str(Path.home())
    if not (call.root.events / "data.mdb").exists():
        return preview_rules(None, paths, apps, home)
    from selflow.store.log import LogReader

    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        return preview_rules(reader, paths, apps, home)
    finally:
        reader.close()


def _lines(shown: RulePreview) -> Iterator[str]:
    yield f"hides {shown.hidden:,} of the last {shown.examined:,} events"
    for stored in shown.items:
        event = stored.event
        yield printable(f"  {event.source:<10}  {event.kind:<16}  {event.subject}")
