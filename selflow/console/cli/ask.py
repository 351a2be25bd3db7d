"""``selflow ask``: a question about one's own events, answered from the log without Ray."""

from typing import TYPE_CHECKING, Annotated

import typer

from selflow.console.cli.progress import progress
from selflow.core.clock import SystemClock, as_datetime, owner_zone
from selflow.core.invocation import Invocation, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selflow.search.asking import SearchPlace
    from selflow.search.records import Answer


def ask(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(help="In plain English, with times, kinds, folders.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Events from here: a date, RFC 3339, or words."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Events before this: a date, RFC 3339, or words."),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Only this kind (or file for file.*); may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, max=1_000, help="Maximum number of events.")] = 10,
) -> None:
    """Ask about your own events.

    Understands times ("last March", "since Monday"), kinds (commands, commits, files, documents,
    apps), folders ("in docs/") and what is wanted (how many, when, which, per day, longest gap,
    together). Everything else is a word that the events must hold. Each sentence is computed.
    """
    from selflow.search.asking import Request, SearchPlace, answer_document, limit_us
    from selflow.search.asking import ask as ask_index
    from selflow.search.follow import EmptyLog

    call: Invocation = ctx.obj
    clock, zone, reader = SystemClock(), owner_zone(), None
    if (call.root.events / "data.mdb").exists():
        from selflow.store.log import LogReader

        reader = LogReader(call.root.events, budget_bytes=0)
    where = SearchPlace(call.root.derived, reader or EmptyLog(), clock, zone)
    request = Request(
        question,
        limit,
        tuple(kind or ()),
        limit_us("--since", since, where),
        limit_us("--until", until, where),
    )
    try:
        with progress(call, "reading the event log") as show:
            answer = ask_index(request, where, show)
    finally:
        if reader:
            reader.close()
    call.show(answer_document(answer), _lines(answer, where))


def _lines(answer: "Answer", where: "SearchPlace") -> "Iterator[str]":
    yield printable(f"Understood: {answer.understood}.")
    for note in answer.notes:
        yield f"{note[0].upper()}{note[1:]}."
    for fact in answer.facts:
        yield printable(fact.text)
    if answer.results:
        yield ""
    for result in answer.results:
        moment = as_datetime(result.ts_us).astimezone(where.zone).strftime("%Y-%m-%d %H:%M:%S")
        yield printable(f"{result.seq:>8}  {moment}  {result.kind:<16}  {result.text}")
