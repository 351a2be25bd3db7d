"""``selflow watch``: what SelFlow does, live, from the console's stream."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from selflow.console.cli.watch_view import TOPICS, Watched, after, changes, screen
from selflow.console.owner_client import StreamMessage, follow_console
from selflow.core.clock import SystemClock
from selflow.core.invocation import Invocation

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def watch(ctx: typer.Context) -> None:
    """Show what SelFlow does, live.

    State, buffer, next learning, the stages of a cycle, who serves and the newest events. Ctrl-C
    ends the view and nothing else; a console that is started again is followed on. Without a
    terminal it prints a line for each change. With --json, one document per line: topic, id and
    the document of the stream.
    """
    call: Invocation = ctx.obj
    messages = follow_console(call.root, TOPICS, SystemClock())
    if call.is_json:
        _print_documents(call, messages)
    elif call.out.isatty():
        _draw(call, messages)
    else:
        _print_changes(call, messages)


def _print_documents(call: Invocation, messages: Iterable[StreamMessage]) -> None:
    for message in messages:
        if message.problem:
            call.note(message.problem)
            continue
        document = {"topic": message.topic, "id": message.id, "document": message.document}
        call.out.write(json.dumps(document, ensure_ascii=False) + "\n")
        call.out.flush()


def _print_changes(call: Invocation, messages: Iterable[StreamMessage]) -> None:
    watched = Watched()
    for message in messages:
        before, watched = watched, _advance(watched, message)
        call.out.writelines(f"{line}\n" for line in changes(before, watched))
        call.out.flush()


def _draw(call: Invocation, messages: Iterable[StreamMessage]) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=call.out, no_color=not call.has_color)
    watched = Watched()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for message in messages:
            watched = _advance(watched, message)
            live.update(_picture(watched, console), refresh=True)


def _advance(watched: Watched, message: StreamMessage) -> Watched:
    document = {"problem": message.problem} if message.problem else message.document
    return after(watched, message.topic, document)


def _picture(watched: Watched, console: "Console") -> "RenderableType":
    from rich.text import Text

    lines = [Text(line.text, line.style) for line in screen(watched, console.height - 1)]
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
    text.no_wrap, text.overflow = True, "ellipsis"
    text.append("\nCtrl-C ends this view, nothing else", "dim")
    return text
