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
    found = CatalogReader(call.catalog_location()).learned(Pattern, state="alive")
    found.sort(key=lambda each: -each.windows)
    if not found:
        call.note("no patterns yet; to find some: selflow learn")
    rows = [
        [
            each.name,
            each.windows,
            each.events,
            each.share,
            "undefined" if each.agreement is None else f"{each.agreement:.3f}",
            ", ".join(str(word) for word, _ in each.terms[:_SHOWN_TERMS]),
        ]
        for each in found
    ]
    lines = table(["pattern", "windows", "events", "share", "agreement", "terms"], rows)
    call.show({"items": [document(each) for each in found], "next": None}, lines)
