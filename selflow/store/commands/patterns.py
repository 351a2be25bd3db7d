"""``selflow patterns``: what the last learning cycle found, and what its owner makes of it."""

from pathlib import Path
from typing import Annotated

import typer

from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table, unknown_name
from selflow.core.steps import label_event
from selflow.store.commands.names import pattern_names
from selflow.store.commands.opening import open_catalog
from selflow.store.commands.pattern_plots import Format, write_plots
from selflow.store.pattern_map import PatternMap
from selflow.store.pattern_records import Pattern, Transition
from selflow.store.reading import CatalogReader
from selflow.store.row import document
from selflow.store.views import alive_patterns, pattern_changes, patterns_document

_SHOWN_TERMS = 5


app = typer.Typer(add_completion=False, rich_markup_mode=None)
_Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A pattern, as the list names it.", autocompletion=pattern_names
    ),
]


@app.callback(invoke_without_command=True)
def patterns(
    ctx: typer.Context,
    *,
    with_hidden: Annotated[bool, typer.Option("--all", help="List also the hidden ones.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of patterns; default all.")
    ] = None,
) -> None:
    """List the current patterns, largest first.

    Every cluster is listed, with the reason why it gets no agent. The agreement is that of several
    families of clusterings, from 0 to 1; of everything together it is undefined. The column change
    tells how a pattern came out of the cycle before, with its likeness to that, from 0 to 1; the
    lines below, what that cycle had found and this one did not, and what has changed since.
    """
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    reader = CatalogReader(call.catalog_location())
    current = alive_patterns(reader)
    changes = pattern_changes(reader, current)
    alive = [item for item in current if with_hidden or not item.is_hidden][:limit]
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
            _change(pattern, changes),
            _agent(pattern),
            printable(pattern.title),
        ]
        for pattern in alive
    ]
    columns = ["pattern", "windows", "events", "days", "share", "agreement", "grade", "terms"]
    lines = [*table([*columns, "change", "agent", "title"], rows), *_gone(changes)]
    shown = patterns_document(reader, with_hidden=with_hidden)
    shown["items"] = shown["items"][:limit]
    lines += [printable(change["text"]) for change in shown["behaviour"]]
    call.show(shown, lines)


@app.command()
def show(ctx: typer.Context, name: _Name) -> None:
    """Show a pattern with its agreement by family, its words and typical windows."""
    call: Invocation = ctx.obj
    pattern = _named(call, name)
    changes = pattern_changes(CatalogReader(call.catalog_location()), [pattern])
    call.show(document(pattern), _all_of(pattern, _change(pattern, changes)))


@app.command()
def plot(
    ctx: typer.Context,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the pictures.")],
    kind: Annotated[Format, typer.Option("--format", help="Of the files.")] = "png",
) -> None:
    """Draw the newest discovery into files: the map of its windows as each family and the consensus
    sees them, how often clusters are kept together, and how far the families agree.

    Needs matplotlib: pip install 'selflow[plot]'.
    """
    call: Invocation = ctx.obj
    known = PatternMap(CatalogReader(call.catalog_location()), call.root)
    document = known.document()
    if document is None:
        raise UsageError("there is no map of patterns yet", "make one with: selflow learn")
    views = [str(view["name"]) for view in document["views"]]
    points = {name: content for name in views if (content := known.points(name)) is not None}
    paths = [str(path) for path in write_plots(document, points, out, kind)]
    call.show({"cycle_id": document["cycle_id"], "files": paths}, paths)


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


@app.command()
def merge(
    ctx: typer.Context,
    name: _Name,
    other: Annotated[
        str,
        typer.Argument(
            metavar="OTHER",
            help="The pattern that becomes a part of it.",
            autocompletion=pattern_names,
        ),
    ],
    *,
    title: Annotated[str, typer.Option("--name", help="What both are called together.")] = "",
) -> None:
    """Take two patterns for one, with one agent, from the next learning cycle on and in all later
    ones.
    """
    call: Invocation = ctx.obj
    whole, part = _named(call, name), _named(call, other)
    if None in {whole.agreement, part.agreement}:
        raise UsageError("the whole stream cannot be merged", "name two other patterns")
    with open_catalog(call) as catalog:
        root = catalog.patterns.merge(part.name, whole.name, title or None)
    call.show(
        document(root),
        [f"{part.name} is a part of {root.name} from the next cycle on: selflow learn"],
    )


@app.command()
def unmerge(ctx: typer.Context, name: _Name) -> None:
    """Make the parts of a merged pattern, or one part, patterns of their own again, from the next
    learning cycle on.
    """
    call: Invocation = ctx.obj
    with open_catalog(call) as catalog:
        freed = catalog.patterns.unmerge(name)
    if not freed:
        raise UsageError(
            f"nothing is merged into {printable(name)}, nor is it into anything",
            "selflow patterns show NAME lists the parts of a pattern",
        )
    names = [item.name for item in freed]
    call.show(
        {"items": [document(item) for item in freed]},
        [f"patterns of their own from the next cycle on: {', '.join(names)}"],
    )


def _named(call: Invocation, name: str) -> Pattern:
    alive = {item.name: item for item in alive_patterns(CatalogReader(call.catalog_location()))}
    if name in alive:
        return alive[name]
    raise unknown_name("pattern", name, alive, "selflow patterns --all lists the current ones")


def _edit(
    call: Invocation, name: str, *, title: str | None = None, is_hidden: bool | None = None
) -> None:
    pattern = _named(call, name)
    with open_catalog(call) as catalog:
        edited = catalog.patterns.edit(pattern.id, title=title, is_hidden=is_hidden)
    changes = pattern_changes(CatalogReader(call.catalog_location()), [edited])
    call.show(document(edited), _all_of(edited, _change(edited, changes)))


def _change(pattern: Pattern, changes: list[Transition]) -> str:
    """How a pattern came out of the cycle before."""
    names = {pattern.name, *pattern.parts}
    phrases = []
    for change in changes:
        if names.isdisjoint(change.into):
            continue
        if change.change == "split":
            phrases.append(f"from {change.pattern}, which split ({change.likeness:.2f})")
        elif change.change == "absorbed":
            phrases.append(f"absorbed {change.pattern} ({change.likeness:.2f})")
        else:
            phrases.append(f"{change.change} ({change.likeness:.2f})")
    return "; ".join(phrases) or "-"


def _gone(changes: list[Transition]) -> list[str]:
    """The patterns that the cycle did not find again."""
    return [
        f"{change.pattern} disappeared (at most {change.likeness:.2f} like one of these)"
        for change in changes
        if change.change == "disappeared"
    ]


def _agent(pattern: Pattern) -> str:
    if pattern.merged_into:
        return f"a part of {pattern.merged_into} from the next cycle on"
    return "hidden" if pattern.is_hidden else pattern.reason or "may have one"


def _agreement(pattern: Pattern) -> str:
    return "undefined" if pattern.agreement is None else f"{pattern.agreement:.3f}"


def _all_of(pattern: Pattern, change: str) -> list[str]:
    families = [f"{name} {value:.3f}" for name, value in pattern.families.items()]
    lines = [
        f"title      {printable(pattern.title) or '-'}",
        f"agreement  {_agreement(pattern)} {pattern.grade or ''}".rstrip(),
        f"families   {', '.join(families) or '-'}",
        f"size       {pattern.windows:,} windows, {pattern.events:,} events, {pattern.days:,} days",
        f"terms      {printable(', '.join(str(term) for term, _ in pattern.terms))}",
        f"cycles     {pattern.alive_cycles or 0} in a row; {change}",
        f"parts      {', '.join(pattern.parts) or '-'}",
        f"agent      {_agent(pattern)}",
    ]
    for window in pattern.medoids:
        lines += ["", "a typical window", *(f"  {printable(text)}" for text in _texts(window))]
    return lines


def _texts(window: object) -> list[str]:
    labels = window if isinstance(window, list | tuple) else []
    return [" ".join(filter(None, label_event(str(label)))) for label in labels]
