"""``selflow patterns``: what the last learning cycle found, and what its owner makes of it."""

from typing import Annotated

import typer

from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.steps import label_event
from selflow.store.reading import CatalogReader
from selflow.store.records import Pattern
from selflow.store.row import document

_SHOWN_TERMS = 5


def patterns(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this one with all that is known.")
    ] = None,
) -> None:
    """List the current patterns, largest first.

    Every cluster is listed, with the reason why it gets no agent. The agreement is that of several
    families of clusterings, from 0 to 1; of everything together it is undefined.
    """
    call: Invocation = ctx.obj
    alive = CatalogReader(call.catalog_location()).learned(Pattern, state="alive")
    alive.sort(key=lambda pattern: -pattern.windows)
    if name is not None:
        alive = [pattern for pattern in alive if pattern.name == name]
        if not alive:
            raise UsageError(
                f"no current pattern is named {printable(name)}", "selflow patterns lists them"
            )
        call.show(document(alive[0]), _all_of(alive[0]))
        return
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
            pattern.reason or "may have one",
        ]
        for pattern in alive
    ]
    columns = ["pattern", "windows", "events", "days", "share", "agreement", "grade", "terms"]
    lines = table([*columns, "agent"], rows)
    call.show({"items": [document(pattern) for pattern in alive], "next": None}, lines)


def _agreement(pattern: Pattern) -> str:
    return "undefined" if pattern.agreement is None else f"{pattern.agreement:.3f}"


def _all_of(pattern: Pattern) -> list[str]:
    families = [f"{name} {value:.3f}" for name, value in pattern.families.items()]
    lines = [
        f"agreement  {_agreement(pattern)} {pattern.grade or ''}".rstrip(),
        f"families   {', '.join(families) or '-'}",
        f"size       {pattern.windows:,} windows, {pattern.events:,} events, {pattern.days:,} days",
        f"terms      {printable(', '.join(str(term) for term, _ in pattern.terms))}",
        f"agent      {pattern.reason or 'may have one'}",
    ]
    for window in pattern.medoids:
        lines += ["", "a typical window", *(f"  {printable(text)}" for text in _texts(window))]
    return lines


def _texts(window: object) -> list[str]:
    labels = window if isinstance(window, list | tuple) else []
    return [" ".join(filter(None, label_event(str(label)))) for label in labels]
