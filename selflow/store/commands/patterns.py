"""``selflow patterns``: what the last learning cycle found, and what its owner makes of it."""

from typing import Annotated

import typer

from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.steps import label_event
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Pattern
from selflow.store.row import document

_SHOWN_TERMS = 5


app = typer.Typer(add_completion=False, rich_markup_mode=None)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A pattern, as the list names it.")]


@app.callback(invoke_without_command=True)
def patterns(
    ctx: typer.Context,
    *,
    with_hidden: Annotated[bool, typer.Option("--all", help="List also the hidden ones.")] = False,
) -> None:
    """List the current patterns, largest first.

    Every cluster is listed, with the reason why it gets no agent. The agreement is that of several
    families of clusterings, from 0 to 1; of everything together it is undefined.
    """
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    alive = [item for item in _alive(call) if with_hidden or not item.is_hidden]
    if not alive:
        call.note("no patterns yet; to find some: selflow learn")
    rows = [
        [
            pattern.name,
            pattern.windows,
            pattern.events,
            pattern.days,
            pattern.share,
            _agreement(pattern),
            pattern.grade or "-",
            ", ".join(str(term) for term, _ in pattern.terms[:_SHOWN_TERMS]),
            _agent(pattern),
            printable(pattern.title),
        ]
        for pattern in alive
    ]
    columns = ["pattern", "windows", "events", "days", "share", "agreement", "grade", "terms"]
    lines = table([*columns, "agent", "title"], rows)
    call.show({"items": [document(pattern) for pattern in alive], "next": None}, lines)


@app.command()
def show(ctx: typer.Context, name: _Name) -> None:
    """Show a pattern with its agreement by family, its words and typical windows."""
    call: Invocation = ctx.obj
    pattern = _named(call, name)
    call.show(document(pattern), _all_of(pattern))


@app.command()
def rename(
    ctx: typer.Context,
    name: _Name,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called from now on.")],
) -> None:
    """Give a pattern a title of your own; it keeps it over all later cycles."""
    _edit(ctx.obj, name, title=title)


@app.command()
def hide(ctx: typer.Context, name: _Name) -> None:
    """Leave a pattern out of the list and grow no agent for it, also in later cycles."""
    _edit(ctx.obj, name, is_hidden=True)


@app.command()
def unhide(ctx: typer.Context, name: _Name) -> None:
    """List a hidden pattern again; it may have an agent again."""
    _edit(ctx.obj, name, is_hidden=False)


def _alive(call: Invocation) -> list[Pattern]:
    alive = CatalogReader(call.catalog_location()).learned(Pattern, state="alive")
    return sorted(alive, key=lambda pattern: -pattern.windows)


def _named(call: Invocation, name: str) -> Pattern:
    for pattern in _alive(call):
        if pattern.name == name:
            return pattern
    raise UsageError(
        f"no current pattern is named {printable(name)}", "selflow patterns --all lists them"
    )


def _edit(
    call: Invocation, name: str, *, title: str | None = None, is_hidden: bool | None = None
) -> None:
    pattern = _named(call, name)
    with open_catalog(call) as catalog:
        edited = catalog.patterns.edit(pattern.id, title=title, is_hidden=is_hidden)
    call.show(document(edited), _all_of(edited))


def _agent(pattern: Pattern) -> str:
    return "hidden" if pattern.is_hidden else pattern.reason or "may have one"


def _agreement(pattern: Pattern) -> str:
    return "undefined" if pattern.agreement is None else f"{pattern.agreement:.3f}"


def _all_of(pattern: Pattern) -> list[str]:
    families = [f"{name} {value:.3f}" for name, value in pattern.families.items()]
    lines = [
        f"title      {printable(pattern.title) or '-'}",
        f"agreement  {_agreement(pattern)} {pattern.grade or ''}".rstrip(),
        f"families   {', '.join(families) or '-'}",
        f"size       {pattern.windows:,} windows, {pattern.events:,} events, {pattern.days:,} days",
        f"terms      {printable(', '.join(str(term) for term, _ in pattern.terms))}",
        f"agent      {_agent(pattern)}",
    ]
    for window in pattern.medoids:
        lines += ["", "a typical window", *(f"  {printable(text)}" for text in _texts(window))]
    return lines


def _texts(window: object) -> list[str]:
    labels = window if isinstance(window, list | tuple) else []
    return [" ".join(filter(None, label_event(str(label)))) for label in labels]
