"""``selflow patterns``: what the last learning cycle found."""

import typer

from selflow.core.invocation import Invocation, table
from selflow.store.reading import CatalogReader
from selflow.store.records import Pattern
from selflow.store.row import document

_SHOWN_TERMS = 5


def patterns(ctx: typer.Context) -> None:
    """List the current patterns, largest first.

    The agreement is that of several clusterings, from 0 to 1; of everything together it is
    undefined.
    """
    call: Invocation = ctx.obj
    alive = CatalogReader(call.catalog_location()).learned(Pattern, state="alive")
    alive.sort(key=lambda pattern: -pattern.windows)
    if not alive:
        call.note("no patterns yet; to find some: selflow learn")
    rows = [
        [
            pattern.name,
            pattern.windows,
            pattern.events,
            pattern.share,
            "undefined" if pattern.agreement is None else f"{pattern.agreement:.3f}",
            ", ".join(str(term) for term, _ in pattern.terms[:_SHOWN_TERMS]),
        ]
        for pattern in alive
    ]
    lines = table(["pattern", "windows", "events", "share", "agreement", "terms"], rows)
    call.show({"items": [document(pattern) for pattern in alive], "next": None}, lines)
