"""``selflow privacy``: rules of exclusion and kinds of redaction, tried before they are saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from selflow.console.event_listing import event_document
from selflow.console.rule_preview import RulePreview, preview_kinds, preview_rules
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable
from selflow.core.settings import RedactKind

if TYPE_CHECKING:
    from selflow.store.log import LogReader

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
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="A kind of privacy.redact_kinds; may be repeated."),
]


@app.command()
def rules(ctx: typer.Context) -> None:
    """List the rules of every layer of the settings, and the kinds of personal data that are
    replaced.
    """
    call: Invocation = ctx.obj
    privacy = call.settings().settings.privacy
    paths, apps = list(privacy.exclude_paths), list(privacy.exclude_apps)
    kinds = list(privacy.redact_kinds) if privacy.anonymize else []
    lines = [*(f"path  {path}" for path in paths), *(f"app   {name}" for name in apps)]
    lines = [*(lines or ["no rule of exclusion"]), *(f"kind  {kind}" for kind in kinds)]
    call.show({"paths": paths, "apps": apps, "kinds": kinds}, map(printable, lines))


@app.command()
def preview(
    ctx: typer.Context, path: Paths = None, app_name: Apps = None, kind: Kinds = None
) -> None:
    """Show which of the newest 1,000 events rules would have hidden, or kinds of redaction would
    have changed and how, and save nothing.
    """
    call: Invocation = ctx.obj
    if kind and (path or app_name):
        raise UsageError(
            "--kind beside --path or --app", "preview rules and kinds one after another"
        )
    if kind:
        verb, shown = "changed", _preview_kinds(call, kind)
    else:
        verb, shown = "hidden", _preview(call, path or [], app_name or [])
    document = {
        "examined": shown.examined,
        verb: shown.hidden,
        "items": [event_document(stored) for stored in shown.items],
    }
    call.show(document, _lines(shown, "changes" if kind else "hides"))


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
    with _log(call) as log:
        return preview_rules(log, paths, apps, str(Path.home()))


def _preview_kinds(call: Invocation, names: list[str]) -> RulePreview:
    known: dict[str, RedactKind] = {kind: kind for kind in get_args(RedactKind)}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"unknown kind: {unknown[0]}", f"known kinds: {', '.join(known)}")
    kinds = [known[name] for name in names]
    with _log(call) as log:
        return preview_kinds(log, kinds)


@contextmanager
def _log(call: Invocation) -> Iterator["LogReader | None"]:
    """The log, or None while there is none."""
    if not (call.root.events / "data.mdb").exists():
        yield None
        return
    from selflow.store.log import LogReader

    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        yield reader
    finally:
        reader.close()


def _lines(shown: RulePreview, verb: str = "hides") -> Iterator[str]:
    yield f"{verb} {shown.hidden:,} of the last {shown.examined:,} events"
    for stored in shown.items:
        event = stored.event
        yield printable(f"  {event.source:<10}  {event.kind:<16}  {event.subject}")
