"""``selflow suggest``: a completion for scripts and editors."""

from typing import Annotated

import typer

from selflow.core.invocation import Invocation
from selflow.sdk.wire import Surface


def suggest(
    ctx: typer.Context,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="What was typed.")],
    surface: Annotated[Surface, typer.Option(help="What it is the beginning of.")] = "shell",
    context: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Folder of a shell line or path; changed paths of a commit, one in a line.",
        ),
    ] = "",
) -> None:
    """Complete a shell line, a commit message or a path.

    Prints the likeliest completion, or nothing where none is likely enough.
    """
    from selflow.sdk.client import Client

    call: Invocation = ctx.obj
    client = Client(environ={**call.environ, "SELFLOW_HOME": str(call.root.path)})
    answer = client.suggest(prefix, surface=surface, context=context)
    call.show(answer.model_dump(), [item.text for item in answer.suggestions[:1]])
